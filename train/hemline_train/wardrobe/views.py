"""From where the camera looks: crops, turns, tilts and mirror images of a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline._opencv import cv2

Picture = NDArray[np.uint8]
Rng = np.random.Generator

_CORNERS = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])


@dataclass(frozen=True)
class View:
    """What of a picture a frame shows.

    Attributes:
        centre: Of the frame, in pixels of the picture.
        size: Width and height of the frame, in pixels of the picture, before turning.
        turn: Radians.
        tilt: float64, (4, 2): how far each corner is moved, as a share of the size.
        mirrored: Whether left and right are exchanged.
    """

    centre: tuple[float, float]
    size: tuple[float, float]
    turn: float
    tilt: NDArray[np.float64]
    mirrored: bool

    def of(self, picture: Picture, frame_wh: tuple[int, int], border: int) -> Picture:
        """What the frame shows.

        Args:
            picture: uint8, (H, W, C).
            frame_wh: Width and height of the frame.
            border: OpenCV's border mode for what lies outside the picture.
        """
        corners = _CORNERS + self.tilt
        if self.mirrored:
            corners = corners * (-1, 1)
        corners = corners * self.size
        cosine, sine = np.cos(self.turn), np.sin(self.turn)
        corners = corners @ np.array([[cosine, sine], [-sine, cosine]]) + self.centre
        width, height = frame_wh
        frame = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        matrix = cv2.getPerspectiveTransform(frame, corners.astype(np.float32))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        shown: Any = cv2.warpPerspective(picture, matrix, frame_wh, flags=flags, borderMode=border)
        return shown  # type: ignore[no-any-return]

    def moved(self, centre: tuple[float, float], turn: float) -> View:
        """The same from another place, turned by some radians more."""
        return replace(self, centre=centre, turn=self.turn + turn)


def drawn_view(
    rng: Rng,
    box: tuple[float, float, float, float],
    aspect: float,
    fill: float,
    turn: float,
    tilt: float,
    shift: float = 0.9,
) -> View:
    """A view that holds the garment in `box`, all but a narrow rim of it.

    Args:
        rng: Where chance comes from.
        box: Left, top, right and bottom of the garment, in pixels of the picture.
        aspect: Width of the frame by its height.
        fill: Share of the frame that the garment takes in the direction in which it is larger.
        turn: Standard deviation of the angle, in radians.
        tilt: How far corners move at most, as a share of the frame.
        shift: How much of the room beside the garment it may be moved by, 0–1.
    """
    left, top, right, bottom = box
    wide, high = max(right - left, 1.0), max(bottom - top, 1.0)
    height = max(high, wide / aspect) / fill
    squeeze = float(np.exp(rng.normal(0, 0.06)))
    size = height * aspect * squeeze, height / squeeze
    centre = []
    for low, length, side in ((left, wide, size[0]), (top, high, size[1])):
        free = (side - length) / 2
        slack = max(free, 0.0) * shift + 0.05 * length
        centre.append(low + length / 2 + float(rng.uniform(-slack, slack)))
    angle = float(rng.normal(0, turn))
    moved = rng.uniform(-tilt, tilt, (4, 2))
    return View((centre[0], centre[1]), size, angle, moved, bool(rng.random() < 0.5))
