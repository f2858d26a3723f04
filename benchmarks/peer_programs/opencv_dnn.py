"""cv2.dnn as one would write it by hand."""

import sys

import cv2
from _plain import LABELS, pixels
from _serve import serve

cv2.setNumThreads(1)
network = cv2.dnn.readNet(sys.argv[1])


def classify(frame):
    """The likeliest label."""
    network.setInput(pixels(frame)[None, ..., None])
    return LABELS[int(network.forward()[0].argmax())]


serve(cv2.imread, classify)
