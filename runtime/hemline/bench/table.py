"""A measurement as text for a terminal."""

from __future__ import annotations

from hemline.bench.result import BenchResult, ModelResult
from hemline.bench.where import Conditions

_NOTABLE_SLOWING = 1.1  # of a p50: more than that is heat or other work, seldom noise


def table_of(result: BenchResult) -> str:
    """Where, how, a row for each model, and what makes the numbers doubtful."""
    head = [
        f"{name + ':':<10}{value}"
        for name, value in {
            "machine": machine_line(result),
            "versions": versions_line(result),
            "frame": settings_line(result),
        }.items()
    ]
    notes = [f"note: {text}" for text in doubts(result)]
    return "\n".join([*head, "", aligned(_rows(result)), *([""] if notes else []), *notes])


def machine_line(result: BenchResult) -> str:
    """Board, cores and architecture."""
    machine = result.machine
    cores = f"{machine.cores} usable core{'s' if machine.cores != 1 else ''}"
    return f"{machine.board}, {cores}, {machine.architecture}"


def versions_line(result: BenchResult) -> str:
    """What ran it."""
    versions = {"Python": result.machine.python, **result.machine.versions}
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def settings_line(result: BenchResult) -> str:
    """The frame and the numbers of runs."""
    settings = result.settings
    width, height = settings["size"]
    threads = settings["num_threads"]
    return (
        f"{settings['frame']}, {width}×{height}, {settings['num_runs']} runs after "
        f"{settings['warmup_runs']} of warm-up, {threads} thread{'s' if threads != 1 else ''}"
    )


def doubts(result: BenchResult) -> list[str]:
    """What may have changed the numbers: the governor, heat, other work."""
    found = []
    governors = result.after.governors
    if governors and governors != ("performance",):
        found.append(
            f"the governor of the clock is {'/'.join(governors)}, so the clock may have changed meanwhile; "
            "'performance' holds it"
        )
    throttling = dict.fromkeys((*result.before.throttling, *result.after.throttling))
    if throttling:
        found.append(f"the board says: {', '.join(throttling)}")
    if result.before.load > result.machine.cores / 2:
        found.append(
            f"other programs were running (load average {result.before.load:.1f} at the beginning)"
        )
    found += [
        f"{row.file} on {row.backend} became {row.slowing:.2f} times as slow during the measurement"
        for row in result.models
        if row.slowing > _NOTABLE_SLOWING
    ]
    return found


def conditions_line(conditions: Conditions) -> str:
    """Governor, heat and load in words."""
    governors = "/".join(conditions.governors)
    parts = [f"governor {governors or 'not readable'}", f"load {conditions.load:.1f}"]
    if conditions.temperature_c is not None:
        parts.append(f"{conditions.temperature_c:.0f} °C")
    return ", ".join([*parts, *conditions.throttling])


def _rows(result: BenchResult) -> list[list[str]]:
    header = [
        "model", "backend", "size",
        "preprocess p50", "inference p50", "total p50", "p90", "p99",
        "of the first", "first label", "memory",
    ]  # fmt: skip
    return [header, *([*_names(row), *_figures(row)] for row in result.models)]


def _names(row: ModelResult) -> list[str]:
    return [row.file, row.backend, f"{row.file_bytes / 1000:.1f} kB"]


def _figures(row: ModelResult) -> list[str]:
    total = row.stages["total"]
    return [
        *(milliseconds(row.stages[name].p50) for name in ("preprocess", "inference")),
        *(milliseconds(value) for value in (total.p50, total.p90, total.p99)),
        f"{row.ratio_to_first:.2f}",
        "" if row.first_label_ms is None else milliseconds(row.first_label_ms),
        "" if row.peak_memory_bytes is None else megabytes(row.peak_memory_bytes),
    ]


def milliseconds(value: float) -> str:
    """Three digits that count."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f} ms"


def megabytes(value: int) -> str:
    """Of memory, in units of 1,000,000 bytes."""
    return f"{value / 1e6:.1f} MB"


def aligned(rows: list[list[str]]) -> str:
    """Columns under their headings: names to the left, figures to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column > 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
