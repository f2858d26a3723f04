"""The picture of a search: accuracy against size and against latency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hemline import atomic
from hemline_train.search.results import (
    TrialRow,
    Value,
    accuracy_of,
    bytes_of,
    front_of,
    latency_of,
    measured_here,
)

_COLORS = {"residual": "#1f77b4", "dense": "#d95f02"}
_FRONT = "#555555"


def draw_search(path: Path, rows: Sequence[TrialRow], title: str) -> None:
    """Draw the complete trials, and those that nothing beats as a line.

    Args:
        path: The `.png` file.
        rows: All trials; at least one is complete.
        title: Stands above both panels.

    Raises:
        UserError: The file cannot be written.
    """
    figure = Figure(figsize=(12, 5), layout="constrained")
    complete = [row for row in rows if row.is_complete]
    left, right = figure.subplots(1, 2, sharey=True)
    _panel(left, complete, lambda row: bytes_of(row) / 1000, "size of the int8 file, kB")
    left.set_ylabel("validation accuracy of the int8 file")
    here = measured_here(complete)
    label = "median inference on this machine, ms"
    if len(here) < len(complete):
        label += f" ({len(complete) - len(here)} trials of other machines left out)"
    _panel(right, here, latency_of, label)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(title)
    FigureCanvasAgg(figure)
    with atomic.replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _panel(axes: Any, rows: Sequence[TrialRow], cost: Value, label: str) -> None:
    for family, color in _COLORS.items():
        own = [row for row in rows if row.family == family]
        if own:
            xs, ys = [cost(row) for row in own], [accuracy_of(row) for row in own]
            axes.scatter(xs, ys, color=color, s=28, label=f"{family} networks", zorder=3)
    front = front_of(rows, cost)
    if front:
        xs, ys = [cost(row) for row in front], [accuracy_of(row) for row in front]
        axes.step(xs, ys, where="post", color=_FRONT, linestyle="--", label="front", zorder=2)
        for row in front:
            axes.annotate(
                str(row.number),
                (cost(row), accuracy_of(row)),
                xytext=(4, 4),
                textcoords="offset points",
            )
    axes.set_xlabel(label)
    axes.grid(alpha=0.3)
