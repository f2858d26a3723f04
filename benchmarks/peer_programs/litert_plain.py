"""LiteRT as one would write it by hand, with OpenCV."""

import sys

import cv2
from _plain import LABELS, pixels
from _serve import serve

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:  # the same program serves the older package
    from tflite_runtime.interpreter import Interpreter

cv2.setNumThreads(1)
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
source = interpreter.get_input_details()[0]["index"]
target = interpreter.get_output_details()[0]["index"]


def classify(frame):
    """The likeliest label."""
    interpreter.set_tensor(source, pixels(frame)[None, ..., None])
    interpreter.invoke()
    return LABELS[int(interpreter.get_tensor(target)[0].argmax())]


serve(cv2.imread, classify)
