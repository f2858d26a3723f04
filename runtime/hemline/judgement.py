"""Judging frames together: smoothing, hysteresis, and events only when the label changes.

rule = Judgement(smooth_s=0.5, hysteresis=0.1)
judge = rule.judge(classifier)
for frame in frames:
    own = classifier.classify(frame.bgr)
    answer = judge(own, classifier.probabilities, frame.at_s)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hemline.classifier import UNKNOWN, Classification
from hemline.errors import UserError
from hemline.scores import top_k

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hemline.batch import Outcome
    from hemline.classifier import Classifier


@dataclass(frozen=True)
class Judgement:
    """How frames of one source are judged together.

    Attributes:
        smooth_s: Time constant of the smoothing in seconds, see `smoothing_weight`; 0 for none.
        hysteresis: By how much probability, 0 to 1, another label must be ahead before it replaces the
            present one, and by how much that may fall below the threshold before it is given up.

    Raises:
        UserError: A value is out of its range.
    """

    smooth_s: float = 0.0
    hysteresis: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.smooth_s < math.inf):
            raise UserError(
                f"the smoothing is over {self.smooth_s} s", "give seconds, 0 or more, such as 0.5"
            )
        if not 0 <= self.hysteresis <= 1:
            raise UserError(f"the hysteresis is {self.hysteresis}", "it must be from 0 to 1")

    def judge(self, classifier: Classifier) -> Judge:
        """A judge of one source, with the labels, threshold and top k of a classifier."""
        return Judge(self, classifier.card.labels, classifier.threshold, classifier.top_k)


class Judge:
    """Judges the frames of one source, in their order.

    Args:
        rule: How.
        labels: Names of the classes.
        threshold: Smoothed probability below which the answer is `unknown`.
        k: How many labels an answer has.
    """

    def __init__(self, rule: Judgement, labels: Sequence[str], threshold: float, k: int) -> None:
        self._rule = rule
        self._labels = labels
        self._threshold = threshold
        self._k = k
        self._smoothed: NDArray[np.float64] | None = None
        self._at_s = 0.0
        self._present: int | None = None  # the class that is answered, None for `unknown`

    def __call__(
        self, own: Classification, probabilities: NDArray[np.float64], at_s: float
    ) -> Classification:
        """The answer for a frame in the light of those before it.

        Args:
            own: What the frame alone is answered with.
            probabilities: float64, (classes,), of the frame alone.
            at_s: When the frame was, in seconds that never go back.

        Returns:
            The label that holds; its smoothed probability, or for `unknown` that of the likeliest; the
            likeliest by smoothed probability; the latency of the frame.
        """
        smoothed = self._smooth(probabilities, at_s)
        likeliest = int(smoothed.argmax())
        self._present = self._decide(smoothed, likeliest)
        top = top_k(smoothed, self._labels, self._k)
        if self._present is None:
            return Classification(UNKNOWN, top[0][1], top, own.latency_ms)
        label, confidence = self._labels[self._present], float(smoothed[self._present])
        return Classification(label, confidence, top, own.latency_ms)

    def _smooth(self, probabilities: NDArray[np.float64], at_s: float) -> NDArray[np.float64]:
        if self._smoothed is None:
            self._smoothed = probabilities.copy()
        else:
            weight = smoothing_weight(at_s - self._at_s, self._rule.smooth_s)
            self._smoothed += weight * (probabilities - self._smoothed)
        self._at_s = at_s
        return self._smoothed

    def _decide(self, smoothed: NDArray[np.float64], likeliest: int) -> int | None:
        present, margin = self._present, self._rule.hysteresis
        if present is not None and smoothed[present] >= self._threshold - margin:
            ahead = smoothed[likeliest] - smoothed[present]
            if likeliest == present or ahead < margin or smoothed[likeliest] < self._threshold:
                return present
        return likeliest if smoothed[likeliest] >= self._threshold else None


def smoothing_weight(elapsed_s: float, time_constant_s: float) -> float:
    """The weight α of a new value in an exponential moving average, s ← s + α (x − s).

    α = 1 − exp(−Δt / τ), so that what was before fades by the time that has passed, however many frames
    there were meanwhile. For evenly spaced values it is the α of Brown's simple exponential smoothing
    (NIST/SEMATECH e-Handbook of Statistical Methods, 6.4.3.1); for uneven ones the "next point" form
    (U. Müller, "Specially Weighted Moving Averages with Repeated Application of the EMA Operator", 2000).

    Args:
        elapsed_s: Time since the last value, Δt.
        time_constant_s: τ: after it, a step has been followed by 63 %. 0 follows at once.
    """
    if time_constant_s == 0:
        return 1.0
    return -math.expm1(-max(0.0, elapsed_s) / time_constant_s)


class LabelChange:
    """Tells of each frame whether its label is another than that of the frame before it."""

    def __init__(self) -> None:
        self._before: tuple[str, str] | None = None

    def __call__(self, outcome: Outcome) -> bool:
        """True for the first frame of a source and for each new label; False for all that is no frame."""
        if outcome.answer is None or outcome.frame is None:
            return False
        now = outcome.source, outcome.answer.label
        is_new, self._before = now != self._before, now
        return is_new
