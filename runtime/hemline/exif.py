"""The orientation that a camera notes in a picture's EXIF data (JEITA CP-3451, 4.6.4, tag 0x0112)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hemline.preprocess import Frame

UPRIGHT = 1

_TAG = 0x0112
_HEADERS = ((b"II*\0", "<"), (b"MM\0*", ">"))


def orientation(content: bytes, at: int) -> int:
    """The orientation noted in the EXIF data that begin at `at` or shortly behind; 1 to 8, 1 if none."""
    for magic, order in _HEADERS:
        start = content.find(
            magic, at, at + 16
        )  # `Exif` and zeros, or a length, may stand before it
        if start < 0:
            continue
        try:
            (first,) = struct.unpack_from(f"{order}I", content, start + 4)
            (count,) = struct.unpack_from(f"{order}H", content, start + first)
            for entry in range(start + first + 2, start + first + 2 + 12 * count, 12):
                tag, _, _, value = struct.unpack_from(f"{order}HHIH", content, entry)
                if tag == _TAG:
                    return int(value) if 1 <= value <= 8 else UPRIGHT
        except struct.error:  # the EXIF data are damaged; the picture need not be
            return UPRIGHT
    return UPRIGHT


def is_lying(orientation: int) -> bool:
    """Whether width and height change places when the picture is turned upright."""
    return orientation >= 5


def turned(image: Frame, orientation: int) -> Frame:
    """The picture upright: uint8, (H, W, C); the same array if it is so already."""
    if orientation == UPRIGHT:
        return image
    if is_lying(orientation):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
