from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.datasets import FASHION_MNIST_LABELS, Dataset, open_dataset
from hemline.datasets.arrays import ArraySplit
from hemline.datasets.wardrobe import (
    GARMENT_PHOTOS_GROUPS,
    GROUP_NAMES,
    join_wardrobe,
    wardrobe_for,
)
from hemline.errors import DataError


def photos(folder: Path, labels: Sequence[str], splits: Sequence[str]) -> Dataset:
    chance = np.random.default_rng(0)
    for split in splits:
        for label in labels:
            (folder / split / label).mkdir(parents=True)
            for number in range(2):
                pixels = chance.integers(0, 256, (12, 9, 3), dtype=np.uint8)
                cv2.imwrite(str(folder / split / label / f"{number}.png"), pixels)
    return open_dataset(folder)


@pytest.fixture
def fashion() -> Dataset:
    chance = np.random.default_rng(1)
    splits = {}
    for name in ("train", "validation", "test"):
        images = chance.integers(0, 256, (20, 28, 28), dtype=np.uint8)
        targets = np.arange(20) % 10
        splits[name] = ArraySplit(name, FASHION_MNIST_LABELS, images, targets, f"fashion/{name}")
    return Dataset("fashion-mnist", FASHION_MNIST_LABELS, splits)


def test_both_have_one_set_of_labels_and_shoes_are_no_class_of_the_model(
    tmp_path: Path, fashion: Dataset
) -> None:
    shown = photos(tmp_path / "photos", ("pants", "shoes"), ("train", "validation"))
    joined = join_wardrobe(shown, fashion)
    train = joined.split("train")
    named = [GROUP_NAMES[target] for target in train.targets]
    assert named[:4] == ["trousers", "trousers", "shoes", "shoes"]
    assert named[4:7] == ["t-shirt", "trousers", "pullover"]
    assert train.frame(0).shape == (12, 9, 3)
    assert train.frame(4).shape == (28, 28)


def test_the_photos_that_are_kept_for_the_end_are_in_the_test_split_alone(
    tmp_path: Path, fashion: Dataset
) -> None:
    shown = photos(tmp_path / "photos", ("pants", "hat"), ("train", "validation"))
    joined = join_wardrobe(shown, fashion)
    assert {name: len(split) for name, split in joined.splits.items()} == {
        "train": 4 + 20,
        "validation": 20,
        "test": 4 + 20,
    }
    kept = set(shown.split("validation").digests())
    assert kept <= set(joined.split("test").digests())
    assert not kept & set(joined.split("train").digests())


def test_a_model_of_fashion_mnist_has_its_own_names_for_it_and_no_hats(
    tmp_path: Path, fashion: Dataset
) -> None:
    shown = photos(tmp_path / "photos", ("pants", "hat", "shoes"), ("train", "validation"))
    joined = join_wardrobe(shown, fashion)
    own = wardrobe_for(FASHION_MNIST_LABELS, joined)
    assert own.labels == (*FASHION_MNIST_LABELS, "shoes")
    train = own.split("train")
    named = [own.labels[target] for target in train.targets]
    assert named[:5] == ["Trouser", "Trouser", "shoes", "shoes", "T-shirt/top"]
    assert len(train) == 4 + 20
    pants = next(i for i, target in enumerate(joined.split("train").targets) if target == 1)
    assert np.array_equal(train.frame(0), joined.split("train").frame(pants))
    assert wardrobe_for(GROUP_NAMES[:13], joined) is joined
    assert wardrobe_for(FASHION_MNIST_LABELS, fashion) is fashion


def test_photos_of_other_classes_are_refused(tmp_path: Path, fashion: Dataset) -> None:
    shown = photos(tmp_path / "photos", ("pants", "socks"), ("train", "validation"))
    with pytest.raises(DataError, match="'socks'"):
        join_wardrobe(shown, fashion)


def test_it_is_opened_by_name_below_the_folder_of_data_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEMLINE_DATA", str(tmp_path))
    with pytest.raises(DataError, match="no data set 'garment-photos'") as caught:
        open_dataset("wardrobe", download=False)
    assert "clothing-dataset-small" in caught.value.hint
    photos(tmp_path / "garment-photos", tuple(GARMENT_PHOTOS_GROUPS), ("train", "validation"))
    with pytest.raises(DataError, match="Fashion-MNIST is not on this machine"):
        open_dataset("wardrobe", download=False)
