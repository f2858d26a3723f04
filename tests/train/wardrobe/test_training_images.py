from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.card import InputSpec
from hemline.cli import main
from hemline.errors import DataError, UserError
from hemline_train.config import TrainingConfig
from hemline_train.wardrobe import training_images
from hemline_train.wardrobe.training_images import load_photo_images

SPEC = InputSpec((32, 32))


@pytest.fixture(autouse=True)
def _few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_images, "NOTHING_EACH", 5)


@pytest.fixture
def room(tmp_path: Path) -> Path:
    folder = tmp_path / "room"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for number in range(20):
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 256, (30, 40, 3), np.uint8))
    return folder


def test_pictures_of_nothing_are_judged_by_apart_and_belong_to_the_data(
    shapes: Path, room: Path
) -> None:
    without = load_photo_images(str(shapes), SPEC, 16, 1)
    assert set(without.nothing) == {"trained kinds", "other kinds"}
    images = load_photo_images(str(shapes), SPEC, 16, 1, nothing=[str(room)])
    assert set(images.nothing) == {"trained kinds", "other kinds", "given pictures"}
    assert images.nothing["given pictures"].shape == (5, 32, 32, 3)
    assert images.sha256 != without.sha256
    for number in range(10):
        (room / f"{number}.png").unlink()
    assert load_photo_images(str(shapes), SPEC, 16, 1, nothing=[str(room)]).sha256 != images.sha256


def test_networks_that_see_no_photos_take_no_pictures_of_nothing() -> None:
    with pytest.raises(UserError, match="does not learn what is none of its classes"):
        TrainingConfig.recommended("resnet", nothing=["room"])
    assert TrainingConfig.recommended("wardrobe", nothing=["room"]).nothing == ("room",)


def test_a_folder_of_nothing_that_is_not_there_is_told_before_a_run_is_begun(
    shapes: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="away is not there"):
        load_photo_images(str(shapes), SPEC, 16, 1, nothing=[str(tmp_path / "away")])


@pytest.mark.slow
def test_the_card_tells_which_pictures_of_nothing_and_how_many_were_refused(
    shapes: Path, room: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    options = ["--arch", "wardrobe", "--data", str(shapes), "--nothing", str(room)]
    options += ["--epochs", "1", "--batch-size", "16", "--out", str(out)]
    assert main(["train", *options]) == 0
    training = json.loads((out / "wardrobe-1" / "card.json").read_text())["training"]
    assert training["nothing"] == ["room"]
    assert training["judgement"]["no garment, given pictures"]["refused"]["of"] == 5
    assert any(said.startswith("no garment, given pictures: ") for said in training["weak_at"])
