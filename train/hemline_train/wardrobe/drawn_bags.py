"""More kinds of bags than Fashion-MNIST shows, drawn on a canvas of `drawn_shapes`, from the front."""

from __future__ import annotations

from hemline_train.drawn_shapes import (
    Canvas,
    Rng,
    arch,
    chance,
    contrast,
    patterned,
    plain,
    smooth,
    tone,
    uniform,
)

_CLOTHS = ("plain", "plain", "stripes", "plaid", "dots", "blotches", "print")


def tote(canvas: Canvas, rng: Rng) -> None:
    """A flat bag of cloth with two long handles."""
    base = tone(rng)
    cloth = patterned(rng, base, _CLOTHS)
    top, low = uniform(rng, 0.34, 0.42), uniform(rng, 0.3, 0.44)
    y, high = uniform(rng, 0.28, 0.42), uniform(rng, 0.5, 0.68)
    inner = uniform(rng, 0.14, 0.22)
    handle = plain(rng, base * uniform(rng, 0.7, 1.1))
    width = uniform(rng, 0.025, 0.045)
    for lift in (y - 0.02, y - uniform(rng, 0.05, 0.12)):
        loop = [(-inner, y + 0.08), (-inner, y - lift * 0.5), (-inner * 0.5, y - lift)]
        loop += [(inner * 0.5, y - lift), (inner, y - lift * 0.5), (inner, y + 0.08)]
        canvas.ribbon(smooth(loop, closed=False), handle, width)
    body = [(-top, y), (-top, y), (top, y), (top, y), (low, y + high), (low, y + high)]
    canvas.piece(smooth([*body, (-low, y + high), (-low, y + high)]), cloth)
    canvas.seam([(-top, y + 0.04), (top, y + 0.04)], base * 0.75, 0.012, 0.6)
    if chance(rng, 0.4):
        canvas.patch(arch((0.0, y + high * 0.5), (0.16, 0.12), 0, 360), contrast(base), 0.8)


def backpack(canvas: Canvas, rng: Rng) -> None:
    """A rucksack: round above, a pocket with a zip in front, straps at the sides."""
    base = tone(rng)
    cloth = plain(rng, base)
    wide, y = uniform(rng, 0.3, 0.38), uniform(rng, 0.1, 0.16)
    low = uniform(rng, 0.9, 1.0)
    canvas.ribbon(arch((0.0, y + 0.02), (0.08, 0.09)), cloth, 0.03, 0.8)
    if chance(rng, 0.6):
        for side in (-1, 1):
            strap = [(side * wide * 0.7, y + 0.12), (side * (wide + 0.12), y + 0.4)]
            strap += [(side * (wide + 0.08), low - 0.12), (side * wide * 0.9, low - 0.05)]
            canvas.ribbon(smooth(strap, closed=False), cloth, 0.05, 0.75)
    body = [(-wide, low), (-wide, low), (-wide, y + 0.25), (-wide * 0.8, y + 0.02), (0.0, y)]
    body += [(wide * 0.8, y + 0.02), (wide, y + 0.25), (wide, low), (wide, low)]
    canvas.piece(smooth(body), cloth)
    pocket = y + (low - y) * uniform(rng, 0.48, 0.6)
    inner = wide * uniform(rng, 0.72, 0.9)
    front = [(-inner, low - 0.03), (-inner, pocket), (inner, pocket), (inner, low - 0.03)]
    canvas.patch(smooth(front), base * uniform(rng, 0.7, 1.25), 0.9)
    canvas.seam([(-inner, pocket + 0.05), (inner, pocket + 0.05)], contrast(base), 0.014, 0.8)
    arc = arch((0.0, y + 0.3), (wide * 0.85, 0.22))
    canvas.seam(arc, base * 0.55, 0.014, 0.8)


def duffel(canvas: Canvas, rng: Rng) -> None:
    """A long sports bag with two handles that meet above it."""
    base = tone(rng)
    cloth = plain(rng, base)
    y, high = uniform(rng, 0.34, 0.42), uniform(rng, 0.34, 0.46)
    span = uniform(rng, 0.18, 0.26)
    canvas.ribbon(arch((0.0, y + 0.06), (span, uniform(rng, 0.18, 0.3))), cloth, 0.04, 0.8)
    body = [(-0.5, y + high * 0.9), (-0.5, y + 0.08), (-0.4, y), (0.4, y), (0.5, y + 0.08)]
    body += [(0.5, y + high * 0.9), (0.44, y + high), (-0.44, y + high)]
    canvas.piece(smooth(body), cloth)
    for side in (-1, 1):
        strap = [(side * span, y), (side * span * 0.9, y + high)]
        canvas.seam(strap, contrast(base), 0.04, 0.8)
    canvas.seam([(-0.42, y + 0.05), (0.42, y + 0.05)], base * 0.5, 0.016, 0.8)
    if chance(rng, 0.5):
        for side in (-1, 1):
            canvas.seam([(side * 0.4, y + 0.04), (side * 0.42, y + high)], base * 0.6, 0.02, 0.7)


def shoulder_bag(canvas: Canvas, rng: Rng) -> None:
    """Soft and round below, with a wide strap and a flap or a zip."""
    base = tone(rng)
    leather = patterned(rng, base, ("plain", "plain", "blotches", "print"))
    y, high = uniform(rng, 0.36, 0.48), uniform(rng, 0.4, 0.52)
    wide = uniform(rng, 0.42, 0.5)
    strap = [(-wide * 0.85, y + 0.08), (-wide * 0.6, 0.04), (0.0, 0.0), (wide * 0.6, 0.04)]
    strap += [(wide * 0.85, y + 0.08)]
    canvas.ribbon(smooth(strap, closed=False), leather, uniform(rng, 0.03, 0.07), 0.9)
    body = [(-wide * 0.9, y), (0.0, y + 0.03), (wide * 0.9, y), (wide, y + high * 0.6)]
    body += [(wide * 0.7, y + high), (-wide * 0.7, y + high), (-wide, y + high * 0.6)]
    canvas.piece(smooth(body), leather)
    if chance(rng, 0.5):
        flap = [(-wide * 0.9, y), (-wide * 0.8, y + high * 0.5), (0.0, y + high * 0.62)]
        flap += [(wide * 0.8, y + high * 0.5), (wide * 0.9, y)]
        canvas.patch(smooth(flap), base * 0.8, 0.6)
        canvas.patch(arch((0.0, y + high * 0.5), (0.04, 0.03), 0, 360), contrast(base))
    else:
        canvas.seam([(-wide * 0.8, y + 0.07), (wide * 0.8, y + 0.07)], contrast(base), 0.014, 0.8)


KINDS = (tote, backpack, duffel, shoulder_bag)
