"""Kinds of frames that no network is trained on: faces, animals, streets and cars.

They tell how well the refusal of other frames carries over to what was never seen. Each function takes
a generator, the size and the grounds, and gives uint8, (height, width, 3), BGR.
"""

from __future__ import annotations

import numpy as np

from hemline._opencv import cv2
from hemline_train.wardrobe.backdrops import Backdrops, cloudy, some_colour
from hemline_train.wardrobe.light import Picture, Rng
from hemline_train.wardrobe.strokes import box, fill, finished, oval

Size = tuple[int, int]


def face(rng: Rng, size_wh: Size, grounds: Backdrops) -> Picture:
    """A head with hair, eyes, nose and mouth, and a bare neck, close to the camera."""
    width, height = size_wh
    frame = grounds(rng, size_wh)
    skin = np.array([0.62, 0.74, 1.0]) * rng.uniform(70, 245)
    hair = some_colour(rng) * rng.uniform(0.2, 0.8)
    x, y = rng.uniform(0.4, 0.6) * width, rng.uniform(0.42, 0.55) * height
    rx = rng.uniform(0.18, 0.34) * min(width, height)
    ry = rx * rng.uniform(1.2, 1.45)
    oval(frame, x, y - 0.25 * ry, 1.2 * rx, rng.uniform(0.95, 1.3) * ry, hair)
    box(frame, x - 0.45 * rx, y + 0.5 * ry, x + 0.45 * rx, height, skin * 0.85)
    oval(frame, x, y, rx, ry, skin)
    oval(frame, x, y - 0.85 * ry, 0.95 * rx, 0.4 * ry, hair)
    for side in (-1, 1):
        oval(frame, x + side * 0.4 * rx, y - 0.12 * ry, 0.2 * rx, 0.1 * ry, np.full(3, 235.0))
        oval(frame, x + side * 0.4 * rx, y - 0.12 * ry, 0.09 * rx, 0.09 * ry, hair * 0.5)
        oval(frame, x + side * 0.4 * rx, y - 0.3 * ry, 0.26 * rx, 0.04 * ry, hair)
        oval(frame, x + side * 1.02 * rx, y, 0.12 * rx, 0.2 * ry, skin * 0.9)
    oval(frame, x, y + 0.18 * ry, 0.12 * rx, 0.2 * ry, skin * 0.88)
    oval(
        frame, x, y + 0.55 * ry, 0.35 * rx, rng.uniform(0.05, 0.14) * ry, np.array([90.0, 80, 180])
    )
    return finished(frame, rng)


def animal(rng: Rng, size_wh: Size, grounds: Backdrops) -> Picture:
    """A cat or a dog from the side or from the front: trunk, head, ears, legs and tail."""
    width, height = size_wh
    frame = grounds(rng, size_wh)
    fur = (
        some_colour(rng)
        if rng.random() < 0.3
        else np.array([0.55, 0.75, 1.0]) * rng.uniform(20, 230)
    )
    unit = rng.uniform(0.5, 0.85) * min(width, height)
    x, y = rng.uniform(0.42, 0.58) * width, rng.uniform(0.45, 0.6) * height
    side = 1 if rng.random() < 0.5 else -1
    if rng.random() < 0.6:
        for leg in (-0.3, -0.2, 0.18, 0.28):
            box(
                frame,
                x + leg * unit - 0.04 * unit,
                y,
                x + leg * unit + 0.04 * unit,
                y + 0.38 * unit,
                fur * 0.9,
            )
        tail = np.array(
            [(x - side * 0.36 * unit, y - 0.05 * unit), (x - side * 0.5 * unit, y - 0.35 * unit)]
        )
        start, end = tail.astype(int).tolist()
        cv2.line(frame, start, end, fur.tolist(), max(2, int(0.06 * unit)))
        oval(frame, x, y, 0.4 * unit, 0.17 * unit, fur)
        head_x, head_y = x + side * 0.4 * unit, y - 0.18 * unit
    else:
        oval(frame, x, y + 0.2 * unit, 0.24 * unit, 0.34 * unit, fur)
        head_x, head_y = x, y - 0.2 * unit
    radius = 0.18 * unit
    for ear in (-1, 1):
        tip = (head_x + ear * 0.8 * radius, head_y - 1.6 * radius)
        base = [
            (head_x + ear * 0.2 * radius, head_y - 0.7 * radius),
            (head_x + ear * radius, head_y - 0.3 * radius),
        ]
        fill(frame, [tip, *base], fur * 0.85)
    oval(frame, head_x, head_y, radius, 0.9 * radius, fur)
    for eye in (-1, 1):
        oval(
            frame,
            head_x + eye * 0.4 * radius,
            head_y - 0.1 * radius,
            0.15 * radius,
            0.15 * radius,
            np.array([60.0, 200, 190]),
        )
    oval(frame, head_x, head_y + 0.35 * radius, 0.14 * radius, 0.1 * radius, fur * 0.3)
    return finished(frame, rng)


def street(rng: Rng, size_wh: Size, grounds: Backdrops) -> Picture:  # noqa: ARG001
    """Outdoors: sky, hills, houses and trees."""
    width, height = size_wh
    sky, ground = np.array([235.0, 190, 140]) * rng.uniform(0.4, 1.05), some_colour(rng)
    horizon = rng.uniform(0.35, 0.7) * height
    mix = np.clip((np.arange(height) / horizon), 0, 1)[:, None, None]
    column = np.clip(sky + (np.array([245.0, 240, 235]) - sky) * mix * 0.7, 0, 255)
    frame: Picture = np.repeat(column, width, axis=1).astype(np.uint8)
    ridge = horizon - 0.2 * height * cloudy(rng, 12, 64)[0]
    across = np.linspace(0, width, 64)
    fill(frame, [(0, height), *zip(across, ridge, strict=True), (width, height)], ground * 0.8)
    box(frame, 0, horizon + 4, width, height, ground)
    for _ in range(int(rng.integers(1, 7))):
        x, w = rng.uniform(0, width), rng.uniform(0.08, 0.25) * width
        top, foot = (
            horizon - rng.uniform(0.05, 0.35) * height,
            horizon + rng.uniform(0, 0.1) * height,
        )
        if rng.random() < 0.6:
            wall = some_colour(rng)
            box(frame, x, top, x + w, foot, wall)
            fill(
                frame, [(x - 2, top), (x + w / 2, top - w / 2), (x + w + 2, top)], some_colour(rng)
            )
            for i in range(3):
                box(
                    frame,
                    x + w * (0.1 + 0.3 * i),
                    top + 4,
                    x + w * (0.28 + 0.3 * i),
                    top + 9,
                    wall * 0.5,
                )
        else:
            box(frame, x, top, x + 3, foot, np.array([40.0, 60, 80]))
            oval(frame, x, top, w / 2, w / 2, np.array([50.0, 120, 60]) * rng.uniform(0.5, 1.3))
    road = [
        (0.45 * width, horizon + 4),
        (0.55 * width, horizon + 4),
        (0.9 * width, height),
        (0.1 * width, height),
    ]
    if rng.random() < 0.6:
        fill(frame, road, np.full(3, rng.uniform(60, 150)))
    return finished(frame, rng)


def car(rng: Rng, size_wh: Size, grounds: Backdrops) -> Picture:
    """A car from the side."""
    width, height = size_wh
    frame = grounds.drawn(rng, size_wh)
    paint = some_colour(rng)
    unit = rng.uniform(0.6, 0.95) * width
    x, y = (width - unit) / 2, rng.uniform(0.5, 0.7) * height
    roof, hood = rng.uniform(0.2, 0.3) * unit, rng.uniform(0.1, 0.16) * unit
    outline = [
        (0, 0),
        (0.02, -0.5),
        (0.2, -0.6),
        (0.32, -1),
        (0.68, -1),
        (0.82, -0.55),
        (1, -0.45),
        (1, 0),
    ]
    fill(frame, [(x + a * unit, y + b * roof) for a, b in outline], paint)
    glass = [(0.26, -0.6), (0.35, -0.92), (0.65, -0.92), (0.74, -0.6)]
    fill(frame, [(x + a * unit, y + b * roof) for a, b in glass], paint * 0.3)
    for wheel in (0.2, 0.8):
        oval(frame, x + wheel * unit, y, 0.55 * hood, 0.55 * hood, np.full(3, 25.0))
        oval(frame, x + wheel * unit, y, 0.28 * hood, 0.28 * hood, np.full(3, 170.0))
    return finished(frame, rng)
