from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import optuna
import pytest

from hemline.errors import UserError
from hemline_train.search.settings import Limits, SearchSettings
from hemline_train.search.space import draw_architecture
from hemline_train.search.study import database_in, open_study, sampler, without_password

SETTINGS = SearchSettings(data="somewhere", epochs=2)


def test_a_study_is_opened_again_by_others_with_the_same_settings_and_images(
    tmp_path: Path,
) -> None:
    url = database_in(tmp_path)
    open_study(url, SETTINGS, "sha").ask()
    elsewhere = SearchSettings(data="elsewhere", epochs=2)  # the same images in another place
    assert len(open_study(url, elsewhere, "sha").trials) == 1


def begin_at(start_s: float, folders: list[Path]) -> int:
    """Open a new study in each folder, at the moment at which others do so too."""
    for number, folder in enumerate(folders):
        time.sleep(max(0.0, start_s + number - time.time()))
        open_study(database_in(folder), SETTINGS, "sha")
    return len(folders)


@pytest.mark.slow
def test_several_may_begin_a_study_at_the_same_moment(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(6)]
    for folder in folders:
        folder.mkdir()
    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(abs, [-1, -2, -3])) == [1, 2, 3]  # all are up
        begun = [pool.submit(begin_at, time.time() + 6, folders) for _ in range(3)]
        assert [each.result(timeout=120) for each in begun] == [6, 6, 6]


@pytest.mark.parametrize(
    ("settings", "sha256", "said"),
    [
        (SETTINGS, "other", "the images are others"),
        (SearchSettings(epochs=3), "sha", "epochs is 2 there and 3 here"),
        (SearchSettings(epochs=2, objective="accuracy"), "sha", "objective is 'front' there"),
        (SearchSettings(epochs=2, seed=1), "sha", "seed is 0 there"),
        (SearchSettings(epochs=2, limits=Limits(macs=5)), "sha", "limits is"),
    ],
)
def test_a_study_of_another_search_is_refused_and_says_what_differs(
    settings: SearchSettings, sha256: str, said: str, tmp_path: Path
) -> None:
    open_study(database_in(tmp_path), SETTINGS, "sha")
    with pytest.raises(UserError, match=said):
        open_study(database_in(tmp_path), settings, sha256)


def test_a_study_that_is_none_of_hemline_is_refused(tmp_path: Path) -> None:
    study = optuna.create_study(storage=database_in(tmp_path), study_name="search")
    study.ask()
    with pytest.raises(UserError, match="not one of hemline search"):
        open_study(database_in(tmp_path), SETTINGS, "sha")


@pytest.mark.parametrize(
    "url",
    [
        "no url, s3cret",
        "nothing://user:s3cret@host/db",
        "postgresql+nodriver://user:s3cret@host/db",
        "mysql+pymysql://user:s3cret@127.0.0.1:1/db",
        "sqlite:////nonexistent/s3cret/study.db?password=",
    ],
)
def test_a_storage_that_cannot_be_used_is_explained(url: str) -> None:
    with pytest.raises(UserError, match="cannot be used") as caught:
        open_study(url, SETTINGS, "sha")
    assert caught.value.hint
    if "@" in url or "://" not in url:
        assert "s3cret" not in str(caught.value)


def test_passwords_are_never_shown() -> None:
    assert "s3cret" not in without_password("postgresql://user:s3cret@host/db")
    assert "s3cret" not in without_password("s3cret")


def test_with_the_same_trials_before_a_number_draws_the_same_and_another_seed_other_things(
    tmp_path: Path,
) -> None:
    def drawn(folder: str, seed: int) -> list[object]:
        (tmp_path / folder).mkdir()
        study = open_study(
            database_in(tmp_path / folder), SearchSettings(epochs=2, seed=seed), "sha"
        )
        found = []
        for number in range(12):  # the last ones are no longer drawn by chance alone
            trial = study.ask()
            study.sampler = sampler(seed, trial.number)
            architecture = draw_architecture(trial, "both", f"a-{number}", 64)
            found.append((architecture.design, architecture.recipe))
            study.tell(trial, (0.5 + number / 100, 1000 * number))
        return found

    assert drawn("one", 3) == drawn("two", 3)
    assert drawn("three", 4) != drawn("four", 3)


def test_a_trial_whose_machine_died_counts_as_failed_when_another_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hemline_train.search.study.HEARTBEAT_S", 1)
    study = open_study(database_in(tmp_path), SETTINGS, "sha")
    dead, new = study.ask(), study.ask()
    study._storage.record_heartbeat(dead._trial_id)
    time.sleep(3.5)  # a sign of life counts for twice a second
    study._storage.record_heartbeat(new._trial_id)
    other = open_study(database_in(tmp_path), SETTINGS, "sha")
    other.optimize(lambda _: (0.5, 1000), n_trials=1)
    states = [trial.state.name for trial in other.trials]
    assert states == ["FAIL", "RUNNING", "COMPLETE"]
