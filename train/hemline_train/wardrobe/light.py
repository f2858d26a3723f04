"""What light, lens and camera do to a frame: colour, exposure, shadow, blur, noise, compression.

Everything is drawn from the generator that is given, and the frame itself is not changed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline._opencv import cv2

Picture = NDArray[np.uint8]
Rng = np.random.Generator

_GRAIN_SIDE = 512


def relit(frame_bgr: Picture, rng: Rng, strength: float) -> Picture:
    """The same scene in another light, by another camera.

    Args:
        frame_bgr: uint8, (H, W, 3).
        rng: Where all chance comes from.
        strength: 0 leaves the colours as they are; at 1 they change a lot.
    """
    frame = _recoloured(frame_bgr, rng, strength)
    if rng.random() < 0.3:
        frame = _shaded(frame, rng)
    if rng.random() < 0.25:
        frame = _blurred(frame, rng)
    if rng.random() < 0.25:
        frame = _noisy(frame, rng)
    if rng.random() < 0.25:
        frame = _compressed(frame, rng)
    return frame


def _recoloured(frame: Picture, rng: Rng, strength: float) -> Picture:
    """Hue, saturation, white balance, exposure, contrast and gamma; one matrix and one table."""
    kind = rng.random()
    if kind < 0.05:
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        frame = _u8(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    elif kind < 0.05 + 0.08 * strength:  # another dye altogether
        frame = np.ascontiguousarray(frame[:, :, rng.permutation(3)])
    elif kind < 0.8:
        frame = _u8(cv2.transform(frame, _colour_matrix(rng, strength)))
    gains = np.exp(rng.normal(0, 0.10 * strength, 3) + rng.normal(0, 0.18 * strength))
    contrast = np.exp(rng.normal(0, 0.22 * strength))
    gamma = np.exp(rng.normal(0, 0.22 * strength))
    lift = rng.normal(0, 12 * strength)
    steps = (np.arange(256) / 255.0) ** gamma * 255
    table = ((steps - 128) * contrast + 128 + lift)[:, None] * gains[None, :]
    if rng.random() < 0.03 * strength:
        table = 255 - table
    return _u8(cv2.LUT(frame, np.clip(table, 0, 255).astype(np.uint8)[None]))


def _colour_matrix(rng: Rng, strength: float) -> NDArray[np.float32]:
    """Turn the hue and change the saturation, about the grey axis of BGR."""
    angle = rng.normal(0, 0.35 * strength)
    if rng.random() < 0.25 * strength:
        angle = rng.uniform(-np.pi, np.pi)
    saturation = np.exp(rng.normal(0, 0.35 * strength))
    third, cosine = 1 / 3, float(np.cos(angle))
    sine = float(np.sin(angle)) / np.sqrt(3)
    # A rotation about (1, 1, 1)/√3 (Rodrigues), its part away from the axis scaled.
    off = third * (1 - cosine)
    turn = np.array(
        [
            [cosine + off, off - sine, off + sine],
            [off + sine, cosine + off, off - sine],
            [off - sine, off + sine, cosine + off],
        ]
    )
    mean = np.full((3, 3), third)
    matrix: NDArray[np.float32] = (mean + saturation * (turn - mean)).astype(np.float32)
    return matrix


def _shaded(frame: Picture, rng: Rng) -> Picture:
    """An uneven light, or the hard shadow of something outside the picture."""
    height, width = frame.shape[:2]
    if rng.random() < 0.6:
        cells = int(rng.integers(2, 5))
        field = rng.uniform(0.55, 1.25, (cells, cells)).astype(np.float32)
        light = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    else:
        light = np.ones((height, width), np.float32)
        corners = rng.uniform(-0.3, 1.3, (int(rng.integers(3, 5)), 2)) * (width, height)
        cv2.fillPoly(light, [corners.astype(np.int32)], float(rng.uniform(0.45, 0.8)))
        light = cv2.GaussianBlur(light, (0, 0), float(rng.uniform(0.5, 8)))
    levels = np.clip(light * 128, 0, 255).astype(np.uint8)
    return _u8(cv2.multiply(frame, cv2.merge((levels, levels, levels)), scale=1 / 128))


def _blurred(frame: Picture, rng: Rng) -> Picture:
    kind = rng.random()
    unit = max(frame.shape[:2]) / 128
    if kind < 0.55:
        return _u8(cv2.GaussianBlur(frame, (0, 0), float(rng.uniform(0.4, 1.8)) * unit))
    if kind < 0.8:  # the camera or the garment moves
        length = 2 * int(rng.integers(1, max(2, round(4 * unit)) + 1)) + 1
        kernel = np.zeros((length, length), np.float32)
        half = length // 2
        angle = rng.uniform(0, np.pi)
        dx, dy = round(half * np.cos(angle)), round(half * np.sin(angle))
        cv2.line(kernel, (half - dx, half - dy), (half + dx, half + dy), 1.0)
        return _u8(cv2.filter2D(frame, -1, kernel / kernel.sum()))
    height, width = frame.shape[:2]  # few pixels, enlarged
    ratio = float(rng.uniform(0.35, 0.7))
    small = max(8, round(width * ratio)), max(8, round(height * ratio))
    coarse = cv2.resize(frame, small, interpolation=cv2.INTER_AREA)
    return _u8(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))


def _noisy(frame: Picture, rng: Rng) -> Picture:
    height, width = frame.shape[:2]
    grain = _grain()
    y, x = rng.integers(0, _GRAIN_SIDE - min(height, 500), 2).tolist()
    window = grain[y : y + height, x : x + width]
    if window.shape[:2] != (height, width):
        window = _u8(cv2.resize(window, (width, height)))
    amount = float(np.exp(rng.uniform(np.log(2), np.log(20)))) / 32
    return _u8(cv2.addWeighted(frame, 1.0, window, amount, -128 * amount))


@lru_cache(maxsize=1)
def _grain() -> Picture:
    """Noise about 128 with a standard deviation of 32; drawn once, for it takes longest."""
    noise = np.random.default_rng(0).standard_normal((_GRAIN_SIDE, _GRAIN_SIDE, 3))
    return np.clip(128 + 32 * noise, 0, 255).astype(np.uint8)


def _compressed(frame: Picture, rng: Rng) -> Picture:
    quality = int(rng.integers(18, 90))
    _, content = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _u8(cv2.imdecode(content, cv2.IMREAD_COLOR))


def _u8(array: Any) -> Picture:
    picture: Picture = array
    return picture
