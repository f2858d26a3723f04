"""The layers of a quantized file beside those of its float network, for reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hemline.parity.layers.error import LayerError

DEFAULT_SHOWN = 10


@dataclass(frozen=True)
class LayerTable:
    """The layers of a file beside those of its float network.

    Attributes:
        candidate: Name of the file.
        float_network: Name of the float network's file; empty where none was found.
        images: How many pictures both were run on.
        layers: The worst first; empty where they could not be compared.
        problem: Why not; empty where they were.
        hint: What mends that.
    """

    candidate: str
    float_network: str = ""
    images: int = 0
    layers: tuple[LayerError, ...] = ()
    problem: str = ""
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return {
            "float_network": self.float_network or None,
            "images": self.images,
            "worst_first": [layer.to_json() for layer in self.layers],
            "problem": self.problem or None,
            "hint": self.hint or None,
        }
