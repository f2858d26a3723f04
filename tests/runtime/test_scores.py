from __future__ import annotations

import numpy as np
import pytest

from hemline.scores import softmax, top_k


def test_softmax_of_known_logits():
    logits = np.log(np.array([1, 2, 5], np.float64))
    assert softmax(logits) == pytest.approx([0.125, 0.25, 0.625])


def test_softmax_works_row_by_row():
    rows = softmax(np.array([[0, 0], [1, 1]], np.float32))
    assert rows.tolist() == [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (1.0, [0.9, 0.1]),  # as the network says
        (2.0, [0.75, 0.25]),  # softer: odds of 9 become odds of 3
        (0.5, [81 / 82, 1 / 82]),  # sharper: odds of 9 become odds of 81
    ],
)
def test_temperature_takes_the_root_of_the_odds(temperature, expected):
    logits = np.log(np.array([9, 1], np.float64))
    assert softmax(logits, temperature) == pytest.approx(expected)


@pytest.mark.parametrize(
    "logits",
    [
        [1e30, 0, -1e30],  # exp would overflow without taking the maximum off
        [-1e30, -1e30],  # all hopeless: still a distribution
        [0.0],  # one class
    ],
)
def test_softmax_stays_finite(logits):
    probabilities = softmax(np.array(logits, np.float32))
    assert np.isfinite(probabilities).all()
    assert probabilities.sum() == pytest.approx(1)


def test_top_k_is_best_first_and_no_longer_than_asked_for():
    probabilities = np.array([0.1, 0.6, 0.3])
    assert top_k(probabilities, "abc", 2) == [("b", 0.6), ("c", 0.3)]
    assert len(top_k(probabilities, "abc", 9)) == 3


def test_of_equal_probabilities_the_earlier_class_wins_as_argmax_has_it():
    probabilities = np.array([0.2, 0.4, 0.4])
    assert [label for label, _ in top_k(probabilities, "abc", 3)] == ["b", "c", "a"]
    assert probabilities.argmax() == 1
