from __future__ import annotations

import numpy as np
import pytest

from hemline_train._tensorflow import keras, tf
from hemline_train.optimization import (
    WeightAverage,
    averaging_decay,
    learning_rate,
    make_optimizer,
    with_decay,
)
from hemline_train.recipes import Optimization

ONE_CYCLE = Optimization("sgd", 0.2, "one-cycle", warm_up=0.25)


def test_one_cycle_rises_to_the_highest_rate_and_falls_to_almost_nothing() -> None:
    rates = [learning_rate(ONE_CYCLE, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.0002)
    assert max(rates) == rates[25] == pytest.approx(0.2)
    assert rates[:26] == sorted(rates[:26])
    assert rates[25:] == sorted(rates[25:], reverse=True)
    assert rates[-1] < 0.001


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_one_cycle_holds_for_the_shortest_runs(steps: int) -> None:
    assert all(0 < learning_rate(ONE_CYCLE, step, steps) <= 0.2 for step in range(steps))


def test_a_constant_rate_stays() -> None:
    assert {learning_rate(Optimization(), step, 9) for step in range(9)} == {0.001}


@pytest.mark.parametrize(("name", "kind"), [("adam", "Adam"), ("sgd", "SGD")])
def test_the_optimizer_is_the_one_of_the_recipe(name: str, kind: str) -> None:
    settings = Optimization("adam" if name == "adam" else "sgd", 0.03)
    optimizer = make_optimizer(settings, [tf.Variable([1.0])])
    assert type(optimizer).__name__ == kind
    assert float(optimizer.learning_rate) == pytest.approx(0.03)


def test_weight_decay_pulls_kernels_and_leaves_biases() -> None:
    kernel, bias = tf.Variable([[2.0, -4.0]]), tf.Variable([6.0])
    pulled = with_decay([tf.zeros((1, 2)), tf.zeros(1)], [kernel, bias], 0.1)
    np.testing.assert_allclose(pulled[0], [[0.2, -0.4]])
    np.testing.assert_allclose(pulled[1], [0.0])


def test_the_average_forgets_the_weights_before_training_and_is_restored_exactly() -> None:
    weight = keras.Variable(np.array([1000.0], np.float32))
    average = WeightAverage([weight])
    settings = Optimization(averaging=0.9)
    for step in range(200):
        weight.assign(np.array([1.0 if step % 2 else 3.0], np.float32))
        average.update(averaging_decay(settings, step))
    (kept,) = average.arrays()
    assert kept[0] == pytest.approx(2.0, abs=0.11)
    other = WeightAverage([weight])
    other.restore((kept,))
    assert np.array_equal(other.arrays()[0], kept)
