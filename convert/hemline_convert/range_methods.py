"""Choosing the range of an activation from the histogram of its values.

Each method takes a histogram without zeros (ReLU makes many, and every range has zero exactly) and the
number of quantization steps, and gives the smallest and the largest value to be represented. Both ends are
cut at edges of bins; the range always contains zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 2048
_PERCENT_INSIDE = 99.99
_CANDIDATES = 128  # ends that the searches try on each side


class Histogram(NamedTuple):
    """Counts of values in `BINS` bins of equal width from `low` to `high`."""

    low: float
    high: float
    counts: NDArray[np.int64]

    @property
    def edges(self) -> NDArray[np.float64]:
        """The ends of the bins, one more than there are bins."""
        return np.linspace(self.low, self.high, BINS + 1)


def percentile(histogram: Histogram, steps: int) -> tuple[float, float]:  # noqa: ARG001
    """The range that 99.99 % of the values are in, with as many below it as above.

    low = Q(0.005 %), high = Q(99.995 %), with Q the quantiles of the values (Wu et al., "Integer
    Quantization for Deep Learning Inference", 2020, section 4.2, there of the absolute values).
    """
    total = np.cumsum(histogram.counts)
    tail = (1 - _PERCENT_INSIDE / 100) / 2 * total[-1]
    first = int(np.searchsorted(total, tail, side="right"))
    last = int(np.searchsorted(total, total[-1] - tail))
    edges = histogram.edges
    return _with_zero(float(edges[first]), float(edges[last + 1]))


def mse(histogram: Histogram, steps: int) -> tuple[float, float]:
    """The range with the least expected squared error.

    Inside the range a value is wrong by up to half a step, evenly; outside, by its distance:
    E = N_inside * step**2 / 12 + sum over the values outside of (x - nearest end)**2
    (Banner et al., "Post training 4-bit quantization of convolutional networks for
    rapid-deployment", 2019, section 2, with the measured values for the distribution).
    """
    edges = histogram.edges
    centres = (edges[:-1] + edges[1:]) / 2

    def cost(first: int, last: int) -> float:
        low, high = _with_zero(float(edges[first]), float(edges[last]))
        step = (high - low) / (steps - 1)
        outside = np.clip(centres, low, high) - centres
        inside = int(histogram.counts[first:last].sum())
        return float(inside * step**2 / 12 + (histogram.counts * outside**2).sum())

    return _searched(histogram, cost)


def entropy(histogram: Histogram, steps: int) -> tuple[float, float]:
    """The range whose quantized distribution tells the most of the true one.

    KL(P, Q) = sum of P * log(P / Q) is least. P are the counts inside the range, with those outside added
    to the bins at its ends; Q are the counts inside, averaged over the bins of each quantization step, of
    those that hold values at all (Migacz, "8-bit Inference with TensorRT", GTC 2017).
    """

    def cost(first: int, last: int) -> float:
        inside = histogram.counts[first:last].astype(np.float64)
        true = inside.copy()
        true[0] += histogram.counts[:first].sum()
        true[-1] += histogram.counts[last:].sum()
        step_of_bin = np.arange(len(inside)) * min(steps, len(inside)) // len(inside)
        used = inside > 0
        sums = np.bincount(step_of_bin, inside)
        bins = np.bincount(step_of_bin, used)
        quantized = np.where(used, (sums / np.maximum(bins, 1))[step_of_bin], 0)
        return _divergence(true, quantized)

    return _searched(histogram, cost)


# `min-max` needs no histogram.
METHODS: dict[str, Callable[[Histogram, int], tuple[float, float]]] = {
    "percentile": percentile,
    "entropy": entropy,
    "mse": mse,
}


def _searched(histogram: Histogram, cost: Callable[[int, int], float]) -> tuple[float, float]:
    """The range of least cost: first the upper end is searched, then the lower one.

    The ends move towards zero, and a side that has no values is left alone.
    """
    edges = histogram.edges
    zero = int(np.clip(np.searchsorted(edges, 0.0), 0, BINS))
    first, last = 0, BINS
    if last > zero:
        last = min(_candidates(zero, BINS), key=lambda end: cost(first, end))
    if first < zero:
        first = min(_candidates(zero, 0), key=lambda end: cost(end, last))
    return _with_zero(float(edges[first]), float(edges[last]))


def _candidates(zero: int, end: int) -> list[int]:
    """Edges from `end` towards `zero`, which is left out; the widest first, so that it wins a tie."""
    steps = np.linspace(end, zero, _CANDIDATES, endpoint=False)
    edges = np.ceil(steps) if end > zero else np.floor(steps)
    return [int(edge) for edge in dict.fromkeys(edges.tolist())]


def _divergence(true: NDArray[np.float64], quantized: NDArray[np.float64]) -> float:
    """KL of two histograms; infinite where the second lacks values that the first has."""
    if (true[quantized == 0] > 0).any():
        return float("inf")
    present = true > 0
    p, q = true[present] / true.sum(), quantized[present] / quantized.sum()
    return float((p * np.log(p / q)).sum())


def _with_zero(low: float, high: float) -> tuple[float, float]:
    return min(low, 0.0), max(high, 0.0)
