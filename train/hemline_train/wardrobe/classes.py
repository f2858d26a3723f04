"""The thirteen classes of `wardrobe`, and what the labels of its two sources say about them.

A label of a data set means a *group* of classes: one class, or several where the label does not tell
which ("shoes" is a sandal, a sneaker or an ankle boot). A picture is named rightly if any class of
its group is named, and it is trained towards the sum of the probabilities of its group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hemline.errors import DataError

# The first ten are those of Fashion-MNIST, in its order.
LABELS = (
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
GROUPS: tuple[tuple[str, ...], ...] = (*((label,) for label in LABELS), SHOES)
GROUP_NAMES = (*LABELS, "shoes")

NOTHING = -1  # the group of a picture without a garment: no class is right

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


def group_matrix() -> NDArray[np.bool_]:
    """Which class belongs to which group: bool, (groups, classes)."""
    return np.array([[label in group for label in LABELS] for group in GROUPS])


def one_class_groups(classes: int) -> NDArray[np.bool_]:
    """The groups of a data set whose labels are the classes themselves: the identity."""
    return np.eye(classes, dtype=np.bool_)


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
            f"it knows: {', '.join(meanings)}; train on classes of your own with another --arch",
        )
    table = np.array([GROUP_NAMES.index(meanings[label]) for label in labels], np.int64)
    return table[targets]
