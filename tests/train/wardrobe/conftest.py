"""Drawn garments that stand in for photos and for Fashion-MNIST."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hemline.datasets import open_dataset
from hemline.datasets.wardrobe import FASHION_MNIST_GROUPS, WARDROBE_LABELS, groups_of
from hemline_train.drawn_garments import photo_like
from hemline_train.wardrobe.foreground import garment_mask
from hemline_train.wardrobe.photos import Photos

SHOWN = ("T-shirt/top", "Trouser", "Dress", "Bag", "Ankle boot")
Fashion = tuple[NDArray[np.uint8], NDArray[np.int64]]


@pytest.fixture(scope="session")
def photos() -> Photos:
    """Three coloured garments of each of five classes, on a bright ground, in two formats."""
    rng = np.random.default_rng(4)
    labels = [label for label in SHOWN for _ in range(3)]
    pictures = [
        photo_like(label, rng, (96, 128) if i % 2 else (128, 96)) for i, label in enumerate(labels)
    ]
    groups = np.array(
        [WARDROBE_LABELS.index(FASHION_MNIST_GROUPS[label]) for label in labels], np.int64
    )
    masks = tuple(garment_mask(picture) for picture in pictures)
    return Photos(tuple(pictures), groups, masks, tuple(f"{i:02}.jpg" for i in range(len(labels))))


@pytest.fixture(scope="session")
def fashion() -> Fashion:
    """The drawn garments that come with hemline, 28×28 grey on black."""
    split = open_dataset("drawn").split("train")
    images = np.stack([split.frame(i) for i in range(len(split))])
    return images, groups_of(split.labels, split.targets, FASHION_MNIST_GROUPS)
