"""How far a layer of a quantized network is from the float one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LayerError:
    """One layer, over all pictures. `reference` is the float network, `candidate` the quantized one.

    Signal-to-noise is 10·log10(Σ reference² / Σ (candidate − reference)²), in dB; infinite where nothing
    differs. In the last layer, logits too low to decide the label of a picture count as if they were
    no lower than what the layer can hold, since int8 files of hemline cut them on purpose.

    Attributes:
        index: Its place in the order of the quantized network.
        name: Of the layer in the source model, as far as the files tell it.
        operator: As the quantized file calls it: `CONV_2D`, `Conv`.
        sqnr_db: Of its output when the whole network runs: what arose here and before.
        cosine: Of the angle between both outputs, 1 for the same direction.
        saturated_share: Share of its values that are at an end of their type where the float value is not,
            0–1.
        local_sqnr_db: Of its output when it is fed with the float network's activations, quantized,
            against the float layer fed with the same: what arises here.
        local_saturated_share: As `saturated_share`, when it is fed so.
        worst_channel: The channel of its output with the lowest signal-to-noise when it is fed so; None
            where no channel differs.
        worst_channel_sqnr_db: That signal-to-noise.
        misfit: Where a scale of this layer does not fit what others are made for, that in words; else empty.
        made_wrong_by: The `index` of the layer whose misfit makes this one wrong; None if there is none.
    """

    index: int
    name: str
    operator: str
    sqnr_db: float
    cosine: float
    saturated_share: float
    local_sqnr_db: float
    local_saturated_share: float
    worst_channel: int | None
    worst_channel_sqnr_db: float
    misfit: str = ""
    made_wrong_by: int | None = None

    @property
    def arises_here(self) -> bool:
        """Whether at least half of the noise of its output arises here, and the rest comes from before."""
        if self.misfit or self.made_wrong_by is not None:
            return bool(self.misfit)
        return math.isfinite(self.local_sqnr_db) and self.local_sqnr_db <= self.sqnr_db + 3.0103

    def to_json(self) -> dict[str, Any]:
        """All numbers, ready for `json.dumps`; a ratio that is infinite is null."""
        return {
            "index": self.index,
            "name": self.name,
            "operator": self.operator,
            "sqnr_db": _finite(self.sqnr_db),
            "cosine": _finite(self.cosine),
            "saturated_share": self.saturated_share,
            "local_sqnr_db": _finite(self.local_sqnr_db),
            "local_saturated_share": self.local_saturated_share,
            "arises_here": self.arises_here,
            "worst_channel": self.worst_channel,
            "worst_channel_sqnr_db": _finite(self.worst_channel_sqnr_db),
            "misfit": self.misfit or None,
            "made_wrong_by": self.made_wrong_by,
        }


def worst_first(layers: Iterable[LayerError]) -> list[LayerError]:
    """The layers, first those whose scales do not fit, then those in which most noise arises."""
    return sorted(layers, key=lambda e: (not e.misfit, e.local_sqnr_db, e.sqnr_db))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
