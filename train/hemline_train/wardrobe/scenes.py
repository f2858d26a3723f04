"""Frames without a garment to train on, drawn: rooms, pages, leaves, shelves, lights, noise.

Each function takes a generator, the size and the grounds, and gives uint8, (height, width, 3), BGR.
"""

from __future__ import annotations

import numpy as np

from hemline._opencv import cv2
from hemline_train.wardrobe.backdrops import Backdrops, some_colour
from hemline_train.wardrobe.light import Picture, Rng
from hemline_train.wardrobe.strokes import box, fill

Size = tuple[int, int]


def room(rng: Rng, size_wh: Size, grounds: Backdrops) -> Picture:
    """Walls, floor and ceiling of a room, with windows, doors, pictures and furniture."""
    width, height = size_wh
    frame = grounds.drawn(rng, size_wh)
    back = np.array([rng.uniform(0.1, 0.35), rng.uniform(0.1, 0.35)]) * size_wh
    far = np.array([rng.uniform(0.6, 0.95), rng.uniform(0.5, 0.8)]) * size_wh
    corners = [(back[0], back[1]), (far[0], back[1]), (far[0], far[1]), (back[0], far[1])]
    outer = [(0, 0), (width, 0), (width, height), (0, height)]
    wall = some_colour(rng)
    for side in range(4):  # ceiling, right wall, floor, left wall
        if side == 2 and rng.random() < 0.5:
            continue  # the floor keeps its texture
        after = (side + 1) % 4
        shade = wall * rng.uniform(0.7, 1.15) if side != 2 else some_colour(rng)
        fill(frame, [outer[side], outer[after], corners[after], corners[side]], shade)
    fill(frame, corners, wall * rng.uniform(0.85, 1.1))
    for _ in range(int(rng.integers(0, 4))):  # on the wall
        x, y = rng.uniform(back, far)
        w, h = rng.uniform(0.05, 0.2, 2) * size_wh
        box(frame, x - w / 2, y - h / 2, x + w / 2, y + h / 2, some_colour(rng))
        box(frame, x - w / 2.6, y - h / 2.6, x + w / 2.6, y + h / 2.6, some_colour(rng))
    for _ in range(int(rng.integers(0, 5))):  # on the floor
        x, foot = rng.uniform(0, width), rng.uniform(0.6, 1.0) * height
        w, h = rng.uniform(0.1, 0.4) * width, rng.uniform(0.1, 0.4) * height
        colour = some_colour(rng)
        box(frame, x - w / 2, foot - h, x + w / 2, foot, colour)
        box(frame, x - w / 2, foot - h, x + w / 2, foot - 0.75 * h, colour * 1.15)
    return frame


def page(rng: Rng, size_wh: Size, grounds: Backdrops) -> Picture:
    """Printed or written paper, or a screen full of text."""
    width, height = size_wh
    frame = grounds.drawn(rng, size_wh)
    paper = np.full((height, width, 3), rng.uniform(190, 255), np.uint8)
    ink = rng.uniform(0, 90, 3)
    if rng.random() < 0.3:
        paper, ink = 255 - paper, 255 - ink
    margin, step = int(rng.integers(2, width // 5)), int(rng.integers(3, 13))
    for y in range(margin, height - margin, step):
        x = margin
        while x < width - margin and rng.random() < 0.97:
            word = int(rng.integers(2, 5 * step))
            end = min(x + word, width - margin)
            cv2.line(paper, (x, y), (end, y), ink.tolist(), max(1, step // 3))
            x = end + int(rng.integers(1, step))
    if rng.random() < 0.4:
        a, b = rng.uniform(0.1, 0.6, 2) * size_wh
        box(paper, a, b, a + 0.3 * width, b + 0.3 * height, some_colour(rng))
    left, top = (rng.uniform(-0.1, 0.25, 2) * size_wh).astype(int).clip(0)
    inner = paper[: height - top, : width - left]
    frame[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return frame


def leaves(rng: Rng, size_wh: Size, grounds: Backdrops) -> Picture:
    """A hedge, a meadow, a bunch of flowers: many leaves over one another."""
    frame = grounds.drawn(rng, size_wh)
    green = np.array([rng.uniform(10, 90), rng.uniform(60, 200), rng.uniform(20, 120)])
    large = rng.uniform(0.03, 0.16) * max(size_wh)
    for _ in range(int(rng.integers(30, 120))):
        centre = (rng.uniform(0, 1, 2) * size_wh).astype(int).tolist()
        colour = green * rng.uniform(0.4, 1.3)
        if rng.random() < 0.05:
            colour = some_colour(rng)
        axes = (
            max(1, int(large * rng.uniform(0.5, 1.2))),
            max(1, int(large * rng.uniform(0.1, 0.5))),
        )
        cv2.ellipse(frame, centre, axes, rng.uniform(0, 180), 0, 360, colour.tolist(), -1)
    return frame


def shelf(rng: Rng, size_wh: Size, grounds: Backdrops) -> Picture:
    """Books, boxes and bottles side by side."""
    width, height = size_wh
    frame = grounds.drawn(rng, size_wh)
    rows = int(rng.integers(1, 5))
    for row in range(rows):
        foot = height * (row + 1) / rows - 2
        x = rng.uniform(0, 6)
        while x < width:
            w = rng.uniform(0.02, 0.14) * width
            top = foot - rng.uniform(0.4, 0.9) * height / rows
            if rng.random() < 0.85:
                box(frame, x, top, x + w, foot, some_colour(rng))
            x += w + rng.uniform(0, 2)
        box(frame, 0, foot, width, foot + 3, some_colour(rng) * 0.6)
    return frame


def lights(rng: Rng, size_wh: Size, grounds: Backdrops) -> Picture:
    """Soft lights, far out of focus, or a plain gradient."""
    width, height = size_wh
    cells = int(rng.integers(2, 7))
    field = rng.uniform(0, 255, (cells, cells, 3)).astype(np.float32)
    frame = np.clip(cv2.resize(field, size_wh, interpolation=cv2.INTER_CUBIC), 0, 255).astype(
        np.uint8
    )
    if rng.random() < 0.4:
        ground = grounds.drawn(rng, size_wh)
        frame = np.asarray(cv2.addWeighted(frame, 0.5, ground, 0.5, 0), np.uint8)
    for _ in range(int(rng.integers(0, 14))):
        centre = (rng.uniform(0, 1, 2) * size_wh).astype(int).tolist()
        radius = max(2, int(rng.uniform(0.02, 0.14) * min(width, height)))
        cv2.circle(frame, centre, radius, some_colour(rng).tolist(), -1)
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), rng.uniform(1, 6)), np.uint8)


def noise(rng: Rng, size_wh: Size, grounds: Backdrops) -> Picture:  # noqa: ARG001 - all have one signature
    """A sensor without a picture: white or coarse noise, in grey or colour."""
    width, height = size_wh
    coarse = int(2 ** rng.uniform(0, 5))
    channels = 3 if rng.random() < 0.6 else 1
    cells = rng.integers(0, 256, (max(2, height // coarse), max(2, width // coarse), channels))
    small = np.broadcast_to(cells, (*cells.shape[:2], 3)).astype(np.uint8)
    how = cv2.INTER_NEAREST if rng.random() < 0.5 else cv2.INTER_LINEAR
    frame = cv2.resize(np.ascontiguousarray(small), size_wh, interpolation=how).astype(np.float32)
    contrast, level = rng.uniform(0.2, 1), rng.uniform(40, 215)
    return np.asarray(np.clip((frame - 128) * contrast + level, 0, 255), np.uint8)
