"""Where int8 fails, `hemline parity` names the command that asks the doctor."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hemline import models
from hemline.cli import main
from hemline.parity.golden import GoldenPack


@pytest.fixture
def folder(tmp_path, paper_tflite) -> Path:
    """The shipped int8 file and its float model, with a pack whose float scores are another network's."""
    shutil.copy(paper_tflite, tmp_path)
    shutil.copy(models.source_path_of("paper"), tmp_path / "model.keras")
    pack = GoldenPack.load(Path(models.golden_path_of("paper")))
    pack.scores[:] = np.roll(pack.scores, 1, axis=1)
    pack.save(tmp_path / "paper.golden.npz")
    return tmp_path


def test_the_command_has_the_model_the_data_and_the_gate(folder, capsys):
    assert main(["parity", str(folder), "--max-drop", "0.2"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        f"next, why and what mends it: hemline convert {folder / 'model.keras'} --int8 "
        "--data fashion-mnist --max-drop 0.2 --min-agreement 0.985"
    )


def test_a_float_model_that_is_not_there_is_not_guessed(folder, capsys):
    (folder / "model.keras").write_bytes(b"another")
    assert main(["parity", str(folder)]) == 1
    assert "hemline convert MODEL.keras --int8" in capsys.readouterr().out


def test_nothing_is_named_where_all_passes(capsys):
    assert main(["parity", "paper"]) == 0
    assert "next, why" not in capsys.readouterr().out
