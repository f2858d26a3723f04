"""The optimizer of a recipe, its learning rate at each step, and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline_train._tensorflow import keras
from hemline_train.recipes import Optimization

_LOWEST = 1e-3  # a one-cycle schedule begins and ends at this share of its highest rate


def make_optimizer(settings: Optimization, variables: Sequence[Any]) -> Any:
    """The Keras optimizer, with its own variables made."""
    if settings.optimizer == "adam":
        optimizer = keras.optimizers.Adam(settings.learning_rate)
    else:
        optimizer = keras.optimizers.SGD(settings.learning_rate, momentum=0.9, nesterov=True)
    optimizer.build(variables)
    return optimizer


def learning_rate(settings: Optimization, step: int, steps: int) -> float:
    """The rate of one step.

    Args:
        settings: Schedule and highest rate.
        step: From 0.
        steps: Of the whole run, at least 1.
    """
    if settings.schedule == "constant":
        return settings.learning_rate
    rising = settings.warm_up * steps
    if step < rising:
        way = (1 - math.cos(math.pi * step / rising)) / 2
    else:
        way = (1 + math.cos(math.pi * (step - rising) / (steps - rising))) / 2
    return settings.learning_rate * (_LOWEST + (1 - _LOWEST) * way)


def with_decay(gradients: Sequence[Any], variables: Sequence[Any], decay: float) -> list[Any]:
    """The gradients, with the pull of the weight decay on all kernels; they have two axes or more."""
    return [
        gradient + decay * variable if decay and len(variable.shape) > 1 else gradient
        for gradient, variable in zip(gradients, variables, strict=True)
    ]


class WeightAverage:
    """A moving average of weights over the steps, as `Optimization.averaging` says.

    In the first steps it is the plain mean, so that the weights before training are soon forgotten.

    Args:
        weights: Variables of the network; also those that are not trained.
    """

    def __init__(self, weights: Sequence[Any]) -> None:
        self._weights = list(weights)
        self._averages = [
            keras.Variable(weight, trainable=False, name=f"average_{number}")
            for number, weight in enumerate(weights)
        ]

    def update(self, decay: Any) -> None:
        """Take in the weights after a step; `decay` is the share of the average that stays."""
        for average, weight in zip(self._averages, self._weights, strict=True):
            average.assign(average * decay + weight * (1 - decay))

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """The averages."""
        return tuple(np.array(average.numpy()) for average in self._averages)

    def restore(self, arrays: Sequence[NDArray[Any]]) -> None:
        """Go on from what `arrays` gave."""
        for average, array in zip(self._averages, arrays, strict=True):
            average.assign(array)


def averaging_decay(settings: Optimization, step: int) -> float:
    """Share of the average that stays in a step; `step` is from 0."""
    return min(settings.averaging, (1 + step) / (10 + step))
