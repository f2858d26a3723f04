"""Against Python's own integers and fractions, which are exact."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from hemline.numpy_interpreter.fixed_point import (
    Multiplier,
    ShortMultiplier,
    rounded,
    rounding_doubling_high_mul,
    rounding_right_shift,
)

LEAST, GREATEST = -(1 << 31), (1 << 31) - 1
EDGES = [LEAST, LEAST + 1, -(1 << 30) - 1, -(1 << 30), -3, -2, -1, 0, 1, 2, 3, 1 << 30, GREATEST]


def half_away(value: Fraction) -> int:
    return int(math.copysign(math.floor(abs(value) + Fraction(1, 2)), value))


def numbers(count: int, seed: int) -> list[int]:
    """Of all magnitudes, and the edges of 32 bits."""
    random = np.random.default_rng(seed)
    bits = random.integers(1, 32, count)
    signs = random.choice([-1, 1], count)
    drawn = [int(s) * int(random.integers(0, 1 << b)) for s, b in zip(signs, bits, strict=True)]
    return [*EDGES, *drawn]


def mantissas(count: int, seed: int) -> list[int]:
    random = np.random.default_rng(seed)
    drawn = random.integers(1 << 30, 1 << 31, count).tolist()
    return [0, 1 << 30, (1 << 30) + 1, GREATEST, *drawn]


def exact_high_mul(value: int, mantissa: int) -> int:
    """As gemmlowp and Arm state it: a nudge towards the nearest, then the division of C."""
    product = value * mantissa
    nudged = product + ((1 << 30) if product >= 0 else 1 - (1 << 30))
    return abs(nudged) // (1 << 31) * (1 if nudged >= 0 else -1)


def test_the_high_product_is_that_of_exact_integers():
    values, factors = numbers(3000, 0), mantissas(40, 1)
    got = rounding_doubling_high_mul(
        np.array(values, np.int64)[:, None], np.array(factors, np.int64)
    )
    wanted = [[exact_high_mul(value, factor) for factor in factors] for value in values]
    assert got.tolist() == wanted


def test_the_shift_rounds_halves_away_from_zero():
    values = np.array(numbers(3000, 2), np.int64)
    for bits in range(32):
        got = rounding_right_shift(values, np.int64(bits))
        wanted = [half_away(Fraction(int(value), 1 << bits)) for value in values]
        assert got.tolist() == wanted, bits


def test_each_channel_has_a_shift_of_its_own():
    values = np.array(numbers(200, 3), np.int64)[:, None]
    together = rounding_right_shift(values, np.arange(32))
    for bits in range(32):
        assert np.array_equal(together[:, bits], rounding_right_shift(values[:, 0], np.int64(bits)))


def reals() -> list[float]:
    random = np.random.default_rng(4)
    drawn = (random.uniform(0.5, 1, 2000) * 2.0 ** random.integers(-30, 31, 2000)).tolist()
    powers = [2.0**power for power in range(-32, 30)]
    below = [math.nextafter(power, 0) for power in powers]
    return [*drawn, *powers, *below]


def test_a_multiplier_is_the_nearest_one():
    for real in reals():
        multiplier = Multiplier.from_real(real)
        mantissa, shift = int(multiplier.mantissa), int(multiplier.shift)
        assert 1 << 30 <= mantissa <= GREATEST
        assert -31 <= shift <= 30
        step = Fraction(2) ** (shift - 31)
        assert abs(mantissa * step - Fraction(real)) <= step / 2


def test_a_factor_too_small_for_32_bits_is_zero():
    for real in (0.0, 2.0**-33, 1e-30, 5e-324):
        multiplier = Multiplier.from_real(real)
        assert (int(multiplier.mantissa), int(multiplier.shift)) == (0, 0)


@pytest.mark.parametrize("real", [-0.5, 2.0**30, math.inf, math.nan, [0.5, -1e-9]])
def test_a_factor_that_no_multiplier_can_be_is_refused(real):
    with pytest.raises(ValueError, match="is not from 0"):
        Multiplier.from_real(real)


def test_a_multiplier_rounds_twice_after_the_product_and_after_the_shift():
    values = numbers(300, 5)
    twice_matters = 0
    for real in reals()[:300]:
        multiplier = Multiplier.from_real(real)
        mantissa, shift = int(multiplier.mantissa), int(multiplier.shift)
        moved = [(v << max(shift, 0)) % (1 << 32) for v in values]
        moved = [v - (1 << 32) if v > GREATEST else v for v in moved]  # as in a 32-bit register
        right = max(-shift, 0)
        wanted = [half_away(Fraction(exact_high_mul(v, mantissa), 1 << right)) for v in moved]
        assert multiplier(np.array(values, np.int64)).tolist() == wanted
        once = [half_away(Fraction(v * mantissa, 1 << (31 + right))) for v in moved]
        twice_matters += wanted != once
    assert twice_matters > 10


def test_rounding_is_that_of_c():
    for value in [0.5, 1.5, 2.5, 0.49999999999999994, 4503599627370495.5, 1e300, 0.0, 7.0]:
        assert float(rounded(value)) == float(half_away(Fraction(value)))
        assert float(rounded(-value)) == -float(half_away(Fraction(value)))


def test_a_short_multiplier_is_the_long_one_with_16_bits_and_rounds_once():
    random = np.random.default_rng(11)
    reals = [0.0, 0.5, 1.0, 1 - 2.0**-40, 127.0, *np.exp(random.uniform(-15, 4, 60))]
    values = random.integers(-(1 << 46), 1 << 46, 300)
    long, short = Multiplier.from_real(reals), ShortMultiplier.from_real(reals)
    got = short(values[:, None])
    for place in range(len(reals)):
        mantissa, shift = int(long.mantissa[place]), int(long.shift[place])
        kept = min(math.floor(Fraction(mantissa, 1 << 16) + Fraction(1, 2)), (1 << 15) - 1)
        factor = Fraction(kept, 1) / Fraction(2) ** (15 - shift)
        exact = [math.floor(int(value) * factor + Fraction(1, 2)) for value in values]
        assert got[:, place].tolist() == exact
        assert float(factor) == pytest.approx(reals[place], rel=2**-14)


def test_a_factor_that_is_too_large_for_the_short_kernels_is_refused():
    ShortMultiplier.from_real(127.9)
    with pytest.raises(ValueError, match="not below"):
        ShortMultiplier.from_real([0.5, 128.0])
