"""Whether the pictures that calibrated are good enough, and what is poor about them.

A set is poor where it holds too few different pictures, lacks most classes, is not of the kind that the
network knows, or where the ranges that two halves of it give differ much. The halves' ranges are those of
min-max, whatever method quantizes: they show what the pictures do, and the entropy method differs by more
between halves of sound sets. The limits are measured with `python benchmarks/calibration_sets.py`: of 72
sound sets of 100 to 500 pictures, for three networks, none is above 1.53 in any activation, and none is
accused; sets of 50 pictures reach 1.90, and such of 10 pictures 2.46.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from hemline.card import ModelCard
from hemline.parity.metrics import UNKNOWN, wilson_interval
from hemline.parity.result import rate_json
from hemline_convert.calibration import CalibrationSet
from hemline_convert.observation import Observations, Ranges
from hemline_convert.trained_ranges import activation_names

FEWEST_PICTURES = 50
LEAST_CLASSES = 0.5  # of those that there could be
MOST_LOST_ACCURACY = 0.05  # below that on the training pictures, surely (95 %)
MOST_RANGE_RATIO = 2.0  # between the halves, in any activation
_MOST_RATIO = 1e6  # of a range to none at all
_OF_THAT_KIND = "give pictures of the kind that it was trained on, prepared in the same way"


class Complaint(NamedTuple):
    """What is poor about a set, and what to do."""

    problem: str
    advice: str


@dataclass(frozen=True)
class CalibrationCheck:
    """What a calibration set is like; true if nothing is poor about it.

    Attributes:
        images: How many pictures it holds.
        different: How many of these repeat no other and are not of one colour throughout.
        classes: How many of the model's classes they show; None where their classes are not known.
        known: Pictures whose class the model knows.
        right: How many of these the float network names rightly.
        typical_ratio: By how much the ranges of the halves differ, in the typical activation.
        largest_ratio: The same in the activation where they differ most.
        largest_ratio_at: What makes that activation.
        complaints: What is poor.
    """

    images: int
    different: int
    classes: int | None
    known: int
    right: int
    typical_ratio: float
    largest_ratio: float
    largest_ratio_at: str
    complaints: tuple[Complaint, ...] = ()

    def __bool__(self) -> bool:
        return not self.complaints

    @property
    def sentences(self) -> list[str]:
        """The complaints, each with what to do."""
        return [f"{problem}; {advice}" for problem, advice in self.complaints]

    @property
    def summary(self) -> str:
        """What the set is like, in one line."""
        words = [f"{self.images} pictures, {self.different} of them different"]
        if self.classes is not None:
            words.append(f"{self.classes} classes")
        if self.known:
            words.append(f"the float model names {self.right / self.known:.1%} rightly")
        words.append(
            f"ranges of two halves differ by a factor of {self.typical_ratio:.2f} typically and of "
            f"{self.largest_ratio:.2f} at most"
        )
        return ", ".join(words)

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`; rates are shares from 0 to 1."""
        return {
            "sound": bool(self),
            **asdict(self),
            "accuracy": rate_json(self.right, self.known),
            "complaints": [complaint._asdict() for complaint in self.complaints],
        }


def check_calibration(
    network: bytes, observations: Observations, card: ModelCard
) -> CalibrationCheck:
    """Judge the pictures of a calibration by what they are and by what the network does on them.

    Args:
        network: Float32 TFLite model.
        observations: Of its activations on the pictures.
        card: Of the model: its labels, and how well it does on its training pictures.
    """
    calibration = observations.calibration
    position = {label: at for at, label in enumerate(card.labels)}
    known = [position.get(label, UNKNOWN) for label in calibration.labels]
    targets = np.array(known, np.int64)[calibration.targets] if known else np.empty(0, np.int64)
    right = observations.logits.argmax(axis=1)[: len(targets)] == targets
    ratios = range_ratios(*observations.ranges_of_halves, activation_names(network))
    worst = max(ratios, key=lambda name: ratios[name])
    found = CalibrationCheck(
        images=len(calibration.tensors),
        different=_different(calibration),
        classes=len(set(targets.tolist()) - {UNKNOWN}) if known else None,
        known=int((targets != UNKNOWN).sum()),
        right=int(right.sum()),
        typical_ratio=statistics.median(ratios.values()),
        largest_ratio=ratios[worst],
        largest_ratio_at=worst,
    )
    complaints = (_few(found), _one_sided(found, card), _foreign(found, card), _unstable(found))
    return CalibrationCheck(**{**vars(found), "complaints": tuple(filter(None, complaints))})


def _different(calibration: CalibrationSet) -> int:
    return len({t.tobytes() for t in calibration.tensors if t.min() < t.max()})


def range_ratios(one: Ranges, other: Ranges, names: dict[str, str]) -> dict[str, float]:
    """How many times as wide the wider range is, by what makes the activation."""
    ratios = {}
    for tensor, name in names.items():
        spans = [max(half.high[tensor], 0.0) - min(half.low[tensor], 0.0) for half in (one, other)]
        narrow, wide = sorted(spans)
        ratios[name] = wide / max(narrow, wide / _MOST_RATIO) if wide else 1.0
    return ratios


def _few(found: CalibrationCheck) -> Complaint | None:
    if found.different >= FEWEST_PICTURES:
        return None
    problem = f"they are {found.images} pictures"
    if found.different < found.images:
        problem += f", and only {found.different} of them are different and not of one colour"
    return Complaint(problem, "give more that differ: 100 to 500 are good (--calibration-images)")


def _one_sided(found: CalibrationCheck, card: ModelCard) -> Complaint | None:
    possible = min(len(card.labels), found.images)
    if found.classes is None or (found.classes > 1 and found.classes >= LEAST_CLASSES * possible):
        return None
    return Complaint(
        f"they show {found.classes} of the model's {len(card.labels)} classes",
        "give pictures of every class",
    )


def _foreign(found: CalibrationCheck, card: ModelCard) -> Complaint | None:
    if not found.known:
        return None
    at_least, at_most = wilson_interval(found.right, found.known)
    stated = card.training.get("metrics", {}).get("train")
    problem = f"the float model names {found.right / found.known:.1%} of them rightly"
    if at_most < 1 / len(card.labels):
        return Complaint(
            f"{problem}, fewer than by chance",
            "see whether the labels stand in the order of the model's outputs",
        )
    if stated is not None and at_most < stated["accuracy"] - MOST_LOST_ACCURACY:
        trained_on = f"{stated['accuracy']:.1%} of those that it was trained on"
        return Complaint(f"{problem}, and {trained_on}", _OF_THAT_KIND)
    if stated is None and at_least <= 1 / len(card.labels):
        return Complaint(f"{problem}, no more than by chance", _OF_THAT_KIND)
    return None


def _unstable(found: CalibrationCheck) -> Complaint | None:
    if found.largest_ratio <= MOST_RANGE_RATIO:
        return None
    return Complaint(
        f"two halves of them give ranges that differ by a factor of {found.largest_ratio:.3g} "
        f"({found.largest_ratio_at})",
        "look for pictures unlike the others, or give more",
    )
