"""How good a network is: accuracy and loss with counts and intervals, recall, confusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.parity.metrics import wilson_interval
from hemline_train._tensorflow import tf

FORWARD_BATCH = 500  # fixed, so that a figure does not depend on the batch size of the training


@dataclass(frozen=True)
class Score:
    """What a network did on one split.

    Attributes:
        confusion: int64, (groups, classes); row is the truth, column the answer.
        loss: Mean cross-entropy in nats.
        groups: bool, (groups, classes), which answers are right; None where each group is a class.
    """

    confusion: NDArray[np.int64]
    loss: float
    groups: NDArray[np.bool_] | None = None

    @property
    def images(self) -> int:
        """How many images."""
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        """How many were named rightly."""
        return int(self._hits.sum())

    @property
    def _hits(self) -> NDArray[np.int64]:
        """Right answers of each group."""
        if self.groups is None:
            return self.confusion.diagonal()
        return np.asarray((self.confusion * self.groups).sum(axis=1), np.int64)

    @property
    def accuracy(self) -> float:
        """Share of images named rightly."""
        return self.correct / self.images

    @property
    def interval_95(self) -> tuple[float, float]:
        """95 % interval of the accuracy."""
        return wilson_interval(self.correct, self.images)

    def summary(self) -> dict[str, Any]:
        """The figures for a JSON file."""
        return {
            "accuracy": round(self.accuracy, 6),
            "interval_95": [round(bound, 6) for bound in self.interval_95],
            "loss": round(self.loss, 6),
            "correct": self.correct,
            "images": self.images,
        }

    def recalls(self, labels: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """Per class, or group: the share of its images that were named rightly, with counts.

        One without images has the recall None.
        """
        result = {}
        for label, row, hits in zip(labels, self.confusion, self._hits, strict=True):
            total = int(row.sum())
            recall = round(int(hits) / total, 6) if total else None
            result[label] = {"recall": recall, "correct": int(hits), "images": total}
        return result


class Forward:
    """The compiled network without dropout.

    Args:
        model: A Keras model that takes pixels; later changes of its weights are seen.
    """

    def __init__(self, model: Any) -> None:
        self._call = tf.function(
            lambda pixels: model(tf.cast(pixels, tf.float32), training=False),
            input_signature=(tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8),),
        )

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits of many images.

        Args:
            pixels: uint8, (N, H, W, C), N at least 1.

        Returns:
            float32, (N, classes).
        """
        starts = range(0, len(pixels), FORWARD_BATCH)
        parts = [self._call(pixels[start : start + FORWARD_BATCH]).numpy() for start in starts]
        return np.concatenate(parts)


def score_logits(
    logits: NDArray[np.float32],
    targets: NDArray[np.int64],
    groups: NDArray[np.bool_] | None = None,
) -> Score:
    """Score the answers of a network.

    Args:
        logits: (N, classes), N at least 1.
        targets: (N,), index of the true class, or group.
        groups: See `Score`.
    """
    classes = logits.shape[1]
    exact = logits.astype(np.float64)
    right = (
        exact[np.arange(len(targets)), targets]
        if groups is None
        else _of_group(exact, groups[targets])
    )
    losses = _log_sum(exact) - right
    answers = exact.argmax(axis=1)
    rows = classes if groups is None else len(groups)
    confusion = np.bincount(targets * classes + answers, minlength=rows * classes)
    counts = confusion.reshape(rows, classes).astype(np.int64)
    return Score(counts, float(losses.mean()), groups)


def _of_group(logits: NDArray[np.float64], members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Logit of a group: that of its classes together."""
    return _log_sum(np.where(members, logits, -np.inf))


def _log_sum(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    top = logits.max(axis=1)
    sums: NDArray[np.float64] = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return sums
