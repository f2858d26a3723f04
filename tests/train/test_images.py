from __future__ import annotations

import shutil
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.card import InputSpec
from hemline.errors import DataError
from hemline_train.images import Images, Prefetch, check_targets, load_images

SPEC = InputSpec((28, 28), "gray", "pad", "light-on-dark")
LABELS = ("a", "b")


def targets(train: list[int], validation: list[int]) -> dict[str, np.ndarray]:
    return {"train": np.array(train, np.int64), "validation": np.array(validation, np.int64)}


class Numbered:
    """An epoch's images are full of its number; one of them cannot be made."""

    def __init__(self) -> None:
        self.made: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return 1

    def joined(self, others: Images) -> Numbered:
        raise NotImplementedError

    def of_epoch(self, epoch: int) -> Images:
        self.made.append((epoch, threading.current_thread().name))
        if epoch == 4:
            raise DataError("a photo is gone", "bring it back")
        return Images(np.full((1, 1, 1, 1), epoch, np.uint8), np.zeros(1, np.int64))


def test_each_epoch_gets_its_own_images_and_they_are_made_behind_the_one_before() -> None:
    images = Numbered()
    prefetch = Prefetch(images, last=7)
    assert [prefetch.of_epoch(epoch).pixels.item() for epoch in (1, 2, 3)] == [1, 2, 3]
    with pytest.raises(DataError, match="a photo is gone"):
        prefetch.of_epoch(4)
    assert prefetch.of_epoch(7).pixels.item() == 7  # as after another resumption
    epochs, threads = zip(*images.made, strict=True)
    assert epochs == (1, 2, 3, 4, 7)  # and none behind the last
    assert [name == "MainThread" for name in threads] == [True, False, False, False, True]


def test_all_splits_are_read_through_the_one_preprocessing(shapes: Path) -> None:
    images = load_images(str(shapes), SPEC, 16)
    assert images.name == "shapes"
    assert images.labels == ("blob", "flat bar", "tall bar")
    assert {name: len(split) for name, split in images.splits.items()} == {
        "train": 72,
        "validation": 24,
        "test": 24,
    }
    pixels = images.splits["train"].pixels
    assert pixels.shape == (72, 28, 28, 1)
    assert pixels.dtype == np.uint8
    assert images.evaluation_split == "test"


def test_without_a_test_split_of_its_own_the_evaluated_split_is_told(
    shapes: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "no-test"
    shutil.copytree(shapes, folder, ignore=shutil.ignore_patterns("test"))
    images = load_images(str(folder), SPEC, 16)
    assert images.evaluation_split in images.splits
    assert ("test" in images.splits) == (images.evaluation_split == "test")


def test_the_fingerprint_sees_one_changed_pixel(shapes: Path, tmp_path: Path) -> None:
    before = load_images(str(shapes), SPEC, 16)
    folder = tmp_path / "shapes"
    shutil.copytree(shapes, folder)
    assert load_images(str(folder), SPEC, 16).sha256 == before.sha256
    path = folder / "test" / "blob" / "0.png"
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    pixels[14, 14] ^= 1
    cv2.imwrite(str(path), pixels)
    assert load_images(str(folder), SPEC, 16).sha256 != before.sha256


@pytest.mark.parametrize(
    ("labels", "given", "batch_size", "said"),
    [
        (("a",), targets([0], [0]), 1, "has 1 class"),
        (LABELS, targets([0, 0], [1]), 1, "no training image of: b"),
        (LABELS, targets([0, 1], [1]), 3, "2 training images, fewer than one batch of 3"),
        (LABELS, targets([0, 1], []), 2, "no image in its validation split"),
    ],
)
def test_data_that_no_classifier_can_be_trained_on_is_refused(
    labels: tuple[str, ...], given: dict[str, np.ndarray], batch_size: int, said: str
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        check_targets("the data", labels, given, batch_size)
    assert caught.value.hint


def test_a_folder_that_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data set"):
        load_images(str(tmp_path / "nothing"), SPEC, 16)
