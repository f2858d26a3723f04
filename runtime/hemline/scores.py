"""From logits to names: pure arithmetic, no model needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LEAST_PROBABILITY = np.float32(2.0**-126)


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities of logits along the last axis.

    Args:
        logits: Any float type, (…, classes).
        temperature: The logits are divided by it; above 1 softens, below 1 sharpens (Guo et al.,
            "On Calibration of Modern Neural Networks", 2017).

    Returns:
        float64, the same shape, each row summing to 1.
    """
    probabilities: NDArray[np.float64] = np.divide(logits, temperature, dtype=np.float64)
    probabilities -= np.maximum.reduce(probabilities, axis=-1, keepdims=True)
    np.exp(probabilities, out=probabilities)
    probabilities /= np.add.reduce(probabilities, axis=-1, keepdims=True)
    return probabilities


def log_probabilities(probabilities: NDArray[Any]) -> NDArray[Any]:
    """Logits that softmax turns into these probabilities, of the same type.

    A zero, which a softmax in float32 can give, becomes the logarithm of the least normal float32.
    """
    logits: NDArray[Any] = np.log(np.maximum(probabilities, _LEAST_PROBABILITY))
    return logits


def top_k(
    probabilities: NDArray[np.float64], labels: Sequence[str], k: int
) -> list[tuple[str, float]]:
    """The `k` likeliest labels with their probabilities, best first.

    Of equal probabilities the earlier class comes first, as `argmax` has it.
    """
    order = (-probabilities).argsort(kind="stable")[:k].tolist()
    return [(labels[i], probabilities.item(i)) for i in order]
