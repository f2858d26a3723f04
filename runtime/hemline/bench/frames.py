"""The time of a frame that is in memory, model after model in turns."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from hemline.classifier import Classifier
from hemline.preprocess import Frame

STAGES = ("preprocess", "inference", "total")
BLOCK = 20  # frames in a row of one model
_SEED = 20240501  # of the order in which the models take turns


@dataclass(frozen=True)
class FrameTimes:
    """What each frame of one model took.

    Attributes:
        ms: float64, (frames, 3), milliseconds of preprocessing, of inference, and of the whole call.
        blocks: float64, (blocks,), median of the whole call in each turn.
    """

    ms: NDArray[np.float64]
    blocks: NDArray[np.float64]

    @property
    def slowing(self) -> float:
        """Median of the last fifth of the turns over that of the first: above 1, it got slower (heat)."""
        fifth = max(1, len(self.blocks) // 5)
        return float(np.median(self.blocks[-fifth:]) / np.median(self.blocks[:fifth]))


def turns(models: int, runs: int) -> Iterable[list[tuple[int, int]]]:
    """The order of the measurement: rounds of (model, frames), shuffled anew in each round.

    What slows the machine for a while then slows all models alike. A turn is some frames long, since
    the first frame after another model finds that one's weights in the caches.

    Args:
        models: How many models there are.
        runs: Frames of each model in all.
    """
    shuffle = random.Random(_SEED).shuffle
    left = runs
    while left > 0:
        frames = min(BLOCK, left)
        order = list(range(models))
        shuffle(order)
        yield [(model, frames) for model in order]
        left -= frames


def time_frames(
    classifiers: Sequence[Classifier], frame_bgr: Frame, *, warmup_runs: int, runs: int
) -> list[FrameTimes]:
    """Classify one frame again and again, the models in turns.

    Args:
        classifiers: The models.
        frame_bgr: uint8, (H, W, 3), BGR.
        warmup_runs: Frames of each model before anything is counted.
        runs: Frames of each model that count. One more begins each turn and does not.
    """
    for classifier in classifiers:
        for _ in range(warmup_runs):
            classifier.classify(frame_bgr)
    ms: list[list[tuple[float, float, float]]] = [[] for _ in classifiers]
    blocks: list[list[float]] = [[] for _ in classifiers]
    for round_ in turns(len(classifiers), runs):
        for model, frames in round_:
            taken = _turn(classifiers[model], frame_bgr, frames)
            ms[model] += taken
            blocks[model].append(float(np.median([total for _, _, total in taken])))
    return [FrameTimes(np.array(m), np.array(b)) for m, b in zip(ms, blocks, strict=True)]


def _turn(
    classifier: Classifier, frame_bgr: Frame, frames: int
) -> list[tuple[float, float, float]]:
    classify = classifier.classify
    classify(frame_bgr)
    taken = []
    for _ in range(frames):
        start = perf_counter()
        answer = classify(frame_bgr)
        total_ms = (perf_counter() - start) * 1e3
        taken.append((answer.latency_ms.preprocess, answer.latency_ms.inference, total_ms))
    return taken
