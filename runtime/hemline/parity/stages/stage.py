"""One stage on the way from the picture file to the label, and what was found of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["pass", "fail", "not judged"]

PIXELS, TENSORS, SCORES, LABELS = (
    "file to pixels",
    "pixels to tensor",
    "tensor to scores",
    "scores to label",
)


@dataclass(frozen=True)
class Tolerances:
    """How far each stage may be from what it must give; `Gate` says how far the scores of a network.

    Attributes:
        pixel_steps: Greatest difference in the mean of a block of a decoded picture, 0–255. Decoders of
            JPEG round differently, and need not enlarge colours alike.
        tensor_steps: Greatest difference of one pixel of a tensor, 0–255; resizers round differently.
        score_steps: Greatest difference of a score from what the same file gives elsewhere, in steps of an
            int8 output; kernels round differently.
        score_share: The same where the output is float, as a share of the range of the scores.
        confidence: Greatest difference of a probability, 0–1.
    """

    pixel_steps: int = 2
    tensor_steps: int = 2
    score_steps: float = 4.0
    score_share: float = 0.02
    confidence: float = 0.005


@dataclass(frozen=True)
class Stage:
    """What was found of one stage; false if it failed.

    Attributes:
        name: `file to pixels`, `pixels to tensor`, `tensor to scores` or `scores to label`.
        state: `pass`, `fail`, or `not judged`.
        finding: What was measured; or why it was not judged.
        tolerance: What is allowed; empty where it was not judged.
        cause: Of a failure, as far as something explains it: "as if …"; else empty.
        numbers: What was counted, by name.
    """

    name: str
    state: State
    finding: str
    tolerance: str = ""
    cause: str = ""
    numbers: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def not_judged(cls, name: str, why: str) -> Stage:
        """A stage of which nothing can be said."""
        return cls(name, "not judged", why)

    def __bool__(self) -> bool:
        return self.state != "fail"

    @property
    def sentence(self) -> str:
        """What was found, and what explains it."""
        return f"{self.finding}; {self.cause}" if self.cause else self.finding

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return {
            "stage": self.name,
            "state": self.state,
            "finding": self.finding,
            "tolerance": self.tolerance or None,
            "cause": self.cause or None,
            **self.numbers,
        }
