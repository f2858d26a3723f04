from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hemline.cli.command import DONE
from hemline.errors import UserError
from hemline.start import INTERRUPTED
from hemline_train import training
from hemline_train.command import COMMAND


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    COMMAND.add_arguments(parser)
    return COMMAND.run(parser.parse_args(arguments))


def test_the_command_is_imported_without_anything_heavy() -> None:
    code = (
        "import sys, hemline_train.command as c; "
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'cv2'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_a_run_prints_the_table_the_folder_and_the_next_step(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", str(shapes), "--epochs", "2", "--batch-size", "16", "--arch", "initial"]
    assert run(*options, "--out", str(tmp_path)) == DONE
    out, err = capsys.readouterr()
    folder = tmp_path / "initial-1"
    assert f"run folder: {folder}" in out
    next_step = f"hemline convert {folder / 'model.keras'} --int8 --data {shapes}"
    assert f"next: {next_step}" in out
    for split in ("train", "validation", "test"):
        assert split in out
    assert "2 epochs; the weights are those of epoch 2" in out
    lines = [line for line in err.splitlines() if line.startswith("epoch")]
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert "s left" in lines[0]
    assert "left" not in lines[1]


def test_ctrl_c_prints_how_to_resume_and_returns_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> None:
        raise training.TrainingInterrupted(Path("my runs/optimized-3"))

    monkeypatch.setattr(training, "train", interrupted)
    assert run() == INTERRUPTED
    out, err = capsys.readouterr()
    assert not out
    assert err.strip().splitlines() == [
        "interrupted; continue with: hemline train --resume 'my runs/optimized-3'"
    ]


def test_resume_goes_with_no_other_settings(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--epochs, --seed"):
        run("--resume", str(tmp_path), "--epochs", "9", "--seed", "1")


def test_resume_of_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not the folder of a training run"):
        run("--resume", str(tmp_path))


def test_bad_settings_are_refused_before_any_data_is_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="epochs is 0"):
        run("--epochs", "0", "--data", str(tmp_path / "nothing"))


def test_qat_prints_int8_before_and_after_beside_float(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--epochs", "1", "--batch-size", "16", "--out", str(tmp_path)]
    assert run(*options, "--data", str(shapes), "--arch", "initial") == DONE
    capsys.readouterr()
    assert run(*options, "--qat", str(tmp_path / "initial-1")) == DONE
    out, err = capsys.readouterr()
    assert err.startswith(f"run folder {tmp_path / 'initial-qat-1'}")
    assert "validation accuracy as int8 before this training: 0." in err
    kinds = [line[:12].strip() for line in out.splitlines()[1:10]]
    assert kinds == ["int8 before"] * 3 + ["int8"] * 3 + ["float"] * 3
    assert "with the highest validation accuracy" in out


def test_qat_goes_with_no_architecture_and_with_no_resume(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--qat goes with no --arch"):
        run("--qat", str(tmp_path), "--arch", "initial")
    with pytest.raises(UserError, match="--resume goes with no --qat"):
        run("--resume", str(tmp_path), "--qat", str(tmp_path))


def test_qat_of_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not the folder of a training run"):
        run("--qat", str(tmp_path))
