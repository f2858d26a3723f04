"""Where the garment of a photo is, and what the photo looks like without it.

Both are rough, and meant for training: a cut-out garment on another ground, and a ground without a
garment. A cut that cannot be right (far too small, far too large, or along the frame) is left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline._opencv import cv2

Picture = NDArray[np.uint8]

CUT_SIDE = 64  # GrabCut's time grows with the pixels; at this size it takes 10 ms
ITERATIONS = 4
LEAST, MOST = 0.12, 0.7  # share of the photo that a garment takes
MOST_ON_BORDER = 0.12
LEAST_STRIP = 0.1


def garment_mask(photo_bgr: Picture) -> Picture | None:
    """Cut the garment out (GrabCut: Rother, Kolmogorov and Blake, 2004, started from an ellipse).

    Args:
        photo_bgr: uint8, (H, W, 3), of any size.

    Returns:
        uint8, (H, W), 0 to 255 with a soft edge; None if no garment can be told from its ground.
    """
    full_h, full_w = photo_bgr.shape[:2]
    ratio = CUT_SIDE / max(full_h, full_w)
    width, height = max(8, round(full_w * ratio)), max(8, round(full_h * ratio))
    small = cv2.resize(photo_bgr, (width, height), interpolation=cv2.INTER_AREA)
    marks = _guess(height, width)
    cv2.setRNGSeed(1)  # its k-means draws by lot; equal photos must give equal masks
    models = np.zeros((1, 65)), np.zeros((1, 65))
    whole = (0, 0, width, height)
    try:
        cv2.grabCut(small, marks, whole, *models, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # one colour all over
        return None
    inside = ((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)).astype(np.uint8)
    inside = _largest_piece(inside)
    if not _is_likely(inside):
        return None
    soft = cv2.resize(inside * 255, (full_w, full_h), interpolation=cv2.INTER_CUBIC)
    return _u8(cv2.GaussianBlur(soft, (0, 0), 0.5 / ratio))


def without_garment(photo_bgr: Picture, mask: Picture) -> Picture | None:
    """The ground of a photo: the widest strip beside the garment, mirrored until it fills the frame.

    Args:
        photo_bgr: uint8, (H, W, 3).
        mask: From `garment_mask`.

    Returns:
        uint8, (H, W, 3); None if the garment leaves no strip of `LEAST_STRIP` of the photo.
    """
    height, width = mask.shape
    left, top, right, bottom = bounds(mask)
    # A little less than the room, since the cut is rough.
    room = {"left": left, "top": top, "right": 1 - right, "bottom": 1 - bottom}
    side = max(room, key=lambda name: room[name])
    if room[side] < LEAST_STRIP:
        return None
    lies_flat = side in ("top", "bottom")
    length = height if lies_flat else width
    thick = int(length * room[side] * 0.8)
    picture = photo_bgr if lies_flat else photo_bgr.swapaxes(0, 1)
    strip = picture[:thick] if side in ("top", "left") else picture[-thick:]
    turns = [strip if k % 2 == 0 else strip[::-1] for k in range(length // thick + 1)]
    filled = np.concatenate(turns)[:length]
    return np.ascontiguousarray(filled if lies_flat else filled.swapaxes(0, 1))


def inside_of_garment(photo_bgr: Picture, mask: Picture) -> Picture:
    """A part of the garment that is nearly all cloth: the middle of its bounds."""
    height, width = mask.shape
    left, top, right, bottom = bounds(mask)
    x, y = (left + right) / 2 * width, (top + bottom) / 2 * height
    half_w, half_h = max(2.0, (right - left) * width / 5), max(2.0, (bottom - top) * height / 5)
    rows, columns = slice(int(y - half_h), int(y + half_h)), slice(int(x - half_w), int(x + half_w))
    return np.ascontiguousarray(photo_bgr[rows, columns])


def bounds(mask: Picture) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the garment, 0–1 of the picture's width and height."""
    height, width = mask.shape
    rows, columns = (
        np.flatnonzero((mask > 127).any(axis=1)),
        np.flatnonzero((mask > 127).any(axis=0)),
    )
    return (
        columns[0] / width,
        rows[0] / height,
        (columns[-1] + 1) / width,
        (rows[-1] + 1) / height,
    )


def _guess(height: int, width: int) -> Picture:
    """Before the first iteration: ground at the frame, the garment in the middle."""
    down, across = np.mgrid[:height, :width]
    distance = ((down - height / 2) / (height * 0.47)) ** 2
    distance = distance + ((across - width / 2) / (width * 0.47)) ** 2
    marks = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    marks[distance < 0.85] = cv2.GC_PR_FGD
    marks[distance < 0.06] = cv2.GC_FGD
    marks[[0, -1]] = cv2.GC_BGD
    marks[:, [0, 1, -2, -1]] = cv2.GC_BGD
    return marks


def _largest_piece(inside: Picture) -> Picture:
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(inside)
    if count > 2:
        inside = (pieces == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    return _u8(cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)))


def _is_likely(inside: Picture) -> bool:
    edge = np.concatenate((inside[1], inside[-2], inside[:, 2], inside[:, -3]))
    return bool(LEAST < inside.mean() < MOST and edge.mean() < MOST_ON_BORDER)


def _u8(array: Any) -> Picture:
    checked: Picture = array
    return checked
