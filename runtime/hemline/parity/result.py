"""What a parity check finds: frozen objects that carry the numbers and are true when they pass."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.errors import UserError
from hemline.parity.layers.table import LayerTable
from hemline.parity.metrics import PairedCounts, wilson_interval
from hemline.parity.stages.stage import Stage


@dataclass(frozen=True)
class Gate:
    """How far a candidate may be from its reference.

    Attributes:
        min_agreement: Least share of pictures with the reference's answer, 0–1. An int8 model gives
            another answer where the float model itself wavers, about one picture in a hundred.
        max_drop_points: Greatest loss of accuracy in percentage points, where the truth is known.
        max_tensor_steps: Greatest difference of one pixel after preprocessing, in steps of 0–255.
            Picture decoders and resizers of different machines round differently, by a step or two.
    """

    min_agreement: float = 0.985
    max_drop_points: float = 0.5
    max_tensor_steps: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.min_agreement <= 1:
            raise UserError(
                f"the least agreement is {self.min_agreement}",
                "it is a share from 0 to 1, such as 0.985",
            )
        if not 0 <= self.max_drop_points <= 100:
            raise UserError(
                f"the greatest drop is {self.max_drop_points} percentage points",
                "it must be from 0 to 100, such as 0.5",
            )
        if not 0 <= self.max_tensor_steps <= 255:
            raise UserError(
                f"the greatest pixel difference is {self.max_tensor_steps} steps",
                "it must be from 0 to 255",
            )

    def __str__(self) -> str:
        return (
            f"agreement at least {100 * self.min_agreement:.4g} %, accuracy drop at most "
            f"{self.max_drop_points:g} points, tensors within {self.max_tensor_steps} steps"
        )


@dataclass(frozen=True)
class Flip:
    """A picture that the candidate answers otherwise than the reference.

    Attributes:
        row: Its row among the pictures that were compared.
        name: What the picture is called.
        truth: Its true label, or "" if not known.
        reference: The reference's label.
        reference_confidence: Its probability, 0–1.
        candidate: The candidate's label, or "" if its scores were no numbers.
        candidate_confidence: Its probability, 0–1.
    """

    row: int
    name: str
    truth: str
    reference: str
    reference_confidence: float
    candidate: str
    candidate_confidence: float

    @property
    def kind(self) -> str:
        """`right to wrong`, `wrong to right`, `both wrong`, or `changed` (truth not known)."""
        if not self.truth:
            return "changed"
        if self.reference == self.truth:
            return "right to wrong"
        return "wrong to right" if self.candidate == self.truth else "both wrong"


@dataclass(frozen=True)
class ScoreErrors:
    """|candidate − reference| over pictures and classes; NaN where no score was a number."""

    max: float
    mean: float
    mean_by_class: tuple[float, ...]


@dataclass(frozen=True)
class ParityReport:
    """One candidate measured against one reference; true when it passes the gate.

    Attributes:
        candidate: File name of the candidate.
        backend: What ran it, with its version.
        model_bytes: Size of the file.
        reference: Name of the reference.
        labels: The classes.
        images: How many pictures were compared.
        tensors_equal: Pictures whose tensor here is the reference's to the last bit.
        max_tensor_steps: Greatest difference of a pixel of a tensor, 0–255.
        agreeing: Pictures with the reference's answer.
        agreeing_on_reference_tensors: The same when fed with the reference's tensors, which leaves
            preprocessing out; None if their shape does not fit.
        paired: Who has which pictures right.
        unanswered: Pictures with scores that are NaN or infinite.
        logit_errors: Of the raw scores.
        probability_errors: Of the probabilities, by each card's temperature.
        flips: The pictures with other answers; those that got worse first, the surest first.
        notes: What else the reader should know.
        failures: Why it does not pass, a sentence each.
        stages: From the file to the label: where it breaks, and what explains it.
        gate: What was asked of it.
        layers: Its layers beside the float network's; None where they were not compared.
        answers: int64, (N,): the candidate's classes.
    """

    candidate: str
    backend: str
    model_bytes: int
    reference: str
    labels: tuple[str, ...]
    images: int
    tensors_equal: int
    max_tensor_steps: int
    agreeing: int
    agreeing_on_reference_tensors: int | None
    paired: PairedCounts
    unanswered: int
    logit_errors: ScoreErrors
    probability_errors: ScoreErrors
    flips: tuple[Flip, ...]
    notes: tuple[str, ...]
    failures: tuple[str, ...]
    stages: tuple[Stage, ...]
    gate: Gate
    answers: NDArray[np.int64] = field(repr=False, compare=False)
    layers: LayerTable | None = field(default=None, repr=False)

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def __bool__(self) -> bool:
        return self.passed

    @property
    def agreement(self) -> float:
        """Share of pictures with the reference's answer, 0–1."""
        return self.agreeing / self.images

    def to_json(self) -> dict[str, Any]:
        """All numbers, ready for `json.dumps`; rates are shares from 0 to 1."""
        paired = self.paired
        return {
            "candidate": self.candidate,
            "passed": self.passed,
            "failures": list(self.failures),
            "stages": [stage.to_json() for stage in self.stages],
            "notes": list(self.notes),
            "backend": self.backend,
            "model_bytes": self.model_bytes,
            "reference": self.reference,
            "images": self.images,
            "tensors": {"equal": self.tensors_equal, "max_steps": self.max_tensor_steps},
            "agreement": rate_json(self.agreeing, self.images),
            "agreeing_on_reference_tensors": self.agreeing_on_reference_tensors,
            "reference_accuracy": rate_json(paired.reference_correct, paired.images),
            "accuracy": rate_json(paired.candidate_correct, paired.images),
            "accuracy_drop_points": paired.drop_points if paired.images else None,
            "drop_interval_95_points": list(paired.drop_interval_points) if paired.images else None,
            "right_to_wrong": paired.right_to_wrong,
            "wrong_to_right": paired.wrong_to_right,
            "both_wrong_differently": paired.both_wrong_differently,
            "mcnemar_p": paired.p_value if paired.images else None,
            "unanswered": self.unanswered,
            "logit_errors": _errors_json(self.logit_errors, self.labels),
            "probability_errors": _errors_json(self.probability_errors, self.labels),
            "layers": None if self.layers is None else self.layers.to_json(),
            "flips": [_flip_json(flip) for flip in self.flips],
        }


def rate_json(count: int, total: int) -> dict[str, Any] | None:
    """A rate with its 95 % interval, or None where there is nothing to count."""
    if total == 0:
        return None
    interval = list(wilson_interval(count, total))
    return {"count": count, "of": total, "rate": count / total, "interval_95": interval}


def _errors_json(errors: ScoreErrors, labels: tuple[str, ...]) -> dict[str, Any]:
    by_class = dict(zip(labels, map(_number, errors.mean_by_class), strict=True))
    return {"max": _number(errors.max), "mean": _number(errors.mean), "mean_by_class": by_class}


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None


def _flip_json(flip: Flip) -> dict[str, Any]:
    return {
        "picture": flip.name,
        "kind": flip.kind,
        "truth": flip.truth or None,
        "reference": flip.reference,
        "reference_confidence": flip.reference_confidence,
        "candidate": flip.candidate or None,
        "candidate_confidence": _number(flip.candidate_confidence),
    }
