from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hemline.errors import UserError
from hemline_train.config import TrainingConfig
from hemline_train.fit_state import EpochLog, FitState
from hemline_train.run_folder import RunFolder, new_run_folder, open_run_folder

ROW = EpochLog(1, 0.1 + 0.2, 1 / 3, 0.5, 2 / 3, 1.25)


def state() -> FitState:
    chance = np.random.default_rng(0)
    # More than ten arrays: their order must not become that of their names.
    weights = tuple(chance.normal(size=(2, n)).astype(np.float32) for n in range(1, 13))
    return FitState((ROW,), weights, (np.array(3, np.int64), *weights[::-1]), weights[::-1])


def test_run_folders_count_up_and_none_is_used_twice(tmp_path: Path) -> None:
    config = TrainingConfig.recommended(out=tmp_path)
    names = [new_run_folder(config, "f").path.name for _ in range(3)]
    assert names == ["optimized-1", "optimized-2", "optimized-3"]
    (tmp_path / "optimized-20").mkdir()
    assert new_run_folder(config, "f").path.name == "optimized-21"
    assert new_run_folder(replace(config, arch="initial"), "f").path.name == "initial-1"


def test_the_settings_of_a_run_are_read_back_wherever_the_folder_is_now(tmp_path: Path) -> None:
    config = TrainingConfig.recommended("initial", seed=5, out=tmp_path / "runs")
    made = new_run_folder(config, "fingerprint")
    moved = tmp_path / "elsewhere"
    made.path.rename(moved)
    folder, found, data_sha256 = open_run_folder(moved)
    assert folder.path == moved
    assert replace(found, out=config.out) == config
    assert data_sha256 == "fingerprint"


def test_a_checkpoint_gives_back_every_bit_and_the_order_of_the_arrays(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    before = state()
    folder.save_progress(before)
    after = folder.load_progress()
    assert after is not None
    assert after.log == before.log
    for name in ("weights", "optimizer", "best_weights"):
        for one, other in zip(getattr(before, name), getattr(after, name), strict=True):
            assert one.dtype == other.dtype
            assert np.array_equal(one, other)


def test_a_failure_while_the_checkpoint_is_written_leaves_the_previous_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path)
    folder.save_progress(state())

    def half_written(path: Path, **_: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", half_written)
    with pytest.raises(UserError, match="no space is left"):
        folder.save_progress(replace(state(), log=()))
    monkeypatch.undo()
    after = folder.load_progress()
    assert after is not None
    assert after.log == (ROW,)


@pytest.mark.parametrize("content", [b"", b"no zip file", b"PK\x03\x04 broken"])
def test_a_damaged_checkpoint_is_explained(tmp_path: Path, content: bytes) -> None:
    folder = RunFolder(tmp_path)
    folder.checkpoint.parent.mkdir()
    folder.checkpoint.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read"):
        folder.load_progress()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is not the folder of a training run"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        (json.dumps({"format": 99}), "another format"),
        (json.dumps({"format": 1, "data_sha256": "", "arch": "x"}), "cannot be read"),
    ],
)
def test_what_is_no_run_is_not_resumed(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "arguments.json").write_text(content)
    with pytest.raises(UserError, match=said) as caught:
        open_run_folder(tmp_path)
    assert caught.value.hint


def test_a_file_in_the_place_of_the_folder_of_runs_is_explained(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        new_run_folder(TrainingConfig.recommended(out=tmp_path / "runs"), "f")


def test_the_log_has_one_line_per_epoch(tmp_path: Path) -> None:
    RunFolder(tmp_path).write_log((ROW,))
    assert (tmp_path / "log.csv").read_text().splitlines() == [
        "epoch,training_accuracy,training_loss,validation_accuracy,validation_loss,seconds",
        "1,0.300000,0.333333,0.500000,0.666667,1.25",
    ]


def test_other_versions_are_noticed(tmp_path: Path) -> None:
    folder = new_run_folder(TrainingConfig.recommended(out=tmp_path), "f")
    assert not folder.has_other_versions()
    folder.write_json("versions.json", {"python": "2.7"})
    assert folder.has_other_versions()
