"""How `hemline classify` goes through its work where people watch."""

from __future__ import annotations

import time

import numpy as np

from hemline.batch import Outcome
from hemline.cli.work import _played, _written
from hemline.sinks import Sink
from hemline.sources.frames import TimedFrame

FRAME = np.zeros((4, 4, 3), np.uint8)


def outcome(number: int, at_s: float, wall_s: float | None = None) -> Outcome:
    return Outcome("film", number, None, "", TimedFrame(FRAME, number, at_s, 0.0, wall_s, 0))


def seconds_of(outcomes: list[Outcome]) -> float:
    start = time.monotonic()
    assert list(_played(outcomes)) == outcomes
    return time.monotonic() - start


def test_a_film_takes_its_time_and_each_film_anew():
    film = [outcome(number, number / 20) for number in range(5)]
    assert seconds_of(film + film) >= 0.4


def test_a_camera_and_pictures_are_not_held_up():
    camera = [outcome(number, number * 10.0, wall_s=1.8e9) for number in range(50)]
    assert seconds_of(camera) < 5
    assert seconds_of([Outcome("a.jpg", None, None)] * 50) < 5


def test_a_gap_in_a_film_is_not_waited_for():
    times_s = [0, 0.05, 1e6, 1e6 + 0.05, -5, -4.95]  # some films have such times
    assert seconds_of([outcome(number, at_s) for number, at_s in enumerate(times_s)]) < 5


def test_all_sinks_take_every_outcome_and_it_is_over_when_one_has_ended():
    class Counting(Sink):
        def __init__(self, most: int) -> None:
            self.taken: list[Outcome] = []
            self._most = most

        def write(self, outcome: Outcome) -> None:
            self.taken.append(outcome)
            self.ended = len(self.taken) >= self._most

    patient, hasty = Counting(100), Counting(3)
    outcomes = [outcome(number, number / 20) for number in range(10)]
    assert list(_written(outcomes, [patient, hasty])) == outcomes[:3]
    assert patient.taken == hasty.taken == outcomes[:3]
