"""The groups of `wardrobe` as a matrix.

A label of a data set means a *group* of classes: one class, or several where the label does not tell
which ("shoes" is a sandal, a sneaker or an ankle boot). A picture is named rightly if any class of
its group is named, and it is trained towards the sum of the probabilities of its group.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemline.datasets.wardrobe import GROUPS, WARDROBE_LABELS


def group_matrix() -> NDArray[np.bool_]:
    """Which class belongs to which group: bool, (groups, classes)."""
    return np.array([[label in group for label in WARDROBE_LABELS] for group in GROUPS])
