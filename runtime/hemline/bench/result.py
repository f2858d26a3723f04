"""What a measurement gives, and how it is kept as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.bench.where import Conditions, Where

FORMAT = "hemline-bench-1"


@dataclass(frozen=True)
class Quantiles:
    """Milliseconds that half, nine tenths and 99 of 100 frames stay within."""

    p50: float
    p90: float
    p99: float

    @classmethod
    def of(cls, ms: NDArray[np.float64]) -> Quantiles:
        """Of measured times, any number of them; linear between neighbours."""
        p50, p90, p99 = np.percentile(ms, (50, 90, 99))
        return cls(float(p50), float(p90), float(p99))


@dataclass(frozen=True)
class ModelResult:
    """One model on one backend.

    Attributes:
        model: Its name in the card.
        file: Name of the file.
        file_bytes: Its size.
        backend: What ran it.
        backend_version: Of the library.
        stages: Milliseconds a frame of `preprocess`, `inference` and `total`.
        ratio_to_first: Median over the turns of total time / that of the first model in the same round.
        slowing: Last fifth of the turns over the first fifth; above 1, it got slower meanwhile.
        first_label_ms: From the start of a process to its first answer, median; None if left out.
        peak_memory_bytes: Of a process that classified frames; None if left out, or not told.
    """

    model: str
    file: str
    file_bytes: int
    backend: str
    backend_version: str
    stages: dict[str, Quantiles]
    ratio_to_first: float
    slowing: float
    first_label_ms: float | None
    peak_memory_bytes: int | None


@dataclass(frozen=True)
class BenchResult:
    """One measurement.

    Attributes:
        measured_at: ISO 8601, UTC.
        machine: Where.
        before: Load, clock and heat at its beginning.
        after: And at its end.
        settings: Frame, threads, numbers of runs.
        models: A row each.
    """

    measured_at: str
    machine: Where
    before: Conditions
    after: Conditions
    settings: dict[str, Any]
    models: tuple[ModelResult, ...]

    def to_json(self) -> dict[str, Any]:
        """The result as `--json` writes it."""
        return {
            "format": FORMAT,
            "measured_at": self.measured_at,
            "machine": self.machine.to_json(),
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "settings": self.settings,
            "models": [asdict(row) for row in self.models],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> BenchResult:
        """What `to_json` gave.

        Raises:
            KeyError, TypeError: It is something else.
        """
        models = [
            ModelResult(**{**row, "stages": {k: Quantiles(**v) for k, v in row["stages"].items()}})
            for row in value["models"]
        ]
        return cls(
            value["measured_at"],
            Where(**value["machine"]),
            Conditions.from_json(value["before"]),
            Conditions.from_json(value["after"]),
            value["settings"],
            tuple(models),
        )
