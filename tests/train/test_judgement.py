"""Runs of the recipe for photos, small: 72 pictures, three classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hemline.card import ModelCard
from hemline.errors import UserError
from hemline_train import TrainingConfig, TrainingResult, resume, train
from hemline_train.judgement import weaknesses
from hemline_train.wardrobe.score import garment_score


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


def test_the_card_says_what_the_model_is_bad_at_the_worst_first() -> None:
    matrix = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]) > 0
    groups = np.array([0] * 10 + [1] * 10 + [2] * 10 + [3] * 2)
    named = np.array([0] * 9 + [1] + [2] * 6 + [1] * 4 + [2] * 8 + [0] * 2 + [1, 2])
    score = garment_score(np.identity(3)[named], groups, matrix)
    said = weaknesses(score, ("hat", "cap", "sock", "headgear"), ("hat", "cap", "sock"))
    assert said == [
        "cap, 4 of 10 right; else sock (6)",
        "headgear, 1 of 2 right; else sock (1)",
        "sock, 8 of 10 right; else hat (2)",
    ]


def test_weaknesses_are_told_of_what_the_threshold_was_fitted_on_and_never_of_the_test(
    finished: TrainingResult,
) -> None:
    said = finished.card.training["weak_at"]
    assert all(line.startswith(("validation: ", "no garment, ")) for line in said)
    assert sum(line.startswith("no garment, ") for line in said) == 2
