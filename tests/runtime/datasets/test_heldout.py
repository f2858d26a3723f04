"""The held-out rule."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from hemline.datasets.arrays import ArraySplit
from hemline.datasets.heldout import held_out, with_missing_splits
from hemline.errors import DataError

LABELS = ("coat", "dress", "shirt")


def digests_of(*names: str) -> list[bytes]:
    return [hashlib.sha256(name.encode()).digest() for name in names]


def split(count: int, name: str = "train", seed: int = 0) -> ArraySplit:
    images = np.random.default_rng(seed).integers(0, 256, (count, 8, 8), np.uint8)
    return ArraySplit(name, LABELS, images, np.arange(count) % 3, f"data/{name}")


def sources(split: ArraySplit) -> set[str]:
    return {split.source(i) for i in range(len(split))}


def test_the_first_fifth_of_each_class_by_hash_is_held_out():
    digests = digests_of(*(str(i) for i in range(100)))
    targets = np.arange(100) % 4
    held = held_out(digests, targets)
    for target in range(4):
        of_class = sorted(np.flatnonzero(targets == target), key=lambda i: digests[i])
        assert held[of_class].tolist() == [True] * 5 + [False] * 20


def test_the_order_of_the_pictures_does_not_matter():
    digests = digests_of(*(str(i % 60) for i in range(100)))
    targets = np.arange(100) % 3
    order = np.random.default_rng(1).permutation(100)
    held = held_out(digests, targets)
    assert held_out([digests[i] for i in order], targets[order]).tolist() == held[order].tolist()


def test_equal_pictures_stay_together_within_a_class_and_across_classes():
    names = [str(i % 30) for i in range(100)]  # each picture three times or more, in many classes
    held = held_out(digests_of(*names), np.arange(100) % 7)
    sides = {
        name: {bool(h) for n, h in zip(names, held, strict=True) if n == name} for name in names
    }
    assert all(len(side) == 1 for side in sides.values())
    assert held.any()
    assert not held.all()


def test_copies_do_not_count_twice():
    names = [str(i) for i in range(10)]
    once = held_out(digests_of(*names), np.zeros(10, np.int64))
    with_copies = held_out(digests_of(*names, *["0"] * 90), np.zeros(100, np.int64))
    assert once.sum() == 2
    assert with_copies[:10].tolist() == once.tolist()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # no splits: a fifth for testing, then a fifth of the rest
        ({"train": 300}, {"train": 192, "validation": 48, "test": 60}),
        # as Fashion-MNIST: only validation is cut
        ({"train": 300, "test": 30}, {"train": 240, "validation": 60, "test": 30}),
        # no test split: its makers keep it elsewhere
        ({"train": 300, "validation": 30}, {"train": 300, "validation": 30}),
        # all there
        (
            {"test": 9, "validation": 6, "train": 300},
            {"train": 300, "validation": 6, "test": 9},
        ),
        # three pictures a class: one for each split
        ({"train": 9}, {"train": 3, "validation": 3, "test": 3}),
    ],
)
def test_missing_splits_are_cut_from_the_training_pictures(given, expected):
    splits = with_missing_splits({name: split(n, name) for name, n in given.items()}, "data")
    assert {name: len(part) for name, part in splits.items()} == expected
    assert list(splits) == list(expected)
    assert all(name == part.name for name, part in splits.items())
    assert len(set().union(*map(sources, splits.values()))) == sum(expected.values())


def test_a_class_too_small_to_divide_is_named():
    images = np.arange(8, dtype=np.uint8).reshape(8, 1, 1)
    targets = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    small = ArraySplit("train", LABELS, images, targets, "data/train")
    with pytest.raises(DataError, match=r"photos: the class 'shirt' .* 2 different pictures"):
        with_missing_splits({"train": small}, "photos")
    # With a test split of its own, two are enough.
    splits = with_missing_splits({"train": small, "test": small}, "photos")
    assert len(splits["validation"]) == 3


def test_the_same_picture_many_times_is_too_small_to_divide():
    images = np.zeros((9, 4, 4), np.uint8)
    images[:6] = np.arange(6, dtype=np.uint8)[:, None, None]
    same = ArraySplit("train", ("a", "b"), images, np.array([0] * 6 + [1] * 3), "data/train")
    with pytest.raises(DataError, match=r"the class 'b' .* 0 different pictures"):
        with_missing_splits({"train": same}, "photos")
