"""Pairs of shoes as people photograph them: from above, or from the front, side by side.

Fashion-MNIST shows one shoe from the side, and photos that say only "shoes" do not tell which kind they
show; these do. Everything is drawn on a canvas of `drawn_shapes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from hemline_train.drawn_shapes import (
    Canvas,
    Point,
    Points,
    Rng,
    arch,
    chance,
    contrast,
    plain,
    smooth,
    tone,
    uniform,
)

Place = Callable[[Points], list[Point]]  # from the units of one shoe to those of the canvas


def sneakers(canvas: Canvas, rng: Rng) -> None:
    """From above: a rim of sole, a toe cap, laces over the tongue, and the opening behind."""
    base, rim = tone(rng), tone(rng, 0.05, 0.9)
    cloth, sole = plain(rng, base), plain(rng, rim)
    wide, laces = uniform(rng, 0.15, 0.18), int(rng.integers(3, 7))
    has_cap, has_sides = chance(rng, 0.5), chance(rng, 0.5)
    inside = contrast(base) if chance(rng, 0.5) else base * 0.35
    for place in _two(rng, gap=wide + uniform(rng, 0.02, 0.06)):
        canvas.piece(place(smooth(_outline(wide))), sole)
        canvas.piece(place(smooth(_outline(wide * 0.88, 0.025))), cloth)
        if has_cap:
            canvas.patch(place(arch((0.01, 0.17), (wide * 0.8, 0.13), 180, 360)), rim, 0.9)
        if has_sides:
            for side in (-1, 1):
                stripe = [(side * wide * 0.75, 0.45), (side * wide * 0.35, 0.6)]
                canvas.seam(place(stripe), contrast(base), 0.03, 0.9)
        tongue = [(-0.055, 0.26), (0.055, 0.26), (0.07, 0.6), (-0.07, 0.6)]
        canvas.patch(place(smooth(tongue)), base * 0.7, 0.8)
        for y in np.linspace(0.29, 0.54, laces):
            lace = [(-0.075, float(y)), (0.075, float(y) + uniform(rng, -0.02, 0.02))]
            canvas.seam(place(lace), contrast(base), 0.022, 0.95)
        opening = arch((0.0, 0.74), (wide * 0.58, 0.16), 0, 360)
        canvas.patch(place(opening), inside, 0.9)


def sandals(canvas: Canvas, rng: Rng) -> None:
    """From above: the bed of the foot, and straps across it."""
    bed_tone = tone(rng, 0.1, 0.95)
    bed, base = plain(rng, bed_tone), contrast(bed_tone) + uniform(rng, -0.15, 0.15)
    leather = plain(rng, float(np.clip(base, 0.05, 0.95)))
    wide = uniform(rng, 0.13, 0.17)
    kind = int(rng.integers(4))
    width = uniform(rng, 0.03, 0.055)
    for place in _two(rng, gap=wide + uniform(rng, 0.02, 0.07)):
        canvas.piece(place(smooth(_outline(wide))), bed)
        canvas.seam(place(smooth(_outline(wide * 0.9, 0.02))), bed_tone * 0.7, 0.012, 0.7)
        if kind == 0:  # a thong
            for side in (-1, 1):
                strap = [(0.0, 0.2), (side * wide * 0.55, 0.34), (side * wide * 0.98, 0.52)]
                canvas.ribbon(place(smooth(strap, closed=False)), leather, width)
        elif kind == 1:  # one broad band
            band = [(-wide, 0.26), (wide, 0.22), (wide * 1.04, 0.48), (-wide * 1.04, 0.5)]
            canvas.piece(place(smooth(band)), leather)
        else:  # two or three straps, and one around the heel
            for y in (0.2, 0.34, 0.5)[:kind]:
                strap = [(-wide, y + 0.03), (0.0, y - 0.02), (wide, y + 0.02)]
                canvas.ribbon(place(smooth(strap, closed=False)), leather, width * 1.4)
            heel = [(-wide * 0.8, 0.62), (-wide * 0.7, 0.85), (0.0, 0.95), (wide * 0.7, 0.85)]
            heel += [(wide * 0.8, 0.62)]
            canvas.ribbon(place(smooth(heel, closed=False)), leather, width)
            canvas.ribbon(place([heel[0], heel[-1]]), leather, width)


def boots(canvas: Canvas, rng: Rng) -> None:
    """From the front and a little above: two shafts with dark openings, the toes towards the camera."""
    base = tone(rng)
    leather = plain(rng, base)
    wide, foot = uniform(rng, 0.13, 0.17), uniform(rng, 0.16, 0.2)
    lean, high = uniform(rng, -0.06, 0.06), uniform(rng, 0.5, 0.66)
    has_laces, has_fur = chance(rng, 0.5), chance(rng, 0.25)
    for place in _two(rng, gap=foot + uniform(rng, 0.01, 0.05)):
        boot = [
            (-wide + lean, 0.05),
            (-wide + lean, 0.05),
            (wide + lean, 0.05),
            (wide + lean, 0.05),
        ]
        boot += [
            (wide * 0.95, high),
            (foot, high + 0.14),
            (foot * 0.95, 0.96),
            (-foot * 0.95, 0.96),
        ]
        boot += [(-foot, high + 0.14), (-wide * 0.95, high)]
        canvas.piece(place(smooth(boot)), leather)
        sole = arch((0.0, 0.88), (foot, 0.1), 0, 180)
        canvas.ribbon(place(sole), plain(rng, base * 0.5), 0.05)
        opening = arch((lean, 0.07), (wide * 0.95, 0.06), 0, 360)
        canvas.piece(place(opening), plain(rng, contrast(base) if has_fur else base * 0.3))
        canvas.seam(
            place(arch((0.0, high + 0.16), (foot * 0.9, 0.07), 180, 360)), base * 0.6, 0.016
        )
        if has_laces:
            for y in np.linspace(0.22, high + 0.02, 5):
                lace = [(-0.07, float(y)), (0.07, float(y) + 0.03)]
                canvas.seam(place(lace), contrast(base), 0.022, 0.9)


def _outline(wide: float, inset: float = 0.0) -> Points:
    """The sole of a left shoe, the toe above, one unit long: rounder outside, a waist inside."""
    low, high = 1.0 - inset, inset
    left = [(-wide * 0.55, high + 0.05), (-wide, high + 0.24), (-wide * 0.95, 0.45)]
    left += [(-wide * 0.8, 0.68), (-wide * 0.75, low - 0.1), (-wide * 0.4, low)]
    right = [(wide * 0.4, low), (wide * 0.75, low - 0.1), (wide * 0.62, 0.62)]
    right += [(wide * 0.85, 0.4), (wide * 0.9, high + 0.2), (wide * 0.45, high + 0.01)]
    return [*left, *right, (0.0, high)]


def _two(rng: Rng, gap: float) -> Iterator[Place]:
    """Where the left and the right shoe stand; the right one is the left one mirrored."""
    spread, slide = uniform(rng, -0.14, 0.2), uniform(rng, -0.1, 0.1)
    for side in (-1, 1):
        cosine, sine = np.cos(side * spread), np.sin(side * spread)

        def place(
            points: Points, side: int = side, cosine: float = cosine, sine: float = sine
        ) -> list[Point]:
            moved = np.asarray(points, np.float64) * (-side, 1) - (0, 0.5)
            turned = moved @ np.array([[cosine, sine], [-sine, cosine]])
            turned += (side * gap, 0.5 + side * slide / 2)
            return [(float(x), float(y)) for x, y in turned]

        yield place


KINDS = (sneakers, sandals, boots)
