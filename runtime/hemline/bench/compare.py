"""Two measurements beside each other: before and after an update, a board and a workstation."""

from __future__ import annotations

import json
import os
from pathlib import Path

from hemline.bench.result import FORMAT, BenchResult, ModelResult
from hemline.bench.table import (
    aligned,
    conditions_line,
    doubts,
    machine_line,
    megabytes,
    milliseconds,
    settings_line,
)
from hemline.errors import UserError

_MAX_BYTES = 16 << 20


def read_result(path: str | os.PathLike[str]) -> BenchResult:
    """Read what `hemline bench --json` wrote.

    Raises:
        UserError: The file cannot be read, or is something else.
    """
    name = os.fspath(path)
    try:
        with Path(name).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror or error}") from error
    try:
        value = json.loads(content) if len(content) <= _MAX_BYTES else None
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise ValueError
        return BenchResult.from_json(value)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{name} is no result of hemline bench",
            "write one with: hemline bench MODEL --json FILE",
        ) from error


def comparison_of(before: BenchResult, after: BenchResult) -> str:
    """The models that both have, with the ratio of the second to the first; and what else differs.

    Raises:
        UserError: They have no model and backend in common.
    """
    earlier = {(row.file, row.backend): row for row in before.models}
    pairs = [
        (earlier[row.file, row.backend], row)
        for row in after.models
        if (row.file, row.backend) in earlier
    ]
    if not pairs:
        raise UserError(
            "the two results have no model in common that ran on the same backend",
            f"the first has {_names(before)}; the second {_names(after)}",
        )
    rows = [["model", "backend", "figure", "A", "B", "B / A"]]
    for a, b in pairs:
        rows += [[a.file, a.backend, *figures] for figures in _figures(a, b)]
    return "\n".join([*_differences(before, after), "", aligned(rows), *_doubts(before, after)])


def _names(result: BenchResult) -> str:
    return ", ".join(f"{row.file} on {row.backend}" for row in result.models)


def _figures(a: ModelResult, b: ModelResult) -> list[list[str]]:
    values = [
        (f"{stage} {name}", getattr(a.stages[stage], name), getattr(b.stages[stage], name))
        for stage, name in (
            ("preprocess", "p50"),
            ("inference", "p50"),
            ("total", "p50"),
            ("total", "p90"),
            ("total", "p99"),
        )
    ]
    rows = [[name, milliseconds(x), milliseconds(y), _ratio(x, y)] for name, x, y in values]
    if a.first_label_ms is not None and b.first_label_ms is not None:
        x, y = a.first_label_ms, b.first_label_ms
        rows.append(["first label", milliseconds(x), milliseconds(y), _ratio(x, y)])
    if a.peak_memory_bytes is not None and b.peak_memory_bytes is not None:
        m, n = a.peak_memory_bytes, b.peak_memory_bytes
        rows.append(["memory", megabytes(m), megabytes(n), _ratio(m, n)])
    return rows


def _ratio(a: float, b: float) -> str:
    return f"{b / a:.2f}" if a > 0 else ""


def _differences(a: BenchResult, b: BenchResult) -> list[str]:
    """A line for what both share, two for what differs: only the latter explains a difference."""
    lines = []
    sides = [
        ("measured", a.measured_at, b.measured_at),
        ("machine", machine_line(a), machine_line(b)),
        ("system", a.machine.system, b.machine.system),
        ("frame", settings_line(a), settings_line(b)),
        ("conditions", conditions_line(a.after), conditions_line(b.after)),
        ("Python", a.machine.python, b.machine.python),
    ]
    for name in dict.fromkeys((*a.machine.versions, *b.machine.versions)):
        left, right = (side.machine.versions.get(name, "not there") for side in (a, b))
        sides.append((name, left, right))
    for name, left, right in sides:
        if left == right:
            lines.append(f"{name + ':':<24}{left}")
        else:
            lines += [f"{name + ', A:':<24}{left}", f"{name + ', B:':<24}{right}"]
    return lines


def _doubts(a: BenchResult, b: BenchResult) -> list[str]:
    notes = [f"note: {side}: {text}" for side, r in (("A", a), ("B", b)) for text in doubts(r)]
    if a.settings != b.settings:
        notes.append("note: frames or settings differ, so the times do not compare one by one")
    return ["", *notes] if notes else []
