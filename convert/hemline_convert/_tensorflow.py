"""The one place that imports TensorFlow and Keras, quietly and with the backend that we need."""

from __future__ import annotations

import os

from hemline.errors import UserError
from hemline.quiet import holding_back_stderr

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
# TensorFlow 2.21 tells of processor and graphics card while it is imported, before its log level counts.
with holding_back_stderr():
    import keras
    import tensorflow as tf
    from absl import logging as absl_logging

if keras.backend.backend() != "tensorflow":
    raise UserError(
        f"Keras already runs on {keras.backend.backend()} in this process",
        "set KERAS_BACKEND=tensorflow, or import hemline before keras",
    )
absl_logging.set_verbosity(absl_logging.ERROR)
tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
