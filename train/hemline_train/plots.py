"""The pictures of a run: learning curves and the confusion of classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from hemline import atomic
from hemline_train.config import BEST_BY_TEXT, BestBy
from hemline_train.fit_state import EpochLog

_TRAINING, _VALIDATION, _MARK = "#1f77b4", "#d95f02", "#555555"
_MAX_CLASSES_WITH_NUMBERS = 25  # more do not fit their cells


def draw_curves(
    path: Path, log: Sequence[EpochLog], best_epoch: int, best_by: BestBy, title: str
) -> None:
    """Draw accuracy and loss of both splits over the epochs.

    Args:
        path: The `.png` file.
        log: At least one epoch.
        best_epoch: It is marked, where there is a validation to tell.
        best_by: What makes it the best.
        title: Stands above both panels.

    Raises:
        UserError: The file cannot be written.
    """
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    epochs = [row.epoch for row in log]
    panels = {
        "accuracy": ([r.training_accuracy for r in log], [r.validation_accuracy for r in log]),
        "loss": ([r.training_loss for r in log], [r.validation_loss for r in log]),
    }
    marker = "o" if len(log) < 30 else ""  # one epoch alone draws no line
    for axes, (name, (training, validation)) in zip(
        figure.subplots(1, 2), panels.items(), strict=True
    ):
        axes.plot(
            epochs,
            training,
            color=_TRAINING,
            marker=marker,
            ms=4,
            label="training, during the epoch",
        )
        if None not in validation:  # where its images are trained on, there is none
            axes.plot(
                epochs,
                validation,
                color=_VALIDATION,
                marker=marker,
                ms=4,
                label="validation, after it",
            )
            axes.axvline(
                best_epoch,
                color=_MARK,
                linestyle=":",
                label=f"{BEST_BY_TEXT[best_by]}: epoch {best_epoch}",
            )
        axes.set(
            xlabel="epoch", ylabel=name if name == "accuracy" else "loss (cross-entropy, nats)"
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    # Below the panels, where it hides no curve.
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(title)
    _save(figure, path)


def draw_confusion(
    path: Path,
    confusion: NDArray[np.int64],
    names: Sequence[str],
    labels: Sequence[str],
    title: str,
) -> None:
    """Draw how often each class was taken for each other one.

    Args:
        path: The `.png` file.
        confusion: (groups, classes); row is the truth, column the answer.
        names: Of the groups; mostly those of the classes.
        labels: Names of the classes.
        title: Stands above.

    Raises:
        UserError: The file cannot be written.
    """
    classes = len(labels)
    side = min(4.0 + 0.6 * classes, 24.0)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    # Shares, not counts, or a class with few images would look faultless.
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(classes), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="answer of the network", ylabel="true class", title=title)
    if classes <= _MAX_CLASSES_WITH_NUMBERS:
        _write_counts(axes, confusion, shares)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    _save(figure, path)


def _write_counts(axes: Any, confusion: NDArray[np.int64], shares: NDArray[Any]) -> None:
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=color, fontsize=9)


def _save(figure: Any, path: Path) -> None:
    FigureCanvasAgg(figure)
    with atomic.replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
