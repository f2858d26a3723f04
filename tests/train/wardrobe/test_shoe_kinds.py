from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hemline.datasets.wardrobe import GROUP_NAMES, SHOES
from hemline_train.wardrobe.photos import Photos
from hemline_train.wardrobe.shoe_kinds import shoe_kind, with_shoe_kinds

PICTURE = np.zeros((4, 4, 3), np.uint8)
POSITIONS = {kind: GROUP_NAMES.index(kind) for kind in SHOES}
ANY = GROUP_NAMES.index("shoes")


def test_a_kind_is_known_by_the_name_of_the_file_wherever_it_lies() -> None:
    assert shoe_kind("train/shoes/04fa06fb-d71a-4293-9804-fe799375a682.jpg") == "sandal"
    assert shoe_kind("04fa06fb-d71a-4293-9804-fe799375a682.jpg") == "sandal"
    assert shoe_kind("train/shoes/00f6e504-7c27-438e-a5d7-bc65e557bb2b.jpg") is None
    assert shoe_kind("drawn 3") is None


def test_only_shoes_get_a_kind_and_unknown_ones_stay_shoes() -> None:
    hat = GROUP_NAMES.index("hat")
    photos = Photos((PICTURE,) * 3, np.array([ANY, hat, ANY]), (None,) * 3, (
        "train/shoes/04fa06fb-d71a.jpg", "train/hat/04fa06fb-d71a.jpg", "train/shoes/1.jpg",
    ))  # fmt: skip
    known = with_shoe_kinds(photos, ANY, POSITIONS)
    assert known.groups.tolist() == [POSITIONS["sandal"], hat, ANY]
    assert photos.groups.tolist() == [ANY, hat, ANY]


def test_every_name_is_that_of_one_photo_of_shoes() -> None:
    folder = Path(os.environ.get("HEMLINE_DATA", "")) / "garment-photos"
    if not folder.is_dir():
        pytest.skip("needs the garment photos")
    shoes = sorted(folder.glob("*/shoes/*"))
    kinds = [shoe_kind(path.name) for path in shoes]
    assert {kind: kinds.count(kind) for kind in SHOES} == {
        "sandal": 49, "sneaker": 61, "ankle boot": 36,
    }  # fmt: skip
    others = [path for path in folder.glob("*/*/*") if path.parent.name != "shoes"]
    assert [path for path in others if shoe_kind(path.name)] == []
