"""The one place that imports TensorFlow and Keras, quietly and with the backend that we need."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from hemline.errors import UserError


@contextlib.contextmanager
def _holding_back_stderr() -> Iterator[None]:
    """Keep what is written to standard error meanwhile, and show it only if the block fails.

    TensorFlow 2.21 tells of processor and graphics card while it is imported, before its log level
    counts; it writes to the file descriptor, past `sys.stderr`.
    """
    sys.stderr.flush()
    try:
        terminal = os.dup(2)
    except OSError:  # standard error is closed, so nobody is disturbed
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(terminal, held.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
with _holding_back_stderr():
    import keras
    import tensorflow as tf

if keras.backend.backend() != "tensorflow":
    raise UserError(
        f"Keras already runs on {keras.backend.backend()} in this process",
        "set KERAS_BACKEND=tensorflow, or import hemline_train before keras",
    )

__all__ = ["keras", "make_deterministic", "tf"]


def make_deterministic(seed: int) -> None:
    """Seed Python, NumPy and Keras, and have TensorFlow choose only repeatable kernels.

    This holds for the rest of the process.

    Args:
        seed: From 0 to 2**32 - 1.
    """
    tf.get_logger().setLevel("ERROR")
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
