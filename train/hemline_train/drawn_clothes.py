"""How the clothes among the drawn garments are cut, on a canvas of `drawn_shapes`.

They are seen from the front. In every function all chance comes from `rng`, and one call draws one
garment.
"""

from __future__ import annotations

import numpy as np

from hemline_train.drawn_shapes import (
    Canvas,
    Plane,
    Point,
    Rng,
    arch,
    chance,
    contrast,
    disc,
    flipped,
    mirrored,
    patterned,
    plain,
    smooth,
    tone,
    uniform,
)


def _torso(
    canvas: Canvas, cloth: Plane, shoulder: float, waist: float, hem: float, neck: float
) -> None:
    """A body from the shoulders (y = 0) to the hem (y = 1); the arguments are half widths."""
    right = [
        (neck, 0.0),
        (neck, 0.0),
        (shoulder * 0.8, 0.03),
        (shoulder, 0.08),
        (waist * 1.02, 0.3),
    ]
    right += [(waist, 0.55), (hem, 0.98), (hem, 0.98), (hem * 0.5, 1.0)]
    canvas.piece(smooth(mirrored(right)), cloth)


def _neckline(canvas: Canvas, rng: Rng, neck: float, depth: float, base: float) -> None:
    """Round or V, with the back of the collar seen inside and a band around."""
    if chance(rng, 0.25):
        line: list[Point] = [(-neck, -0.02), (0.0, depth * 1.5), (neck, -0.02)]
    else:
        line = arch((0.0, -0.01), (neck, depth), 180, 0)
    canvas.cut(line)
    canvas.piece(arch((0.0, 0.0), (neck, depth * 0.4), 180, 0), plain(rng, base * 0.75))
    canvas.seam(line, contrast(base), 0.015, 0.5)


def _print(canvas: Canvas, rng: Rng, base: float) -> None:
    """A motif on the chest: a few words, or a picture."""
    colour = contrast(base)
    y = uniform(rng, 0.25, 0.35)
    if chance(rng, 0.5):
        for x in np.linspace(-0.1, 0.1, int(rng.integers(3, 6))):
            high = uniform(rng, 0.03, 0.05)
            canvas.seam([(float(x), y - high), (float(x) + 0.02, y + high)], colour, 0.025)
        return
    radius = uniform(rng, 0.07, 0.12)
    canvas.patch(disc((0.0, y + 0.05), radius), colour, 0.8)
    canvas.patch(disc((0.02, y + 0.03), radius * 0.5), base, 0.8)


def t_shirt(canvas: Canvas, rng: Rng) -> None:
    """Short sleeves, an open neck, a straight body."""
    base = tone(rng)
    cloth = patterned(rng, base, ["plain", "plain", "plain", "stripes"])
    body = uniform(rng, 0.24, 0.28)
    neck = uniform(rng, 0.1, 0.13)
    reach, end = body + uniform(rng, 0.13, 0.18), uniform(rng, 0.24, 0.34)
    sleeve = [(neck, 0.01), (body, 0.03), (reach, end - 0.05), (reach, end - 0.05)]
    sleeve += [(reach - 0.12, end + 0.02), (reach - 0.12, end + 0.02), (body - 0.04, 0.2)]
    for side in (sleeve, flipped(sleeve)):
        canvas.piece(smooth(side), cloth, 0.95)
    _torso(canvas, cloth, body * 1.05, body, body * uniform(rng, 0.97, 1.05), neck)
    for side in ([(body, 0.06), (body * 0.93, 0.25)], [(-body, 0.06), (-body * 0.93, 0.25)]):
        canvas.seam(side, base * 0.7, 0.012, 0.6)
    _neckline(canvas, rng, neck, uniform(rng, 0.07, 0.11), base)
    if chance(rng, 0.45):
        _print(canvas, rng, base)


def trouser(canvas: Canvas, rng: Rng) -> None:
    """A waistband and two legs with the ground between them."""
    base = tone(rng)
    cloth = patterned(rng, base, ["plain"])
    waist, hip = uniform(rng, 0.12, 0.15), uniform(rng, 0.16, 0.19)
    foot, gap = uniform(rng, 0.16, 0.22), uniform(rng, 0.05, 0.1)
    crotch = uniform(rng, 0.26, 0.33)
    leg = [(-0.02, 0.0), (-0.02, 0.0), (waist, 0.0), (waist, 0.0), (hip, 0.22), (foot * 1.02, 0.6)]
    leg += [(foot, 1.0), (foot, 1.0), (gap, 1.0), (gap, 1.0), (gap * 0.85, 0.65)]
    leg += [(0.012, crotch), (-0.02, crotch)]
    for side in (leg, flipped(leg)):
        canvas.piece(smooth(side), cloth)
    canvas.seam([(-waist, 0.03), (waist, 0.03)], base * 0.75, 0.015, 0.7)
    canvas.seam([(0.0, 0.0), (0.0, crotch)], base * 0.6, 0.015, 0.7)
    for sign in (1, -1):
        canvas.seam([(sign * waist * 0.5, 0.04), (sign * hip, 0.12)], base * 0.7, 0.012, 0.7)
        crease = [(sign * hip * 0.55, 0.2), (sign * (foot + gap) / 2, 1.0)]
        canvas.seam(crease, base * 0.8, 0.02, 0.4)


def _long_sleeves(canvas: Canvas, rng: Rng, cloth: Plane, body: float, end: float) -> None:
    """Arms that hang beside the body, down to y = `end`, with cuffs."""
    spread = uniform(rng, 0.11, 0.15)
    width = uniform(rng, 0.085, 0.1)
    out = body + spread
    arm = [(body * 0.45, 0.01), (body * 0.95, 0.04), (out - 0.035, 0.2), (out, 0.55)]
    arm += [(out + 0.01, end), (out + 0.01, end), (out - width, end + 0.01)]
    arm += [(out - width, end + 0.01), (out - width - 0.02, 0.55), (body * 0.8, 0.24)]
    for side in (arm, flipped(arm)):
        canvas.piece(smooth(side), cloth, 0.92)
    for sign in (1, -1):
        cuff = [(sign * (out + 0.02), end - 0.05), (sign * (out - width - 0.02), end - 0.045)]
        canvas.seam(cuff, 0.0, 0.012, 0.3)


def _armholes(canvas: Canvas, body: float, base: float) -> None:
    for sign in (1, -1):
        line = [(sign * body * 1.02, 0.05), (sign * body * 0.92, 0.26), (sign * body, 0.95)]
        canvas.seam(smooth(line, closed=False), base * 0.55, 0.016, 0.6)


def pullover(canvas: Canvas, rng: Rng) -> None:
    """Long sleeves, a closed front, ribbed hem and cuffs."""
    base = tone(rng)
    cloth = patterned(rng, base, ["plain", "plain", "plain", "stripes"])
    body, neck = uniform(rng, 0.25, 0.29), uniform(rng, 0.09, 0.12)
    _long_sleeves(canvas, rng, cloth, body, uniform(rng, 0.86, 0.96))
    _torso(canvas, cloth, body, body, body * uniform(rng, 0.95, 1.0), neck)
    _armholes(canvas, body, base)
    canvas.seam([(-body, 0.93), (body, 0.93)], base * 0.7, 0.012, 0.6)
    if chance(rng, 0.2):  # a roll neck stands up
        high = [(-neck, -0.05), (neck, -0.05), (neck * 1.1, 0.05), (-neck * 1.1, 0.05)]
        canvas.piece(smooth(high), cloth, 0.85)
    else:
        _neckline(canvas, rng, neck, uniform(rng, 0.05, 0.08), base)
    if chance(rng, 0.3):
        _print(canvas, rng, base)


def dress(canvas: Canvas, rng: Rng) -> None:
    """Long and narrow: a bodice, a waist, and a skirt that widens."""
    base = tone(rng)
    cloth = patterned(rng, base, ["plain", "plain", "plain", "dots", "blotches"])
    top, waist = uniform(rng, 0.11, 0.14), uniform(rng, 0.09, 0.115)
    hem, line = uniform(rng, 0.15, 0.22), uniform(rng, 0.33, 0.42)
    neck = top * uniform(rng, 0.45, 0.6)
    right = [(neck, 0.0), (top * 0.95, 0.0), (top * 0.9, 0.1), (top, 0.2), (waist, line)]
    right += [(waist * 1.15, line + 0.08), (hem, 0.98), (hem, 0.98), (hem * 0.5, 1.0)]
    if chance(rng, 0.5):
        reach, end = top + uniform(rng, 0.03, 0.06), uniform(rng, 0.17, 0.5)
        sleeve = [(neck, 0.0), (top, 0.01), (reach, end * 0.6), (reach, end), (reach, end)]
        sleeve += [(reach - 0.06, end), (reach - 0.06, end), (top * 0.8, 0.15)]
        for side in (sleeve, flipped(sleeve)):
            canvas.piece(smooth(side), cloth, 0.9)
    canvas.piece(smooth(mirrored(right)), cloth)
    _neckline(canvas, rng, neck, uniform(rng, 0.05, 0.12), base)
    canvas.seam([(-waist * 1.2, line), (waist * 1.2, line)], base * 0.7, 0.015, 0.7)
    for x in np.linspace(-0.7, 0.7, int(rng.integers(2, 5))):
        fold = [(float(x) * waist, line + 0.03), (float(x) * hem, 0.98)]
        canvas.seam(fold, base * 0.75, 0.014, 0.5)


def _collar(canvas: Canvas, rng: Rng, cloth: Plane, base: float, size: float) -> None:
    """Two points that fold over beside a small open V."""
    neck = 0.09
    canvas.cut([(-neck * 0.7, -0.05), (neck * 0.7, -0.05), (0.0, size * 0.8)])
    canvas.piece(
        [(-neck, -0.02), (neck, -0.02), (neck, 0.03), (-neck, 0.03)], plain(rng, base), 0.6
    )
    point = [
        (neck * 0.75, -0.035),
        (neck * 1.35, 0.02),
        (neck * 0.95, size * 1.1),
        (0.0, size * 0.8),
    ]
    for side in (point, flipped(point)):
        canvas.piece(side, cloth, 1.05)
        canvas.seam([*side[1:], side[1]], contrast(base), 0.012, 0.6)


def coat(canvas: Canvas, rng: Rng) -> None:
    """Long sleeves, open down the front: lapels or a stand-up collar, a zip or buttons, pockets."""
    base = tone(rng, 0.45, 0.95)
    cloth = patterned(rng, base, ["plain"])
    body = uniform(rng, 0.23, 0.27)
    _long_sleeves(canvas, rng, cloth, body, uniform(rng, 0.78, 0.9))
    _torso(canvas, cloth, body, body * 0.96, body * uniform(rng, 0.98, 1.06), 0.1)
    _armholes(canvas, body, base)
    _collar(canvas, rng, cloth, base, uniform(rng, 0.08, 0.2))
    front = contrast(base)
    canvas.seam([(0.0, 0.08), (0.0, 1.0)], base * 0.45, uniform(rng, 0.015, 0.03), 0.9)
    if chance(rng, 0.6):
        for y in np.linspace(0.22, 0.8, int(rng.integers(3, 6))):
            canvas.patch(disc((0.045, float(y)), 0.018), front)
    slant, y = uniform(rng, 0.0, 0.1), uniform(rng, 0.58, 0.66)
    for sign in (1, -1):
        pocket = [(sign * body * 0.4, y + slant * 0.4), (sign * body * 0.8, y + slant)]
        canvas.seam(pocket, base * 0.55, 0.018, 0.8)


def shirt(canvas: Canvas, rng: Rng) -> None:
    """A soft collar, a button border, a curved tail, often a fine pattern."""
    base = tone(rng, 0.28, 0.85)
    kinds = ["plain", "plain", "plaid", "plaid", "pinstripes", "pinstripes", "print"]
    cloth = patterned(rng, base, kinds)
    body = uniform(rng, 0.24, 0.27)
    if chance(rng, 0.75):
        _long_sleeves(canvas, rng, cloth, body, uniform(rng, 0.82, 0.92))
        _armholes(canvas, body, base)
    else:
        body += 0.04
        reach, end = body + uniform(rng, 0.11, 0.15), uniform(rng, 0.34, 0.42)
        sleeve = [(0.1, 0.01), (body, 0.04), (reach, end - 0.04), (reach, end - 0.04)]
        sleeve += [(reach - 0.12, end), (reach - 0.12, end), (body - 0.04, 0.22)]
        for side in (sleeve, flipped(sleeve)):
            canvas.piece(smooth(side), cloth, 0.92)
    _torso(canvas, cloth, body, body * 0.9, body, 0.1)
    for sign in (1, -1):  # the tail is shorter at the sides
        canvas.cut(
            [(sign * body * 1.05, 0.9), (sign * body * 1.05, 1.01), (sign * body * 0.7, 1.01)]
        )
    _collar(canvas, rng, cloth, base, uniform(rng, 0.07, 0.11))
    for x in (0.022, -0.022):
        canvas.seam([(x, 0.1), (x, 1.0)], base * 0.7, 0.01, 0.6)
    for y in np.linspace(0.14, 0.9, 7):
        canvas.patch(disc((0.0, float(y)), 0.013), contrast(base))
    if chance(rng, 0.5):
        pocket = [(0.07, 0.28), (0.07, 0.4), (0.16, 0.4), (0.16, 0.28), (0.07, 0.28)]
        canvas.seam(pocket, base * 0.7, 0.01, 0.7)
