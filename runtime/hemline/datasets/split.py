"""What every data set looks like from outside: splits of labelled pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hemline.errors import DataError, ImageError
from hemline.preprocess import Frame, Preprocessor
from hemline.progress import progress

if TYPE_CHECKING:
    from hemline.card import InputSpec

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_MOST_NAMED = 5  # of many pictures that cannot be read


class Split(ABC):
    """One part of a data set: pictures, and the class of each.

    Attributes:
        name: `train`, `validation` or `test`.
        labels: Class names; the targets are positions in it.
        targets: int64, (N,).
    """

    def __init__(self, name: str, labels: Sequence[str], targets: NDArray[np.int64]) -> None:
        self.name = name
        self.labels = tuple(labels)
        self.targets = targets

    def __len__(self) -> int:
        return len(self.targets)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.name}: {len(self)} pictures, {len(self.labels)} classes>"
        )

    @abstractmethod
    def frame(self, i: int) -> Frame:
        """One picture as it is stored.

        Returns:
            uint8, (H, W) in grey or (H, W, 3) in BGR order. Do not write into it.

        Raises:
            ImageError: The picture file cannot be read.
        """

    def tensor(self, i: int, preprocess: Preprocessor) -> Frame:
        """One picture as the input tensor that the runtime makes of it.

        Returns:
            uint8, (1, height, width, channels); reused by the next call of `preprocess`.

        Raises:
            ImageError: The picture file cannot be read.
        """
        return preprocess(self.frame(i))

    @abstractmethod
    def encoded(self, i: int) -> bytes:
        """One picture as the content of a picture file: its own file, or else a PNG.

        Raises:
            ImageError: The picture file cannot be read.
        """

    @abstractmethod
    def source(self, i: int) -> str:
        """Where the picture is in the data as they were got.

        `dress/17.jpg` is a path inside the folder; `fashion-mnist/train/17` is picture 17 of the
        training file, even where the held-out rule has moved it to the validation split.
        """

    @abstractmethod
    def digests(self) -> list[bytes]:
        """SHA-256 of each picture's content: of raw pixels for arrays, of file bytes for files.

        Raises:
            DataError: A picture file cannot be read.
        """

    @abstractmethod
    def subset(self, indices: Sequence[int] | NDArray[np.int64], name: str | None = None) -> Split:
        """The pictures at `indices`, in that order; under another split name if one is given."""

    def tensors(
        self,
        spec: InputSpec,
        indices: Sequence[int] | NDArray[np.int64] | None = None,
        description: str = "reading images",
    ) -> NDArray[np.uint8]:
        """Preprocess pictures for a model, by the one rule of `hemline.preprocess`.

        Args:
            spec: The `input` part of a model card.
            indices: Which pictures, in which order; all of them by default.
            description: Stands before the progress bar.

        Returns:
            uint8, (N, height, width, channels), 0–255.

        Raises:
            DataError: Pictures cannot be read; the message names the first ones.
        """
        chosen = range(len(self)) if indices is None else [int(i) for i in indices]
        preprocess = Preprocessor(spec)
        tensors = np.empty((len(chosen), *spec.tensor_shape[1:]), np.uint8)
        unusable: list[ImageError] = []
        for row, i in enumerate(progress(chosen, description, total=len(chosen))):
            try:
                tensors[row] = self.tensor(i, preprocess)[0]
            except ImageError as error:  # go on, so that all of them are told at once
                unusable.append(error)
        if unusable:
            what = f"the {self.name} split"
            raise unusable_pictures(unusable, len(chosen), what) from unusable[0]
        return tensors


def unusable_pictures(errors: Sequence[ImageError], of: int, what: str) -> DataError:
    """One error for pictures that cannot be read.

    Args:
        errors: At least one; the first ones are named.
        of: So many were to be read.
        what: Where they are, such as `the train split`.
    """
    if len(errors) == 1:
        problem = f"a picture of {what} is unusable: {errors[0].problem}"
        return DataError(problem, errors[0].hint or "mend or remove it, then start again")
    named = [error.problem for error in errors[:_MOST_NAMED]]
    if len(errors) > len(named):
        named.append(f"and {len(errors) - len(named)} more")
    return DataError(
        f"{len(errors)} of {of} pictures of {what} are unusable: " + "; ".join(named),
        "mend or remove them, then start again",
    )


@dataclass(frozen=True)
class Dataset:
    """A named set of splits over the same classes.

    Attributes:
        name: `fashion-mnist`, `drawn`, or the name of the folder.
        labels: Class names, in the order of the targets.
        splits: By name: `train`, and `validation` or `test` or both.
    """

    name: str
    labels: tuple[str, ...]
    splits: Mapping[str, Split]

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "splits", MappingProxyType(dict(self.splits)))

    def split(self, name: str) -> Split:
        """One split.

        Raises:
            DataError: The data set has no split of that name.
        """
        if name not in self.splits:
            raise DataError(
                f"the data set {self.name} has no split {name!r}",
                f"it has: {', '.join(self.splits)}",
            )
        return self.splits[name]

    def evaluation_split(self) -> Split:
        """The split to measure a finished model on: `test` if there is one, else `validation`.

        Raises:
            DataError: There is neither.
        """
        return self.split(TEST if TEST in self.splits else VALIDATION)
