from __future__ import annotations

import time

import numpy as np
import pytest

from hemline.errors import DataError
from hemline_train.cutout_augmentation import WornSettings, worn
from hemline_train.drawn_garments import drawn_data_set

NOTHING = WornSettings(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return drawn_data_set(6, np.random.default_rng(5))[0][..., None]


def worn_with(images, seed=0, **shares):
    return worn(images, np.random.default_rng(seed), WornSettings(**shares) if shares else None)


def test_the_same_images_and_seed_give_the_same_result_and_others_another(images):
    before = images.copy()
    first = worn_with(images, 3)
    assert first.dtype == np.uint8
    assert first.shape == images.shape
    assert np.array_equal(first, worn_with(images, 3))
    assert not np.array_equal(first, worn_with(images, 4))
    assert np.array_equal(images, before)


def test_every_garment_changes_and_none_vanishes(images):
    result = worn_with(images)
    for before, after in zip(images, result, strict=True):
        assert not np.array_equal(before, after)
        assert (after > 0).sum() >= 0.2 * (before > 0).sum()


def test_the_long_side_fills_the_frame_and_the_garment_lies_in_the_middle(images):
    for image in worn_with(images)[..., 0]:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        spans = (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)
        assert max(spans) >= 26
        assert abs((rows[0] + rows[-1]) / 2 - 13.5) <= 1.5
        assert abs((columns[0] + columns[-1]) / 2 - 13.5) <= 1.5


def test_a_black_image_stays_black():
    assert not worn_with(np.zeros((3, 28, 28, 1), np.uint8)).any()


def test_other_sizes_are_taken(images):
    large = np.kron(images[:4], np.ones((1, 2, 1, 1), np.uint8))
    assert worn_with(large).shape == (4, 56, 28, 1)


@pytest.mark.parametrize(
    ("share", "is_so"),
    [
        # Patches of ground and filled gaps can only make it cover more of the frame's box.
        ("gap_share", lambda plain, changed: covers(changed) > covers(plain)),
        ("ground_share", lambda plain, changed: covers(changed) != covers(plain)),
        ("hole_share", lambda plain, changed: covers(changed) < covers(plain)),
        ("loss_share", lambda plain, changed: covers(changed) != covers(plain)),
        ("print_share", lambda plain, changed: unrest(changed) > unrest(plain)),
        ("blur_share", lambda plain, changed: unrest(changed) < unrest(plain)),
    ],
)
def test_each_share_does_what_it_says(images, share, is_so):
    none = dict.fromkeys(WornSettings.__dataclass_fields__, 0.0)
    assert is_so(worn_with(images, **none), worn_with(images, **(none | {share: 1.0})))


def covers(images: np.ndarray) -> float:
    return float((images > 0).mean())


def unrest(images: np.ndarray) -> float:
    """Mean difference of neighbours inside garments."""
    pixels = images[..., 0].astype(int)
    both = (pixels[:, 1:] > 0) & (pixels[:, :-1] > 0)
    return float(np.abs(np.diff(pixels, axis=1))[both].mean())


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 28, 28), np.uint8),  # no channel
        np.zeros((2, 28, 28, 3), np.uint8),  # colour
        np.zeros((2, 28, 28, 1), np.float32),  # 0–1 or 0–255?
    ],
)
def test_what_are_no_grey_images_is_refused(images):
    with pytest.raises(DataError, match="uint8"):
        worn_with(images)


@pytest.mark.slow
def test_an_epoch_of_fashion_mnist_takes_seconds(images):
    many = np.tile(images, (60_000 // len(images), 1, 1, 1))
    start = time.process_time()
    worn_with(many)
    assert time.process_time() - start < 30  # 11 s, and tests may run on slow machines
