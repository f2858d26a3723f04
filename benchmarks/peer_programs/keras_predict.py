"""Keras as most write it: `load_model`, then `predict`."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import cv2
import keras
import numpy as np
from _plain import LABELS, pixels
from _serve import serve

cv2.setNumThreads(1)
model = keras.models.load_model(sys.argv[1])


def classify(frame):
    """The likeliest label."""
    tensor = pixels(frame)[None, ..., None].astype(np.float32)
    return LABELS[int(model.predict(tensor, verbose=0)[0].argmax())]


serve(cv2.imread, classify)
