"""Who is examined, and on which pictures.

The doctor chooses among mends, and what is chosen on some pictures looks better on them than it is. So its
pictures neither calibrate nor are in the golden pack: they come from the validation split, or from the
training split where validation is what parity reports on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.backends.litert import LiteRtBackend
from hemline.card import ModelCard
from hemline.datasets import Dataset
from hemline.datasets.split import TEST, TRAIN, VALIDATION
from hemline.errors import DataError
from hemline.parity.metrics import UNKNOWN, PairedCounts, answers_of, paired_counts, top1_agreement
from hemline.parity.result import Gate, rate_json
from hemline_convert.calibration import balanced
from hemline_convert.float_run import float_logits
from hemline_convert.static_quantizer import StaticQuantizer

DEFAULT_IMAGES = 1000
_MINIMUM_IMAGES = 20
_ODD_PICTURES = 0.02  # share of them, about what a gate forgives


@dataclass(frozen=True, eq=False)
class ExamSet:
    """Pictures to examine on.

    Attributes:
        tensors: uint8, (N, H, W, C), preprocessed as at run time.
        targets: int64, (N,): positions among the card's labels, −1 where not known.
        data: Name of the data set and split.
    """

    tensors: NDArray[np.uint8]
    targets: NDArray[np.int64]
    data: str

    def __len__(self) -> int:
        return len(self.tensors)

    def few(self, count: int) -> ExamSet:
        """At most so many of them, evenly spread."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).astype(int))
        return ExamSet(self.tensors[chosen], self.targets[chosen], self.data)


def choose_exam_pictures(
    dataset: Dataset,
    card: ModelCard,
    exclude: NDArray[np.uint8],
    count: int = DEFAULT_IMAGES,
) -> ExamSet:
    """Choose pictures to examine on, as many of each class as there are.

    Args:
        dataset: The data that calibrates.
        card: Of the model.
        exclude: uint8, (N, H, W, C): tensors that calibrate or that parity measures on.
        count: How many pictures.

    Raises:
        DataError: There are too few.
    """
    held_out = TEST in dataset.splits and VALIDATION in dataset.splits
    name = VALIDATION if held_out else TRAIN
    split = dataset.split(name)
    # Where the split calibrates too, most of what is chosen first may have to go.
    indices = balanced(split.targets, count if held_out else count + len(exclude))
    tensors = split.tensors(card.input, indices, description="pictures for the doctor")
    seen = {tensor.tobytes() for tensor in exclude}
    rows = [row for row, tensor in enumerate(tensors) if tensor.tobytes() not in seen]
    if len(rows) < _MINIMUM_IMAGES:
        raise DataError(
            f"{dataset.name} has {len(rows)} pictures in {name} that neither calibrate nor are in the golden "
            f"pack; the doctor needs at least {_MINIMUM_IMAGES}",
            "calibrate with fewer (--calibration-images), or give more data",
        )
    class_of = {label: k for k, label in enumerate(card.labels)}
    positions = np.array([class_of.get(label, UNKNOWN) for label in split.labels], np.int64)
    targets = positions[split.targets[np.asarray(indices)[rows]]]
    return ExamSet(tensors[rows], targets, f"{dataset.name}/{name}").few(count)


@dataclass(frozen=True)
class Outcome:
    """How a network answers beside the float one.

    Attributes:
        images: Pictures.
        agreeing: Of these, with the float network's answer.
        paired: Who has which pictures right.
        signal_to_noise_db: Of the logits; 10·log₁₀ of the variance of the float logits over the mean square
            of the difference. Logits that decide no label count as the lowest that can.
    """

    images: int
    agreeing: int
    paired: PairedCounts
    signal_to_noise_db: float

    @property
    def agreement(self) -> float:
        """Share of pictures with the float network's answer, 0–1."""
        return self.agreeing / self.images

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`; rates are shares from 0 to 1."""
        paired = self.paired
        return {
            "agreement": rate_json(self.agreeing, self.images),
            "accuracy": rate_json(paired.candidate_correct, paired.images),
            "accuracy_drop_points": paired.drop_points if paired.images else None,
            "drop_interval_95_points": list(paired.drop_interval_points) if paired.images else None,
            "signal_to_noise_db": self.signal_to_noise_db,
        }

    def passes(self, gate: Gate) -> bool:
        """Whether the gate lets it through."""
        return (
            self.agreement >= gate.min_agreement and self.paired.drop_points <= gate.max_drop_points
        )


class Patient:
    """A float network, how it is quantized, and pictures to examine it on.

    Args:
        quantizer: Of the float model.
        pictures: To examine on.
    """

    def __init__(self, quantizer: StaticQuantizer, pictures: ExamSet) -> None:
        self.quantizer = quantizer
        self.pictures = pictures
        self.normalization = quantizer.source.normalization

    @cached_property
    def reference(self) -> NDArray[np.float32]:
        """float32, (N, classes): logits of the float network."""
        return float_logits(self.quantizer.network, self.pictures.tensors, self.normalization)

    @cached_property
    def only_answer(self) -> str:
        """The label that the float network gives to all pictures, though several classes are among them."""
        classes = np.unique(self.pictures.targets[self.pictures.targets != UNKNOWN])
        answers = np.unique(answers_of(self.reference))
        if len(classes) < 2 or len(answers) != 1 or answers[0] == UNKNOWN:
            return ""
        return str(self.quantizer.source.card.labels[int(answers[0])])

    def outcome(self, deployable: bytes) -> Outcome:
        """Examine a deployable file."""
        return outcome_of(
            self.reference, file_logits(deployable, self.pictures.tensors), self.pictures.targets
        )

    def noise_of(self, network: bytes) -> float:
        """The noise in the logits of another float network, as `noise_share`."""
        return noise_share(
            self.reference, float_logits(network, self.pictures.tensors, self.normalization)
        )


def outcome_of(
    reference: NDArray[np.float32], candidate: NDArray[np.float32], targets: NDArray[np.int64]
) -> Outcome:
    """Compare two networks' logits, both (N, classes)."""
    ours, theirs = answers_of(reference), answers_of(candidate)
    noise = noise_share(reference, candidate)
    return Outcome(
        images=len(targets),
        agreeing=top1_agreement(ours, theirs),
        paired=paired_counts(ours, theirs, targets),
        signal_to_noise_db=float(-10 * np.log10(max(noise, 1e-12))),
    )


def noise_share(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> float:
    """Mean square difference over the variance of the reference, both (N, classes).

    What is lower than the runner-up of nearly every picture decides no label, and conversion clips it; so it
    is clipped here. Of nearly every one, since conversion clips at the lowest runner-up of the pictures that
    calibrated, and one odd picture here would make that count as noise on all.
    """
    floor = np.quantile(np.sort(reference, axis=1)[:, -2], _ODD_PICTURES)
    clipped = np.maximum(reference.astype(np.float64), floor)
    difference = np.maximum(candidate.astype(np.float64), floor) - clipped
    return float((difference**2).mean() / max(clipped.var(), 1e-30))


def file_logits(content: bytes, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits of a deployable TFLite file: uint8 (N, H, W, C) to float32 (N, classes)."""
    backend = LiteRtBackend("the file in question", content, 1)
    return np.array([backend.logits(tensor[None]) for tensor in tensors])
