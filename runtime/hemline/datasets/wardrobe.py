"""Garment photos and Fashion-MNIST as one data set, with the classes of the model `wardrobe`.

Photos that are only known to show shoes have the label `shoes`, which is no class of the model: it stands for
a sandal, a sneaker or an ankle boot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hemline.datasets.fashion_mnist import DATA_VARIABLE
from hemline.datasets.joined import JoinedSplit
from hemline.datasets.split import TEST, TRAIN, VALIDATION, Dataset, Split
from hemline.errors import DataError

WARDROBE = "wardrobe"
GARMENT_PHOTOS = "garment-photos"
PHOTOS_BY_HAND = (
    "clone the repository clothing-dataset-small of alexeygrigorev on GitHub as the folder "
    f"{GARMENT_PHOTOS}, and let {DATA_VARIABLE} name the folder that it is in; photos of your own need "
    "none of it: --data FOLDER"
)

# The first ten are those of Fashion-MNIST, in its order.
WARDROBE_LABELS = (
    "t-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
    "hat",
    "shorts",
    "skirt",
)
SHOES = ("sandal", "sneaker", "ankle boot")
GROUPS: tuple[tuple[str, ...], ...] = (*((label,) for label in WARDROBE_LABELS), SHOES)
GROUP_NAMES = (*WARDROBE_LABELS, "shoes")

# What each source calls them.
FASHION_MNIST_GROUPS = {
    "T-shirt/top": "t-shirt",
    "Trouser": "trousers",
    "Pullover": "pullover",
    "Dress": "dress",
    "Coat": "coat",
    "Sandal": "sandal",
    "Shirt": "shirt",
    "Sneaker": "sneaker",
    "Bag": "bag",
    "Ankle boot": "ankle boot",
}
GARMENT_PHOTOS_GROUPS = {
    "dress": "dress",
    "hat": "hat",
    "longsleeve": "pullover",
    "outwear": "coat",
    "pants": "trousers",
    "shirt": "shirt",
    "shoes": "shoes",
    "shorts": "shorts",
    "skirt": "skirt",
    "t-shirt": "t-shirt",
}


def groups_of(
    labels: Sequence[str], targets: NDArray[np.int64], meanings: Mapping[str, str]
) -> NDArray[np.int64]:
    """The groups that the targets of a data set mean.

    Args:
        labels: Of the data set.
        targets: int64, (N,), positions in `labels`.
        meanings: From a label of the data set to one of `GROUP_NAMES`.

    Returns:
        int64, (N,), positions in `GROUPS`.

    Raises:
        DataError: The data set has a label that is not in `meanings`.
    """
    strange = [label for label in labels if label not in meanings]
    if strange:
        raise DataError(
            f"the data set has the class {strange[0]!r}, which wardrobe does not know",
            f"it knows: {', '.join(meanings)}",
        )
    table = np.array([GROUP_NAMES.index(meanings[label]) for label in labels], np.int64)
    return table[targets]


def wardrobe_for(labels: Sequence[str], dataset: Dataset) -> Dataset:
    """The data set `wardrobe` for a model of Fashion-MNIST: its classes, under its names, and shoes.

    Args:
        labels: Of the model; with others than those of Fashion-MNIST the data set stays as it is.
        dataset: Any; others than `wardrobe` stay as they are.
    """
    if dataset.name != WARDROBE or set(labels) != set(FASHION_MNIST_GROUPS):
        return dataset
    named = {meaning: name for name, meaning in FASHION_MNIST_GROUPS.items()} | {"shoes": "shoes"}
    new = (*FASHION_MNIST_GROUPS, "shoes")
    table = np.array([new.index(named[g]) if g in named else -1 for g in GROUP_NAMES], np.int64)
    splits = {}
    for name, split in dataset.splits.items():
        targets = table[split.targets]
        known = np.flatnonzero(targets >= 0)
        splits[name] = JoinedSplit(name, new, [targets[known]], [split.subset(known)])
    return Dataset(dataset.name, new, splits)


def join_wardrobe(photos: Dataset, fashion: Dataset) -> Dataset:
    """Both as one data set with the labels `GROUP_NAMES`.

    The photos have no test split of their own: their validation split is part of the test split here, and
    Fashion-MNIST alone makes the validation split.

    Raises:
        DataError: One of them has other classes, or no validation split.
    """

    def joined(name: str, *parts: tuple[Split, Mapping[str, str]]) -> Split:
        groups = [groups_of(part.labels, part.targets, meanings) for part, meanings in parts]
        return JoinedSplit(name, GROUP_NAMES, groups, [part for part, _ in parts])

    grey, coloured = FASHION_MNIST_GROUPS, GARMENT_PHOTOS_GROUPS
    kept = photos.split(VALIDATION)
    splits = (
        joined(TRAIN, (photos.split(TRAIN), coloured), (fashion.split(TRAIN), grey)),
        joined(VALIDATION, (fashion.split(VALIDATION), grey)),
        joined(TEST, (kept, coloured), (fashion.split(TEST), grey)),
    )
    return Dataset(WARDROBE, GROUP_NAMES, {split.name: split for split in splits})
