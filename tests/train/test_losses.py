from __future__ import annotations

import numpy as np
import pytest

from hemline_train._tensorflow import tf
from hemline_train.images import NOTHING
from hemline_train.losses import GroupLoss, distillation_loss, right_answers

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 3.0]], np.float32)
CHANCES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
CLASSES = np.identity(3) > 0
WITH_PAIR = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]) > 0


def test_without_groups_and_smoothing_it_is_the_cross_entropy() -> None:
    loss = GroupLoss(CLASSES)(LOGITS, tf.constant([1, 2], tf.int64))
    np.testing.assert_allclose(loss, [-np.log(CHANCES[0, 1]), -np.log(CHANCES[1, 2])], rtol=1e-5)


def _gradient(logits: np.ndarray, target: int) -> np.ndarray:
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        loss = GroupLoss(WITH_PAIR)(variable, tf.constant([target] * len(logits), tf.int64))
    return np.asarray(tape.gradient(loss, variable))


def test_a_group_wants_its_classes_together_and_of_them_the_likeliest_most() -> None:
    gradient = _gradient(LOGITS[:1], 3)[0]
    wanted = CHANCES[0, :2] ** 1.5 / (CHANCES[0, :2] ** 1.5).sum()
    np.testing.assert_allclose(gradient, CHANCES[0] - [*wanted, 0], rtol=1e-4)
    assert wanted[0] > CHANCES[0, 0] / CHANCES[0, :2].sum()


def test_a_group_whose_classes_are_equally_likely_prefers_none() -> None:
    gradient = _gradient(np.array([[1.0, 1.0, 0.0]], np.float32), 3)[0]
    assert gradient[0] == pytest.approx(gradient[1])
    assert gradient[0] < 0 < gradient[2]


def test_a_group_of_one_class_is_that_class() -> None:
    loss = GroupLoss(WITH_PAIR)(LOGITS, tf.constant([1, 2], tf.int64))
    np.testing.assert_allclose(loss, [-np.log(CHANCES[0, 1]), -np.log(CHANCES[1, 2])], rtol=1e-5)


def test_smoothing_spreads_its_share_over_all_classes() -> None:
    loss = GroupLoss(CLASSES, 0.3)(LOGITS, tf.constant([0, 0], tf.int64))
    target = np.array([0.8, 0.1, 0.1])
    np.testing.assert_allclose(loss, -(target * np.log(CHANCES)).sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("groups", [CLASSES, WITH_PAIR])
def test_what_shows_nothing_is_best_answered_by_equal_chances(groups: np.ndarray) -> None:
    targets = tf.constant([NOTHING, NOTHING], tf.int64)
    loss = GroupLoss(groups)(LOGITS, targets)
    np.testing.assert_allclose(loss, -np.log(CHANCES).mean(axis=1), rtol=1e-5)
    assert (loss.numpy() > np.log(3)).all()
    np.testing.assert_allclose(GroupLoss(groups)(np.zeros((2, 3), np.float32), targets), np.log(3))


def test_any_class_of_the_group_is_right_and_none_is_for_nothing() -> None:
    logits = np.repeat(LOGITS, 3, axis=0)  # answers 0 0 0 2 2 2
    targets = tf.constant([3, 1, NOTHING, 3, 2, NOTHING], tf.int64)
    right = right_answers(logits, targets, WITH_PAIR).numpy().tolist()
    assert right == [True, False, False, False, True, False]


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_distillation_is_least_where_the_answers_are_the_teachers(temperature: float) -> None:
    same = distillation_loss(LOGITS, LOGITS, temperature).numpy()
    other = distillation_loss(LOGITS[::-1], LOGITS, temperature).numpy()
    assert (same < other).all()
    softened = np.exp(LOGITS / temperature)
    softened /= softened.sum(axis=1, keepdims=True)
    entropy = -(softened * np.log(softened)).sum(axis=1) * temperature**2
    np.testing.assert_allclose(same, entropy, rtol=1e-5)
