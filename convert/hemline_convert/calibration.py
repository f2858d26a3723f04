"""The pictures that calibrate: chosen per class from the training split, and told in the card."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.card import InputSpec
from hemline.datasets import Dataset
from hemline.errors import DataError, UserError

DEFAULT_IMAGES = 500
_MINIMUM_IMAGES = 10
_SPLIT = "train"  # and never what parity measures on


@dataclass(frozen=True)
class CalibrationSet:
    """The pictures of a calibration.

    Attributes:
        tensors: uint8, (N, H, W, C), preprocessed as at run time.
        targets: int64, (N,), the class of each.
        data: Name of the data set and split.
        pictures: Where each is in the data.
        labels: Names of the classes; empty where they have none but their number.
    """

    tensors: NDArray[np.uint8]
    targets: NDArray[np.int64]
    data: str
    pictures: tuple[str, ...]
    labels: tuple[str, ...] = ()

    def class_name(self, target: int) -> str:
        """The name of a class, or else its number."""
        return self.labels[target] if self.labels else str(target)

    @cached_property
    def sha256(self) -> str:
        """Of the tensors."""
        return hashlib.sha256(self.tensors.tobytes()).hexdigest()

    @cached_property
    def halves(self) -> NDArray[np.int64]:
        """0 or 1 for each picture: two halves, each with half of every class, taken in turns."""
        halves = np.empty(len(self.targets), np.int64)
        dealt = 0  # over the classes, so that the odd ones of each do not all fall into one half
        for target in np.unique(self.targets):
            members = np.flatnonzero(self.targets == target)
            halves[members] = (dealt + np.arange(len(members))) % 2
            dealt += len(members)
        return halves


def choose_calibration_images(
    dataset: Dataset,
    spec: InputSpec,
    count: int = DEFAULT_IMAGES,
    exclude: NDArray[np.uint8] | None = None,
) -> CalibrationSet:
    """Choose `count` pictures of the training split, as many of each class as there are.

    The choice is the same each time: classes take turns, and within a class the pictures lie evenly
    over the split. A picture that parity measures on (`exclude`, tensors) is left out: data sets hold
    the same picture in two splits more often than one thinks.

    Raises:
        DataError: There are too few pictures.
    """
    if count < _MINIMUM_IMAGES:
        raise UserError(
            f"{count} pictures to calibrate with are too few",
            f"at least {_MINIMUM_IMAGES} are needed, and 100 to 500 are good",
        )
    split = dataset.split(_SPLIT)
    indices = balanced(split.targets, count)
    tensors = split.tensors(spec, indices, description="calibration images")
    if exclude is not None:
        measured_on = {tensor.tobytes() for tensor in exclude}
        kept = [tensor.tobytes() not in measured_on for tensor in tensors]
        indices, tensors = np.asarray(indices)[kept].tolist(), tensors[kept]
    if len(tensors) < _MINIMUM_IMAGES:
        raise DataError(
            f"{dataset.name} has {len(tensors)} pictures to calibrate with",
            f"its training split must have at least {_MINIMUM_IMAGES} that are not in the other splits",
        )
    pictures = tuple(split.source(i) for i in indices)
    data = f"{dataset.name}/{_SPLIT}"
    return CalibrationSet(tensors, split.targets[indices], data, pictures, split.labels)


def balanced(targets: NDArray[np.int64], count: int) -> list[int]:
    """Indices of at most `count` pictures, as many of each class as there are, evenly spread."""
    classes = [np.flatnonzero(targets == label) for label in np.unique(targets)]
    chosen: list[int] = []
    quota = [0] * len(classes)
    left = min(count, len(targets))
    while left:
        for number, members in enumerate(classes):
            if left and quota[number] < len(members):
                quota[number] += 1
                left -= 1
    for members, wanted in zip(classes, quota, strict=True):
        if wanted:
            chosen += members[np.arange(wanted) * len(members) // wanted].tolist()
    return sorted(chosen)


def recipe_entry(calibration: CalibrationSet, manifest_sha256: str) -> dict[str, Any]:
    """What the card keeps of a calibration."""
    return {
        "data": calibration.data,
        "images": len(calibration.tensors),
        "tensors_sha256": calibration.sha256,
        "manifest_sha256": manifest_sha256,
        "logit_range": "lowest runner-up to max",
    }
