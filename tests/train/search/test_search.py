"""Whole searches, small: 72 images, three classes, two epochs."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy

from hemline.errors import UserError
from hemline_train import TrainingConfig, train
from hemline_train.search.results import architecture_path
from hemline_train.search.run import SearchInterrupted, SearchResult, resume_search, search
from hemline_train.search.settings import Effort, Limits, SearchSettings
from hemline_train.search.study import database_in

LIMITS = Limits(parameters=20_000, macs=1_500_000)


def settings(shapes: Path, **changes: Any) -> SearchSettings:
    values = {"data": str(shapes), "epochs": 2, "batch_size": 36, "limits": LIMITS, "seed": 1}
    return SearchSettings(**(values | {"family": "residual"} | changes))


def silent(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def finished(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    return search(settings(shapes), Effort(trials=2), tmp_path_factory.mktemp("runs"), None, silent)


@pytest.mark.slow
def test_a_search_leaves_tables_a_picture_and_an_architecture_for_each_trained_trial(
    finished: SearchResult,
) -> None:
    names = {path.name for path in finished.folder.iterdir()}
    assert names == {
        "search.json", "study.db", "trials", "trials.csv", "trials.json", "front.png"
    }  # fmt: skip
    trained = [row for row in finished.rows if row.epochs]
    assert len(trained) == 2
    files = {path.stem for path in (finished.folder / "trials").iterdir()}
    assert files == {f"search-{row.number}" for row in trained}


@pytest.mark.slow
def test_what_is_above_a_limit_is_never_trained_and_says_why(finished: SearchResult) -> None:
    assert any(row.state == "pruned" for row in finished.rows)
    for row in finished.rows:
        assert row.parameters is not None
        assert row.macs is not None
        within = row.parameters <= LIMITS.parameters and row.macs <= LIMITS.macs
        assert (row.epochs > 0) is within
        assert ("not trained" in row.why) is not within


@pytest.mark.slow
def test_an_architecture_that_was_found_is_trained_in_full(
    finished: SearchResult, shapes: Path, tmp_path: Path
) -> None:
    best = finished.front[-1]
    path = architecture_path(finished.folder, f"search-{best.number}")
    config = TrainingConfig.recommended(str(path), data=str(shapes), epochs=1, out=tmp_path)
    config = dataclasses.replace(config, batch_size=36)
    result = train(config, silent)
    assert result.card.training["parameters"] == best.parameters
    assert result.card.training["architecture"] == json.loads(path.read_text())


@pytest.mark.slow
def test_a_search_goes_on_and_the_same_seed_finds_the_same(
    finished: SearchResult, shapes: Path, tmp_path: Path
) -> None:
    first = search(settings(shapes), Effort(trials=1), tmp_path, None, silent)
    both = resume_search(first.folder, Effort(trials=1), report=silent)
    assert both.folder == first.folder

    def known(result: SearchResult) -> list[tuple[Any, ...]]:
        return [(r.number, r.parameters, r.float_accuracy, r.int8_accuracy, r.int8_bytes)
                for r in result.rows]  # fmt: skip

    assert known(both) == known(finished)


@pytest.mark.slow
def test_the_size_of_the_file_is_a_limit_too_and_is_looked_at_before_training(
    shapes: Path, tmp_path: Path, finished: SearchResult
) -> None:
    sizes = sorted(row.int8_bytes or 0 for row in finished.rows if row.is_complete)
    limits = dataclasses.replace(LIMITS, file_bytes=sizes[0])
    found = search(settings(shapes, limits=limits), Effort(trials=1), tmp_path, None, silent)
    assert all((row.int8_bytes or 0) <= sizes[0] for row in found.rows if row.is_complete)
    too_large = [row for row in found.rows if "its int8 file has" in row.why]
    assert all(row.epochs == 0 for row in too_large)
    numbers = [row.number for row in finished.rows if row.int8_bytes == sizes[-1]]
    if sizes[-1] > sizes[0] and numbers[0] < len(found.rows):
        assert too_large


@pytest.mark.slow
def test_the_test_images_are_not_read(shapes: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(shapes, data)
    for path in (data / "test").rglob("*.png"):
        path.write_bytes(b"no picture")
    found = search(settings(data), Effort(trials=1), tmp_path, None, silent)
    assert [row.epochs for row in found.rows if row.epochs] == [2]


@pytest.mark.slow
def test_ctrl_c_ends_with_130_says_how_to_go_on_and_leaves_a_search_that_does(
    shapes: Path, tmp_path: Path
) -> None:
    limits = ["--max-parameters", "20000", "--max-macs", "1500000", "--family", "residual"]
    process = subprocess.Popen(
        [
            sys.executable, "-m", "hemline", "search", "--data", str(shapes), "--epochs", "2000",
            "--batch-size", "36", "--out", str(tmp_path), *limits,
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    database = tmp_path / "search-1" / "study.db"
    give_up = time.monotonic() + 300
    while not (database.exists() and trained_epochs(database)):
        assert process.poll() is None, process.stderr
        assert time.monotonic() < give_up
        time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert f"interrupted; go on with: hemline search --resume {tmp_path / 'search-1'}" in err
    study = optuna.load_study(study_name="search", storage=f"sqlite:///{database}")
    assert study.trials[-1].state == optuna.trial.TrialState.FAIL
    before = len(study.trials)

    def stop(line: str) -> None:  # the next trial has been drawn
        if "multiply-accumulates" in line:
            raise KeyboardInterrupt

    with pytest.raises(SearchInterrupted):
        resume_search(tmp_path / "search-1", Effort(trials=1), report=stop)
    assert len(study.trials) > before


def trained_epochs(database: Path) -> int:
    try:
        study = optuna.load_study(study_name="search", storage=f"sqlite:///{database}")
        return max(
            (len(t.user_attrs.get("validation_accuracies", ())) for t in study.trials), default=0
        )
    except (
        KeyError,
        RuntimeError,
        optuna.exceptions.StorageInternalError,
        sqlalchemy.exc.DatabaseError,  # both began to make the tables
    ):
        return 0  # it is being made


@pytest.mark.slow
def test_two_processes_search_together_in_one_database(shapes: Path, tmp_path: Path) -> None:
    url = database_in(tmp_path)
    options = [
        "--data", shapes, "--epochs", "1", "--batch-size", "36", "--trials", "1", "--storage", url,
        "--max-parameters", "20000", "--max-macs", "1500000", "--family", "residual",
    ]  # fmt: skip
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "hemline", "search", *map(str, options), "--out", tmp_path / out],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
        )
        for out in ("a", "b")
    ]  # fmt: skip
    ends = [process.communicate(timeout=400) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    study = optuna.load_study(study_name="search", storage=url)
    trained = [t for t in study.trials if "validation_accuracies" in t.user_attrs]
    assert len(trained) == 2
    assert len({t.number for t in study.trials}) == len(study.trials)


def test_limits_that_nothing_fits_are_refused_before_the_data_is_read(tmp_path: Path) -> None:
    nothing = settings(tmp_path / "nothing", limits=Limits(parameters=10))
    with pytest.raises(UserError, match="no network fits the limits; the smallest"):
        search(nothing, Effort(), tmp_path / "runs", None, silent)
    assert not (tmp_path / "runs").exists()


def test_a_storage_that_cannot_be_used_leaves_no_folder(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be used"):
        search(settings(shapes), Effort(), tmp_path / "runs", "nothing://x", silent)
    assert not (tmp_path / "runs").exists()


def test_what_is_no_search_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not the folder of a search"):
        resume_search(tmp_path, Effort(), report=silent)
    (tmp_path / "search.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        resume_search(tmp_path, Effort(), report=silent)


def test_the_url_of_a_database_elsewhere_is_not_kept_and_must_be_given_again(
    shapes: Path, tmp_path: Path
) -> None:
    content = {"format": 1, "own_storage": False, **settings(shapes).to_json()}
    (tmp_path / "search.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="a database elsewhere"):
        resume_search(tmp_path, Effort(), report=silent)
