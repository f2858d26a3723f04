"""What a training remembers from epoch to epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline_train.config import BestBy, Settings

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class EpochLog:
    """One line of the log.

    Attributes:
        epoch: From 1.
        training_accuracy: Over the epoch, while the weights change, augmented and with dropout.
        training_loss: Likewise; cross-entropy in nats.
        validation_accuracy: After the epoch, on the images as they are, with the weights that would be
            kept; None where the validation images are trained on.
        validation_loss: Likewise.
        seconds: What the epoch took, validation included.
    """

    epoch: int
    training_accuracy: float
    training_loss: float
    validation_accuracy: float | None
    validation_loss: float | None
    seconds: float


@dataclass(frozen=True)
class FitState:
    """All that the next epoch depends on; what a checkpoint holds.

    Attributes:
        log: The epochs done.
        weights: Of the network after the last of them.
        optimizer: Variables of the optimizer.
        best_weights: Of the best epoch.
        averaged: The moving average of the weights; empty where the recipe has none.
    """

    log: tuple[EpochLog, ...]
    weights: Arrays
    optimizer: Arrays
    best_weights: Arrays
    averaged: Arrays = ()

    @property
    def kept(self) -> Arrays:
        """The weights to keep if this epoch is the last."""
        return self.averaged or self.weights

    def best_epoch(self, config: Settings) -> int:
        """The best epoch as `config.best_by` says, the first of equals; 0 before any.

        Where nothing is validated it is the last.
        """
        if not self.log:
            return 0
        if self.log[-1].validation_loss is None:
            return len(self.log)
        return min(self.log, key=_ORDERS[config.best_by]).epoch

    def is_over(self, config: Settings) -> bool:
        """Whether all epochs are done, or patience has run out."""
        done = len(self.log)
        waited = done - self.best_epoch(config)
        return done >= config.epochs or (config.patience > 0 and waited >= config.patience)


# The best epoch comes first.
_ORDERS: dict[BestBy, Callable[[EpochLog], Any]] = {
    "validation_loss": lambda row: row.validation_loss,
    "validation_accuracy": lambda row: (-(row.validation_accuracy or 0.0), row.validation_loss),
}


def figures_of(log: Sequence[EpochLog]) -> NDArray[np.float64]:
    """A log as numbers; NaN is None."""
    return np.array([astuple(row) for row in log], np.float64)


def log_of(figures: NDArray[np.float64]) -> tuple[EpochLog, ...]:
    """The log that `figures_of` was made of."""
    log = []
    for epoch, *rest in figures.tolist():
        values: list[Any] = [None if math.isnan(figure) else figure for figure in rest]
        log.append(EpochLog(int(epoch), *values))
    return tuple(log)
