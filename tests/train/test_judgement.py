"""Runs of the recipe for photos, small: 72 pictures, three classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hemline.card import ModelCard
from hemline.errors import UserError
from hemline_train import TrainingConfig, TrainingResult, resume, train


def config(shapes: Path, out: Path) -> TrainingConfig:
    return TrainingConfig.recommended(
        "wardrobe", data=str(shapes), epochs=2, batch_size=16, seed=3, out=out
    )


def silent(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def finished(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    return train(config(shapes, tmp_path_factory.mktemp("runs")), silent)


def test_temperature_and_threshold_are_in_the_card_and_are_fitted_on_validation_alone(
    finished: TrainingResult,
) -> None:
    card = ModelCard.from_json((finished.folder / "card.json").read_text())
    assert card.temperature != 1.0
    assert 1 / 3 <= card.rejection_threshold < 1
    assert card.training["fitted_on"] == ["validation"]


def test_at_most_one_in_twenty_of_the_validation_pictures_is_refused(
    finished: TrainingResult,
) -> None:
    figures = finished.card.training["judgement"]
    assert figures["validation"]["refused"]["of"] == 24
    assert figures["validation"]["refused"]["hits"] <= 24 * 0.05


def test_figures_of_the_int8_file_stand_beside_those_in_float(finished: TrainingResult) -> None:
    assert set(finished.int8_scores) == set(finished.scores) == {"validation", "test"}
    assert finished.card.training["int8_metrics"]["test"]["images"] == 24


def test_frames_without_a_garment_are_measured_by_kinds_that_were_trained_on_and_others(
    finished: TrainingResult,
) -> None:
    figures = finished.card.training["judgement"]
    assert figures["no garment, trained kinds"]["refused"]["of"] == 1400
    assert figures["no garment, other kinds"]["refused"]["of"] == 400
    assert set(figures["test"]["auroc"]) == {"trained kinds", "other kinds"}


def test_a_run_on_photos_resumes_bit_by_bit(
    shapes: Path, tmp_path: Path, finished: TrainingResult
) -> None:
    def power_cut(line: str) -> None:
        if line.startswith("epoch 1/"):
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        train(config(shapes, tmp_path), power_cut)
    resumed = resume(tmp_path / "wardrobe-1", report=silent)
    assert resumed.model_path.read_bytes() == finished.model_path.read_bytes()


def test_photos_are_not_trained_on_together_with_what_is_chosen_by(
    shapes: Path, tmp_path: Path
) -> None:
    settings = TrainingConfig.recommended(
        "wardrobe", data=str(shapes), batch_size=16, out=tmp_path, with_validation=True
    )
    with pytest.raises(UserError, match="cannot be joined"):
        train(settings, silent)
    assert not list(tmp_path.iterdir())


def test_images_that_are_trained_on_are_not_what_a_threshold_is_fitted_by(tmp_path: Path) -> None:
    settings = TrainingConfig.recommended(
        "compact", data="drawn", batch_size=16, out=tmp_path, with_validation=True
    )
    with pytest.raises(UserError, match="none are left to fit temperature and threshold by"):
        train(settings, silent)
    assert not list(tmp_path.iterdir())
