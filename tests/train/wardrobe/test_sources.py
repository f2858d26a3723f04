from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.card import InputSpec
from hemline.datasets import open_dataset
from hemline.datasets.wardrobe import GROUP_NAMES
from hemline.errors import DataError
from hemline_train.drawn_garments import photo_like
from hemline_train.wardrobe import (
    Mix,
    Photos,
    measured,
    nothing_pictures,
    read_sources,
)
from hemline_train.wardrobe.nothing import KEPT_OUT, TRAINED

SPEC = InputSpec((32, 32))
DRAWN_AS = {"dress": "Dress", "longsleeve": "Pullover", "shoes": "Sneaker"}


@pytest.fixture(scope="module")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(6)
    for split, count in (("train", 7), ("validation", 2)):
        for label, garment in DRAWN_AS.items():
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                path = folder / split / label / f"{number}.png"
                cv2.imwrite(str(path), photo_like(garment, rng, (90, 120)))
    return folder


def test_photos_are_split_for_choosing_and_the_validation_photos_are_not_read(
    photo_folder: Path,
) -> None:
    sources = read_sources(SPEC, str(photo_folder), "drawn", threads=2)
    pixels, groups = sources.choosing
    assert len(sources.photos) + len(pixels) == 21  # of the training photos alone
    assert {GROUP_NAMES[group] for group in groups} <= {"dress", "pullover", "shoes"}
    assert all(source.startswith("train/") for source in sources.photos.sources)
    assert pixels.shape[1:] == (32, 32, 3)
    assert len(sources.fashion_choosing[0]) == len(open_dataset("drawn").split("validation"))


def test_an_epoch_can_be_made_of_what_was_read(photo_folder: Path) -> None:
    sources = read_sources(SPEC, str(photo_folder), "drawn")
    pixels, groups = sources.epochs(SPEC, 1, Mix(pictures=30))(0)
    assert len(pixels) == len(groups) == 30


def test_classes_that_wardrobe_does_not_know_are_refused(shapes: Path) -> None:
    with pytest.raises(DataError, match="blob"):
        read_sources(SPEC, str(shapes), "drawn")


def test_either_data_set_is_measured_with_its_own_meanings(photo_folder: Path) -> None:
    pixels, groups = measured(open_dataset(photo_folder).split("validation"), SPEC)
    assert (len(pixels), len(groups)) == (6, 6)
    assert {GROUP_NAMES[group] for group in groups} == {"dress", "pullover", "shoes"}
    _, groups = measured(open_dataset("drawn").split("test"), SPEC)
    assert set(groups) == set(range(10))


def test_frames_to_measure_with_come_again_and_differ_with_the_seed(photos: Photos) -> None:
    kinds = (TRAINED[0], *KEPT_OUT)
    first, again, other = (nothing_pictures(SPEC, kinds, 3, seed, photos) for seed in (1, 1, 2))
    assert tuple(first) == kinds
    for kind in kinds:
        assert first[kind].shape == (3, 32, 32, 3)
        assert np.array_equal(first[kind], again[kind])
        assert not np.array_equal(first[kind], other[kind])


@pytest.mark.slow
@pytest.mark.skipif("HEMLINE_DATA" not in os.environ, reason="needs the garment photos")
def test_the_garment_photos_are_split_evenly() -> None:
    sources = read_sources(InputSpec((64, 64)), threads=2)
    held = np.bincount(sources.choosing[1], minlength=14)
    trained = np.bincount(sources.photos.groups, minlength=14)
    shares = held[trained > 0] / (held + trained)[trained > 0]
    assert shares.min() > 0.12
    assert shares.max() < 0.17
    cut = sum(mask is not None for mask in sources.photos.masks) / len(sources.photos)
    assert cut > 0.8, "most garments can be told from their ground"
