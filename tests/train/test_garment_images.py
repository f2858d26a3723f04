from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.card import InputSpec
from hemline.datasets import FASHION_MNIST_LABELS
from hemline.datasets.drawn import open_drawn
from hemline.errors import DataError
from hemline_train.drawn_garments import photo_like
from hemline_train.garment_images import GROUP_NAMES, GarmentImages, load_garment_images
from hemline_train.images import Images
from hemline_train.wardrobe import Photos

SPEC = InputSpec((28, 28), "gray", "pad", "garment")


@pytest.fixture(scope="module")
def stored() -> Images:
    split = open_drawn().split("train").subset(range(200))
    return Images(split.tensors(SPEC), np.asarray(split.targets, np.int64))


@pytest.fixture(scope="module")
def photos() -> Photos:
    rng = np.random.default_rng(4)
    pictures = tuple(photo_like(label, rng, (120, 90)) for label in ("Dress", "Coat", "Trouser"))
    names = ("a", "b", "c")
    return Photos(pictures, np.array([3, 4, 1], np.int64), (None, None, None), names)


def test_the_share_of_the_images_that_was_asked_for_is_worn_and_others_in_each_epoch(
    stored: Images,
) -> None:
    images = GarmentImages(stored, None, SPEC, 0.3, seed=1)
    changed = []
    for epoch in (1, 2):
        of_epoch = images.of_epoch(epoch)
        assert np.array_equal(of_epoch.targets, stored.targets)
        changed.append((of_epoch.pixels != stored.pixels).any(axis=(1, 2, 3)))
        assert 0.18 < changed[-1].mean() < 0.42
    assert not np.array_equal(*changed)


def test_an_epoch_is_the_same_whatever_was_asked_for_before(stored: Images, photos: Photos) -> None:
    first = GarmentImages(stored, photos, SPEC, 0.3, seed=1)
    first.of_epoch(1)
    second = GarmentImages(stored, photos, SPEC, 0.3, seed=1)
    assert np.array_equal(first.of_epoch(5).pixels, second.of_epoch(5).pixels)


def test_photos_are_seen_twice_an_epoch_and_never_alike(stored: Images, photos: Photos) -> None:
    images = GarmentImages(stored, photos, SPEC, 0.0, seed=1)
    of_epoch = images.of_epoch(1)
    assert len(of_epoch) == len(images) == 200 + 6
    assert of_epoch.targets[200:].tolist() == [3, 4, 1, 3, 4, 1]
    assert not np.array_equal(of_epoch.pixels[200:203], of_epoch.pixels[203:])


def test_validation_images_can_be_trained_on_too(stored: Images, photos: Photos) -> None:
    images = GarmentImages(stored, photos, SPEC, 0.0, seed=1)
    assert len(images.joined(stored).of_epoch(1)) == 406


def test_figures_are_kept_apart_for_both_sources_and_shoes_are_any_of_three(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(6)
    drawn = {"dress": "Dress", "longsleeve": "Pullover", "shoes": "Sneaker", "hat": "Bag"}
    for split, count in (("train", 7), ("validation", 2)):
        for label, garment in drawn.items():
            folder = tmp_path / "garment-photos" / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                cv2.imwrite(str(folder / f"{number}.png"), photo_like(garment, rng, (90, 120)))
    monkeypatch.setenv("HEMLINE_DATA", str(tmp_path))
    monkeypatch.setattr("hemline_train.garment_images.FASHION_MNIST", "drawn")
    images = load_garment_images("wardrobe", SPEC, 0.3, seed=1)
    assert images.labels == FASHION_MNIST_LABELS
    assert set(images.splits) == {"validation", "test", "validation, photos", "test, photos"}
    kept = images.splits["test, photos"]
    named = [GROUP_NAMES[target] for target in kept.targets]
    assert named == ["Dress"] * 2 + ["Pullover"] * 2 + ["shoes"] * 2  # no hats
    assert images.groups is not None
    shoes = images.groups[GROUP_NAMES.index("shoes")]
    assert [FASHION_MNIST_LABELS[i] for i in np.flatnonzero(shoes)] == [
        "Sandal",
        "Sneaker",
        "Ankle boot",
    ]


def test_other_classes_are_refused(shapes: Path) -> None:
    with pytest.raises(DataError, match="flat bar"):
        load_garment_images(str(shapes), SPEC, 0.3, seed=1)
