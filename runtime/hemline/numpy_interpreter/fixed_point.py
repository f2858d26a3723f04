"""Requantization: a real factor as an integer and a shift, and the two roundings that go with it.

After the TFLite 8-bit quantization specification
(https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/quantization_spec) and Jacob et al.,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference" (2018),
section 2.2. TFLite can be built to round once or twice. The reference kernels in the wheels of LiteRT 2.3 and
tflite-runtime 2.14 round twice, first to 32 bits after the multiplication and then at the shift, and so
does this. (LiteRT's FULLY_CONNECTED is an exception: see `integer_kernels.fully_connected`.)

Values are int64 arrays that hold int32 values, so that products need no care.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MANTISSA_BITS = 31
_GREATEST_LEFT_SHIFT = 30
_LEAST_SHIFT = -31
_SHORT_SHIFTS = 8  # from here on the kernels for int16 do not go

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Multiplier:
    """A real factor as mantissa * 2 ** (shift - 31), or one factor per channel.

    Attributes:
        mantissa: int64, () or (channels,), 0 or from 2**30 to 2**31 - 1.
        shift: int64, like the mantissa, from -31 to 30; positive shifts go to the left.
    """

    mantissa: Integers
    shift: Integers

    @classmethod
    def from_real(cls, real: ArrayLike) -> Multiplier:
        """The nearest multiplier.

        Args:
            real: float64, () or (channels,), not negative.

        Raises:
            ValueError: A factor is negative, not finite, or 2**30 or more.
        """
        factors = np.asarray(real, np.float64)
        pairs = [_mantissa_and_shift(float(factor)) for factor in factors.reshape(-1)]
        mantissa, shift = np.array(pairs, np.int64).reshape(-1, 2).T
        return cls(mantissa.reshape(factors.shape), shift.reshape(factors.shape))

    def __call__(self, values: Integers) -> Integers:
        """The values times the factor, rounded; channels are along the last axis."""
        left = np.maximum(self.shift, 0)
        if left.any():  # what does not fit into 32 bits is cut off, as in the machine's registers
            values = (values << left).astype(np.int32).astype(np.int64)
        return rounding_right_shift(
            rounding_doubling_high_mul(values, self.mantissa), np.maximum(-self.shift, 0)
        )


@dataclass(frozen=True)
class ShortMultiplier:
    """A real factor with 16 bits, for sums of 64: mantissa * 2 ** (shift - 15), or one per channel.

    So LiteRT's convolutions on int16 multiply, and round once.

    Attributes:
        mantissa: int64, () or (channels,), from 0 to 2**15 - 1.
        shift: int64, like the mantissa, below 8.
    """

    mantissa: Integers
    shift: Integers

    @classmethod
    def from_real(cls, real: ArrayLike) -> ShortMultiplier:
        """The multiplier that comes from rounding the one of 31 bits.

        Args:
            real: float64, () or (channels,), not negative.

        Raises:
            ValueError: A factor is negative, not finite, or too large for the kernels.
        """
        long = Multiplier.from_real(real)
        if long.shift.max(initial=0) >= _SHORT_SHIFTS:
            raise ValueError(f"{np.max(real):g} is not below 2**{_SHORT_SHIFTS - 1}")
        short = np.minimum((long.mantissa + (1 << 15)) >> 16, (1 << 15) - 1)
        return cls(short, long.shift)

    def __call__(self, values: Integers) -> Integers:
        """The values, below 2**47, times the factor, halves upwards; channels are along the last axis."""
        bits = 15 - self.shift
        return (values * self.mantissa + (np.int64(1) << (bits - 1))) >> bits


def rounding_doubling_high_mul(values: Integers, mantissa: Integers) -> Integers:
    """round(values * mantissa / 2**31), halves upwards.

    Where both are -2**31, Arm's instruction of this name saturates. A mantissa is never negative.
    """
    return (values * mantissa + (1 << 30)) >> _MANTISSA_BITS


def rounding_right_shift(values: Integers, bits: Integers) -> Integers:
    """round(values / 2**bits), halves away from zero; bits from 0 to 31."""
    mask = (np.int64(1) << bits) - 1
    threshold = (mask >> 1) + (values < 0)
    return (values >> bits) + ((values & mask) > threshold)


def rounded(values: ArrayLike) -> NDArray[np.float64]:
    """The nearest whole numbers, halves away from zero, as C's `round`; float64."""
    floats = np.asarray(values, np.float64)
    whole = np.trunc(floats)  # adding 0.5 instead would round, just below a half
    return whole + np.copysign(np.abs(floats - whole) >= 0.5, floats)


def _mantissa_and_shift(factor: float) -> tuple[int, int]:
    if not 0 <= factor < 1 << _GREATEST_LEFT_SHIFT:
        raise ValueError(f"{factor:g} is not from 0 to 2**{_GREATEST_LEFT_SHIFT}")
    fraction, shift = math.frexp(factor)
    mantissa = int(rounded(fraction * (1 << _MANTISSA_BITS)))
    if mantissa == 1 << _MANTISSA_BITS:  # rounded up to 1
        mantissa //= 2
        shift += 1
    return (0, 0) if shift < _LEAST_SHIFT else (mantissa, shift)
