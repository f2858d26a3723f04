"""ONNX Runtime as one would write it by hand, with OpenCV."""

import sys

import cv2
import onnxruntime
from _plain import LABELS, pixels
from _serve import serve

cv2.setNumThreads(1)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name


def classify(frame):
    """The likeliest label."""
    logits = session.run(None, {name: pixels(frame)[None, ..., None]})[0][0]
    return LABELS[int(logits.argmax())]


serve(cv2.imread, classify)
