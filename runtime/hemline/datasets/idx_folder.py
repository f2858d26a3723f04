"""A data set from a folder of IDX files: Fashion-MNIST, MNIST, or whatever has their layout."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hemline.datasets.arrays import ArraySplit
from hemline.datasets.fashion_mnist import CONTENT_MD5, FASHION_MNIST, FASHION_MNIST_LABELS
from hemline.datasets.heldout import with_missing_splits
from hemline.datasets.idx import (
    ALL_STEMS,
    FILE_STEMS,
    file_of,
    read_content,
    read_idx,
    refuse_bad_labels,
)
from hemline.datasets.split import TRAIN, Dataset, Split
from hemline.errors import DataError

LABELS_FILE = "labels.txt"
DIGITS = tuple("0123456789")


def is_idx_folder(folder: Path) -> bool:
    """Whether a folder holds any of the four IDX files."""
    return any(file_of(folder, stem) for stem in ALL_STEMS)


def open_idx_folder(folder: Path) -> Dataset:
    """Read a folder of IDX files.

    The labels are the lines of `labels.txt` if the folder has one, those of Fashion-MNIST if the
    content is Fashion-MNIST's, and otherwise the digits 0 to 9.

    Raises:
        DataError: A file is missing or damaged, or the files do not belong together.
    """
    contents = _read_files(folder)
    is_fashion_mnist = _wrong_file(contents) is None
    name = FASHION_MNIST if is_fashion_mnist else folder.resolve().name
    labels = FASHION_MNIST_LABELS if is_fashion_mnist else DIGITS
    if (folder / LABELS_FILE).is_file():
        labels = _read_labels(folder / LABELS_FILE)
    return _dataset(name, labels, contents, folder)


def open_fashion_mnist(folder: Path) -> Dataset:
    """Read the four files of Fashion-MNIST, and make sure that they are Fashion-MNIST.

    Raises:
        DataError: A file is missing, damaged, or holds something else.
    """
    contents = _read_files(folder)
    wrong = _wrong_file(contents)
    if wrong is not None:
        path = contents[wrong][0] if wrong in contents else folder / wrong
        got = _md5(contents[wrong][1]) if wrong in contents else "no such file"
        raise DataError(
            f"{path} is not Fashion-MNIST's: its content has the MD5 {got}, "
            f"expected is {CONTENT_MD5[wrong]}",
            "delete it and get it again; for other data of the same layout give the path of "
            "the folder instead of the name fashion-mnist",
        )
    return _dataset(FASHION_MNIST, FASHION_MNIST_LABELS, contents, folder)


Contents = dict[str, tuple[Path, bytes]]


def _read_files(folder: Path) -> Contents:
    """Path and decompressed content of each IDX file in the folder, by stem."""
    paths = {stem: path for stem in ALL_STEMS if (path := file_of(folder, stem))}
    for split, stems in FILE_STEMS.items():
        missing = [stem for stem in stems if stem not in paths]
        if missing and (split == TRAIN or len(missing) == 1):
            raise DataError(
                f"{folder} lacks the IDX file {' and '.join(missing)}",
                f"it holds {', '.join(path.name for path in paths.values())}; expected are "
                f"{', '.join(ALL_STEMS)}, each as it is or as .gz",
            )
    return {stem: (path, read_content(path)) for stem, path in paths.items()}


def _wrong_file(contents: Contents) -> str | None:
    """The first file that is missing or not Fashion-MNIST's."""
    # The small files first: they tell other data apart at once.
    for stem in sorted(CONTENT_MD5, key=lambda stem: "images" in stem):
        if stem not in contents or _md5(contents[stem][1]) != CONTENT_MD5[stem]:
            return stem
    return None


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _dataset(name: str, labels: tuple[str, ...], contents: Contents, folder: Path) -> Dataset:
    splits: dict[str, Split] = {}
    for split, (images_stem, labels_stem) in FILE_STEMS.items():
        if images_stem not in contents:
            continue
        images_path, images_content = contents[images_stem]
        labels_path, labels_content = contents[labels_stem]
        images = read_idx(images_content, 3, images_path)
        targets = read_idx(labels_content, 1, labels_path)
        refuse_bad_labels(targets, images, labels_path, labels)
        splits[split] = ArraySplit(split, labels, images, targets, f"{name}/{split}")
    return Dataset(name, labels, with_missing_splits(splits, str(folder)))


def _read_labels(path: Path) -> tuple[str, ...]:
    """The class names in a text file, one a line, in the order of the numbers."""
    try:
        lines = path.read_text("utf-8").strip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read: {error}", "write one class name a line, in UTF-8"
        ) from error
    labels = tuple(line.strip() for line in lines)
    if len(labels) < 2 or not all(labels) or len(set(labels)) != len(labels):
        raise DataError(
            f"{path} does not name the classes: it has {len(labels)} lines, {len(set(labels))} of "
            f"them different, {labels.count('')} empty",
            "write one class name a line, at least two, each of them different",
        )
    return labels
