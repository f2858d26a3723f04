from __future__ import annotations

import csv
import dataclasses
import json
import platform
from pathlib import Path
from typing import Any

from hemline_train.search.picture import draw_search
from hemline_train.search.results import (
    TrialRow,
    bytes_of,
    front_of,
    latency_of,
    measured_here,
    write_tables,
)


def row(number: int, accuracy: float | None, size: int | None, **changes: Any) -> TrialRow:
    whole = TrialRow(
        number, "complete", "residual", 100, 1000, 3, accuracy, accuracy, size, 0.1, "here", ""
    )
    return dataclasses.replace(whole, **changes)


ROWS = [
    row(0, 0.80, 20_000),
    row(1, 0.70, 10_000),
    row(2, 0.75, 30_000),  # larger than 0, and worse
    row(3, 0.90, 40_000, family="dense"),
    row(4, 0.80, 20_000),  # as 0; the first counts
    row(5, None, None, state="pruned", why="too large"),
    row(6, 0.99, 5_000, state="pruned", why="its file is too large"),  # never on the front
    row(7, None, None, state="running", parameters=None),
]


def test_the_front_has_what_nothing_beats_smallest_first() -> None:
    assert [r.number for r in front_of(ROWS, bytes_of)] == [1, 0, 3]


def test_a_front_of_nothing_is_empty() -> None:
    assert front_of(ROWS[5:], bytes_of) == []


def test_latencies_of_other_machines_are_left_out() -> None:
    own = row(9, 0.5, 1, measured_on=platform.node(), inference_ms=0.3)
    assert measured_here([*ROWS, own]) == [own]
    assert latency_of(own) == 0.3


def test_tables_have_every_trial_and_say_which_are_on_the_front(tmp_path: Path) -> None:
    write_tables(tmp_path, ROWS)
    with (tmp_path / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [r["number"] for r in rows] == [str(n) for n in range(8)]
    assert rows[5]["why"] == "too large"
    assert rows[7]["parameters"] == ""
    content = json.loads((tmp_path / "trials.json").read_text())
    assert content["front"] == [1, 0, 3]
    assert content["trials"][3]["int8_accuracy"] == 0.9


def test_the_picture_is_drawn_of_one_complete_trial_and_of_many(tmp_path: Path) -> None:
    for number, rows in enumerate((ROWS[:1], ROWS)):
        path = tmp_path / f"{number}.png"
        draw_search(path, rows, "a search")
        assert path.read_bytes().startswith(b"\x89PNG")
