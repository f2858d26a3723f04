"""Training in two real processes on this machine."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hemline.errors import UserError
from hemline_train import QatConfig, TrainingConfig, assist, train
from hemline_train._tensorflow import keras
from hemline_train.architecture_file import Architecture
from hemline_train.designs import ResidualDesign
from hemline_train.recipes import RECIPES, Augmentation, Optimization, Recipe

SMALL = Architecture(
    "small",
    ResidualDesign(4, (4, 8), (1, 1), 2),
    Recipe(
        "small",
        RECIPES["resnet"].input,
        Augmentation(flip=True, max_shift_px=1, erased=0.2, mixed=0.5),
        Optimization("sgd", 0.05, "one-cycle", weight_decay=1e-3, averaging=0.9),
        dropout=0.0,
        label_smoothing=0.05,
        epochs=3,
        batch_size=25,  # of 72 images: shares of 12 and 13, and at the end of 11
        patience=0,
    ),
)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(*options: list[Any]) -> list[subprocess.Popen[str]]:
    """`hemline train` with these options, a process for each."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(len(options))]
    processes = []
    for index, words in enumerate(options):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "hemline", "train", *map(str, words)],
                env=os.environ | {"TF_CONFIG": config, "CUDA_VISIBLE_DEVICES": "-1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return processes


def finished(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    ends = []
    for process in processes:
        try:
            out, err = process.communicate(timeout=400)
        except subprocess.TimeoutExpired:
            for other in processes:
                other.kill()
            raise
        ends.append((process.returncode, out, err))
    return ends


def weights(model: Path) -> list[Any]:
    loaded: list[Any] = keras.saving.load_model(model, compile=False).get_weights()
    return loaded


def log(folder: Path) -> list[list[float]]:
    with (folder / "log.csv").open() as file:
        return [[float(cell) for cell in row[:-1]] for row in list(csv.reader(file))[1:]]


@pytest.fixture
def architecture(tmp_path: Path) -> Path:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(SMALL.to_json()))
    return path


@pytest.mark.slow
def test_two_processes_train_what_one_does_and_only_the_first_writes(
    shapes: Path, architecture: Path, tmp_path: Path
) -> None:
    common = ["--arch", architecture, "--data", shapes, "--seed", "5"]
    ends = finished(
        start([*common, "--out", tmp_path / "first"], [*common, "--out", tmp_path / "second"])
    )
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert "run folder" in ends[0][1]
    assert "process 2 of 2: done" in ends[1][1]
    assert not (tmp_path / "second").exists()
    folder = tmp_path / "first" / "small-1"

    alone = train(
        TrainingConfig.recommended(str(architecture), data=str(shapes), seed=5, out=tmp_path),
        lambda _: None,
    )
    for together, single in zip(
        weights(folder / "model.keras"), weights(alone.model_path), strict=True
    ):
        np.testing.assert_allclose(together, single, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(log(folder), log(alone.folder), rtol=1e-3, atol=1e-3)
    # The same network as one process writes, with nothing of the others in it.
    assert (
        keras.saving.load_model(folder / "model.keras", compile=False).to_json()
        == keras.saving.load_model(alone.model_path, compile=False).to_json()
    )


@pytest.mark.slow
def test_when_the_first_is_killed_the_others_say_so_and_all_go_on_from_its_checkpoint(
    shapes: Path, architecture: Path, tmp_path: Path
) -> None:
    epochs = 40
    common = ["--arch", architecture, "--data", shapes, "--seed", "5", "--epochs", epochs]
    whole = finished(start(*[[*common, "--out", tmp_path / "whole"]] * 2))
    assert [code for code, _, _ in whole] == [0, 0], whole

    folder = tmp_path / "small-1"
    processes = start(*[[*common, "--out", tmp_path]] * 2)
    give_up = time.monotonic() + 300
    while not (folder / "log.csv").exists():
        assert processes[0].poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.02)
    processes[0].send_signal(signal.SIGKILL)
    ends = finished(processes)
    assert not (folder / "model.keras").exists(), "the run was over before it was killed"
    assert (ends[1][0], ends[1][1]) == (2, "")
    assert "another process of TF_CONFIG is gone" in ends[1][2]
    assert "--resume RUN" in ends[1][2]

    resumed = finished(start(*[["--resume", folder]] * 2))
    assert [code for code, _, _ in resumed] == [0, 0], resumed
    for one, other in zip(
        weights(folder / "model.keras"),
        weights(tmp_path / "whole" / "small-1" / "model.keras"),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_processes_with_other_settings_refuse_to_train_together(
    shapes: Path, architecture: Path, tmp_path: Path
) -> None:
    common = ["--arch", architecture, "--data", shapes, "--out", tmp_path / "runs"]
    ends = finished(start([*common, "--seed", "1"], [*common, "--seed", "2"]))
    for code, out, err in ends:
        assert (code, out) == (2, "")
        assert "not all the same settings" in err
    assert not (tmp_path / "runs").exists()


def test_a_variable_that_names_no_processes_is_refused_before_any_training(
    monkeypatch: pytest.MonkeyPatch, shapes: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("TF_CONFIG", "{")
    with pytest.raises(UserError, match="TF_CONFIG cannot be used"):
        train(TrainingConfig.recommended(data=str(shapes), out=tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


def test_a_process_that_is_not_the_first_must_not_write_and_the_first_must(
    monkeypatch: pytest.MonkeyPatch, shapes: Path, tmp_path: Path
) -> None:
    settings = TrainingConfig.recommended(data=str(shapes), out=tmp_path)
    cluster = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}
    for index, call in ((1, train), (0, assist)):
        task = {"type": "worker", "index": index}
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
        with pytest.raises(UserError, match=rf"number {index} of TF_CONFIG"):
            call(settings)


def test_training_for_int8_is_for_one_process(
    monkeypatch: pytest.MonkeyPatch, shapes: Path, tmp_path: Path
) -> None:
    settings = TrainingConfig.recommended("initial", data=str(shapes), out=tmp_path, epochs=1)
    model = train(settings, lambda _: None).model_path
    cluster = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}
    task = {"type": "worker", "index": 0}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    with pytest.raises(UserError, match="is for one process"):
        train(QatConfig.recommended(model, data=str(shapes), out=tmp_path))
