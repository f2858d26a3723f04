"""Mirrored and shifted training images, as a pure function of the images and a seed."""

from __future__ import annotations

from typing import Any

from hemline_train._tensorflow import tf

MAX_SHIFT_PX = 2


def augment(images: Any, seed: Any, max_shift_px: int = MAX_SHIFT_PX) -> Any:
    """Mirror every second image, on average, and shift each by a few pixels.

    A garment seen in the mirror is the same garment, and so is one a little off the middle. One
    gather per axis does all of it, and picks pixels without changing any.

    Args:
        images: Tensor of any number type, (N, H, W, C).
        seed: int32 tensor, (2,). The same images and seed give the same result.
        max_shift_px: Largest shift to each side; what moves in is 0.

    Returns:
        Tensor of the same type and shape.
    """
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    span = 2 * max_shift_px + 1
    draws = tf.random.stateless_uniform((3, count), seed, maxval=2 * span, dtype=tf.int32)
    flips, top, left = draws[0] % 2 == 1, draws[1] % span, draws[2] % span
    margin = (max_shift_px, max_shift_px)
    padded = tf.pad(images, ((0, 0), margin, margin, (0, 0)))
    rows = top[:, None] + tf.range(height)[None, :]
    forward = tf.range(width)[None, :]
    columns = left[:, None] + tf.where(flips[:, None], width - 1 - forward, forward)
    shifted = tf.gather(padded, rows, axis=1, batch_dims=1)
    result = tf.gather(shifted, columns, axis=2, batch_dims=1)
    return tf.ensure_shape(result, images.shape)
