"""Garments as a camera shows them once they are cut out: worse cut, otherwise lit, not laid straight.

`hemline.garment` finds a garment in a photo and puts it on black. What comes of it is no picture of
Fashion-MNIST: ground is left between the sleeves, a corner of the garment is missing, a white shirt is
dark, the cloth has folds. A network that is to name such pictures must have seen the like, so a share of
every epoch's images goes through `worn`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hemline.errors import DataError

Images = NDArray[np.uint8]
_Planes = NDArray[np.float32]
_Rng = np.random.Generator

_DARKEST_CLOTH = 12  # of 255: what is brighter belongs to the garment
_FIELDS = 256  # cloudy fields that are drawn for a call; each image takes some, mirrored at random
_CHUNK = 2048  # images at a time: what stays in the processor's cache is done sooner


@dataclass(frozen=True)
class WornSettings:
    """How often, and how far, an image is changed. Shares are from 0 to 1.

    Attributes:
        turn_degrees: Standard deviation of the turn.
        lean: Standard deviation of shear, of perspective, and of the logarithm of width to height.
        gap_share: Of images whose gaps (between sleeves and body, or the legs) are filled with ground.
        rim_share: Of images that are cut out a pixel too wide; as many are cut too narrow.
        ground_share: Of images with patches of ground beside the garment.
        hole_share: Of images with holes and missing parts.
        loss_share: Of images of which a part is cut off along a line.
        inverted_share: Of images whose tones are inverted, as those of white clothes are.
        print_share: Of images that get folds, stripes or checks.
        blur_share: Of images that are out of focus.
    """

    turn_degrees: float = 7.0
    lean: float = 0.08
    gap_share: float = 0.3
    rim_share: float = 0.2
    ground_share: float = 0.35
    hole_share: float = 0.3
    loss_share: float = 0.1
    inverted_share: float = 0.4
    print_share: float = 0.4
    blur_share: float = 0.3


def worn(images: Images, rng: _Rng, settings: WornSettings | None = None) -> Images:
    """Make images of Fashion-MNIST look like garments that were cut out of photos.

    Args:
        images: uint8, (N, H, W, 1), 0–255, each a garment on black; an image without one stays black.
        rng: Where all chance comes from: the same images and state give the same result.
        settings: How often and how far.

    Returns:
        uint8 of the same shape; each garment touches the frame with its long side and lies in the
        middle, as `hemline.garment` frames it.

    Raises:
        DataError: The images have another shape or type.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 1:
        raise DataError(
            f"images to wear are {images.dtype} of shape {images.shape}",
            "give uint8, (N, height, width, 1)",
        )
    settings = settings or WornSettings()
    result = np.empty_like(images)
    fields = _cloudy_fields(rng, images.shape[1:3])
    for start in range(0, len(images), _CHUNK):
        part = slice(start, start + _CHUNK)
        result[part, :, :, 0] = _worn_chunk(images[part, :, :, 0], fields, rng, settings)
    return result


def _worn_chunk(images: Images, fields: _Planes, rng: _Rng, settings: WornSettings) -> Images:
    grey = _leaning(images, rng, settings)
    masks = np.array([_garment_mask(image) for image in grey])
    cloth = _retoned(grey, masks, fields, rng, settings)
    cut = _cut_badly(masks, fields, rng, settings)
    ground = _ground(len(grey), fields, rng)
    pictures = np.where(masks > 0, cloth, ground) * (cut > 0)
    framed = _framed(pictures, cut)
    return _as_seen(framed, rng, settings)


def _garment_mask(image: Images) -> Images:
    """Where the garment is: uint8, 0 or 1; dark cloth inside it counts."""
    mask = (image > _DARKEST_CLOTH).view(np.uint8)
    closed: Images = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _CROSS), np.uint8)
    return closed


_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def _leaning(images: Images, rng: _Rng, settings: WornSettings) -> Images:
    """Turned, sheared, seen at an angle, and no part of it leaves the frame."""
    count, height, width = images.shape
    turn = np.deg2rad(rng.normal(0, settings.turn_degrees, count))
    lean = rng.normal(0, settings.lean, (count, 4))
    flips = rng.random(count) < 0.5
    cos, sin = np.cos(turn), np.sin(turn)
    matrices = np.zeros((count, 3, 3))
    wide = np.exp(lean[:, 0] / 2)
    matrices[:, 0, 0], matrices[:, 0, 1] = wide * cos * np.where(flips, -1, 1), -sin + lean[:, 1]
    matrices[:, 1, 0], matrices[:, 1, 1] = sin * np.where(flips, -1, 1), cos / wide
    matrices[:, 2, :2] = lean[:, 2:]
    matrices[:, 2, 2] = 1
    corners = np.array([[-1, -1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, 1]], np.float64)
    ends = matrices @ corners.T
    reach = np.abs(ends[:, :2] / ends[:, 2:]).max(axis=(1, 2))
    matrices[:, :2] /= np.maximum(reach, 1)[:, None, None]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    to_pixels = np.array([[middle[0], 0, middle[0]], [0, middle[1], middle[1]], [0, 0, 1]])
    matrices = to_pixels @ matrices @ np.linalg.inv(to_pixels)
    turned = [
        cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
        for image, matrix in zip(images, matrices, strict=True)
    ]
    return np.array(turned, np.uint8)


def _cloudy_fields(rng: _Rng, size_hw: tuple[int, int]) -> _Planes:
    """Smooth noise of mean 0 and deviation 1 at several scales: float32, (_FIELDS, H, W)."""
    fields = []
    for index in range(_FIELDS):
        sigma = (1.2, 2.0, 3.5, 6.0)[index % 4]
        noise = rng.standard_normal(size_hw).astype(np.float32)
        cloud = cv2.GaussianBlur(noise, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        fields.append((cloud - cloud.mean()) / cloud.std())
    return np.array(fields, np.float32)


def _some(fields: _Planes, count: int, rng: _Rng) -> _Planes:
    """A field for each image, half of them mirrored: (count, H, W)."""
    chosen = fields[rng.integers(0, len(fields), count)]
    mirrored = rng.random(count) < 0.5
    chosen[mirrored] = chosen[mirrored, :, ::-1]
    return chosen


def _each(rng: _Rng, low: float, high: float, count: int) -> _Planes:
    """A number for each image, to be multiplied with planes: (count, 1, 1)."""
    return rng.uniform(low, high, (count, 1, 1)).astype(np.float32)


def _chance(rng: _Rng, share: float, count: int) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = rng.random((count, 1, 1)) < share
    return chosen


def _retoned(
    grey: Images, masks: Images, fields: _Planes, rng: _Rng, settings: WornSettings
) -> _Planes:
    """Other tones, light and cloth; 0–255, meaningful inside the masks."""
    count, height, width = grey.shape
    cloth = grey.astype(np.float32)
    size = np.maximum(masks.sum(axis=(1, 2), dtype=np.float32), 1)[:, None, None]
    mean = (cloth * masks).sum(axis=(1, 2), keepdims=True) / size
    detail = cloth - mean
    detail *= np.where(_chance(rng, settings.inverted_share, count), -1, 1)
    detail *= _each(rng, 0.3, 1.2, count)
    cloth = detail + np.where(_chance(rng, 0.5, count), mean, _each(rng, 40, 235, count))
    light = _some(fields, count, rng) * _each(rng, 0, 18, count)
    down = np.linspace(-1, 1, height, dtype=np.float32)[None, :, None]
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, None, :]
    light += 25 * (_each(rng, -1, 1, count) * down + _each(rng, -1, 1, count) * across)
    waves = np.sin(
        _each(rng, 0, 14, count) * down
        + _each(rng, 0, 14, count) * across
        + _each(rng, 0, 6, count)
    )
    printed = _chance(rng, settings.print_share, count)
    cloth += light + np.where(printed, waves * _each(rng, 5, 50, count), 0)
    retoned: _Planes = np.clip(cloth, 8, 255, out=cloth)
    return retoned


def _cut_badly(masks: Images, fields: _Planes, rng: _Rng, settings: WornSettings) -> Images:
    """What a cut-out would keep: uint8, 0 or 1, (N, H, W)."""
    count, height, width = masks.shape
    kept = masks.copy()
    gaps = np.flatnonzero(rng.random((count,)) < settings.gap_share)
    for index, size in zip(gaps, rng.integers(3, 12, len(gaps)), strict=True):
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (int(size), int(size)))
        padded = cv2.copyMakeBorder(kept[index], 6, 6, 6, 6, cv2.BORDER_CONSTANT)
        padded = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)
        kept[index] = padded[6:-6, 6:-6]
    rims = rng.random((count,))
    for index in np.flatnonzero(rims < 2 * settings.rim_share):
        change = cv2.dilate if rims[index] < settings.rim_share else cv2.erode
        kept[index] = change(kept[index], _CROSS)
    near = np.array([cv2.dilate(mask, np.ones((9, 9), np.uint8)) for mask in masks])
    ground = _some(fields, count, rng) > _each(rng, 0.8, 2.0, count)
    kept |= ground & (near > 0) & _chance(rng, settings.ground_share, count)
    holes = _some(fields, count, rng) > _each(rng, 1.2, 2.4, count)
    kept[holes & _chance(rng, settings.hole_share, count)] = 0
    angle = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    across = np.arange(width)[None, None, :] - (width - 1) / 2
    down = np.arange(height)[None, :, None] - (height - 1) / 2
    along = np.cos(angle) * across + np.sin(angle) * down
    beyond = along > rng.uniform(0.3, 0.5, (count, 1, 1)) * max(height, width)
    kept[beyond & _chance(rng, settings.loss_share, count)] = 0
    emptied = np.asarray(kept.sum(axis=(1, 2)) < 0.3 * masks.sum(axis=(1, 2)), np.bool_)
    kept[emptied] = masks[emptied]
    return kept


def _ground(count: int, fields: _Planes, rng: _Rng) -> _Planes:
    """What lies around the garment where the cut-out keeps it; 1–255."""
    ground = _each(rng, 10, 220, count) + _some(fields, count, rng) * _each(rng, 0, 40, count)
    clipped: _Planes = np.clip(ground, 1, 255, out=ground)
    return clipped


def _framed(pictures: _Planes, masks: Images) -> Images:
    """Each picture enlarged or shrunk so that the long side of its mask fills the frame, in the middle."""
    _, height, width = pictures.shape
    framed = np.zeros(pictures.shape, np.uint8)
    rows, columns = (np.asarray(masks.any(axis=axis), np.bool_) for axis in (2, 1))
    for index, picture in enumerate(pictures.astype(np.uint8)):
        row, column = np.flatnonzero(rows[index]), np.flatnonzero(columns[index])
        if not len(row):
            continue
        part = picture[row[0] : row[-1] + 1, column[0] : column[-1] + 1]
        ratio = min(height / part.shape[0], width / part.shape[1])
        size_wh = (max(1, round(part.shape[1] * ratio)), max(1, round(part.shape[0] * ratio)))
        top, left = (height - size_wh[1]) // 2, (width - size_wh[0]) // 2
        framed[index, top : top + size_wh[1], left : left + size_wh[0]] = cv2.resize(
            part, size_wh, interpolation=cv2.INTER_LINEAR
        )
    return framed


def _as_seen(images: Images, rng: _Rng, settings: WornSettings) -> Images:
    """Out of focus, and with the grain of a sensor; black stays black."""
    seen = images.copy()
    for index in np.flatnonzero(rng.random(len(images)) < settings.blur_share):
        seen[index] = cv2.GaussianBlur(images[index], (3, 3), 0)
    grain = rng.standard_normal(images.shape, np.float32) * _each(rng, 0, 12, len(images))
    return np.where(seen > 0, np.clip(seen + grain, 1, 255), 0).astype(np.uint8)
