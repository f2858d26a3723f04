"""A small interpreter of `.tflite` classifiers in NumPy: numerical ground truth of our own.

It shares no code with the runtimes that it is compared with, and runs where none of them has a wheel.
"""

from hemline.numpy_interpreter.interpreter import Activation, NumpyInterpreter

__all__ = ["Activation", "NumpyInterpreter"]
