"""Whole runs, small: 72 images, three classes."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hemline.card import ModelCard
from hemline.errors import UserError
from hemline_convert.keras_source import open_keras
from hemline_train import TrainingConfig, TrainingInterrupted, TrainingResult, resume, train
from hemline_train._tensorflow import keras
from hemline_train.command import outcome
from hemline_train.fit_state import EpochLog, FitState
from hemline_train.layer_kernels import require_bfloat16
from hemline_train.model_file import save_model

FILES = {
    "arguments.json",
    "card.json",
    "confusion.csv",
    "confusion.png",
    "curves.png",
    "log.csv",
    "metrics.json",
    "model.keras",
    "versions.json",
}


def config(shapes: Path, out: Path, **changes: Any) -> TrainingConfig:
    settings = {"epochs": 3, "batch_size": 16, "seed": 7, "data": str(shapes), "out": out}
    return TrainingConfig.recommended(**(settings | changes))


def silent(_: str) -> None:
    pass


def stop_after(epochs: int, how: BaseException) -> Callable[[str], None]:
    """A report that ends the run after so many epochs."""
    lines = []

    def report(line: str) -> None:
        lines.append(line)
        if sum(line.startswith("epoch") for line in lines) == epochs:
            raise how

    return report


def log_without_seconds(folder: Path) -> list[list[str]]:
    with (folder / "log.csv").open() as file:
        return [row[:-1] for row in csv.reader(file)]


@pytest.fixture(scope="module")
def finished(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    return train(config(shapes, tmp_path_factory.mktemp("runs")), silent)


def test_a_run_leaves_all_its_files_and_no_checkpoint(finished: TrainingResult) -> None:
    assert {path.name for path in finished.folder.iterdir()} == FILES
    assert finished.folder.name == "optimized-1"


def test_the_card_beside_the_model_tells_counts_intervals_and_seed(
    finished: TrainingResult,
) -> None:
    card = ModelCard.from_json((finished.folder / "card.json").read_text())
    assert card.labels == ("blob", "flat bar", "tall bar")
    assert card.normalization.scale == 1 / 255
    assert card.training["images"] == {"train": 72, "validation": 24, "test": 24}
    assert card.training["seed"] == 7
    assert card.training["metrics"]["test"]["images"] == 24
    low, high = card.training["metrics"]["test"]["interval_95"]
    assert low <= card.training["metrics"]["test"]["accuracy"] <= high


def test_the_figures_are_those_of_the_saved_model(finished: TrainingResult, shapes: Path) -> None:
    model = keras.saving.load_model(finished.model_path)
    right = total = 0
    for index, label in enumerate(finished.card.labels):
        for path in (shapes / "test" / label).iterdir():
            pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            assert pixels is not None
            logits = np.array(model(pixels[None, :, :, None].astype(np.float32)))
            right, total = right + int(logits.argmax() == index), total + 1
    metrics = json.loads((finished.folder / "metrics.json").read_text())
    assert (metrics["test"]["correct"], metrics["test"]["images"]) == (right, total)
    assert sum(c["correct"] for c in metrics["test"]["classes"].values()) == right
    with (finished.folder / "confusion.csv").open() as file:
        rows = list(csv.reader(file))
    assert sum(int(rows[n + 1][n + 1]) for n in range(3)) == right


def test_the_versions_of_everything_that_counts_are_kept(finished: TrainingResult) -> None:
    kept = json.loads((finished.folder / "versions.json").read_text())
    assert {"python", "tensorflow", "keras", "numpy", "opencv", "hemline", "platform"} <= set(kept)


@pytest.mark.parametrize("arch", ["initial", "optimized"])
def test_a_run_that_broke_off_and_was_resumed_is_the_uninterrupted_one_bit_by_bit(
    arch: str, shapes: Path, tmp_path: Path, finished: TrainingResult
) -> None:
    whole = finished
    if arch == "initial":
        whole = train(config(shapes, tmp_path / "whole", arch=arch), silent)
    with pytest.raises(RuntimeError, match="power cut"):
        train(
            config(shapes, tmp_path, arch=arch),
            stop_after(1, RuntimeError("power cut")),
        )
    assert not (tmp_path / f"{arch}-1" / "model.keras").exists()
    resumed = resume(tmp_path / f"{arch}-1", report=silent)
    assert resumed.model_path.read_bytes() == whole.model_path.read_bytes()
    assert log_without_seconds(resumed.folder) == log_without_seconds(whole.folder)


def test_a_run_that_broke_off_before_its_first_checkpoint_starts_again(
    shapes: Path, tmp_path: Path, finished: TrainingResult
) -> None:
    def break_off(_: str) -> None:
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        train(config(shapes, tmp_path), break_off)
    resumed = resume(tmp_path / "optimized-1", report=silent)
    assert resumed.model_path.read_bytes() == finished.model_path.read_bytes()


def test_ctrl_c_names_the_folder_to_resume(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingInterrupted) as caught:
        train(config(shapes, tmp_path), stop_after(1, KeyboardInterrupt()))
    assert caught.value.folder == tmp_path / "optimized-1"
    assert (caught.value.folder / "checkpoint" / "state.npz").exists()


def test_another_seed_gives_other_weights_in_a_folder_of_its_own(
    shapes: Path, finished: TrainingResult
) -> None:
    other = train(config(shapes, finished.folder.parent, seed=8, epochs=1), silent)
    assert other.folder.name == "optimized-2"
    assert log_without_seconds(other.folder)[1] != log_without_seconds(finished.folder)[1]


def test_a_finished_run_is_not_resumed(finished: TrainingResult) -> None:
    with pytest.raises(UserError, match="is finished"):
        resume(finished.folder, report=silent)


def test_a_run_is_not_resumed_with_other_images(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stop"):
        train(config(shapes, tmp_path), stop_after(1, RuntimeError("stop")))
    other = tmp_path / "other"
    shutil.copytree(shapes, other)
    (other / "train" / "blob" / "0.png").unlink()
    with pytest.raises(UserError, match="not those that the run"):
        resume(tmp_path / "optimized-1", str(other), silent)


def test_data_that_has_moved_is_accepted(
    shapes: Path, tmp_path: Path, finished: TrainingResult
) -> None:
    with pytest.raises(RuntimeError, match="stop"):
        train(config(shapes, tmp_path), stop_after(2, RuntimeError("stop")))
    moved = tmp_path / "moved" / "shapes"
    shutil.copytree(shapes, moved)
    resumed = resume(tmp_path / "optimized-1", str(moved), silent)
    assert resumed.model_path.read_bytes() == finished.model_path.read_bytes()


def test_a_learning_rate_that_makes_the_loss_infinite_is_explained(
    shapes: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="diverged in epoch 1") as caught:
        train(config(shapes, tmp_path, learning_rate=1e30), silent)
    assert "--learning-rate" in caught.value.hint


def test_early_stopping_restores_the_best_weights(shapes: Path, tmp_path: Path) -> None:
    # A learning rate far too high: the validation loss soon rises.
    result = train(config(shapes, tmp_path, epochs=30, patience=2, learning_rate=0.05), silent)
    assert result.epochs == result.best_epoch + 2 < 30
    log = log_without_seconds(result.folder)
    assert float(log[result.best_epoch][4]) == pytest.approx(
        result.scores["validation"].loss, abs=1e-6
    )


def state(losses: list[float]) -> FitState:
    log = tuple(EpochLog(n, 0.5, 0.5, 0.5, loss, 1.0) for n, loss in enumerate(losses, start=1))
    return FitState(log, (), (), ())


@pytest.mark.parametrize(
    ("losses", "patience", "over"),
    [
        ([], 1, False),
        ([3, 2, 1], 1, False),
        ([3, 2, 2], 1, True),  # as good is not better
        ([3, 2, 4, 4], 3, False),
        ([3, 2, 4, 4, 4], 3, True),
        ([1, 2, 3, 4, 5], 0, False),  # 0 is no early stopping
        ([9, 8, 7, 6, 5, 4], 3, True),  # all six epochs are done
    ],
)
def test_training_ends_with_the_epochs_or_with_patience(
    losses: list[float], patience: int, over: bool
) -> None:
    settings = TrainingConfig.recommended(epochs=6, patience=patience)
    assert state(losses).is_over(settings) is over


@pytest.mark.slow
def test_a_killed_process_is_resumed_to_the_bits_of_an_uninterrupted_one(
    shapes: Path, tmp_path: Path
) -> None:
    whole = train(config(shapes, tmp_path / "whole", epochs=20), silent)
    program = (
        "from hemline_train import TrainingConfig, train\n"
        f"train(TrainingConfig.recommended(data={str(shapes)!r}, epochs=20, batch_size=16, "
        f"seed=7, out={str(tmp_path)!r}))\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment, text=True)
    folder = tmp_path / "optimized-1"
    give_up = time.monotonic() + 120
    while not (folder / "log.csv").exists():
        assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "model.keras").exists(), "the run was over before it was killed"
    resumed = resume(folder, report=silent)
    assert resumed.model_path.read_bytes() == whole.model_path.read_bytes()
    assert log_without_seconds(folder) == log_without_seconds(whole.folder)


def test_a_residual_run_resumes_bit_by_bit_with_its_schedule_and_averaged_weights(
    shapes: Path, tmp_path: Path
) -> None:
    whole = train(config(shapes, tmp_path / "whole", arch="resnet", epochs=2), silent)
    with pytest.raises(RuntimeError, match="power cut"):
        train(
            config(shapes, tmp_path, arch="resnet", epochs=2),
            stop_after(1, RuntimeError("power cut")),
        )
    resumed = resume(tmp_path / "resnet-1", report=silent)
    assert resumed.model_path.read_bytes() == whole.model_path.read_bytes()
    assert log_without_seconds(resumed.folder) == log_without_seconds(whole.folder)


def test_the_validation_images_are_trained_on_where_asked_for_and_then_judge_nothing(
    shapes: Path, tmp_path: Path
) -> None:
    settings = config(shapes, tmp_path, arch="initial", epochs=1, with_validation=True)
    result = train(settings, silent)
    assert set(result.scores) == {"train", "test"}
    assert result.card.training["images"] == {"train": 96, "test": 24}
    assert result.card.training["trained_with_validation"] is True
    assert log_without_seconds(result.folder)[1][3:5] == ["", ""]
    assert "epoch 1, the last" in outcome(result)  # nothing tells which is the best
    without = train(config(shapes, tmp_path, arch="initial", epochs=1), silent)
    assert "trained_with_validation" not in without.card.training
    assert without.model_path.read_bytes() != result.model_path.read_bytes()


def test_training_on_all_images_needs_a_test_split(shapes: Path, tmp_path: Path) -> None:
    for split in ("train", "validation"):
        shutil.copytree(shapes / split, tmp_path / "data" / split)
    settings = config(tmp_path / "data", tmp_path, arch="initial", with_validation=True)
    with pytest.raises(UserError, match="no test split"):
        train(settings, silent)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_run_in_bfloat16_leaves_a_network_of_float32_and_is_told_in_the_card(
    shapes: Path, tmp_path: Path
) -> None:
    try:
        require_bfloat16()
    except UserError as error:
        pytest.skip(error.problem)
    settings = {"arch": "resnet", "epochs": 1}
    result = train(config(shapes, tmp_path, bfloat16=True, **settings), silent)
    assert result.card.training["bfloat16"] is True
    with zipfile.ZipFile(result.model_path) as file:
        assert b"bfloat16" not in file.read("config.json")
    other = train(config(shapes, tmp_path, **settings), silent)
    assert "bfloat16" not in other.card.training
    assert other.model_path.read_bytes() != result.model_path.read_bytes()


def test_a_teacher_is_learnt_from_and_named_in_the_card(
    shapes: Path, tmp_path: Path, finished: TrainingResult
) -> None:
    taught = train(
        config(shapes, tmp_path, epochs=1, teachers=[finished.model_path]),
        silent,
    )
    alone = train(config(shapes, tmp_path, epochs=1), silent)
    assert taught.model_path.read_bytes() != alone.model_path.read_bytes()
    digest = hashlib.sha256(finished.model_path.read_bytes()).hexdigest()
    assert taught.card.training["teachers"] == [{"name": "model.keras", "sha256": digest}]


def test_a_teacher_that_has_the_classes_in_another_order_teaches_the_same(
    shapes: Path, tmp_path: Path, finished: TrainingResult
) -> None:
    turned = tmp_path / "turned.keras"
    source = open_keras(finished.model_path)
    features, logits = source.model.layers[-2].output, source.model.layers[-1]
    other = keras.layers.Dense(logits.units, name="turned")
    model = keras.Model(source.model.inputs, other(features))
    other.set_weights([weights[..., ::-1] for weights in logits.get_weights()])
    save_model(turned, model, source.card.replace(labels=source.card.labels[::-1]))
    weights = [
        open_keras(
            train(config(shapes, tmp_path, epochs=1, teachers=[teacher]), silent).model_path
        ).model.get_weights()
        for teacher in (finished.model_path, turned)
    ]
    for one, same in zip(*weights, strict=True):
        np.testing.assert_allclose(one, same, atol=1e-4)


def test_the_name_of_a_shipped_model_is_that_of_a_teacher(tmp_path: Path) -> None:
    settings = TrainingConfig.recommended(teachers=["compact", "paper"], out=tmp_path)
    assert [Path(path).name for path in settings.teachers] == ["compact.keras", "paper.keras"]
    with pytest.raises(UserError, match="there is no teacher lump") as error:
        TrainingConfig.recommended(teachers=["lump"], out=tmp_path)
    assert "compact, paper, wardrobe" in error.value.hint


def test_a_teacher_of_other_classes_is_refused(
    shapes: Path, tmp_path: Path, finished: TrainingResult
) -> None:
    for split in ("train", "validation", "test"):
        shutil.copytree(shapes / split, tmp_path / "data" / split)
        (tmp_path / "data" / split / "blob").rename(tmp_path / "data" / split / "lump")
    with pytest.raises(UserError, match=r"the teacher .* knows blob"):
        train(config(tmp_path / "data", tmp_path, teachers=[finished.model_path]), silent)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
