from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from hemline.card import InputSpec
from hemline.datasets.wardrobe import WARDROBE_LABELS
from hemline.preprocess import Preprocessor
from hemline_train.images import NOTHING
from hemline_train.wardrobe import EpochPictures, Mix, Photos

SPEC = InputSpec((32, 32))
SMALL = Mix(pictures=160)
Fashion = tuple[NDArray[np.uint8], NDArray[np.int64]]


@pytest.fixture(scope="module")
def made(photos: Photos, fashion: Fashion) -> EpochPictures:
    return EpochPictures(SPEC, photos, 7, fashion, SMALL)


def test_an_epoch_has_the_mix_that_was_asked_for(made: EpochPictures) -> None:
    pixels, groups = made(0)
    assert (pixels.shape, pixels.dtype) == ((160, 32, 32, 3), np.uint8)
    assert (groups.shape, groups.dtype) == ((160,), np.int64)
    assert (groups == NOTHING).sum() == int(160 * SMALL.nothing)
    assert groups.max() < len(WARDROBE_LABELS)  # the drawn photos show no group of several classes


def test_the_same_seed_and_epoch_give_the_same_pictures_whatever_was_made_before(
    made: EpochPictures, photos: Photos, fashion: Fashion
) -> None:
    made(1)
    pixels, groups = made(3)
    again = EpochPictures(SPEC, photos, 7, fashion, SMALL)(3)
    assert np.array_equal(pixels, again[0])
    assert np.array_equal(groups, again[1])


def test_another_epoch_has_other_pictures(made: EpochPictures) -> None:
    assert not np.array_equal(made(1)[0], made(2)[0])


def test_another_seed_has_other_pictures(
    made: EpochPictures, photos: Photos, fashion: Fashion
) -> None:
    assert not np.array_equal(made(1)[0], EpochPictures(SPEC, photos, 8, fashion, SMALL)(1)[0])


def test_fashion_mnist_looks_as_the_runtime_shows_it(photos: Photos, fashion: Fashion) -> None:
    """Most are only shifted or mirrored, so that some are the runtime's very pixels."""
    only = Mix(pictures=600, photos=0, fashion=1, cutouts=0, nothing=0)
    pixels, _ = EpochPictures(SPEC, photos, 1, fashion, only)(0)
    preprocess = Preprocessor(SPEC)
    as_seen = {preprocess(image)[0].tobytes() for image in fashion[0]}
    assert sum(picture.tobytes() in as_seen for picture in pixels) >= 3
    assert (pixels[..., 0] == pixels[..., 2]).all()


def test_a_photo_that_is_hardly_changed_is_still_the_same_picture(photos: Photos) -> None:
    only = Mix(pictures=40, photos=1, fashion=0, cutouts=0, nothing=0, exchange=0)
    one = photos.subset(np.array([0], np.int64))
    pixels, groups = EpochPictures(SPEC, one, 1, None, only)(0)
    assert set(groups) == {photos.groups[0]}
    seen = Preprocessor(SPEC)(photos.pictures[0])[0]
    differences = np.abs(pixels.astype(int) - seen).mean(axis=(1, 2, 3))
    assert np.median(differences) < 60  # two unrelated pictures are about 90 apart


def test_without_fashion_mnist_photos_and_nothing_share_the_epoch(photos: Photos) -> None:
    _, groups = EpochPictures(SPEC, photos, 1, None, SMALL)(0)
    share = SMALL.nothing / (SMALL.nothing + SMALL.photos)
    assert (groups == NOTHING).sum() == int(160 * share)
    assert set(groups) - {NOTHING} <= set(photos.groups)


def test_balance_draws_photos_of_small_classes_oftener(photos: Photos) -> None:
    few = photos.subset(np.array([0, 1, 2, 3], np.int64))  # three of one class, one of another
    counts = {}
    for balance in (0.0, 1.0):
        only = Mix(pictures=400, photos=1, fashion=0, cutouts=0, nothing=0, balance=balance)
        _, groups = EpochPictures(SPEC, few, 1, None, only)(0)
        counts[balance] = (groups == few.groups[3]).mean()
    assert counts[0.0] == pytest.approx(0.25, abs=0.08)
    assert counts[1.0] == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("resize", ["pad", "stretch", "crop"])
def test_the_input_follows_the_card(photos: Photos, fashion: Fashion, resize: str) -> None:
    spec = InputSpec((40, 24), "gray", resize)  # type: ignore[arg-type]
    pixels, _ = EpochPictures(spec, photos, 1, fashion, Mix(pictures=40))(0)
    assert pixels.shape == (40, 24, 40, 1)


def test_making_pictures_needs_no_tensorflow() -> None:
    code = "import sys, hemline_train.wardrobe; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
