from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.datasets import open_dataset
from hemline.errors import DataError
from hemline_train.wardrobe.foreground import bounds, garment_mask, without_garment
from hemline_train.wardrobe.photos import Photos, choosing_split, read_photos


def test_a_garment_is_told_from_its_ground() -> None:
    photo = np.full((120, 90, 3), (200, 210, 220), np.uint8)
    cv2.rectangle(photo, (25, 30), (64, 99), (120, 40, 30), -1)
    mask = garment_mask(photo)
    assert mask is not None
    assert (mask.shape, mask.dtype) == ((120, 90), np.uint8)
    assert bounds(mask) == pytest.approx((25 / 90, 30 / 120, 65 / 90, 100 / 120), abs=0.04)
    assert np.array_equal(mask, garment_mask(photo))


def test_a_photo_of_one_colour_has_no_mask() -> None:
    assert garment_mask(np.full((64, 48, 3), 90, np.uint8)) is None


def test_a_ground_shows_nothing_of_the_garment() -> None:
    photo = np.full((120, 90, 3), (200, 210, 220), np.uint8)
    mask = np.zeros((120, 90), np.uint8)
    photo[30:100, 25:65] = (120, 40, 30)
    mask[30:100, 25:65] = 255
    ground = without_garment(photo, mask)
    assert ground is not None
    assert ground.shape == photo.shape
    assert (ground == (200, 210, 220)).all()


def test_a_garment_that_fills_the_photo_leaves_no_ground() -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[5:95, 5:95] = 255
    assert without_garment(np.zeros((100, 100, 3), np.uint8), mask) is None


@pytest.mark.parametrize("threads", [1, 3])
def test_photos_are_shrunk_and_keep_order_and_aspect(tmp_path: Path, threads: int) -> None:
    rng = np.random.default_rng(1)
    for label in ("dress", "hat"):
        for number in range(5):
            path = tmp_path / "train" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            shape = (200, 150, 3) if number % 2 else (60, 90, 3)
            cv2.imwrite(str(path), rng.integers(0, 256, shape, dtype=np.uint8))
    split = open_dataset(tmp_path).split("train")
    photos = read_photos(split, split.targets, 100, threads)
    assert [p.shape for p in photos.pictures[:2]] == [
        (100, 75, 3) if split.frame(i).shape[0] == 200 else (60, 90, 3) for i in range(2)
    ]
    assert photos.sources == tuple(split.source(i) for i in range(len(split)))


def test_all_photos_that_cannot_be_read_are_told_at_once(tmp_path: Path) -> None:
    for split_name in ("train", "validation"):
        for name in ("dress/a.png", "dress/b.png", "hat/c.png"):
            path = tmp_path / split_name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.full((20, 20, 3), 9 * len(split_name) + ord(path.stem), np.uint8)
            cv2.imwrite(str(path), pixels)
    split = open_dataset(tmp_path).split("train")
    for name in ("dress/b.png", "hat/c.png"):
        (tmp_path / "train" / name).write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"2 of 3 pictures of the train split .*b\.png.*c\.png"):
        read_photos(split, split.targets, 100, 2)


def test_every_class_is_chosen_from_and_nothing_is_on_both_sides(photos: Photos) -> None:
    train, chosen = choosing_split(photos)
    assert sorted([*train, *chosen]) == list(range(len(photos)))
    assert set(photos.groups[chosen]) == set(photos.groups)
    again = choosing_split(photos)
    assert np.array_equal(train, again[0])
    assert np.array_equal(chosen, again[1])


def test_a_series_of_nearly_equal_photos_stays_on_one_side() -> None:
    rng = np.random.default_rng(2)
    scenes = rng.integers(0, 256, (30, 16, 12, 3), dtype=np.uint8)
    pictures = []
    for scene in scenes:  # each taken twice, the second a little brighter
        pictures += [scene, np.clip(scene.astype(int) + 6, 0, 255).astype(np.uint8)]
    count = len(pictures)
    masks: tuple[None, ...] = (None,) * count
    sources = tuple(f"{i}.jpg" for i in range(count))
    photos = Photos(tuple(pictures), np.zeros(count, np.int64), masks, sources)
    _, chosen = choosing_split(photos)
    assert len(chosen) == 8  # 15 % of 60 are 9, and series are of two
    assert {i ^ 1 for i in chosen.tolist()} == set(chosen.tolist())


def test_a_subset_has_what_belongs_to_its_photos(photos: Photos) -> None:
    part = photos.subset(np.array([4, 2], np.int64))
    assert part.pictures[0] is photos.pictures[4]
    assert part.sources == (photos.sources[4], photos.sources[2])
    assert part.groups.tolist() == photos.groups[[4, 2]].tolist()
    assert len(replace(part)) == 2
