from __future__ import annotations

import math

import numpy as np
import pytest

from hemline.parity.metrics import (
    UNKNOWN,
    PairedCounts,
    answers_of,
    is_collapsed,
    max_abs_error,
    mcnemar_exact_p,
    mean_abs_error,
    mean_abs_error_by_class,
    paired_counts,
    top1_agreement,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        (90, 100, 0.825634, 0.944771),  # the textbook case
        (0, 10, 0.0, 0.277533),  # none right still leaves a range
        (10, 10, 0.722467, 1.0),  # all right too
        (5, 10, 0.236593, 0.763407),  # symmetrical about one half
        (9123, 10_000, 0.906598, 0.917686),  # the size of the Fashion-MNIST test set
        (0, 0, 0.0, 1.0),  # no trial, no knowledge
    ],
)
def test_the_wilson_interval_is_that_of_the_literature(successes, total, low, high):
    assert wilson_interval(successes, total) == pytest.approx((low, high), abs=2e-6)


def test_more_confidence_widens_the_wilson_interval():
    low95, high95 = wilson_interval(90, 100)
    low99, high99 = wilson_interval(90, 100, 0.99)
    assert low99 < low95 < 0.9 < high95 < high99


@pytest.mark.parametrize(("successes", "total"), [(-1, 10), (11, 10), (1, 0)])
def test_an_impossible_number_of_successes_is_refused(successes, total):
    with pytest.raises(ValueError, match="must be from 0 to the total"):
        wilson_interval(successes, total)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [
        (0, 0, 1.0),  # nothing flipped
        (2, 8, 0.109375),  # 2 · (1 + 10 + 45) / 1024
        (8, 2, 0.109375),  # the same from the other side
        (0, 5, 0.0625),  # 2 / 2⁵
        (7, 7, 1.0),  # even flips
        (4, 5, 1.0),  # as even as nine can be: never above 1
        (1, 30, 64 / 2**31),  # 2 · (1 + 31) / 2³¹
    ],
)
def test_the_mcnemar_p_value_is_the_exact_binomial_one(b, c, p):
    assert mcnemar_exact_p(b, c) == pytest.approx(p, rel=1e-12)


def test_the_mcnemar_p_value_agrees_with_exact_integers():
    for b, c in [(3, 17), (40, 61), (150, 151), (210, 333)]:
        exact = 2 * sum(math.comb(b + c, k) for k in range(b + 1)) / 2 ** (b + c)
        assert mcnemar_exact_p(b, c) == pytest.approx(min(1, exact), rel=1e-10)


def test_the_mcnemar_p_value_survives_millions_of_flips():
    # z = 1000 / √1,001,000 ≈ 0.9995, of which the normal distribution makes 0.3176
    assert mcnemar_exact_p(500_000, 501_000) == pytest.approx(0.3178, abs=5e-4)
    assert mcnemar_exact_p(0, 1_000_000) == 0.0


def test_scores_that_are_no_numbers_give_no_answer_and_agree_with_nothing():
    scores = np.array([[0, 1], [math.nan, 1], [math.inf, 1]], np.float32)
    answers = answers_of(scores)
    assert answers.tolist() == [1, UNKNOWN, UNKNOWN]
    assert top1_agreement(answers, answers) == 1


def test_each_picture_is_counted_on_its_side():
    targets = np.array([0, 0, 1, 1, 2, 2, UNKNOWN])
    reference = np.array([0, 0, 0, 0, 2, 0, 1])
    candidate = np.array([0, 1, 1, 2, 2, 0, 2])
    counts = paired_counts(reference, candidate, targets)
    assert counts.images == 6  # the last has no known truth
    assert (counts.reference_correct, counts.candidate_correct) == (3, 3)
    assert (counts.right_to_wrong, counts.wrong_to_right) == (1, 1)
    assert counts.both_wrong_differently == 1  # the fourth; the sixth is wrong alike
    assert counts.p_value == 1.0
    assert counts.drop_points == 0.0


def test_errors_are_absolute_and_per_class():
    reference = np.array([[1.0, 2.0], [3.0, 4.0]])
    candidate = np.array([[1.5, 2.0], [2.0, 4.0]])
    assert max_abs_error(reference, candidate) == 1.0
    assert mean_abs_error(reference, candidate) == 0.375
    assert mean_abs_error_by_class(reference, candidate) == [0.75, 0.0]


def test_one_answer_to_all_is_a_collapse_only_if_the_reference_has_several():
    one, several = np.array([2, 2, 2]), np.array([0, 2, 1])
    assert is_collapsed(several, one)
    assert not is_collapsed(one, one)
    assert not is_collapsed(several, several)


def test_the_interval_of_the_drop_holds_the_drop_and_shrinks_with_more_pictures():
    few = PairedCounts(100, 90, 85, 8, 3, 0)
    many = PairedCounts(10_000, 9000, 8500, 800, 300, 0)
    for counts in (few, many):
        low, high = counts.drop_interval_points
        assert low < counts.drop_points < high
    assert np.subtract(*many.drop_interval_points[::-1]) < 0.2 * np.subtract(
        *few.drop_interval_points[::-1]
    )
    # (8.5 − 3.5) / 102 ± 1.96 · √(12 − 25/102) / 102, by hand
    assert few.drop_interval_points == pytest.approx((-1.686, 11.490), abs=2e-3)


def test_equal_answers_still_leave_the_drop_uncertain():
    low, high = PairedCounts(1000, 900, 900, 0, 0, 0).drop_interval_points
    assert low == -high
    assert 0.1 < high < 0.3
