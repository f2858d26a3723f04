"""What a user would write by hand to find a garment in a photo: OpenCV's GrabCut."""

from __future__ import annotations

import cv2
import numpy as np

from hemline.preprocess import Frame

MARGIN = 0.05  # of the width and height: what lies outside is ground from the start
ROUNDS = 5
_DARKEST, _BRIGHTEST = 40, 255  # what the contrast of the garment is stretched to


def cut_out(frame_bgr: Frame, side: int | None = None) -> Frame:
    """The garment in grey, inverted, contrast stretched, on black, in the middle of a square.

    Args:
        frame_bgr: uint8, (H, W, 3), BGR.
        side: Long side that the frame is shrunk to before; its own by default.

    Returns:
        uint8, (n, n).
    """
    ratio = 1.0 if side is None else min(1.0, side / max(frame_bgr.shape[:2]))
    frame = np.asarray(
        cv2.resize(frame_bgr, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA), np.uint8
    )
    height, width = frame.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    inner = (
        round(MARGIN * width),
        round(MARGIN * height),
        round((1 - 2 * MARGIN) * width),
        round((1 - 2 * MARGIN) * height),
    )
    ground, garment = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(frame, mask, inner, ground, garment, ROUNDS, cv2.GC_INIT_WITH_RECT)
    found = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    if not found.any():
        found[:] = True
    rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    grey = 255.0 - np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.float32)[part]
    low, high = np.percentile(grey[found[part]], (2, 98))
    grey = np.interp(grey, (low, max(high, low + 1)), (_DARKEST, _BRIGHTEST)) * found[part]
    square = np.zeros((max(grey.shape),) * 2, np.uint8)
    top, left = ((square.shape[0] - n) // 2 for n in grey.shape)
    square[top : top + grey.shape[0], left : left + grey.shape[1]] = grey
    return square
