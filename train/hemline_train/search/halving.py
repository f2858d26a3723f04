"""Which trials are stopped early: successive halving among networks that are no larger.

Optuna's pruners judge one figure. Where accuracy is wanted at every size, a small network must not be
stopped because a large one is better. So a trial is held against those that are no larger than itself:
whoever is larger and not even as good as the median of them will hardly come to the front. After Jamieson
and Talwalkar, 2016 (arXiv:1502.07943), asynchronous as by Li et al., 2020 (arXiv:1810.05934): nobody waits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

_FACTOR = 3  # from one rung to the next, trials train three times as long
LEAST_RIVALS = 4  # with fewer, a median says little


@dataclass(frozen=True)
class Course:
    """How a trial went so far.

    Attributes:
        parameters: Of its network.
        accuracies: On the validation images, after each epoch.
    """

    parameters: int
    accuracies: tuple[float, ...]


def rungs(epochs: int) -> tuple[int, ...]:
    """The epochs after which trials are judged: a ninth and a third of all, rounded up."""
    wanted = {math.ceil(epochs / _FACTOR**power) for power in (1, 2)}
    return tuple(sorted(rung for rung in wanted if rung < epochs))


def is_hopeless(course: Course, others: Iterable[Course], epochs: int, by_size: bool) -> bool:
    """Whether a trial is to be stopped after the epoch that it has just done.

    Args:
        course: Of the trial.
        others: Of other trials, finished, stopped or running.
        epochs: Of a whole trial.
        by_size: Whether only networks that are no larger count.
    """
    done = len(course.accuracies)
    if done not in rungs(epochs):
        return False
    rivals = [
        other.accuracies[done - 1]
        for other in others
        if len(other.accuracies) >= done and (not by_size or other.parameters <= course.parameters)
    ]
    return len(rivals) >= LEAST_RIVALS and course.accuracies[-1] < median(rivals)
