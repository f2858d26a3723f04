"""Folders of pictures."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from hemline.card import InputSpec
from hemline.datasets import open_dataset
from hemline.errors import DataError, ImageError


@pytest.fixture
def photos(tmp_path: Path, write_pictures) -> Path:
    """Two classes of ten pictures, without splits."""
    folder = tmp_path / "photos"
    write_pictures(folder / "dress", 10)
    write_pictures(folder / "shirt", 10, suffix=".jpg")
    return folder


@pytest.fixture
def write_splits(tmp_path: Path, write_pictures):
    """A folder with the splits given, and two classes of ten in each."""

    def write(*names: str) -> Path:
        folder = tmp_path / "photos"
        for seed, name in enumerate(names):
            for label in ("shirt", "dress"):
                write_pictures(folder / name / label, 10, seed=seed)
        return folder

    return write


def sizes(folder: Path) -> dict[str, int]:
    return {name: len(part) for name, part in open_dataset(folder).splits.items()}


def sources(folder: Path, split: str) -> list[str]:
    part = open_dataset(folder).split(split)
    return [part.source(i) for i in range(len(part))]


def test_a_folder_with_classes_gets_its_splits_by_the_held_out_rule(photos):
    data = open_dataset(photos)
    assert data.name == "photos"
    assert data.labels == ("dress", "shirt")
    assert sizes(photos) == {"train": 14, "validation": 2, "test": 4}
    everything = sorted(s for name in data.splits for s in sources(photos, name))
    assert everything == sorted(p.relative_to(photos).as_posix() for p in photos.glob("*/*"))
    for name in data.splits:
        part = data.split(name)
        for i, target in enumerate(part.targets):
            assert part.source(i).startswith(data.labels[target])


def test_names_and_order_of_files_do_not_change_the_split(photos):
    before = open_dataset(photos).split("test")
    contents = {before.encoded(i) for i in range(len(before))}
    for path in photos.glob("*/*"):
        path.rename(path.with_name(f"{hash(path.read_bytes()) & 0xFFFFFF:x}{path.suffix}"))
    after = open_dataset(photos).split("test")
    assert {after.encoded(i) for i in range(len(after))} == contents


def test_copies_of_a_picture_stay_on_one_side(photos):
    for path in sorted(photos.glob("*/*")):
        shutil.copy(path, path.with_name(f"copy of {path.name}"))
    data = open_dataset(photos)
    contents = [
        {part.encoded(i) for i in range(len(part))} for part in map(data.split, data.splits)
    ]
    assert sum(map(len, contents)) == len(set().union(*contents)) == 20


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # complete
        (("train", "validation", "test"), {"train": 20, "validation": 20, "test": 20}),
        # other names of the same
        (("Train", "val", "TEST"), {"train": 20, "validation": 20, "test": 20}),
        (("train", "valid", "test"), {"train": 20, "validation": 20, "test": 20}),
        # no test split: stays so
        (("train", "validation"), {"train": 20, "validation": 20}),
        # no validation split: cut from train
        (("train", "test"), {"train": 16, "validation": 4, "test": 20}),
        # train alone: both are cut
        (("train",), {"train": 14, "validation": 2, "test": 4}),
    ],
)
def test_split_folders_above_the_classes_are_used(write_splits, names, expected):
    assert sizes(write_splits(*names)) == expected


def test_sources_are_paths_below_the_folder(write_splits):
    folder = write_splits("train", "val")
    assert sources(folder, "validation")[0] == "val/dress/000.png"
    assert sources(folder, "train")[-1] == "train/shirt/009.png"


def test_the_evaluation_split_is_test_or_else_validation(write_splits):
    folder = write_splits("train", "val")
    assert open_dataset(folder).evaluation_split().name == "validation"
    shutil.copytree(folder / "val", folder / "test")
    assert open_dataset(folder).evaluation_split().name == "test"


def test_a_split_that_is_not_there_is_refused_with_those_that_are(write_splits):
    data = open_dataset(write_splits("train", "val"))
    with pytest.raises(DataError) as caught:
        data.split("test")
    assert "it has: train, validation" in caught.value.hint


def test_a_train_among_vehicles_is_a_class(tmp_path, write_pictures):
    for label in ("bus", "car", "train"):
        write_pictures(tmp_path / "vehicles" / label, 5)
    assert open_dataset(tmp_path / "vehicles").labels == ("bus", "car", "train")


def test_frames_are_bgr_and_files_are_given_as_they_are(photos):
    split = open_dataset(photos).split("train")
    frame = split.frame(0)
    assert frame.dtype == np.uint8
    assert frame.shape[2] == 3
    assert split.encoded(0) == (photos / split.source(0)).read_bytes()


def test_pictures_of_all_sizes_become_one_tensor(photos):
    split = open_dataset(photos).split("train")
    tensors = split.tensors(InputSpec((32, 24), "rgb"))
    assert tensors.shape == (14, 24, 32, 3)
    assert (split.tensors(InputSpec((32, 24), "rgb"), [3]) == tensors[[3]]).all()


def test_subsets_keep_order_and_sources(photos):
    split = open_dataset(photos).split("train")
    subset = split.subset(np.array([5, 1]))
    assert [subset.source(i) for i in range(2)] == [split.source(5), split.source(1)]
    assert subset.targets.tolist() == split.targets[[5, 1]].tolist()
    assert "2 pictures" in repr(subset)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),  # a copy that failed
        (b"no picture at all", "dress"),  # text with the suffix of a picture
    ],
)
def test_a_bad_picture_is_named(photos, content, words):
    split = open_dataset(photos).split("train")
    bad = photos / split.source(0)
    bad.write_bytes(content)
    with pytest.raises(DataError) as caught:
        split.tensors(InputSpec((32, 24)))
    assert str(bad) in caught.value.problem
    assert words in caught.value.problem
    with pytest.raises(ImageError):
        split.frame(0)


def test_a_picture_that_vanished_meanwhile_is_named(photos):
    split = open_dataset(photos).split("train")
    (photos / split.source(2)).unlink()
    with pytest.raises(DataError, match=split.source(2)):
        split.tensors(InputSpec((32, 24)))
    with pytest.raises(DataError, match=split.source(2)):
        split.digests()


def test_what_is_no_picture_is_passed_over(photos):
    for name in (
        ".DS_Store",
        "Thumbs.db",
        "notes.txt",
        "boxes.json",
        "t.csv",
        "README.md",
        "LICENSE",
    ):
        (photos / name).write_bytes(b"x")
        (photos / "dress" / name).write_bytes(b"x")
    (photos / ".git").mkdir()
    (photos / "__MACOSX").mkdir()
    (photos / "dress" / "@eaDir").mkdir()
    (photos / "preview.png").write_bytes(b"a picture of no class")
    assert sum(sizes(photos).values()) == 20
    assert open_dataset(photos).labels == ("dress", "shirt")


@pytest.mark.parametrize("name", ["photo.heic", "clip.mp4", "drawing.svg", "more.zip", "nosuffix"])
def test_a_file_that_cannot_be_read_is_refused_rather_than_left_out(photos, name):
    (photos / "shirt" / name).write_bytes(b"x")
    with pytest.raises(DataError, match=name) as caught:
        open_dataset(photos)
    assert "JPEG" in caught.value.hint


def refused(folder: Path | str) -> DataError:
    with pytest.raises(DataError) as caught:
        open_dataset(folder)
    assert str(folder) in caught.value.problem
    assert caught.value.hint
    return caught.value


def test_pictures_without_class_folders_are_refused(tmp_path, write_pictures):
    write_pictures(tmp_path / "photos", 3)
    error = refused(tmp_path / "photos")
    assert "3 pictures, but no class folders" in error.problem
    assert "one sub-folder of pictures per class" in error.hint


def test_a_split_of_pictures_without_class_folders_is_refused(write_splits, write_pictures):
    folder = write_splits("train")
    write_pictures(folder / "test", 3)
    assert str(folder / "test") in refused(folder).problem


def test_a_single_class_is_refused(tmp_path, write_pictures):
    write_pictures(tmp_path / "photos" / "dress", 3)
    assert "only one class folder, 'dress'" in refused(tmp_path / "photos").problem


def test_an_empty_class_folder_is_named(photos):
    (photos / "hat").mkdir()
    (photos / "hat" / "notes.txt").write_text("to do")
    assert str(photos / "hat") in refused(photos).problem


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    assert "no pictures and no class folders" in refused(tmp_path / "photos").problem


def test_a_missing_folder_is_refused(tmp_path):
    assert "no folder of that name exists" in refused(tmp_path / "photos").problem


def test_a_file_is_refused(tmp_path):
    (tmp_path / "photos.zip").write_bytes(b"PK")
    assert "is a file, not a folder" in refused(tmp_path / "photos.zip").problem


def test_folders_inside_class_folders_are_refused(tmp_path, write_splits):
    write_splits("train", "test")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "more").mkdir()
    error = refused(tmp_path)
    assert "inside the class folder" in error.problem
    assert "meant as the data set?" in error.hint


def test_a_class_that_train_lacks_is_named(write_splits, write_pictures):
    folder = write_splits("train", "val")
    write_pictures(folder / "val" / "hat", 2)
    assert str(folder / "val" / "hat") in refused(folder).problem


def test_a_class_that_a_split_lacks_is_named(write_splits):
    folder = write_splits("train", "test")
    shutil.rmtree(folder / "test" / "dress")
    assert f"{folder / 'test'} lacks the class folder dress" in refused(folder).problem


def test_splits_beside_other_folders_are_refused(write_splits, write_pictures):
    folder = write_splits("train", "test")
    write_pictures(folder / "extra", 2)
    assert "extra" in refused(folder).problem


def test_splits_without_train_are_refused(write_splits):
    assert "has no train folder" in refused(write_splits("val", "test")).problem


def test_two_validation_splits_are_refused(write_splits):
    assert "two validation splits" in refused(write_splits("train", "val", "valid")).problem


def test_a_broken_link_is_named(photos):
    (photos / "dress" / "link.jpg").symlink_to(photos / "nowhere.jpg")
    assert "link.jpg" in refused(photos).problem


def test_links_to_pictures_are_followed(photos, tmp_path):
    picture = photos / "dress" / "000.png"
    picture.rename(tmp_path / "elsewhere.png")
    picture.symlink_to(tmp_path / "elsewhere.png")
    assert sum(sizes(photos).values()) == 20


def test_a_class_with_too_few_pictures_to_divide_is_named(photos, write_pictures):
    write_pictures(photos / "hat", 2)
    error = refused(photos)
    assert "'hat'" in error.problem
    assert "at least 3" in error.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(photos):
    (photos / "dress").chmod(0)
    try:
        assert str(photos / "dress") in refused(photos).problem
    finally:
        (photos / "dress").chmod(0o700)


def test_all_pictures_that_cannot_be_read_are_named_at_once(photos):
    split = open_dataset(photos).split("train")
    for path in split.paths[1:3]:
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=f"2 of {len(split)} pictures of the train split") as caught:
        split.tensors(InputSpec((28, 28), "gray"))
    assert all(str(path) in caught.value.problem for path in split.paths[1:3])
    for path in split.paths:
        path.write_bytes(b"")
    with pytest.raises(DataError, match=f"; and {len(split) - 5} more"):
        split.tensors(InputSpec((28, 28), "gray"))
