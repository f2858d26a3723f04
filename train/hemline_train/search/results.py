"""What came of the trials: a table of all, and the front of those that nothing beats."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from hemline import atomic
from hemline_train.search import study as keys

Value = Callable[["TrialRow"], float]


@dataclass(frozen=True)
class TrialRow:
    """One trial.

    Attributes:
        number: From 0.
        state: `complete`, `pruned` (not trained or stopped early), `failed` or `running`.
        family: `residual` or `dense`; empty before it was drawn.
        parameters: Of the network; None before it was built. The others likewise, before they were known.
        macs: Multiply-accumulates of one picture.
        epochs: Done.
        float_accuracy: On the validation images.
        int8_accuracy: On the validation images.
        int8_bytes: Size of the int8 file.
        inference_ms: Median of an inference.
        measured_on: Name of the machine that took it.
        why: It was pruned.
    """

    number: int
    state: str
    family: str
    parameters: int | None
    macs: int | None
    epochs: int
    float_accuracy: float | None
    int8_accuracy: float | None
    int8_bytes: int | None
    inference_ms: float | None
    measured_on: str
    why: str

    @property
    def is_complete(self) -> bool:
        """Whether it was trained to the end and measured, within the limits."""
        return self.state == "complete"


def rows_of(study: optuna.Study) -> list[TrialRow]:
    """All trials of a study, in the order of their numbers."""
    return [_row(trial) for trial in study.get_trials(deepcopy=False)]


def _row(trial: optuna.trial.FrozenTrial) -> TrialRow:
    known = trial.user_attrs
    return TrialRow(
        number=trial.number,
        state={"FAIL": "failed"}.get(trial.state.name, trial.state.name.lower()),
        family=str(known.get(keys.ARCHITECTURE, {}).get("design", {}).get("kind", "")),
        parameters=known.get(keys.PARAMETERS),
        macs=known.get(keys.MACS),
        epochs=len(known.get(keys.ACCURACIES, ())),
        float_accuracy=known.get(keys.FLOAT_ACCURACY),
        int8_accuracy=known.get(keys.INT8_ACCURACY),
        int8_bytes=known.get(keys.FILE_BYTES),
        inference_ms=known.get(keys.LATENCY_MS),
        measured_on=str(known.get(keys.MEASURED_ON, "")),
        why=str(known.get(keys.WHY, "")),
    )


def front_of(rows: Sequence[TrialRow], cost: Value) -> list[TrialRow]:
    """The complete trials to which no other is at least as good at no more cost; cheapest first.

    Args:
        rows: Trials.
        cost: What is to be low; accuracy of the int8 file is to be high.
    """
    front: list[TrialRow] = []
    complete = [row for row in rows if row.is_complete]
    for row in sorted(complete, key=lambda row: (cost(row), -accuracy_of(row), row.number)):
        if not front or accuracy_of(row) > accuracy_of(front[-1]):
            front.append(row)
    return front


def accuracy_of(row: TrialRow) -> float:
    """Of the int8 file of a complete trial."""
    assert row.int8_accuracy is not None
    return row.int8_accuracy


def bytes_of(row: TrialRow) -> float:
    """Of the int8 file of a complete trial."""
    assert row.int8_bytes is not None
    return row.int8_bytes


def latency_of(row: TrialRow) -> float:
    """Of the int8 file of a complete trial, milliseconds."""
    assert row.inference_ms is not None
    return row.inference_ms


def measured_here(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """The trials whose latency was taken on this machine: others cannot be held against them."""
    return [row for row in rows if row.measured_on == platform.node()]


def write_tables(folder: Path, rows: Sequence[TrialRow]) -> None:
    """Write `trials.csv` and `trials.json`.

    Raises:
        UserError: They cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in dataclasses.fields(TrialRow))
    for row in rows:
        writer.writerow("" if cell is None else cell for cell in dataclasses.astuple(row))
    atomic.write_text(folder / "trials.csv", text.getvalue())
    content = {
        "trials": [dataclasses.asdict(row) for row in rows],
        "front": [row.number for row in front_of(rows, bytes_of)],
    }
    atomic.write_text(folder / "trials.json", json.dumps(content, indent=1) + "\n")


def write_architectures(folder: Path, study: optuna.Study) -> None:
    """Write the design and recipe of each trial that was not too large, `trials/NAME.json`.

    Raises:
        UserError: They cannot be written.
    """
    for trial in study.get_trials(deepcopy=False):
        content: Any = trial.user_attrs.get(keys.ARCHITECTURE)
        if content is None or keys.ACCURACIES not in trial.user_attrs:
            continue
        path = architecture_path(folder, content["name"])
        if not path.exists():
            atomic.write_text(path, json.dumps(content, indent=1) + "\n")


def architecture_path(folder: Path, name: str) -> Path:
    """The file of a trial that `hemline train --arch` takes."""
    return folder / "trials" / f"{name}.json"
