"""A data set from a folder with one sub-folder per class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemline.datasets.heldout import with_missing_splits
from hemline.datasets.layout import LAYOUT, classes_of, pictures_of, split_folders
from hemline.datasets.split import TRAIN, Dataset, Split
from hemline.errors import DataError, ImageError
from hemline.images import decode_image, preprocess_content
from hemline.preprocess import Frame, Preprocessor
from hemline.progress import progress

__all__ = ["LAYOUT", "FileSplit", "open_class_folders"]


class FileSplit(Split):
    """Pictures of any sizes, each in a file of its own, read when they are asked for.

    Args:
        name: `train`, `validation` or `test`.
        labels: Class names.
        paths: The picture files, N of them.
        targets: int64, (N,).
        root: The folder of the data set; `source` is relative to it.
    """

    def __init__(
        self,
        name: str,
        labels: Sequence[str],
        paths: Sequence[Path],
        targets: NDArray[np.int64],
        root: Path,
    ) -> None:
        super().__init__(name, labels, targets)
        self.paths = tuple(paths)
        self.root = root
        assert len(self.paths) == len(self.targets)

    def frame(self, i: int) -> Frame:
        """One picture, as `hemline.images.decode_image` gives it: uint8, (H, W, 3), BGR."""
        return decode_image(self.encoded(i), str(self.paths[i]))

    def tensor(self, i: int, preprocess: Preprocessor) -> Frame:
        """One picture as the input tensor, straight from its file: large JPEGs are reduced."""
        return preprocess_content(self.encoded(i), str(self.paths[i]), preprocess)

    def encoded(self, i: int) -> bytes:
        """The bytes of the picture's file."""
        try:
            return self.paths[i].read_bytes()
        except OSError as error:
            raise ImageError(
                f"{self.paths[i]} cannot be read: {error.strerror or error}",
                "check the file and its permissions",
            ) from error

    def source(self, i: int) -> str:
        """The path below the folder of the data set, with forward slashes."""
        return self.paths[i].relative_to(self.root).as_posix()

    def digests(self) -> list[bytes]:
        """SHA-256 of the bytes of each file."""
        files = progress(range(len(self)), "comparing pictures", total=len(self))
        try:
            return [hashlib.sha256(self.encoded(i)).digest() for i in files]
        except ImageError as error:
            raise DataError(error.problem, error.hint) from error

    def subset(
        self, indices: Sequence[int] | NDArray[np.int64], name: str | None = None
    ) -> FileSplit:
        """The pictures at `indices`; nothing is read."""
        chosen = np.asarray(indices, np.int64)
        paths = [self.paths[i] for i in chosen]
        return FileSplit(name or self.name, self.labels, paths, self.targets[chosen], self.root)


def open_class_folders(folder: Path) -> Dataset:
    """Open a folder with one sub-folder per class, with or without splits above the classes.

    Args:
        folder: The folder of the data set. Classes are named by their folders, in sorted order.

    Raises:
        DataError: The folder is not laid out as expected; the message names what is wrong.
    """
    folders = split_folders(folder)
    classes = {name: classes_of(path) for name, path in folders.items()}
    labels = tuple(sorted(path.name for path in classes[TRAIN]))
    for label in labels:
        if any("\udc80" <= sign <= "\udcff" for sign in label):  # bytes that are no UTF-8
            raise DataError(
                f"the class folder {label!a} in {folders[TRAIN]} has a name that is no UTF-8",
                "rename it; its name becomes the label",
            )
    if len(labels) < 2:
        raise DataError(
            f"{folders[TRAIN]} has only one class folder, {labels[0]!r}",
            "a classifier needs at least two classes; is the class folder itself the data set? "
            f"{LAYOUT}",
        )
    splits: dict[str, Split] = {}
    for name, class_folders in classes.items():
        _refuse_other_classes(folders[name], class_folders, labels, folders[TRAIN])
        splits[name] = _file_split(name, labels, class_folders, folder)
    return Dataset(folder.resolve().name, labels, with_missing_splits(splits, str(folder)))


def _file_split(
    name: str, labels: tuple[str, ...], class_folders: list[Path], root: Path
) -> FileSplit:
    paths: list[Path] = []
    targets: list[int] = []
    for class_folder in sorted(class_folders):
        pictures = pictures_of(class_folder)
        paths += pictures
        targets += [labels.index(class_folder.name)] * len(pictures)
    return FileSplit(name, labels, paths, np.array(targets, np.int64), root)


def _refuse_other_classes(
    split_folder: Path, class_folders: list[Path], labels: tuple[str, ...], train_folder: Path
) -> None:
    names = {path.name for path in class_folders}
    for path in sorted(class_folders):
        if path.name not in labels:
            raise DataError(
                f"{path} is a class that {train_folder} does not have",
                f"the classes are {', '.join(labels)}; rename or remove the folder, or add it "
                "there",
            )
    missing = [label for label in labels if label not in names]
    if missing:
        raise DataError(
            f"{split_folder} lacks the class folder {', '.join(missing)}",
            f"each split needs the same class folders as {train_folder}: {', '.join(labels)}",
        )
