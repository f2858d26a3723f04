"""How good a model was on its test pictures, as its card tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TEST = "test"


@dataclass(frozen=True)
class MeasuredAccuracy:
    """What a training measured on one split of test pictures.

    Attributes:
        pictures: Which, where there are several splits: `photos`; else empty.
        images: How many.
        accuracy: Share that was named rightly, 0–1.
        interval_95: Its 95 % interval.
    """

    pictures: str
    images: int
    accuracy: float
    interval_95: tuple[float, float]

    def __str__(self) -> str:
        low, high = self.interval_95
        named = f" ({self.pictures})" if self.pictures else ""
        return (
            f"{100 * self.accuracy:.2f} % of {self.images:,} test pictures{named}, "
            f"95 % interval {100 * low:.2f}–{100 * high:.2f}"
        )


def measured_accuracies(
    training: Mapping[str, Any], *, int8: bool
) -> tuple[tuple[MeasuredAccuracy, ...], str]:
    """What a card tells of the test pictures.

    Args:
        training: `ModelCard.training`, whatever is in it.
        int8: Whether to tell what was measured as int8, where that was.

    Returns:
        A figure for each split, none where the card tells nothing, and with what: `with the int8 file
        that training made` (that of `hemline convert` may name a few pictures otherwise) or `with the float
        model`.
    """
    if int8 and (found := _figures(training.get("int8_metrics"))):
        return found, "with the int8 file that training made"
    return _figures(training.get("metrics")), "with the float model"


def _figures(metrics: object) -> tuple[MeasuredAccuracy, ...]:
    found = []
    for split, entry in metrics.items() if isinstance(metrics, dict) else ():
        name, _, pictures = str(split).partition(", ")
        if name != _TEST:
            continue
        try:
            low, high = (float(end) for end in entry["interval_95"])
            found.append(
                MeasuredAccuracy(
                    pictures, int(entry["images"]), float(entry["accuracy"]), (low, high)
                )
            )
        except (KeyError, TypeError, ValueError):
            continue  # a card of somebody else's, who measured something else
    return tuple(found)
