"""TensorFlow and Keras as training needs them: repeatable."""

from __future__ import annotations

from hemline_convert._tensorflow import keras, tf

__all__ = ["keras", "make_deterministic", "tf"]


def make_deterministic(seed: int) -> None:
    """Seed Python, NumPy and Keras, and have TensorFlow choose only repeatable kernels.

    This holds for the rest of the process.

    Args:
        seed: From 0 to 2**32 - 1.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
