"""Garments cut out of Fashion-MNIST, or drawn, dyed as real cloth is, and laid on a ground.

Sandals, sneakers, bags and ankle boots have no photos of their own, so what the network learns of
them in colour it learns here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline._opencv import cv2
from hemline.datasets.wardrobe import SHOES
from hemline_train import drawn_accessories
from hemline_train.drawn_shapes import Canvas
from hemline_train.wardrobe import drawn_bags, drawn_pairs
from hemline_train.wardrobe.backdrops import Backdrops, Plane, cloudy, some_colour
from hemline_train.wardrobe.light import Picture, Rng
from hemline_train.wardrobe.views import drawn_view

SIDE = 96  # of a cut-out; a garment fills less than a frame
DRAWN_PER_KIND = 40
_DARKEST_CLOTH = 14  # a grey of Fashion-MNIST from which on it is cloth
_LEAST_CONTRAST = 35.0  # of 255, in the channel in which they differ most
_PAIRS = 0.45  # share of shoes that are shown as a pair

_PATTERNS: dict[str, tuple[Callable[[Canvas, Rng], None], ...]] = {
    "sandal": (drawn_accessories.sandal, drawn_pairs.sandals, drawn_pairs.sandals),
    "sneaker": (drawn_accessories.sneaker, drawn_pairs.sneakers, drawn_pairs.sneakers),
    "ankle boot": (drawn_accessories.ankle_boot, drawn_pairs.boots),
    "bag": (drawn_accessories.bag, *drawn_bags.KINDS),
}


@dataclass(frozen=True)
class Shape:
    """A garment without its colours.

    Attributes:
        shade: float32, (SIDE, SIDE), 0–1: how light each place is, meaningful outside the garment too.
        alpha: uint8, (SIDE, SIDE), how much of the pixel the garment covers.
    """

    shade: Plane
    alpha: Picture


def shape_of(image: Picture, has_holes: bool) -> Shape:
    """The shape of one picture of Fashion-MNIST.

    Args:
        image: uint8, (28, 28), bright on black.
        has_holes: Whether the ground is seen through the garment, as between the straps of a sandal.
            Otherwise black inside the outline is black cloth.
    """
    inside = (image >= _DARKEST_CLOTH).astype(np.uint8)
    if not has_holes:
        closed = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        inside = np.asarray(closed, np.uint8)
        outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(inside, outlines, -1, 1, -1)
    # The outermost pixels are mixed with the black of the ground: take their neighbours' instead.
    core = cv2.erode(inside, np.ones((3, 3), np.uint8))
    spread = cv2.dilate(np.where(core > 0, image, 0).astype(np.uint8), np.ones((7, 7), np.uint8))
    level = int(np.median(image[inside > 0])) if inside.any() else 128
    spread = np.where(spread > 0, spread, np.maximum(image, level))
    whole = np.where(core > 0, image, spread).astype(np.float32)
    shade = cv2.resize(whole, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) / 255
    soft = cv2.resize(inside.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    soft = cv2.GaussianBlur(soft, (0, 0), 1.6)  # rounds the stairs of 28 pixels
    alpha = np.clip((soft - 0.5) * 3.5 + 0.5, 0, 1) * 255
    return Shape(np.clip(shade, 0, 1).astype(np.float32), alpha.astype(np.uint8))


@lru_cache(maxsize=1)
def drawn_shapes(seed: int) -> dict[str, list[Shape]]:
    """Drawn garments of the classes that have no photos, by label."""
    rng = np.random.default_rng((seed, 102))
    return {
        label: [_drawn(pattern, rng) for pattern in patterns for _ in range(DRAWN_PER_KIND)]
        for label, patterns in _PATTERNS.items()
    }


def _drawn(pattern: Callable[[Canvas, Rng], None], rng: Rng) -> Shape:
    canvas = Canvas(2 * SIDE)
    pattern(canvas, rng)
    grey, alpha = canvas.fitted(SIDE, SIDE)
    level = float(grey[alpha > 0.5].mean())
    shade = np.where(alpha > 0.3, grey / np.maximum(alpha, 0.3), level)
    return Shape(shade.astype(np.float32), (alpha * 255).astype(np.uint8))


def dyed(shape: Shape, rng: Rng, grounds: Backdrops) -> Picture:
    """Give a shape colours, cloth, folds and roundness: uint8, (SIDE, SIDE, 4), BGRA."""
    shade = shape.shade if rng.random() < 0.5 else 1 - shape.shade
    middle = float(shade[shape.alpha > 127].mean()) if (shape.alpha > 127).any() else 0.5
    depth = float(rng.uniform(0.5, 1.3))
    light = np.clip(1 + depth * (shade - middle), 0.1, 1.9)
    if rng.random() < 0.5:  # folds and wear, finer than 28 pixels can hold
        light = light * (1 + float(rng.uniform(0.1, 0.35)) * (cloudy(rng, 5, SIDE, 2.5) - 0.5))
    if rng.random() < 0.6:
        light = light * (1 + float(rng.uniform(0.1, 0.4)) * (cloudy(rng, 0.8, SIDE) - 0.5))
    if rng.random() < 0.6:  # turns away from the light at the rim
        rim = cv2.GaussianBlur(shape.alpha, (0, 0), 5).astype(np.float32) / 255
        light = light * (1 - float(rng.uniform(0.1, 0.5)) * (1 - np.clip(2 * rim - 1, 0, 1)))
    cloth: NDArray[Any]
    if rng.random() < 0.35:
        cloth = grounds.cloth(rng, (SIDE, SIDE)).astype(np.float32)
    else:
        cloth = some_colour(rng).astype(np.float32)[None, None]
    if rng.random() < 0.4:  # light parts have a colour of their own: soles, prints, laces
        other = some_colour(rng).astype(np.float32)[None, None]
        cut = float(rng.uniform(0.35, 0.75))
        share = np.clip((shade - cut) * 8, 0, 1)[:, :, None]
        cloth = cloth * (1 - share) + other * share
    colours = np.clip(cloth * light[:, :, None], 0, 255).astype(np.uint8)
    return np.dstack((colours, shape.alpha))


def laid(cutouts: Sequence[Picture], ground: Picture, rng: Rng, fill: float) -> Picture:
    """Lay cut-outs on a ground, with a shadow.

    Args:
        cutouts: uint8, (H, W, 4), BGRA; several are laid beside each other.
        ground: uint8, (H, W, 3), BGR.
        rng: Where chance comes from.
        fill: Share of the frame that the cut-outs take in their larger direction.
    """
    height, width = ground.shape[:2]
    ground = _set_off(ground, cutouts[0])
    depth = float(rng.uniform(0, 0.55))
    drop = rng.normal(0, 0.02, 2) * max(height, width)
    softness = float(rng.uniform(0.5, 5))
    turn = 0.15 if rng.random() < 0.8 else 0.8
    first = None
    for number, cutout in enumerate(cutouts):
        box = _box(cutout[:, :, 3])
        if first is None:
            first = drawn_view(rng, box, width / height, fill, turn, 0.06)
        view = first if number == 0 else _beside(first, box, rng)
        shown = view.of(cutout, (width, height), cv2.BORDER_CONSTANT)
        alpha = shown[:, :, 3]
        if depth > 0.1:
            moved = np.array([[1, 0, drop[0]], [0, 1, drop[1]]], np.float32)
            shadow = cv2.warpAffine(alpha, moved, (width, height))
            shadow = cv2.GaussianBlur(shadow, (0, 0), softness)
            _blend(ground, np.zeros_like(ground), (shadow * depth).astype(np.uint8))
        _blend(ground, shown[:, :, :3], alpha)
    return ground


def pair_or_one(cutout: Picture, label: str, rng: Rng) -> list[Picture]:
    """A shoe with its fellow, seen from the same side or mirrored, or alone."""
    if label not in SHOES or rng.random() > _PAIRS:
        return [cutout]
    fellow = cutout if rng.random() < 0.5 else np.ascontiguousarray(cutout[:, ::-1])
    return [cutout, fellow]


def has_holes(label: str) -> bool:
    """Whether the ground shows inside the outline of a class of Fashion-MNIST."""
    return label in ("sandal", "bag")


def _beside(first: Any, box: tuple[float, float, float, float], rng: Rng) -> Any:
    """The view in which the second of a pair stands beside, above or below the first."""
    wide, high = box[2] - box[0], box[3] - box[1]
    if rng.random() < 0.5:
        step = (float(rng.uniform(-0.35, 0.35)) * wide, float(rng.uniform(0.35, 0.8)) * high)
    else:
        step = (float(rng.uniform(0.3, 0.9)) * wide, float(rng.uniform(-0.3, 0.3)) * high)
    centre = first.centre[0] - step[0], first.centre[1] - step[1]
    return first.moved(centre, float(rng.normal(0, 0.15)))


def _set_off(ground: Picture, cutout: Picture) -> Picture:
    """A copy of the ground, lighter or darker where the garment could hardly be seen on it."""
    cloth = np.array(cv2.mean(cutout, cutout[:, :, 3])[:3])
    mean = np.array(cv2.mean(ground)[:3])
    if np.abs(cloth - mean).max() > _LEAST_CONTRAST:
        return ground.copy()
    shift = 1.5 * _LEAST_CONTRAST * (1 if mean.mean() < 128 else -1)
    return np.asarray(np.clip(ground + shift, 0, 255), np.uint8)


def _box(alpha: Picture) -> tuple[float, float, float, float]:
    columns, rows = np.flatnonzero(alpha.max(axis=0) > 127), np.flatnonzero(alpha.max(axis=1) > 127)
    if not len(columns):
        return 0.0, 0.0, float(alpha.shape[1]), float(alpha.shape[0])
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _blend(ground: Picture, above: Picture, alpha: Picture) -> None:
    """Lay `above` over the ground where `alpha` says so, in place; whole numbers, rounded."""
    cover = cv2.merge((alpha, alpha, alpha))
    front = cv2.multiply(above, cover, scale=1 / 255)
    back = cv2.multiply(ground, 255 - cover, scale=1 / 255)
    cv2.add(front, back, ground)
