"""Grounds that garments lie or hang on: walls, floors, cloths, and the grounds of the photos themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hemline._opencv import cv2
from hemline_train.wardrobe.foreground import Picture, inside_of_garment, without_garment
from hemline_train.wardrobe.light import Rng
from hemline_train.wardrobe.photos import Photos

SIDE = 128
TEXTURES = 320
_FROM_PHOTOS = 0.5  # share, where there are photos with masks

Plane = NDArray[np.float32]


class Backdrops:
    """Grounds without a garment, cut at random from a stock that is drawn once.

    Args:
        photos: Their grounds are used where the garment could be told from them.
        seed: Of the drawn ones.
        photo_grounds: At most so many photos are looked at for their ground and their cloth.
    """

    def __init__(self, photos: Photos | None, seed: int, photo_grounds: int = 1200) -> None:
        rng = np.random.default_rng((seed, 101))
        self._drawn = _textures(seed)
        self._photographed: list[Picture] = []
        self._cloths: list[Picture] = []
        if photos is not None:
            cut = [i for i, mask in enumerate(photos.masks) if mask is not None]
            for i in rng.permutation(len(cut))[:photo_grounds].tolist():
                mask = photos.masks[cut[i]]
                assert mask is not None
                self._cloths.append(inside_of_garment(photos.pictures[cut[i]], mask))
                ground = without_garment(photos.pictures[cut[i]], mask)
                if ground is not None:
                    self._photographed.append(ground)

    def photographed(self, rng: Rng, size_wh: tuple[int, int]) -> Picture:
        """The ground of a photo; a drawn one where there is none."""
        return self._cut(self._photographed or self._drawn, rng, size_wh)

    def drawn(self, rng: Rng, size_wh: tuple[int, int]) -> Picture:
        """A drawn ground."""
        return self._cut(self._drawn, rng, size_wh)

    def cloth(self, rng: Rng, size_wh: tuple[int, int]) -> Picture:
        """Cloth of a photographed garment, or a drawn pattern, as often."""
        if self._cloths and rng.random() < 0.5:
            return self._cut(self._cloths, rng, size_wh)
        return self.drawn(rng, size_wh)

    def __call__(self, rng: Rng, size_wh: tuple[int, int]) -> Picture:
        """Either: uint8, (height, width, 3), BGR, a new array."""
        if self._photographed and rng.random() < _FROM_PHOTOS:
            return self.photographed(rng, size_wh)
        return self.drawn(rng, size_wh)

    def _cut(self, stock: Sequence[Picture], rng: Rng, size_wh: tuple[int, int]) -> Picture:
        picture = stock[int(rng.integers(len(stock)))]
        height, width = picture.shape[:2]
        share = float(rng.uniform(0.55, 1.0))
        part_h, part_w = max(4, round(height * share)), max(4, round(width * share))
        top = int(rng.integers(0, height - part_h + 1))
        left = int(rng.integers(0, width - part_w + 1))
        part = picture[top : top + part_h, left : left + part_w]
        if rng.random() < 0.5:
            part = part[:, ::-1]
        cut: Picture = np.asarray(cv2.resize(np.ascontiguousarray(part), size_wh), np.uint8)
        return cut


@lru_cache(maxsize=2)
def _textures(seed: int) -> tuple[Picture, ...]:
    rng = np.random.default_rng((seed, 104))
    return tuple(texture(rng) for _ in range(TEXTURES))


def texture(rng: Rng) -> Picture:
    """One drawn ground: uint8, (128, 128, 3), BGR."""
    kind = _KINDS[int(rng.integers(len(_KINDS)))]
    pattern = kind(rng)
    light = cv2.resize(
        rng.uniform(0.8, 1.15, (3, 3)).astype(np.float32),
        (SIDE, SIDE),
        interpolation=cv2.INTER_CUBIC,
    )
    near, far = some_colour(rng), some_colour(rng)
    if rng.random() < 0.7:  # most grounds have one colour in two shades
        far = near * float(rng.uniform(0.55, 0.95))
    mixed = near + (far - near) * np.clip(pattern, 0, 1)[:, :, None]
    grain = rng.normal(0, float(rng.uniform(0, 5)), (SIDE, SIDE, 1))
    return np.clip(mixed * light[:, :, None] + grain, 0, 255).astype(np.uint8)


def some_colour(rng: Rng) -> NDArray[np.float64]:
    """A colour as things have them, rarely a pure one: float64, (3,), 0–255."""
    value = float(rng.uniform(30, 245))
    if rng.random() < 0.35:
        return np.clip(value + rng.normal(0, 8, 3), 0, 255)
    saturation = float(rng.beta(1.5, 2.0))
    hue = rng.uniform(0, 1, 3)
    hue = (hue - hue.min()) / max(float(np.ptp(hue)), 1e-3)
    colour: NDArray[np.float64] = value * (1 - saturation + saturation * hue)
    return colour


def cloudy(rng: Rng, sigma: float, side: int = SIDE, stretch: float = 1.0) -> Plane:
    """Soft random blotches, with mean 0.5 and standard deviation 0.25; float32, (side, side)."""
    noise = rng.standard_normal((side, side)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), sigma, sigmaY=sigma * stretch)
    plane: Plane = 0.5 + 0.25 * (soft - soft.mean()) / max(float(soft.std()), 1e-6)
    return plane


def _plain(rng: Rng) -> Plane:
    return cloudy(rng, 30) * float(rng.uniform(0, 0.3))


def _carpet(rng: Rng) -> Plane:
    return cloudy(rng, float(rng.uniform(0.6, 2.5)))


def _folds(rng: Rng) -> Plane:
    return cloudy(rng, float(rng.uniform(4, 9)), stretch=float(rng.uniform(2, 5)))


def _planks(rng: Rng) -> Plane:
    """Boards side by side, with the grain of wood."""
    width = int(rng.integers(12, 44))
    grain = cloudy(rng, 0.8, stretch=14)
    boards = np.repeat(rng.uniform(0, 0.6, SIDE // width + 1), width)[:SIDE].astype(np.float32)
    plane = 0.4 * grain + boards[None, :]
    plane[:, (np.arange(SIDE) + int(rng.integers(width))) % width < 1] = 1.0
    return _turned(plane, rng)


def _tiles(rng: Rng) -> Plane:
    step, joint = int(rng.integers(18, 60)), int(rng.integers(1, 3))
    row = (np.arange(SIDE) + int(rng.integers(step))) % step < joint
    column = (np.arange(SIDE) + int(rng.integers(step))) % step < joint
    plane = cloudy(rng, 8) * 0.35
    plane[row[:, None] | column[None, :]] = float(rng.uniform(0.6, 1.0))
    return _slanted(plane, rng)


def _bricks(rng: Rng) -> Plane:
    high, wide = int(rng.integers(9, 16)), int(rng.integers(20, 36))
    down, across = np.mgrid[:SIDE, :SIDE]
    shifted = across + (down // high % 2) * wide // 2
    plane = (0.3 * cloudy(rng, 2)).astype(np.float32)
    plane[(down % high < 2) | (shifted % wide < 2)] = 1.0
    return plane


def _pattern(rng: Rng) -> Plane:
    """A rug or a bedspread: a small motif, again and again."""
    cell = int(rng.integers(8, 33))
    motif = cloudy(rng, float(rng.uniform(1, 3)), cell)
    motif = np.hstack((motif, motif[:, ::-1])) if rng.random() < 0.5 else motif
    motif = (motif > 0.5).astype(np.float32)
    times = SIDE // min(motif.shape) + 1
    return _slanted(np.tile(motif, (times, times))[:SIDE, :SIDE], rng)


def _stripes(rng: Rng) -> Plane:
    step = int(rng.integers(5, 40))
    bars = (np.arange(SIDE) % step < step * rng.uniform(0.2, 0.6)).astype(np.float32)
    return _slanted(np.tile(bars, (SIDE, 1)), rng)


def _meeting(rng: Rng) -> Plane:
    """Where a wall meets the floor, or a table ends."""
    plane = 0.25 * cloudy(rng, 12)
    at = float(rng.uniform(0.2, 0.9)) * SIDE
    slope = float(rng.normal(0, 0.1))
    down, across = np.mgrid[:SIDE, :SIDE]
    plane[down > at + slope * (across - SIDE / 2)] += 0.6
    return _turned(plane, rng)


def _turned(plane: Plane, rng: Rng) -> Plane:
    return plane.T.copy() if rng.random() < 0.5 else plane


def _slanted(plane: Plane, rng: Rng) -> Plane:
    if rng.random() < 0.5:
        return plane
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), float(rng.uniform(-45, 45)), 1.4)
    slanted: Plane = np.asarray(
        cv2.warpAffine(plane, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT), np.float32
    )
    return slanted


_KINDS: tuple[Callable[[Rng], Plane], ...] = (
    _plain,
    _plain,
    _carpet,
    _folds,
    _planks,
    _tiles,
    _bricks,
    _pattern,
    _stripes,
    _meeting,
)
