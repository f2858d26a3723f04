"""How good a model is at naming garments, at knowing how sure it is, and at refusing what is none.

Everything works on logits and groups (`classes`), so that "shoes" is right for any kind of shoe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.parity.metrics import wilson_interval
from hemline.scores import softmax

BINS = 15  # of the calibration error, as Guo et al. have it
MOST_LOST = 0.05  # share of the garments that a threshold may refuse

Logits = NDArray[np.floating]
Groups = NDArray[np.int64]
Matrix = NDArray[np.bool_]


@dataclass(frozen=True)
class Share:
    """So many of so many.

    Attributes:
        hits: How many.
        of: Out of how many.
    """

    hits: int
    of: int

    @property
    def rate(self) -> float:
        """0–1; not a number if there were none."""
        return self.hits / self.of if self.of else float("nan")

    def summary(self) -> dict[str, Any]:
        """The figures for a JSON file, with the 95 % interval of Wilson."""
        low, high = wilson_interval(self.hits, self.of)
        rate = round(self.rate, 6) if self.of else None
        interval = [round(low, 6), round(high, 6)]
        return {"rate": rate, "interval_95": interval, "hits": self.hits, "of": self.of}


@dataclass(frozen=True)
class GarmentScore:
    """What a model did on pictures of garments.

    Attributes:
        confusion: int64, (groups, classes); row is the group, column the class that was named.
        right: bool, (N,), per picture.
        confidences: float64, (N,), the probability of the class that was named.
    """

    confusion: NDArray[np.int64]
    right: NDArray[np.bool_]
    confidences: NDArray[np.float64]
    matrix: Matrix

    @property
    def top1(self) -> Share:
        """Pictures whose named class belongs to their group."""
        return Share(int(self.right.sum()), len(self.right))

    def recalls(self) -> dict[int, Share]:
        """By group, of those that occur: how many were named rightly."""
        hits = (self.confusion * self.matrix).sum(axis=1)
        sizes = self.confusion.sum(axis=1)
        return {g: Share(int(hits[g]), int(n)) for g, n in enumerate(sizes) if n}

    @property
    def macro_recall(self) -> float:
        """Mean over the groups that occur."""
        return float(np.mean([share.rate for share in self.recalls().values()]))

    @property
    def calibration_error(self) -> float:
        """See the function of that name."""
        return calibration_error(self.right, self.confidences)

    def taken_for(self, group: int, labels: Sequence[str], most: int) -> str:
        """What pictures of a group are taken for, the most frequent first: `hat (3), bag (1)`."""
        wrong = np.where(self.matrix[group], 0, self.confusion[group])
        order = [int(k) for k in np.argsort(-wrong, kind="stable")[:most] if wrong[k]]
        return ", ".join(f"{labels[k]} ({wrong[k]})" for k in order)


def calibration_error(right: NDArray[np.bool_], confidences: NDArray[np.float64]) -> float:
    """Σ over bins of (pictures in the bin / all) · |share right − mean confidence|.

    Fifteen bins of equal width over 0–1. Guo et al., "On Calibration of Modern Neural Networks", 2017.

    Args:
        right: bool, (N,), N at least 1.
        confidences: (N,), 0–1.
    """
    bins = np.minimum((confidences * BINS).astype(int), BINS - 1)
    sizes = np.bincount(bins, minlength=BINS)
    hits = np.bincount(bins, right, BINS)
    sums = np.bincount(bins, confidences, BINS)
    return float(np.abs(hits - sums).sum() / sizes.sum())


def garment_score(
    logits: Logits, groups: Groups, matrix: Matrix, temperature: float = 1.0
) -> GarmentScore:
    """Score the answers to pictures of garments.

    Args:
        logits: (N, classes), N at least 1.
        groups: int64, (N,), rows of `matrix`.
        matrix: bool, (groups, classes), from `classes.group_matrix`.
        temperature: See `hemline.scores.softmax`.
    """
    named = logits.argmax(axis=1)
    confusion = np.zeros(matrix.shape, np.int64)
    np.add.at(confusion, (groups, named), 1)
    return GarmentScore(confusion, matrix[groups, named], confidences(logits, temperature), matrix)


def confidences(logits: Logits, temperature: float = 1.0) -> NDArray[np.float64]:
    """The probability of the likeliest class: float64, (N,). The runtime refuses by it."""
    best: NDArray[np.float64] = softmax(logits, temperature).max(axis=1)
    return best


def refused(found: NDArray[np.floating], threshold: float) -> Share:
    """Pictures that the runtime answers with `unknown`, by their confidences."""
    return Share(int((found < threshold).sum()), len(found))


def auroc(garments: NDArray[np.floating], nothing: NDArray[np.floating]) -> float:
    """How likely a garment has a higher confidence than a frame without one; equals count half.

    The Mann–Whitney statistic, U / (garments · frames).
    """
    ordered = np.sort(nothing)
    below = np.searchsorted(ordered, garments, "left")
    upto = np.searchsorted(ordered, garments, "right")
    return float((below + upto).mean() / 2 / len(nothing))


def auroc_interval(area: float, garments: int, frames: int) -> tuple[float, float]:
    """95 % interval of an area under the curve, from the numbers of pictures.

    With a = `area`, q = a / (2 − a) and r = 2a² / (1 + a): a ± 1.96·√((a(1 − a) + (garments − 1)(q − a²)
    + (frames − 1)(r − a²)) / (garments · frames)), kept within 0–1. Hanley and McNeil, "The meaning and use
    of the area under a receiver operating characteristic curve", 1982.
    """
    square = area * area
    variance = area * (1 - area) + (garments - 1) * (area / (2 - area) - square)
    variance += (frames - 1) * (2 * square / (1 + area) - square)
    spread = 1.96 * float(np.sqrt(variance / (garments * frames)))
    return max(0.0, area - spread), min(1.0, area + spread)


def auroc_summary(garments: NDArray[np.floating], nothing: NDArray[np.floating]) -> dict[str, Any]:
    """The area under the curve for a JSON file, with its 95 % interval and the numbers of pictures."""
    area = auroc(garments, nothing)
    low, high = auroc_interval(area, len(garments), len(nothing))
    return {
        "area": round(area, 6),
        "interval_95": [round(low, 6), round(high, 6)],
        "garments": len(garments),
        "frames": len(nothing),
    }


def confidence_loss(
    logits: Logits, groups: Groups, matrix: Matrix, temperature: float = 1.0
) -> float:
    """Mean of −log c where the named class is right and of −log(1 − c) where it is not, in nats.

    c is its probability. It is least where c is as often right as it says, whatever the other classes get: a
    photo of shoes is not right by the sum of three kinds, but by the one that is named.
    """
    found = confidences(logits, temperature)
    right = matrix[groups, logits.argmax(axis=1)]
    return float(-np.log(np.clip(np.where(right, found, 1 - found), 1e-12, None)).mean())


def fit_temperature(logits: Logits, groups: Groups, matrix: Matrix) -> float:
    """The temperature that makes `confidence_loss` least, to 1 %.

    Args:
        logits: Of validation pictures of garments, (N, classes).
        groups: int64, (N,).
        matrix: bool, (groups, classes).
    """
    low, high = np.log(0.05), np.log(20.0)
    ratio = (np.sqrt(5) - 1) / 2  # golden section search; the loss has one valley
    while high - low > 0.01:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        losses = [confidence_loss(logits, groups, matrix, float(np.exp(t))) for t in (left, right)]
        low, high = (low, right) if losses[0] < losses[1] else (left, high)
    return float(np.exp((low + high) / 2))


def fit_threshold(sources: Sequence[NDArray[np.floating]], most_lost: float = MOST_LOST) -> float:
    """The highest threshold that loses no more than a share of the garments of any source.

    The higher it is, the more frames without a garment are refused; so this refuses as many as can be.

    Args:
        sources: Confidences of validation pictures of garments, an array for each kind of picture
            (photos, Fashion-MNIST, …).
        most_lost: Share that may be refused, 0–1.
    """
    thresholds = []
    for found in sources:
        allowed = int(len(found) * most_lost)
        # The runtime refuses what is below the threshold, so this one itself is kept.
        thresholds.append(float(np.sort(found)[allowed]))
    return min(thresholds)
