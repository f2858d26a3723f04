from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hemline.card import InputSpec
from hemline.errors import UserError
from hemline_train import QatConfig, TrainingConfig, resume, train
from hemline_train.architecture_file import Architecture, read_architecture
from hemline_train.designs import DenseDesign, ResidualDesign
from hemline_train.recipes import Augmentation, Optimization, Recipe

RECIPE = Recipe(
    "small",
    InputSpec((28, 28), "gray", "pad", "light-on-dark"),
    Augmentation(flip=True, max_shift_px=1, erased=0.2, mixed=0.3),
    Optimization("sgd", 0.05, "one-cycle", weight_decay=1e-4, averaging=0.9),
    dropout=0.0,
    label_smoothing=0.02,
    epochs=2,
    batch_size=16,
    patience=0,
)
SMALL = Architecture("small-1", ResidualDesign(4, (4, 8), (1, 1), 2), RECIPE)


def silent(_: str) -> None:
    pass


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(SMALL.to_json()))
    return path


@pytest.mark.parametrize("design", [SMALL.design, DenseDesign(4, 3, 2, (1, 2))])
def test_an_architecture_is_read_back_as_it_was_written(
    design: ResidualDesign | DenseDesign, tmp_path: Path
) -> None:
    architecture = dataclasses.replace(SMALL, design=design)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(architecture.to_json()))
    assert read_architecture(path) == architecture


def test_the_settings_are_those_of_the_files_recipe_but_for_what_is_given(file: Path) -> None:
    config = TrainingConfig.recommended(str(file), epochs=9)
    assert (config.name, config.epochs, config.batch_size) == ("small-1", 9, 16)
    assert config.augmentation == RECIPE.augmentation
    assert config.optimization == RECIPE.optimization
    assert config.label_smoothing == 0.02


def without(part: str, key: str) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        del (content[part] if part else content)[key]

    return change


def with_(part: str, key: str, value: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        (content[part] if part else content)[key] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("", "design"), "'design' is missing"),
        (without("design", "stem"), "stem"),
        (with_("", "format", 9), "format 9"),
        (with_("", "name", "../x"), "name of an architecture is '../x'"),  # it names files
        (with_("", "name", "resnet"), "hemline's own"),
        (with_("design", "kind", "vgg"), "'vgg' of its design is none of: residual, dense"),
        (with_("design", "stem", 0), "stem of a design is or has 0"),
        (with_("design", "widths", [4]), "1 widths and 2 numbers of blocks"),
        (with_("design", "widths", []), "widths of a design is or has None"),
        (with_("design", "widths", 4), "widths is 4"),
        (with_("design", "colour", 4), "no colour"),
        (with_("design", "stem_stride", 3), "stem_stride is 3"),
        (with_("recipe", "dropout", 0.4), "dropout of 0.4"),
        (with_("recipe", "label_smoothing", 1.5), "label_smoothing of a recipe is 1.5"),
        (with_("recipe", "epochs", "many"), "epochs is 'many'"),
        (with_("recipe", "augmentation", {"erased": 2}), "erased of a recipe is 2"),
        (with_("recipe", "optimization", {"optimizer": "lion"}), "optimizer is 'lion'"),
        (with_("recipe", "input", {"size_wh": [28, 28], "color": "pink"}), "color is 'pink'"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_says_where(
    change: Callable[[Any], None], said: str, file: Path
) -> None:
    content = SMALL.to_json()
    change(content)
    file.write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        TrainingConfig.recommended(str(file))
    assert said in caught.value.problem
    assert str(file) in caught.value.problem
    assert caught.value.hint


@pytest.mark.parametrize("content", [None, "{", "[]", "3"])
def test_what_is_no_architecture_file_is_refused(content: str | None, file: Path) -> None:
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError, match=r"small\.json"):
        TrainingConfig.recommended(str(file))


def test_a_run_of_a_file_resumes_bit_by_bit_is_told_in_the_card_and_trains_on_for_int8(
    shapes: Path, file: Path, tmp_path: Path
) -> None:
    def config(out: Path) -> TrainingConfig:
        return TrainingConfig.recommended(str(file), data=str(shapes), seed=3, out=out)

    whole = train(config(tmp_path / "whole"), silent)
    assert whole.card.name == "small-1"
    assert Architecture.from_json(whole.card.training["architecture"]) == SMALL

    def stop(line: str) -> None:
        if line.startswith("epoch"):
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        train(config(tmp_path), stop)
    file.unlink()  # the run has a copy
    resumed = resume(tmp_path / "small-1-1", report=silent)
    assert resumed.model_path.read_bytes() == whole.model_path.read_bytes()

    qat = QatConfig.recommended(resumed.folder, epochs=1, batch_size=16, out=tmp_path)
    assert qat.augmentation == RECIPE.augmentation
    trained_on = train(qat, silent)
    assert trained_on.card.name == "small-1-qat"
    assert trained_on.card.training["architecture"] == whole.card.training["architecture"]
