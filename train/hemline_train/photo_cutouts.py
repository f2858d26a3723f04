"""Photos of garments as a grey network sees them: from another side and in another light each time.

The rule `garment` cuts a garment out a little otherwise when the frame, the light or the noise is another, so
a photo that is changed before it is cut out teaches more than one that is changed afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemline._opencv import cv2
from hemline.card import InputSpec
from hemline.errors import DataError
from hemline.preprocess import Preprocessor
from hemline_train.wardrobe.light import relit
from hemline_train.wardrobe.views import View

Picture = NDArray[np.uint8]
Rng = np.random.Generator

_LONG_SIDE = 127  # no more is looked at (`hemline.garment`)
_TURN, _TILT = 0.09, 0.03  # radians, and share of the frame: standard deviations
_SIZE, _SHIFT = (0.85, 1.1), 0.04  # of the photo: what the frame shows, and how far it is moved
_LIGHT = 0.6  # of what `relit` can do


def photo_cutouts(photos_bgr: Sequence[Picture], spec: InputSpec, rng: Rng) -> Picture:
    """Look at photos anew, and prepare them by the card's rule.

    Args:
        photos_bgr: uint8, (H, W, 3) each, of any sizes.
        spec: The input of the network, with the foreground rule `garment`.
        rng: Where all chance comes from: the same photos and state give the same result.

    Returns:
        uint8, (N, height, width, 1), 0–255.

    Raises:
        DataError: The rule is another one.
    """
    if spec.foreground != "garment":
        raise DataError(
            f"the foreground rule is {spec.foreground!r}",
            "photos are cut out by the rule 'garment'",
        )
    preprocess = Preprocessor(spec)
    tensors = np.empty((len(photos_bgr), *spec.tensor_shape[1:]), np.uint8)
    for row, photo in enumerate(photos_bgr):
        tensors[row] = preprocess(relit(_seen_anew(photo, rng), rng, _LIGHT))[0]
    return tensors


def _seen_anew(photo: Picture, rng: Rng) -> Picture:
    height, width = photo.shape[:2]
    ratio = min(1.0, _LONG_SIDE / max(height, width))
    frame_wh = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    shift_x, shift_y = rng.uniform(-_SHIFT, _SHIFT, 2).tolist()
    size = float(rng.uniform(*_SIZE))
    view = View(
        centre=(width * (0.5 + shift_x), height * (0.5 + shift_y)),
        size=(width * size, height * size),
        turn=float(rng.normal(0, _TURN)),
        tilt=rng.normal(0, _TILT, (4, 2)),
        mirrored=bool(rng.random() < 0.5),
    )
    return view.of(photo, frame_wh, cv2.BORDER_REPLICATE)
