from __future__ import annotations

import numpy as np
import pytest

from hemline.datasets import FASHION_MNIST_LABELS
from hemline.datasets.wardrobe import (
    FASHION_MNIST_GROUPS,
    GARMENT_PHOTOS_GROUPS,
    GROUP_NAMES,
    SHOES,
    WARDROBE_LABELS,
    groups_of,
)
from hemline.errors import DataError
from hemline_train.wardrobe.classes import group_matrix


def test_there_are_thirteen_classes_and_the_first_ten_are_those_of_fashion_mnist_in_its_order() -> (
    None
):
    assert len(WARDROBE_LABELS) == len(set(WARDROBE_LABELS)) == 13
    assert (
        tuple(FASHION_MNIST_GROUPS[label] for label in FASHION_MNIST_LABELS) == WARDROBE_LABELS[:10]
    )


def test_a_group_is_one_class_but_for_shoes_which_are_three() -> None:
    matrix = group_matrix()
    assert matrix.shape == (14, 13)
    assert np.array_equal(matrix[:13], np.eye(13, dtype=bool))
    assert [WARDROBE_LABELS[c] for c in np.flatnonzero(matrix[13])] == list(SHOES)


def test_every_class_is_taught_by_one_of_the_two_sources() -> None:
    meant = {*FASHION_MNIST_GROUPS.values(), *GARMENT_PHOTOS_GROUPS.values()}
    assert meant == set(GROUP_NAMES)


def test_targets_become_groups() -> None:
    targets = np.array([2, 0, 1], np.int64)
    groups = groups_of(("hat", "pants", "shoes"), targets, GARMENT_PHOTOS_GROUPS)
    assert [GROUP_NAMES[group] for group in groups] == ["shoes", "hat", "trousers"]
    assert groups.dtype == np.int64


def test_a_label_without_a_meaning_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"'socks'.*\n?.*outwear"):
        groups_of(("hat", "socks"), np.zeros(2, np.int64), GARMENT_PHOTOS_GROUPS)
