from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline import samples
from hemline.batch import FrameRate, Outcome, classify_sources
from hemline.classifier import Classification, Classifier
from hemline.sources import expand


@pytest.fixture(scope="module")
def two_hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 drawn garments as files; the hundredth is broken."""
    folder = tmp_path_factory.mktemp("garments")
    with np.load(samples.drawn_garments_path()) as drawn:
        images = drawn["test_images"]
    for number in range(200):
        assert cv2.imwrite(str(folder / f"{number:03}.png"), images[number % len(images)])
    (folder / "100.png").write_bytes(b"no picture")
    return folder


def run(arguments: list[Path], workers: int, max_frames: int | None = None) -> list[Outcome]:
    sources = expand([str(argument) for argument in arguments])
    make = lambda: Classifier("paper")  # noqa: E731
    return list(classify_sources(sources, make(), make, workers, max_frames))


def labels(outcomes: list[Outcome]) -> list[str | None]:
    return [outcome.answer.label if outcome.answer else None for outcome in outcomes]


@pytest.mark.parametrize("forks", [True, False], ids=["processes", "threads"])
@pytest.mark.parametrize("workers", [2, 8, 400])
def test_many_workers_answer_in_order_and_as_one_does(two_hundred, workers, forks, monkeypatch):
    monkeypatch.setattr("hemline.workers.can_fork", lambda: forks)
    one = run([two_hundred], workers=1)
    many = run([two_hundred], workers=workers)
    assert [outcome.source for outcome in many] == [
        str(two_hundred / f"{number:03}.png") for number in range(200)
    ]
    assert labels(many) == labels(one)
    assert len({*labels(many)}) > 5


def test_one_bad_file_among_200_does_not_stop_the_rest(two_hundred):
    outcomes = run([two_hundred], workers=4)
    bad = [outcome for outcome in outcomes if outcome.answer is None]
    assert [Path(outcome.source).name for outcome in bad] == ["100.png"]
    assert "is text, not a picture" in bad[0].error
    assert "\n" not in bad[0].error
    assert len(outcomes) == 200


def test_pictures_and_videos_and_what_is_missing_keep_their_order(tmp_path, garments):
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(4):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    arguments = [garments[0], film, tmp_path / "missing.png", garments[1], garments[2]]
    outcomes = run(arguments, workers=2)
    assert [(Path(outcome.source).name, outcome.frame) for outcome in outcomes] == [
        (garments[0].name, None),
        *[("film.avi", number) for number in range(4)],
        ("missing.png", None),
        (garments[1].name, None),
        (garments[2].name, None),
    ]
    limited = run([film, garments[0]], workers=2, max_frames=2)
    assert [outcome.frame for outcome in limited] == [0, 1, None]


def test_a_picture_that_crashes_its_process_costs_only_its_own_answer(two_hundred, monkeypatch):
    if sys.platform != "linux":
        pytest.skip("processes are forked on Linux")
    monkeypatch.setattr("hemline.workers.can_fork", lambda: True)

    def crash_on(self: Classifier, path: str) -> Classification:
        if path.endswith("042.png"):
            os.kill(os.getpid(), signal.SIGKILL)
        return classify_file(self, path)

    classify_file = Classifier.classify_file
    monkeypatch.setattr(Classifier, "classify_file", crash_on)
    outcomes = run([two_hundred], workers=2)
    assert [k for k, outcome in enumerate(outcomes) if outcome.answer is None] == [42, 100]
    assert "042.png crashed the decoder (Killed)" in outcomes[42].error


def test_stopping_early_waits_for_the_workers_and_leaves_no_thread(two_hundred, monkeypatch):
    monkeypatch.setattr("hemline.workers.can_fork", lambda: False)

    import threading

    before = threading.active_count()
    make = lambda: Classifier("paper")  # noqa: E731
    outcomes = classify_sources(expand([str(two_hundred)]), make(), make, 4)
    next(outcomes)
    outcomes.close()
    assert threading.active_count() == before


def test_models_that_are_loaded_by_several_threads_leave_standard_error_as_it_was():
    program = """
        import os
        from concurrent.futures import ThreadPoolExecutor
        from hemline import Classifier
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: Classifier("paper"), range(40)))
        os.write(2, b"still heard")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"still heard")


def test_n_frames_span_n_minus_1_intervals(monkeypatch):
    times = iter([10.0, 10.5, 11.0, 11.5])
    monkeypatch.setattr("hemline.batch.perf_counter", lambda: next(times))
    rate = FrameRate()
    assert [rate.tick() for _ in range(4)] == [0.0, 2.0, 2.0, 2.0]
