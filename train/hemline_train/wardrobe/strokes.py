"""Strokes of the drawn scenes: filled outlines, boxes and ovals on a BGR frame, in pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from hemline._opencv import cv2
from hemline_train.wardrobe.backdrops import cloudy
from hemline_train.wardrobe.light import Picture, Rng

Colour = tuple[float, float, float]


def fill(frame: Picture, points: Any, colour: Any) -> None:
    """A filled outline; what lies outside the frame is left out."""
    corners = np.asarray(points, np.float64).astype(np.int32)
    cv2.fillPoly(frame, [corners], _colour(colour), cv2.LINE_AA)


def box(frame: Picture, left: float, top: float, right: float, bottom: float, colour: Any) -> None:
    """A filled rectangle."""
    cv2.rectangle(frame, (int(left), int(top)), (int(right), int(bottom)), _colour(colour), -1)


def oval(frame: Picture, x: float, y: float, rx: float, ry: float, colour: Any) -> None:
    """A filled ellipse about a point, with its two half axes."""
    axes = max(1, int(rx)), max(1, int(ry))
    cv2.ellipse(frame, (int(x), int(y)), axes, 0, 0, 360, _colour(colour), -1, cv2.LINE_AA)


def _colour(colour: Any) -> Colour:
    blue, green, red = np.clip(np.asarray(colour, np.float64), 0, 255).tolist()
    return blue, green, red


def finished(frame: Picture, rng: Rng) -> Picture:
    """Shade it softly and give it grain, so that flat areas do not betray a drawing."""
    height, width = frame.shape[:2]
    light = cv2.resize(cloudy(rng, 3, 24), (width, height), interpolation=cv2.INTER_CUBIC)
    fine = cv2.resize(cloudy(rng, 0.8, 64), (width, height), interpolation=cv2.INTER_LINEAR)
    factor = 0.8 + 0.3 * light + 0.15 * (fine - 0.5)
    return np.clip(frame * factor[:, :, None], 0, 255).astype(np.uint8)
