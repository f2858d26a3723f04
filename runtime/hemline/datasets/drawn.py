"""The drawn garments that come with hemline: small, offline, and no substitute for real data."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

import hemline
from hemline.datasets.arrays import ArraySplit
from hemline.datasets.fashion_mnist import FASHION_MNIST_LABELS
from hemline.datasets.heldout import with_missing_splits
from hemline.datasets.split import TEST, TRAIN, Dataset, Split
from hemline.errors import DataError

DRAWN = "drawn"
DRAWN_FILE = Path(hemline.__file__).parent / "samples" / "drawn_garments.npz"


def open_drawn(path: Path = DRAWN_FILE) -> Dataset:
    """Read the drawn garments: 28×28 grey, with the labels of Fashion-MNIST.

    Raises:
        DataError: The file is missing or damaged.
    """
    splits: dict[str, Split] = {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for split in (TRAIN, TEST):
                images, targets = arrays[f"{split}_images"], arrays[f"{split}_targets"]
                splits[split] = ArraySplit(
                    split, FASHION_MNIST_LABELS, images, targets, f"{DRAWN}/{split}"
                )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"the drawn garments cannot be read from {path}: {error}",
            "the file is part of hemline; install hemline again",
        ) from error
    return Dataset(DRAWN, FASHION_MNIST_LABELS, with_missing_splits(splits, DRAWN))
