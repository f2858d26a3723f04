"""From logits to names: pure arithmetic, no model needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities of logits along the last axis.

    Args:
        logits: Any float type, (…, classes).
        temperature: The logits are divided by it; above 1 softens, below 1 sharpens (Guo et al.,
            "On Calibration of Modern Neural Networks", 2017).

    Returns:
        float64, the same shape, each row summing to 1.
    """
    scaled = np.asarray(logits, np.float64) / temperature
    scaled = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float64] = scaled / scaled.sum(axis=-1, keepdims=True)
    return probabilities


def top_k(
    probabilities: NDArray[np.float64], labels: Sequence[str], k: int
) -> list[tuple[str, float]]:
    """The `k` likeliest labels with their probabilities, best first.

    Of equal probabilities the earlier class comes first, as `argmax` has it.
    """
    order = np.argsort(-probabilities, kind="stable")[:k]
    return [(labels[i], float(probabilities[i])) for i in order]
