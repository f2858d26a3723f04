"""How alike two models are: pure functions of their answers and scores.

`reference` is always the model that is right by definition, `candidate` the one that is judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Answers = NDArray[np.int64]
Scores = NDArray[np.floating]

UNKNOWN = -1  # among targets: the truth is not known; among answers: there was none (NaN scores)


def wilson_interval(successes: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """The range that a true rate lies in, given `successes` out of `total` trials.

    With p = successes / total and z the (1 + confidence) / 2 quantile of the normal distribution:
    (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n). Wilson, "Probable inference, the law of
    succession, and statistical inference", 1927. It stays within 0–1 and is honest for small n.

    Returns:
        Low and high, each from 0 to 1; (0, 1) when there were no trials.

    Raises:
        ValueError: `successes` is not from 0 to `total`, or `confidence` not between 0 and 1.
    """
    if not 0 <= successes <= total:
        raise ValueError(f"{successes} successes out of {total}: must be from 0 to the total")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: must be between 0 and 1")
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate = successes / total
    centre = rate + z * z / (2 * total)
    spread = z * math.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    shrink = 1 + z * z / total
    # At the ends the formula gives 0 and 1 but for rounding.
    low = 0.0 if successes == 0 else (centre - spread) / shrink
    high = 1.0 if successes == total else (centre + spread) / shrink
    return low, high


def mcnemar_exact_p(b: int, c: int) -> float:
    """How likely flips as uneven as `b` to `c` are if both models are equally good.

    Two-sided exact binomial test: min(1, 2·P(X ≤ min(b, c))), X ~ Binomial(b + c, ½). McNemar,
    "Note on the sampling error of the difference between correlated proportions", 1947.

    Args:
        b: Pictures that only the reference has right.
        c: Pictures that only the candidate has right.

    Returns:
        0–1; 1 when nothing flipped.

    Raises:
        ValueError: A count is negative.
    """
    if b < 0 or c < 0:
        raise ValueError(f"{b} and {c} flips: a count cannot be negative")
    total, fewer = b + c, min(b, c)
    if b == c:
        return 1.0
    # The largest term by logarithms (2 to the power of -100,000 is no float), the others by their
    # ratio to the one before, until they no longer count.
    log_term = (
        math.lgamma(total + 1)
        - math.lgamma(fewer + 1)
        - math.lgamma(total - fewer + 1)
        - total * math.log(2)
    )
    ratio, summed = 1.0, 1.0
    for k in range(fewer, 0, -1):
        ratio *= k / (total - k + 1)
        summed += ratio
        if ratio < summed * 1e-17:
            break
    return min(1.0, 2 * math.exp(log_term) * summed)


def answers_of(scores: Scores) -> Answers:
    """The class with the highest score of each row, the first of equals.

    Args:
        scores: Any float type, (N, classes).

    Returns:
        int64, (N,): `UNKNOWN` where a score is NaN or infinite, for that is no answer.
    """
    answers: Answers = np.argmax(scores, axis=1).astype(np.int64)
    answers[~finite_rows(scores)] = UNKNOWN
    return answers


def finite_rows(scores: Scores) -> NDArray[np.bool_]:
    """Which rows hold nothing but finite numbers: bool, (N,)."""
    return np.asarray(np.isfinite(scores).all(axis=1), np.bool_)


def top1_agreement(reference: Answers, candidate: Answers) -> int:
    """How many pictures both models answer alike: #{i : reference[i] = candidate[i] ≠ UNKNOWN}.

    Args:
        reference: int64, (N,), class indices.
        candidate: int64, (N,), class indices.
    """
    return int(((reference == candidate) & (reference != UNKNOWN)).sum())


@dataclass(frozen=True)
class PairedCounts:
    """What became of each picture whose truth is known, from the reference to the candidate.

    Attributes:
        images: Pictures of known truth.
        reference_correct: Of these, right by the reference.
        candidate_correct: Of these, right by the candidate.
        right_to_wrong: Only the reference has them right.
        wrong_to_right: Only the candidate has them right.
        both_wrong_differently: Wrong by both, with different answers.
    """

    images: int
    reference_correct: int
    candidate_correct: int
    right_to_wrong: int
    wrong_to_right: int
    both_wrong_differently: int

    @property
    def p_value(self) -> float:
        """`mcnemar_exact_p` of the two kinds of flips."""
        return mcnemar_exact_p(self.right_to_wrong, self.wrong_to_right)

    @property
    def drop_points(self) -> float:
        """Accuracy of the reference less that of the candidate, in percentage points."""
        if self.images == 0:
            return 0.0
        return 100 * (self.reference_correct - self.candidate_correct) / self.images

    @property
    def drop_interval_points(self) -> tuple[float, float]:
        """The range that the true drop lies in with 95 % confidence, in percentage points.

        With b and c the pictures that only the reference, or only the candidate, has right, half a picture
        added to each, and n two more than the pictures: d ± 1.96·√((b + c) − (b − c)²/n) / n, d = (b − c)/n.
        Agresti and Min, "Simple improved confidence intervals for comparing matched proportions", 2005.
        """
        total = self.images + 2
        lost, won = self.right_to_wrong + 0.5, self.wrong_to_right + 0.5
        spread = 1.96 * math.sqrt(lost + won - (lost - won) ** 2 / total) / total
        drop = (lost - won) / total
        return 100 * max(drop - spread, -1.0), 100 * min(drop + spread, 1.0)


def paired_counts(reference: Answers, candidate: Answers, targets: Answers) -> PairedCounts:
    """Compare the answers picture by picture where the truth is known.

    Args:
        reference: int64, (N,), class indices.
        candidate: int64, (N,), class indices.
        targets: int64, (N,), the true classes, `UNKNOWN` where not known.
    """
    known = targets != UNKNOWN
    reference, candidate, targets = reference[known], candidate[known], targets[known]
    reference_right, candidate_right = reference == targets, candidate == targets
    return PairedCounts(
        images=len(targets),
        reference_correct=int(reference_right.sum()),
        candidate_correct=int(candidate_right.sum()),
        right_to_wrong=int((reference_right & ~candidate_right).sum()),
        wrong_to_right=int((~reference_right & candidate_right).sum()),
        both_wrong_differently=int(
            (~reference_right & ~candidate_right & (reference != candidate)).sum()
        ),
    )


def max_abs_error(reference: Scores, candidate: Scores) -> float:
    """max |candidate − reference| over all pictures and classes; 0 for none. Both (N, classes)."""
    return float(_abs_errors(reference, candidate).max(initial=0.0))


def mean_abs_error(reference: Scores, candidate: Scores) -> float:
    """mean |candidate − reference| over all pictures and classes; 0 for none. Both (N, classes)."""
    errors = _abs_errors(reference, candidate)
    return float(errors.mean()) if errors.size else 0.0


def mean_abs_error_by_class(reference: Scores, candidate: Scores) -> list[float]:
    """For each class c, the mean over pictures of |candidate[:, c] − reference[:, c]|."""
    errors = _abs_errors(reference, candidate)
    if not len(errors):
        return [0.0] * errors.shape[1]
    return [float(error) for error in errors.mean(axis=0)]


def _abs_errors(reference: Scores, candidate: Scores) -> NDArray[np.float64]:
    difference = np.asarray(candidate, np.float64) - np.asarray(reference, np.float64)
    return np.abs(difference)


def is_collapsed(reference: Answers, candidate: Answers) -> bool:
    """Whether the candidate gives one and the same answer where the reference gives several."""
    return len(np.unique(candidate)) == 1 < len(np.unique(reference))
