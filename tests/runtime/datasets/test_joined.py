from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest

from hemline.card import InputSpec
from hemline.datasets.arrays import ArraySplit
from hemline.datasets.joined import JoinedSplit

FIRST = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)
SECOND = np.arange(10, 12, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)


@pytest.fixture
def joined() -> JoinedSplit:
    first = ArraySplit("train", ("a", "b"), FIRST, np.array([0, 1, 0]), "first")
    second = ArraySplit("train", ("c",), SECOND, np.array([0, 0]), "second")
    targets = [np.array([0, 1, 0]), np.array([2, 2])]
    return JoinedSplit("train", ("a", "b", "c"), targets, [first, second])


def levels(split: JoinedSplit) -> list[int]:
    return [int(split.frame(i)[0, 0]) for i in range(len(split))]


def test_parts_lie_one_behind_the_other_under_the_labels_of_the_whole(joined: JoinedSplit) -> None:
    assert levels(joined) == [0, 1, 2, 10, 11]
    assert [joined.labels[target] for target in joined.targets] == ["a", "b", "a", "c", "c"]
    assert [joined.source(i) for i in (0, 2, 3)] == ["first/0", "first/2", "second/0"]


def test_digests_and_files_are_those_of_the_parts(joined: JoinedSplit) -> None:
    assert joined.digests()[3] == hashlib.sha256(SECOND[0].tobytes()).digest()
    encoded = np.frombuffer(joined.encoded(4), np.uint8)
    assert np.array_equal(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), SECOND[1])


def test_a_subset_takes_from_all_parts_in_the_order_asked_for(joined: JoinedSplit) -> None:
    subset = joined.subset([4, 0, 3], "chosen")
    assert isinstance(subset, JoinedSplit)
    assert (subset.name, levels(subset)) == ("chosen", [11, 0, 10])
    assert subset.targets.tolist() == [2, 0, 2]


def test_tensors_are_made_by_the_one_preprocessing(joined: JoinedSplit) -> None:
    tensors = joined.tensors(InputSpec((4, 4), "gray"))
    assert tensors.shape == (5, 4, 4, 1)
    assert tensors[:, 0, 0, 0].tolist() == [0, 1, 2, 10, 11]


def test_a_picture_behind_the_last_is_no_picture(joined: JoinedSplit) -> None:
    with pytest.raises(IndexError):
        joined.frame(5)
