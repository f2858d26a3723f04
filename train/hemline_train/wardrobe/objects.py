"""Things that are no garments, cut out as garments are: for frames that must come out `unknown`.

They have the same cloths, grounds, sizes and shadows as the cut-out garments, so that only their
shape tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hemline._opencv import cv2
from hemline_train.wardrobe.backdrops import cloudy
from hemline_train.wardrobe.cutouts import SIDE, Shape
from hemline_train.wardrobe.light import Picture, Rng

Drawing = NDArray[np.float32]  # a shade for each place, 0–1; below 0 there is nothing
_EMPTY = -1.0


class Sheet:
    """A square of 96 by 96 pixels to draw a thing on; coordinates from 0 to 1."""

    def __init__(self) -> None:
        self.shade: Drawing = np.full((SIDE, SIDE), _EMPTY, np.float32)

    def polygon(
        self, points: NDArray[np.floating] | list[tuple[float, float]], shade: float
    ) -> None:
        """A filled outline."""
        corners = np.rint(np.asarray(points) * SIDE).astype(np.int32)
        cv2.fillPoly(self.shade, [corners], shade)

    def box(self, left: float, top: float, right: float, bottom: float, shade: float) -> None:
        """A filled rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], shade)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, shade: float, turn: float = 0
    ) -> None:
        """A filled ellipse, turned by some degrees."""
        centre, axes = (round(x * SIDE), round(y * SIDE)), (round(rx * SIDE), round(ry * SIDE))
        cv2.ellipse(self.shade, centre, axes, turn, 0, 360, shade, -1)

    def line(
        self, start: tuple[float, float], end: tuple[float, float], width: float, shade: float
    ) -> None:
        """A straight stroke."""
        ends = [(round(x * SIDE), round(y * SIDE)) for x, y in (start, end)]
        cv2.line(self.shade, ends[0], ends[1], shade, max(1, round(width * SIDE)))

    def shape(self) -> Shape:
        """What was drawn, with its edges softened."""
        inside = (self.shade >= 0).astype(np.float32)
        soft = cv2.GaussianBlur(inside, (0, 0), 0.8)
        alpha: Picture = (np.clip(soft * 2 - 0.5, 0, 1) * 255).astype(np.uint8)
        shade = np.where(self.shade >= 0, self.shade, 0.5).astype(np.float32)
        return Shape(np.asarray(cv2.GaussianBlur(shade, (0, 0), 0.7), np.float32), alpha)


def thing(rng: Rng) -> Shape:
    """One thing of any kind."""
    sheet = Sheet()
    _KINDS[int(rng.integers(len(_KINDS)))](sheet, rng)
    return sheet.shape()


def hand(rng: Rng) -> Shape:
    """An open hand or a fist with fingers, and the wrist below."""
    sheet = Sheet()
    palm_x, palm_y = 0.5, 0.62
    sheet.polygon([(0.4, 0.6), (0.6, 0.6), (0.62, 1.0), (0.38, 1.0)], 0.5)
    sheet.ellipse(palm_x, palm_y, 0.17, 0.19, 0.55)
    stretched = rng.random(5) < 0.75
    for finger in range(5):
        angle = np.radians(-150 + 30 * finger + rng.normal(0, 5))
        length = (0.42 if finger else 0.3) * (1.0 if stretched[finger] else 0.5)
        start = (palm_x + 0.12 * np.cos(angle), palm_y + 0.12 * np.sin(angle))
        end = (palm_x + length * np.cos(angle), palm_y + length * np.sin(angle))
        sheet.line(start, end, 0.075, 0.6)
    return sheet.shape()


def _blob(sheet: Sheet, rng: Rng) -> None:
    """A smooth closed outline; every second one is symmetric, as garments are."""
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    radius = np.full(72, 1.0)
    symmetric = rng.random() < 0.5
    for k in range(1, int(rng.integers(2, 8))):
        phase = 0.0 if symmetric else rng.uniform(0, 2 * np.pi)
        radius += rng.normal(0, 0.4 / k) * np.cos(k * (angles - np.pi / 2) + phase)
    radius = np.clip(radius, 0.2, None)
    radius *= 0.46 / radius.max()
    points = np.stack((0.5 + radius * np.cos(angles), 0.5 + radius * np.sin(angles)), axis=1)
    sheet.polygon(points, 0.5)
    _marked(sheet, rng)


def _polygon(sheet: Sheet, rng: Rng) -> None:
    corners = int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = rng.uniform(0.2, 0.48, corners)
    points = np.stack((0.5 + radius * np.cos(angles), 0.5 + radius * np.sin(angles)), axis=1)
    sheet.polygon(points, 0.5)
    _marked(sheet, rng)


def _boxes(sheet: Sheet, rng: Rng) -> None:
    """Some boxes and rounds that overlap: furniture, tools, toys."""
    for _ in range(int(rng.integers(2, 7))):
        x, y = rng.uniform(0.25, 0.75, 2)
        w, h = rng.uniform(0.04, 0.3, 2)
        shade = float(rng.uniform(0.1, 0.9))
        if rng.random() < 0.6:
            sheet.box(x - w, y - h, x + w, y + h, shade)
        else:
            sheet.ellipse(x, y, w, h, shade, float(rng.uniform(0, 180)))


def _branched(sheet: Sheet, rng: Rng) -> None:
    """A body with limbs, knobs and blades at its ends: toys, tools, instruments, branches."""
    body_w, body_h = rng.uniform(0.08, 0.3, 2).tolist()
    x, y = rng.uniform(0.4, 0.6, 2).tolist()
    for _ in range(int(rng.integers(1, 8))):
        angle = rng.uniform(0, 2 * np.pi)
        reach, width = float(rng.uniform(0.15, 0.48)), float(rng.uniform(0.02, 0.12))
        end = x + reach * np.cos(angle), y + reach * np.sin(angle)
        shade = float(rng.uniform(0.1, 0.9))
        sheet.line((x, y), end, width, shade)
        if rng.random() < 0.6:
            rx, ry = (width * rng.uniform(0.3, 2.5, 2)).tolist()
            sheet.ellipse(end[0], end[1], rx, ry, shade, float(rng.uniform(0, 180)))
    sheet.ellipse(x, y, body_w, body_h, 0.5, float(rng.uniform(0, 180)))
    _marked(sheet, rng)


def _bottle(sheet: Sheet, rng: Rng) -> None:
    wide, neck = float(rng.uniform(0.1, 0.2)), float(rng.uniform(0.04, 0.08))
    shoulder = float(rng.uniform(0.28, 0.45))
    outline = [(0.5 - neck, 0.03), (0.5 + neck, 0.03), (0.5 + neck, shoulder - 0.1)]
    outline += [(0.5 + wide, shoulder), (0.5 + wide, 0.97), (0.5 - wide, 0.97)]
    sheet.polygon([*outline, (0.5 - wide, shoulder), (0.5 - neck, shoulder - 0.1)], 0.5)
    sheet.box(0.5 - wide, shoulder + 0.1, 0.5 + wide, 0.8, float(rng.uniform(0.2, 0.9)))


def _cup(sheet: Sheet, rng: Rng) -> None:
    handle, wide = float(rng.uniform(0.1, 0.18)), float(rng.uniform(0.2, 0.3))
    cv2.ellipse(
        sheet.shade,
        (round((0.45 + wide) * SIDE), SIDE // 2),
        (round(handle * SIDE), 18),
        0,
        0,
        360,
        0.5,
        6,
    )
    sheet.polygon(
        [(0.45 - wide, 0.2), (0.45 + wide, 0.2), (0.4 + wide, 0.8), (0.5 - wide, 0.8)], 0.5
    )
    sheet.ellipse(0.45, 0.2, wide, 0.06, 0.8)


def _chair(sheet: Sheet, rng: Rng) -> None:
    seat = float(rng.uniform(0.5, 0.6))
    sheet.box(0.28, 0.05, 0.66, seat - 0.15 if rng.random() < 0.6 else seat, 0.45)
    sheet.polygon([(0.25, seat), (0.68, seat), (0.78, seat + 0.1), (0.2, seat + 0.1)], 0.6)
    for x, end in ((0.27, 0.97), (0.7, 0.97), (0.35, 0.88), (0.64, 0.88)):
        sheet.line((x, seat + 0.05), (x, end), 0.04, 0.4)
    sheet.line((0.3, 0.05), (0.3, seat), 0.04, 0.4)
    sheet.line((0.65, 0.05), (0.65, seat), 0.04, 0.4)


def _table(sheet: Sheet, rng: Rng) -> None:
    top = float(rng.uniform(0.3, 0.5))
    sheet.polygon([(0.15, top), (0.85, top), (0.97, top + 0.12), (0.03, top + 0.12)], 0.6)
    for x in (0.1, 0.25, 0.75, 0.9):
        sheet.line((x, top + 0.1), (x, 0.95), 0.04, 0.4)


def _lamp(sheet: Sheet, rng: Rng) -> None:
    wide = float(rng.uniform(0.15, 0.3))
    sheet.line((0.5, 0.3), (0.5, 0.93), 0.03, 0.4)
    sheet.ellipse(0.5, 0.94, 0.2, 0.04, 0.4)
    sheet.polygon([(0.4, 0.05), (0.6, 0.05), (0.5 + wide, 0.38), (0.5 - wide, 0.38)], 0.8)


def _book(sheet: Sheet, rng: Rng) -> None:
    left, top = rng.uniform(0.05, 0.25, 2)
    sheet.box(left, top, 1 - left, 1 - top, 0.5)
    for y in np.arange(top + 0.1, 1 - top - 0.1, float(rng.uniform(0.05, 0.15))):
        if rng.random() < 0.8:
            sheet.line((left + 0.1, y), (left + float(rng.uniform(0.2, 0.6)), y), 0.02, 0.9)


def _device(sheet: Sheet, rng: Rng) -> None:
    """A phone, a screen or a keyboard: a frame with something in it."""
    tall = rng.random() < 0.5
    x, y = (0.28, 0.06) if tall else (0.05, 0.25)
    sheet.box(x, y, 1 - x, 1 - y, 0.2)
    sheet.box(x + 0.05, y + 0.06, 0.95 - x, 0.92 - y, 0.7)
    columns, rows = rng.integers(1, 9, 2).tolist()
    for i in range(columns):
        for j in range(rows):
            cx = x + 0.08 + (0.84 - 2 * x) * (i + 0.5) / columns
            cy = y + 0.09 + (0.8 - 2 * y) * (j + 0.5) / rows
            sheet.box(cx - 0.02, cy - 0.02, cx + 0.02, cy + 0.02, float(rng.uniform(0, 1)))


def _ball(sheet: Sheet, rng: Rng) -> None:
    radius = float(rng.uniform(0.3, 0.47))
    sheet.ellipse(0.5, 0.5, radius, radius * float(rng.uniform(0.8, 1)), 0.5)
    _marked(sheet, rng)


def _plant(sheet: Sheet, rng: Rng) -> None:
    if rng.random() < 0.6:
        sheet.polygon([(0.35, 0.7), (0.65, 0.7), (0.6, 0.97), (0.4, 0.97)], 0.4)
    for _ in range(int(rng.integers(6, 22))):
        angle = rng.uniform(-180, 0)
        length = float(rng.uniform(0.1, 0.26))
        reach = float(rng.uniform(0.1, 0.45))
        x, y = (
            0.5 + reach * np.cos(np.radians(angle)),
            0.68 + 1.3 * reach * np.sin(np.radians(angle)),
        )
        sheet.line((0.5, 0.7), (x, y), 0.012, 0.4)
        sheet.ellipse(
            x, y, length, length * float(rng.uniform(0.2, 0.5)), rng.uniform(0.3, 0.9), angle
        )


def _sticks(sheet: Sheet, rng: Rng) -> None:
    """Cutlery, pens, cables, keys."""
    for _ in range(int(rng.integers(1, 5))):
        start, end = rng.uniform(0.05, 0.95, (2, 2)).tolist()
        sheet.line(
            tuple(start), tuple(end), float(rng.uniform(0.02, 0.08)), float(rng.uniform(0.2, 0.9))
        )
        if rng.random() < 0.5:
            rx, ry = rng.uniform(0.04, 0.12, 2).tolist()
            sheet.ellipse(end[0], end[1], rx, ry, 0.6)


def _letter(sheet: Sheet, rng: Rng) -> None:
    """A letter or a digit, large."""
    letter = "ABCDEGHKMNPQRSTWXYZ023456789&#@"[int(rng.integers(31))]
    font = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX)[int(rng.integers(2))]
    ink = np.zeros((SIDE, SIDE), np.uint8)
    cv2.putText(ink, letter, (12, 80), font, 3.3, 255, int(rng.integers(4, 16)))
    sheet.shade[ink > 127] = float(rng.uniform(0.3, 0.9))


def _marked(sheet: Sheet, rng: Rng) -> None:
    """Spots and lines inside what was drawn."""
    inside = sheet.shade >= 0
    sheet.shade += (0.3 * cloudy(rng, float(rng.uniform(2, 20)), SIDE)).astype(np.float32)
    for _ in range(int(rng.integers(0, 5))):
        start, end = rng.uniform(0.1, 0.9, (2, 2)).tolist()
        sheet.line(
            tuple(start), tuple(end), float(rng.uniform(0.01, 0.06)), float(rng.uniform(0, 1))
        )
    sheet.shade = np.where(inside, np.clip(sheet.shade, 0, 1), _EMPTY).astype(np.float32)


_KINDS: tuple[Callable[[Sheet, Rng], None], ...] = (
    _blob,
    _blob,
    _blob,
    _polygon,
    _boxes,
    _boxes,
    _branched,
    _branched,
    _branched,
    _bottle,
    _cup,
    _chair,
    _table,
    _lamp,
    _book,
    _device,
    _ball,
    _plant,
    _sticks,
    _letter,
)
