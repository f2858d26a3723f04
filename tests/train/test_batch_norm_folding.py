from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hemline_train._tensorflow import keras
from hemline_train.batch_norm_folding import without_batch_norm

L = keras.layers


def with_drawn_weights(model: Any) -> Any:
    chance = np.random.default_rng(0)
    for variable in model.variables:
        if variable.dtype == "float32":
            variable.assign(chance.uniform(0.5, 1.5, variable.shape))
    return model


def network(*layers: Any, shape: tuple[int, ...] = (8, 8, 3)) -> Any:
    return with_drawn_weights(keras.Sequential([keras.Input(shape), *layers]))


def norms(model: Any) -> int:
    return sum(isinstance(layer, L.BatchNormalization) for layer in model.layers)


def assert_same_answers(model: Any, folded: Any) -> None:
    pixels = np.random.default_rng(1).uniform(0, 1, (4, *model.input_shape[1:])).astype(np.float32)
    expected = np.array(model(pixels, training=False))
    error = np.abs(np.array(folded(pixels, training=False)) - expected).max()
    assert error <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    "carrier",
    [
        lambda: L.Conv2D(6, 3, use_bias=False),
        lambda: L.Conv2D(6, 3, strides=2, padding="same"),
        lambda: L.DepthwiseConv2D(3, use_bias=False),
        lambda: L.DepthwiseConv2D(3, depth_multiplier=2),  # channels and multiplier share an axis
        lambda: L.SeparableConv2D(6, 3, use_bias=False),
        lambda: L.Dense(6),
    ],
)
def test_a_norm_behind_a_linear_layer_goes_into_its_weights(carrier: Callable[[], Any]) -> None:
    model = network(carrier(), L.BatchNormalization(), L.ReLU(), L.Flatten(), L.Dense(2))
    folded = without_batch_norm(model)
    assert (norms(model), norms(folded)) == (1, 0)
    assert_same_answers(model, folded)


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"epsilon": 0.1}])
def test_a_norm_without_factor_or_offset_is_folded_too(options: dict[str, Any]) -> None:
    model = network(L.Conv2D(4, 3), L.BatchNormalization(**options), L.Flatten(), L.Dense(2))
    folded = without_batch_norm(model)
    assert norms(folded) == 0
    assert_same_answers(model, folded)


def test_norms_that_the_converter_cannot_fold_stay() -> None:
    pixels = keras.Input((8, 8, 3))
    shared = L.Conv2D(4, 3, padding="same")(pixels)  # its output is taken twice
    x = L.BatchNormalization()(shared)
    x = L.Concatenate()([x, shared])
    x = L.BatchNormalization()(x)  # behind a concatenation
    x = L.Conv2D(4, 3, activation="relu")(x)
    x = L.BatchNormalization()(x)  # behind an activation
    model = with_drawn_weights(keras.Model(pixels, L.Dense(2)(L.Flatten()(x))))
    folded = without_batch_norm(model)
    assert norms(folded) == 3
    assert_same_answers(model, folded)


def test_the_copy_keeps_names_and_leaves_the_model_as_it_is() -> None:
    model = network(L.Conv2D(4, 3, name="first"), L.BatchNormalization(), L.Flatten(), L.Dense(2))
    before = [np.array(weights) for weights in model.get_weights()]
    folded = without_batch_norm(model)
    folded.get_layer("first").set_weights([w * 0 for w in folded.get_layer("first").get_weights()])
    assert folded.name == model.name
    assert folded.inputs[0].name == model.inputs[0].name
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
