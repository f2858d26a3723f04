"""How the shoes and bags among the drawn garments are made, on a canvas of `drawn_shapes`.

Shoes are seen from the side, with the toe to the left as in Fashion-MNIST; bags from the front. In
every function all chance comes from `rng`, and one call draws one of them.
"""

from __future__ import annotations

import numpy as np

from hemline_train.drawn_shapes import (
    Canvas,
    Rng,
    arch,
    chance,
    contrast,
    disc,
    plain,
    smooth,
    tone,
    uniform,
)


def sandal(canvas: Canvas, rng: Rng) -> None:
    """A bare sole, flat or with a heel, and straps with the ground between them."""
    base = tone(rng, 0.35, 0.95)
    leather = plain(rng, base)
    heeled = chance(rng, 0.4)
    lift = uniform(rng, 0.3, 0.48) if heeled else uniform(rng, 0.0, 0.05)
    floor = lift + 0.3
    sole = [(-0.5, floor - 0.02), (-0.25, floor), (0.0, floor - lift * 0.4), (0.25, floor - lift)]
    sole += [(0.48, floor - lift * 1.05)]
    canvas.ribbon(smooth(sole, closed=False), leather, uniform(rng, 0.035, 0.06))
    if heeled:
        heel = [(0.34, floor - lift), (0.5, floor - lift), (0.47, floor), (0.43, floor)]
        canvas.piece(heel, leather, 0.9)
    width, toes = uniform(rng, 0.025, 0.05), uniform(rng, 0.13, 0.18)
    last = 0.0
    for x in (-0.4, -0.3, -0.2)[: int(rng.integers(2, 4))]:
        strap = [(x - 0.04, floor), (x - 0.02, floor - toes), (x + 0.09, floor - toes * 1.1)]
        strap += [(x + 0.15, floor - 0.02 - lift * 0.15)]
        canvas.ribbon(smooth(strap, closed=False), leather, width)
        last = x + 0.06
    ankle = floor - lift - uniform(rng, 0.18, 0.26)
    start = 0.12 if heeled else 0.18
    back = [(0.47, floor - lift), (0.46, ankle), (start + 0.06, ankle + 0.02)]
    back += [(start, floor - lift * (0.75 if heeled else 1.0))]
    canvas.ribbon(smooth(back, closed=False), leather, width)
    if chance(rng, 0.6):  # a strap along the instep holds both together
        instep = [(start + 0.08, ankle + 0.08), (last, floor - toes * 0.95)]
        canvas.ribbon(instep, leather, width, 0.9)


def sneaker(canvas: Canvas, rng: Rng) -> None:
    """Low, with a sole of its own, laces, and stripes on the side."""
    base = tone(rng)
    cloth = plain(rng, base)
    high = uniform(rng, 0.36, 0.44)
    upper = [(-0.49, high), (-0.5, high * 0.75), (-0.4, high * 0.58), (-0.12, high * 0.28)]
    upper += [(0.04, 0.02), (0.12, 0.0), (0.2, high * 0.14), (0.34, high * 0.12), (0.42, 0.0)]
    upper += [(0.48, 0.04), (0.47, high * 0.5), (0.49, high), (0.49, high)]
    canvas.piece(smooth(upper), cloth)
    sole_tone = tone(rng, 0.15, 0.95)
    thick = uniform(rng, 0.045, 0.08)
    sole = [(-0.5, high - thick), (-0.5, high - thick), (-0.3, high - thick), (0.3, high - thick)]
    sole += [(0.5, high - thick * 1.3), (0.49, high + 0.02), (0.49, high + 0.02)]
    sole += [(-0.48, high + 0.02), (-0.5, high)]
    canvas.piece(smooth(sole), plain(rng, sole_tone))
    canvas.seam([(-0.5, high - thick), (0.5, high - thick)], base * 0.5, 0.012, 0.7)
    for step in np.linspace(0, 1, int(rng.integers(3, 6))):
        x, y = -0.2 + 0.2 * float(step), high * (0.36 - 0.3 * float(step))
        canvas.seam([(x, y - 0.02), (x + 0.07, y + 0.09)], contrast(base), 0.018, 0.9)
    canvas.seam([(-0.28, high * 0.5), (-0.26, high * 0.85)], base * 0.65, 0.014, 0.7)
    for k in range(int(rng.integers(0, 4))):
        x = 0.0 + 0.07 * k
        canvas.seam([(x, high * 0.45), (x + 0.09, high * 0.85)], contrast(base), 0.03, 0.9)
    canvas.seam([(0.36, high * 0.15), (0.37, high * 0.85)], base * 0.65, 0.014, 0.7)


def bag(canvas: Canvas, rng: Rng) -> None:
    """A box of leather with a handle, a shoulder strap, or neither; a flap or seams."""
    base = tone(rng)
    leather = plain(rng, base)
    top_w, low_w = uniform(rng, 0.36, 0.47), uniform(rng, 0.44, 0.5)
    y, high = uniform(rng, 0.2, 0.34), uniform(rng, 0.48, 0.68)
    kind = rng.random()
    if kind < 0.5:
        span = uniform(rng, 0.16, 0.28)
        canvas.ribbon(arch((0.0, y + 0.02), (span, y)), leather, uniform(rng, 0.03, 0.05), 0.9)
    elif kind < 0.8:  # a long strap from corner to corner
        line = [(-top_w * 0.9, y + 0.02), (-0.12, 0.0), (0.12, 0.0), (top_w * 0.9, y + 0.02)]
        canvas.ribbon(smooth(line, closed=False), leather, 0.03, 0.85)
    box = [(-top_w, y), (-top_w, y), (top_w, y), (top_w, y), (low_w, y + high), (low_w, y + high)]
    box += [(-low_w, y + high), (-low_w, y + high)]
    canvas.piece(smooth(box), leather)
    canvas.seam([(-top_w, y + 0.04), (top_w, y + 0.04)], base * 0.7, 0.014, 0.7)
    if chance(rng, 0.6):
        flap = y + high * uniform(rng, 0.35, 0.6)
        line = [(-low_w, y), (-top_w * 0.8, flap), (top_w * 0.8, flap), (low_w, y)]
        canvas.patch(smooth(line), base * 0.8, 0.5)
        canvas.seam(smooth(line, closed=False), base * 0.5, 0.016, 0.8)
        canvas.patch(disc((0.0, flap - 0.03), uniform(rng, 0.025, 0.045)), contrast(base))
        return
    for x in (0.24, -0.24):
        canvas.seam([(x, y), (x, y + high)], base * 0.7, 0.03, 0.7)
        canvas.patch(disc((x, y + 0.08), 0.025), contrast(base))


def ankle_boot(canvas: Canvas, rng: Rng) -> None:
    """A shaft above the ankle, a heel with an arch before it, laces or an elastic side."""
    base = tone(rng)
    leather = plain(rng, base)
    floor, heel = uniform(rng, 0.68, 0.85), uniform(rng, 0.05, 0.16)
    front = uniform(rng, -0.06, 0.02)
    boot = [(front, 0.0), (front, 0.0), (0.42, 0.03), (0.42, 0.03), (0.43, floor * 0.4)]
    boot += [(0.49, floor * 0.75), (0.47, floor - heel), (0.2, floor - heel)]
    boot += [(-0.1, floor - 0.03), (-0.4, floor - 0.02), (-0.5, floor - 0.04), (-0.5, floor * 0.82)]
    boot += [(-0.38, floor * 0.68), (-0.16, floor * 0.56), (front + 0.02, floor * 0.38)]
    canvas.piece(smooth(boot), leather)
    dark = plain(rng, base * uniform(rng, 0.5, 1.0))
    block = [(0.2, floor - heel - 0.02), (0.48, floor - heel - 0.02), (0.46, floor), (0.24, floor)]
    canvas.piece(block, dark)
    sole = [(-0.49, floor - 0.02), (-0.2, floor - 0.015), (0.2, floor - heel), (0.47, floor - heel)]
    canvas.ribbon(smooth(sole, closed=False), dark, 0.035)
    if chance(rng, 0.5):
        for step in np.linspace(0, 1, 5):
            x, y = front - 0.12 + 0.1 * float(step), floor * (0.55 - 0.45 * float(step))
            canvas.seam([(x, y), (x + 0.12, y + 0.03)], contrast(base), 0.018, 0.9)
    else:
        side = [(0.14, 0.02), (0.3, 0.02), (0.24, floor * 0.5), (0.18, floor * 0.5)]
        canvas.patch(smooth(side), base * 0.6, 0.8)
    canvas.seam([(0.0, floor * 0.45), (0.1, floor - heel)], base * 0.7, 0.014, 0.7)
    canvas.seam([(0.38, 0.02), (0.36, floor - heel)], base * 0.7, 0.014, 0.6)
