"""The drawing board of the drawn garments: a canvas in garment units, fabrics, and outlines.

Greys are those of Fashion-MNIST, where product photos on a white ground were inverted: 0 is the
ground, and a bright pixel is dark cloth. Garment units: x from −0.5 (left) to 0.5, y from 0 (top)
downwards to about 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Points = Sequence[Point]
Plane = NDArray[np.float32]
Rng = np.random.Generator

BOARD = 0.8  # the part of the canvas that one garment unit takes; the rest is a margin
SUBPIXEL_BITS = 4  # OpenCV draws at fixed-point coordinates; without them outlines would jump
FABRIC_CELLS = 96  # fabrics are woven at this size, so that a picture's size changes no random draw


class Canvas:
    """A square picture under work.

    Args:
        size: Side in pixels.

    Attributes:
        grey: float32, (size, size), 0–1: the garment's tone, 0 where there is none.
        alpha: float32, (size, size), 0–1: how much of the pixel the garment covers.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.grey: Plane = np.zeros((size, size), np.float32)
        self.alpha: Plane = np.zeros((size, size), np.float32)

    def piece(self, points: Points, fabric: Plane, strength: float = 1.0) -> None:
        """Lay a closed piece of cloth on the canvas.

        Args:
            points: The corners of its outline, in garment units.
            fabric: float32, square, any size: its tones, 0–1.
            strength: The tones are multiplied by it.
        """
        self._lay(self._filled(points), self._stretched(fabric) * strength)

    def ribbon(self, points: Points, fabric: Plane, width: float, strength: float = 1.0) -> None:
        """Lay a strap of cloth along an open line; `width` is in garment units."""
        self._lay(self._stroked(points, width), self._stretched(fabric) * strength)

    def patch(self, points: Points, tone: float, strength: float = 1.0) -> None:
        """Colour a part of the cloth that already lies there, and nothing beside it."""
        self._dye(self._filled(points) * strength, tone)

    def seam(self, points: Points, tone: float, width: float, strength: float = 1.0) -> None:
        """Draw a line on the cloth that already lies there, and nothing beside it."""
        self._dye(self._stroked(points, width) * strength, tone)

    def cut(self, points: Points) -> None:
        """Cut a hole: the ground shows through."""
        keep = 1 - self._filled(points)
        self.grey *= keep
        self.alpha *= keep

    def round_off(self, depth: float) -> None:
        """Shade towards the outline by `depth` (0–1), as cloth that turns away from the light."""
        inside = cv2.GaussianBlur(self.alpha, (0, 0), self.size * 0.025)
        # Greys are inverted: a shaded pixel is a brighter one.
        self.grey *= 1 + np.float32(depth) * (1 - _toned(2 * inside - 1))

    def fitted(self, height: int, width: int) -> tuple[Plane, Plane]:
        """The garment, as large as fits and in the middle.

        Returns:
            Grey and alpha, both float32, (height, width), 0–1.
        """
        rows, columns = (np.flatnonzero((self.alpha > 0.5).any(axis=axis)) for axis in (1, 0))
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        ratio = min(height / (bottom - top), width / (right - left))
        wide = min(width, max(1, round((right - left) * ratio)))
        high = min(height, max(1, round((bottom - top) * ratio)))
        method = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
        placed = []
        for plane in (self.grey, self.alpha):
            whole: Plane = np.zeros((height, width), np.float32)
            y, x = (height - high) // 2, (width - wide) // 2
            part = plane[top:bottom, left:right]
            whole[y : y + high, x : x + wide] = cv2.resize(part, (wide, high), interpolation=method)
            placed.append(whole)
        return placed[0], placed[1]

    def _lay(self, mask: Plane, tones: Plane) -> None:
        self.grey += (tones - self.grey) * mask
        self.alpha = np.maximum(self.alpha, mask)

    def _dye(self, mask: Plane, tone: float) -> None:
        self.grey += (tone * self.alpha - self.grey) * mask

    def _stretched(self, fabric: Plane) -> Plane:
        shape = (self.size, self.size)
        stretched: Plane = np.asarray(
            cv2.resize(fabric, shape, interpolation=cv2.INTER_LINEAR), np.float32
        )
        return stretched

    def _filled(self, points: Points) -> Plane:
        mask = np.zeros((self.size, self.size), np.uint8)
        cv2.fillPoly(mask, [self._pixels(points)], 255, cv2.LINE_AA, SUBPIXEL_BITS)
        return mask.astype(np.float32) / np.float32(255)

    def _stroked(self, points: Points, width: float) -> Plane:
        mask = np.zeros((self.size, self.size), np.uint8)
        pixels = width * self.size * BOARD
        thick = max(1, round(pixels))
        cv2.polylines(mask, [self._pixels(points)], False, 255, thick, cv2.LINE_AA, SUBPIXEL_BITS)
        # A line thinner than a pixel is drawn a pixel wide, and fainter.
        return mask.astype(np.float32) * (min(1.0, pixels) / 255)

    def _pixels(self, points: Points) -> NDArray[np.int32]:
        scale = self.size * BOARD
        corners = np.asarray(points, np.float64) * scale
        corners += (self.size / 2, self.size * (1 - BOARD) / 2)
        fixed: NDArray[np.int32] = np.rint(corners * 2**SUBPIXEL_BITS).astype(np.int32)
        return fixed


def mirrored(right_half: Points) -> list[Point]:
    """A closed symmetric outline from its right half, which runs from the top to the bottom."""
    return [*right_half, *((-x, y) for x, y in reversed(right_half))]


def flipped(points: Points) -> list[Point]:
    """The same on the other side."""
    return [(-x, y) for x, y in points]


def smooth(points: Points, closed: bool = True) -> list[Point]:
    """Round the corners (Chaikin's corner cutting, twice). A corner given twice stays sharper."""
    line = np.asarray(points, np.float64)
    for _ in range(2):
        after = np.roll(line, -1, axis=0)
        near, far = 0.75 * line + 0.25 * after, 0.25 * line + 0.75 * after
        cut = np.stack((near, far), axis=1).reshape(-1, 2)
        line = cut if closed else np.concatenate((line[:1], cut[:-2], line[-1:]))
    return [(float(x), float(y)) for x, y in line]


def arch(centre: Point, radii: Point, start: float = 180, end: float = 360) -> list[Point]:
    """A part of an ellipse; angles in degrees, clockwise from the right."""
    angles = np.radians(np.linspace(start, end, 25))
    return [
        (centre[0] + radii[0] * float(np.cos(a)), centre[1] + radii[1] * float(np.sin(a)))
        for a in angles
    ]


def disc(centre: Point, radius: float) -> list[Point]:
    """A round spot."""
    return arch(centre, (radius, radius), 0, 360)


def uniform(rng: Rng, low: float, high: float) -> float:
    """A number between two."""
    return float(rng.uniform(low, high))


def chance(rng: Rng, probability: float) -> bool:
    """Whether something that is true with this probability is true this time."""
    return bool(rng.random() < probability)


def tone(rng: Rng, low: float = 0.3, high: float = 0.95) -> float:
    """A tone of cloth, 0–1."""
    return float(rng.uniform(low, high))


def contrast(base: float) -> float:
    """A tone that can be seen on `base`."""
    return base - 0.35 if base > 0.5 else base + 0.35


def plain(rng: Rng, base: float) -> Plane:
    """One-coloured cloth with a weave, soft folds and a fall of light; float32, 0–1."""
    n = FABRIC_CELLS
    folds = cv2.GaussianBlur(rng.standard_normal((n, n)), (0, 0), 9, sigmaY=22)
    folds = folds * (0.05 / float(folds.std()))
    weave = rng.standard_normal((n, n)) * 0.03
    fall = np.linspace(rng.uniform(-0.08, 0.08), rng.uniform(-0.08, 0.08), n, dtype=np.float32)
    return _toned(base * (1 + folds + weave + fall[:, None]))


def patterned(rng: Rng, base: float, kinds: Sequence[str]) -> Plane:
    """Cloth with one of some patterns.

    Args:
        rng: Where chance comes from.
        base: The tone of the ground, 0–1.
        kinds: To choose from: `plain`, `stripes`, `pinstripes`, `plaid`, `dots`,
            `blotches`, `print`.

    Returns:
        float32, (96, 96), 0–1.
    """
    cloth = plain(rng, base)
    kind = kinds[int(rng.integers(len(kinds)))]
    if kind == "plain":
        return cloth
    difference = uniform(rng, 0.25, 0.55) * (-1 if base > 0.5 else 1)
    return _toned(cloth + difference * _pattern(rng, kind))


def _pattern(rng: Rng, kind: str) -> Plane:
    """Where the second colour shows; float32, (96, 96), 0–1."""
    n = FABRIC_CELLS
    step = int(rng.integers(5, 9) if kind == "plaid" else rng.integers(8, 15))
    bars = (np.arange(n) % step < step * rng.uniform(0.3, 0.5)).astype(np.float32)
    flat: Plane = np.zeros((n, n), np.float32)
    if kind == "stripes":
        return flat + bars[:, None]
    if kind == "pinstripes":
        fine = (np.arange(n) % 7 < 2).astype(np.float32)
        return flat + fine[None, :]
    if kind == "plaid":
        return _toned((flat + bars[:, None] + bars[None, :]) / 2)
    if kind == "dots":
        for x, y in rng.uniform(0, n, (90, 2)):
            cv2.circle(flat, (int(x), int(y)), int(rng.integers(1, 4)), 1.0, -1)
        return flat
    grain = 3.0 if kind == "blotches" else 1.3
    noise = cv2.GaussianBlur(rng.standard_normal((n, n)), (0, 0), grain)
    return _toned(noise / float(noise.std()) * 0.7 + 0.3)


def _toned(plane: NDArray[Any]) -> Plane:
    tones: Plane = np.clip(plane, 0, 1).astype(np.float32)
    return tones
