"""The images of a run, in memory, checked, and with a fingerprint."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Thread
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hemline.card import InputSpec
from hemline.datasets import open_dataset
from hemline.errors import DataError

NOTHING = -1  # the target of a picture that shows none of the classes


@dataclass(frozen=True)
class Images:
    """One split, preprocessed.

    Attributes:
        pixels: uint8, (N, H, W, C), 0–255.
        targets: int64, (N,), index of the label, or of a group of labels.
    """

    pixels: NDArray[np.uint8]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)

    def of_epoch(self, epoch: int) -> Images:
        """The same in every epoch (`EpochImages`)."""
        del epoch
        return self

    def joined(self, others: Images) -> Images:
        """These, and the others behind them."""
        return Images(
            np.concatenate([self.pixels, others.pixels]),
            np.concatenate([self.targets, others.targets]),
        )


class EpochImages(Protocol):
    """Training images that may be others in each epoch, but always as many."""

    def __len__(self) -> int: ...

    def joined(self, others: Images) -> EpochImages:
        """These, and the others behind them.

        Raises:
            UserError: Others cannot be trained on in the same way.
        """

    def of_epoch(self, epoch: int) -> Images:
        """The images of an epoch, from 1; for the same epoch the same, whatever was asked for before."""


class Prefetch:
    """Makes the images of the next epoch in a thread, while those of another are trained on.

    Args:
        images: Of which epochs are asked for one after the other.
        last: The last epoch that will be.
    """

    def __init__(self, images: EpochImages, last: int) -> None:
        self._images = images
        self._last = last
        self._next: tuple[int, Future[Images]] | None = None

    def of_epoch(self, epoch: int) -> Images:
        """The images of an epoch, and in the background those of the one behind it."""
        if self._next and self._next[0] == epoch:
            images = self._next[1].result()
        else:
            images = self._images.of_epoch(epoch)
        self._next = (epoch + 1, self._begun(epoch + 1)) if epoch < self._last else None
        return images

    def _begun(self, epoch: int) -> Future[Images]:
        future: Future[Images] = Future()

        def make() -> None:
            try:
                future.set_result(self._images.of_epoch(epoch))
            except Exception as error:  # raised where the images are asked for
                future.set_exception(error)

        # Not a pool's thread, for which the end of the process would wait after Ctrl-C.
        Thread(target=make, name=f"images of epoch {epoch}", daemon=True).start()
        return future


@dataclass(frozen=True)
class TrainingImages:
    """All splits that a run uses.

    Attributes:
        name: Name of the data set.
        labels: Names of the classes.
        splits: What is measured on: `validation`, `test` where the data set has it, and `train` where its
            images are the same in each epoch.
        evaluation_split: Name of the split that is reported on: `test`, or `validation` if there is
            no test split.
        sha256: Over labels, pixels and targets: equal data gives equal runs.
        train: What is trained on.
        groups: bool, (groups, classes): which classes are right for a target; None where each target is
            a class.
        group_names: One per group; the labels where each target is a class.
        nothing: Pictures without any of the classes, (N, H, W, C), by what they are; a threshold is
            judged by them.
    """

    name: str
    labels: tuple[str, ...]
    splits: dict[str, Images]
    evaluation_split: str
    sha256: str
    train: EpochImages
    groups: NDArray[np.bool_] | None = None
    group_names: tuple[str, ...] = ()
    nothing: dict[str, NDArray[np.uint8]] = field(default_factory=dict)

    @property
    def target_names(self) -> tuple[str, ...]:
        """What a target means."""
        return self.group_names or self.labels


def load_images(
    data: str, spec: InputSpec, batch_size: int, *, with_test: bool = True
) -> TrainingImages:
    """Read a data set through `hemline.preprocess`.

    Args:
        data: What `hemline.datasets.open_dataset` takes.
        spec: The input of the network.
        batch_size: Training images that one step needs.
        with_test: Whether the test split is read, where the data set has one.

    Raises:
        DataError: No such data, a picture that cannot be read, no training or validation split, a
            class without training images, or fewer training images than one batch.
    """
    dataset = open_dataset(data)
    chosen = [dataset.split("train"), dataset.split("validation")]
    if with_test and "test" in dataset.splits:
        chosen.append(dataset.split("test"))
    targets = {split.name: np.asarray(split.targets, np.int64) for split in chosen}
    check_targets(data, dataset.labels, targets, batch_size)  # before thousands of photos are read
    splits = {
        split.name: Images(
            split.tensors(spec, description=f"reading {split.name} images"), targets[split.name]
        )
        for split in chosen
    }
    evaluated = dataset.evaluation_split().name if with_test else "validation"
    return TrainingImages(
        dataset.name,
        dataset.labels,
        splits,
        evaluated,
        fingerprint(dataset.labels, splits),
        train=splits["train"],
    )


def check_targets(
    data: str, labels: tuple[str, ...], targets: dict[str, NDArray[np.int64]], batch_size: int
) -> None:
    """Refuse data that no classifier can be trained on.

    Raises:
        DataError: See `load_images`.
    """
    if len(labels) < 2:
        raise DataError(
            f"{data} has {len(labels)} class", "a classifier needs at least two, a folder for each"
        )
    counts = np.bincount(targets["train"], minlength=len(labels))
    empty = [label for label, count in zip(labels, counts, strict=True) if count == 0]
    if empty:
        raise DataError(
            f"{data} has no training image of: {', '.join(empty)}",
            "add images to these classes, or remove their folders from all splits",
        )
    if len(targets["train"]) < batch_size:
        raise DataError(
            f"{data} has {len(targets['train'])} training images, "
            f"fewer than one batch of {batch_size}",
            "add images, or make the batches smaller with --batch-size",
        )
    for name, of_split in targets.items():
        if len(of_split) == 0:
            raise DataError(f"{data} has no image in its {name} split", "add some")


def fingerprint(labels: tuple[str, ...], splits: dict[str, Images], also: bytes = b"") -> str:
    """SHA-256 over labels and splits, and over `also`, in hexadecimal digits."""
    digest = hashlib.sha256("\n".join(labels).encode() + also)
    for name, images in splits.items():
        digest.update(f"{name} {images.pixels.shape}".encode())
        digest.update(np.ascontiguousarray(images.pixels).data)
        digest.update(images.targets.astype("<i8").data)
    return digest.hexdigest()
