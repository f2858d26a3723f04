"""Training images changed a little, as a pure function of the images and a seed.

Each function takes a tensor of any number type, (N, H, W, C), and an int32 seed, (2,), and gives one of the
same type and shape. The same images and seed give the same result.
"""

from __future__ import annotations

from typing import Any

from hemline_train._tensorflow import tf
from hemline_train.recipes import Augmentation

# Of random erasing: the share of the area that a rectangle takes, and height by width.
ERASED_AREA = (0.02, 0.33)
ERASED_ASPECT = (0.3, 1 / 0.3)


def augment(images: Any, seed: Any, augmentation: Augmentation) -> Any:
    """Mirror, shift and erase, as the recipe says."""
    if augmentation.flip or augmentation.max_shift_px:
        images = flip_and_shift(images, seed, augmentation.flip, augmentation.max_shift_px)
    if augmentation.erased:
        images = erase(images, seed + (1, 0), augmentation.erased)
    return images


def flip_and_shift(images: Any, seed: Any, flip: bool, max_shift_px: int) -> Any:
    """Mirror every second image, on average, and shift each by a few pixels.

    A garment seen in the mirror is the same garment, and so is one a little off the middle. One
    gather per axis does all of it, and picks pixels without changing any.

    Args:
        images: See above.
        seed: See above.
        flip: Whether any is mirrored.
        max_shift_px: Largest shift to each side; what moves in is 0.
    """
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    span = 2 * max_shift_px + 1
    draws = tf.random.stateless_uniform((3, count), seed, maxval=2 * span, dtype=tf.int32)
    flips, top, left = draws[0] % 2 == 1, draws[1] % span, draws[2] % span
    if not flip:
        flips = tf.zeros_like(flips)
    margin = (max_shift_px, max_shift_px)
    padded = tf.pad(images, ((0, 0), margin, margin, (0, 0)))
    rows = top[:, None] + tf.range(height)[None, :]
    forward = tf.range(width)[None, :]
    columns = left[:, None] + tf.where(flips[:, None], width - 1 - forward, forward)
    shifted = tf.gather(padded, rows, axis=1, batch_dims=1)
    result = tf.gather(shifted, columns, axis=2, batch_dims=1)
    return tf.ensure_shape(result, images.shape)


def erase(images: Any, seed: Any, share: float) -> Any:
    """Fill a rectangle with noise in some of the images.

    Args:
        images: See above.
        seed: See above.
        share: Of the images, on average.
    """
    count = tf.shape(images)[0]
    draws = tf.random.stateless_uniform((3, count), seed)
    area = ERASED_AREA[0] + draws[0] * (ERASED_AREA[1] - ERASED_AREA[0])
    log_low, log_high = tf.math.log(ERASED_ASPECT[0]), tf.math.log(ERASED_ASPECT[1])
    aspect = tf.exp(log_low + draws[1] * (log_high - log_low))
    inside = _rectangles(
        images.shape, tf.sqrt(area * aspect), tf.sqrt(area / aspect), seed + (0, 1)
    )
    inside &= (draws[2] < share)[:, None, None, None]
    noise = tf.random.stateless_uniform(tf.shape(images), seed + (0, 2), 0, 256, tf.int32)
    return tf.where(inside, tf.cast(noise, images.dtype), images)


def mix(images: Any, seed: Any, share: float) -> tuple[Any, Any]:
    """Put a rectangle of the next image into some of the images.

    Args:
        images: See above. The image behind the last is the first.
        seed: See above.
        share: Of the images, on average.

    Returns:
        The images, and float32, (N,): the share of its own pixels that each has kept.
    """
    count = tf.shape(images)[0]
    draws = tf.random.stateless_uniform((2, count), seed)
    side = tf.sqrt(draws[0])  # the area is uniform, as Beta(1, 1) in the paper
    inside = _rectangles(images.shape, side, side, seed + (0, 1))
    inside &= (draws[1] < share)[:, None, None, None]
    kept = 1 - tf.reduce_mean(tf.cast(inside, tf.float32), axis=(1, 2, 3))
    return tf.where(inside, tf.roll(images, -1, axis=0), images), kept


def tremble(images: Any, seed: Any, extent: float) -> Any:
    """Every second image, on average, as a camera in the hand has it a moment later.

    It is moved by up to a share of its size, enlarged or shrunk, turned about its middle, and lighter or
    darker; what moves in is the border's colour. The others keep every pixel as it is.

    Args:
        images: See above; of values 0–255.
        seed: See above.
        extent: How far at most: shares of the size and of the light, and radians.
    """
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    draws = tf.random.stateless_uniform((6, count), seed, -1, 1)
    right, down, zoom, turn, light = tf.unstack(tf.where(draws[5] < 0, 0.0, extent) * draws[:5])
    cosine, sine = (1 + zoom) * tf.cos(turn), (1 + zoom) * tf.sin(turn)
    x, y = (width - 1) / 2, (height - 1) / 2
    zero = tf.zeros_like(zoom)
    # From a place in the result to that in the image, about the middle of both.
    to_x = (cosine, -sine, x - cosine * x + sine * y + right * width)
    to_y = (sine, cosine, y - sine * x - cosine * y + down * height)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=tf.stack((*to_x, *to_y, zero, zero), axis=1),
        output_shape=(height, width),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    lit = tf.clip_by_value(tf.round(moved * (1 + light)[:, None, None, None]), 0, 255)
    return tf.ensure_shape(tf.cast(lit, images.dtype), images.shape)


def _rectangles(shape: Any, heights: Any, widths: Any, seed: Any) -> Any:
    """One rectangle per image, somewhere in it.

    Args:
        shape: Of the images.
        heights: float32, (N,), share of the image's height; more than all is all.
        widths: Likewise.
        seed: See above.

    Returns:
        bool, (N, H, W, 1): what is inside.
    """
    draws = tf.random.stateless_uniform((2, tf.shape(heights)[0]), seed)
    inside = []
    for size, share, place in ((shape[1], heights, draws[0]), (shape[2], widths, draws[1])):
        length = tf.round(tf.minimum(share, 1) * size)
        first = tf.floor(place * (size - length + 1))
        position = tf.range(size, dtype=tf.float32)[None, :]
        inside.append((position >= first[:, None]) & (position < (first + length)[:, None]))
    return (inside[0][:, :, None] & inside[1][:, None, :])[..., None]
