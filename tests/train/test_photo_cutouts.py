from __future__ import annotations

import numpy as np
import pytest

from hemline.card import InputSpec
from hemline.errors import DataError
from hemline.preprocess import Preprocessor
from hemline_train.drawn_garments import photo_like
from hemline_train.photo_cutouts import photo_cutouts

GARMENT = InputSpec((28, 28), "gray", "pad", "garment")


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    sizes = ((240, 320), (320, 240), (150, 150))
    return [
        photo_like(label, rng, size) for label in ("Dress", "Coat", "Trouser") for size in sizes
    ]


def test_the_same_seed_gives_the_same_cut_outs_and_each_look_is_another(photos):
    first = photo_cutouts(photos, GARMENT, np.random.default_rng(0))
    assert first.shape == (len(photos), 28, 28, 1)
    assert first.dtype == np.uint8
    assert np.array_equal(first, photo_cutouts(photos, GARMENT, np.random.default_rng(0)))
    other = photo_cutouts(photos, GARMENT, np.random.default_rng(1))
    for before, after in zip(first, other, strict=True):
        assert not np.array_equal(before, after)


def test_what_is_seen_is_still_the_garment(photos):
    preprocess = Preprocessor(GARMENT)
    plain = [preprocess(photo)[0, :, :, 0] > 0 for photo in photos]
    looks = [photo_cutouts(photos, GARMENT, np.random.default_rng(seed)) > 0 for seed in range(8)]
    overlaps = [
        max(
            (shape & s).sum() / (shape | s).sum()
            for s in (look[row, :, :, 0], look[row, :, ::-1, 0])
        )
        for look in looks
        for row, shape in enumerate(plain)
    ]
    assert np.median(overlaps) >= 0.6


def test_the_photos_are_not_changed(photos):
    before = [photo.copy() for photo in photos]
    photo_cutouts(photos, GARMENT, np.random.default_rng(0))
    assert all(np.array_equal(a, b) for a, b in zip(before, photos, strict=True))


def test_another_rule_is_refused(photos):
    spec = InputSpec((28, 28), "gray", "pad", "light-on-dark")
    with pytest.raises(DataError, match="garment"):
        photo_cutouts(photos, spec, np.random.default_rng(0))
