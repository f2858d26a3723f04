from __future__ import annotations

import numpy as np
import pytest

from hemline_train.architectures import build_network
from hemline_train.evaluation import FORWARD_BATCH, Forward, Score, score_logits


def test_rows_of_the_confusion_are_the_truth_and_columns_the_answer() -> None:
    logits = np.array([[2, 0, 0], [2, 0, 0], [0, 2, 0]], np.float32)
    score = score_logits(logits, np.array([0, 1, 1]))
    assert score.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert (score.correct, score.images) == (2, 3)
    assert score.accuracy == pytest.approx(2 / 3)


def test_the_loss_is_the_mean_cross_entropy_in_nats() -> None:
    score = score_logits(np.array([[0, 0], [0, np.log(3)]], np.float32), np.array([0, 1]))
    assert score.loss == pytest.approx((np.log(2) + np.log(4 / 3)) / 2)


def test_huge_logits_do_not_overflow() -> None:
    assert score_logits(np.array([[5000, 0]], np.float32), np.array([1])).loss == 5000


def test_the_summary_gives_counts_and_an_interval_around_the_accuracy() -> None:
    summary = Score(np.array([[45, 5], [5, 45]]), 0.3).summary()
    assert (summary["correct"], summary["images"], summary["accuracy"]) == (90, 100, 0.9)
    assert summary["interval_95"] == pytest.approx([0.8256, 0.9448], abs=1e-4)  # Wilson 1927


def test_recall_is_given_per_class_and_is_none_without_images() -> None:
    recalls = Score(np.array([[3, 1], [0, 0]]), 0.0).recalls(("a", "b"))
    assert recalls["a"] == {"recall": 0.75, "correct": 3, "images": 4}
    assert recalls["b"] == {"recall": None, "correct": 0, "images": 0}


def test_forward_answers_all_images_in_order_and_sees_changed_weights() -> None:
    model = build_network("optimized", 4)
    forward = Forward(model)
    pixels = np.random.default_rng(0).integers(0, 256, (FORWARD_BATCH + 3, 28, 28, 1), np.uint8)
    expected = np.array(model(pixels.astype(np.float32), training=False))
    np.testing.assert_allclose(forward(pixels), expected, atol=1e-5)
    model.set_weights([0 * weights for weights in model.get_weights()])
    assert not forward(pixels).any()
