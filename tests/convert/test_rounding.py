"""Weights and activations rounded in float: together they must be what the int8 network does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hemline.backends.litert import LiteRtBackend
from hemline.datasets import open_dataset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def paper(made, tmp_path_factory):
    from hemline_convert.convert import convert
    from hemline_convert.float_network import FloatNetwork
    from hemline_convert.float_tflite import network_tflite_from_keras
    from hemline_convert.keras_source import open_keras

    source = open_keras(made.model)
    network = FloatNetwork(network_tflite_from_keras(source))
    # Corrected biases are no rounding: they would stand in the int8 file only.
    recipe = dataclasses.replace(made.config.recipe, bias_corrected=False)
    out = tmp_path_factory.mktemp("uncorrected")
    kinds = {"tflite": ("int8",), "onnx": ()}
    convert(dataclasses.replace(made.config, out=out, recipe=recipe, **kinds))
    int8 = (out / "paper_int8.tflite").read_bytes()
    pictures = open_dataset("drawn").split("test").tensors(made.card.input)[::6]
    return network, int8, pictures, source.normalization


def test_all_roundings_in_float_together_are_within_two_steps_of_the_int8_file(paper):
    from hemline_convert.float_network import FloatNetwork
    from hemline_convert.float_run import float_logits
    from hemline_convert.rounding import (
        activation_steps,
        rounded_weights,
        with_rounded_activations,
    )
    from hemline_convert.verify import logit_step

    network, int8, pictures, normalization = paper
    rounded = FloatNetwork(network.with_constants(rounded_weights(network, int8)))
    content = with_rounded_activations(rounded, activation_steps(network, int8))
    simulated = float_logits(content, pictures, normalization)
    backend = LiteRtBackend("paper_int8.tflite", int8, 1)
    logits = np.array([backend.logits(picture[None]) for picture in pictures])
    assert np.abs(simulated - logits).max() <= 2.01 * logit_step(int8)
    plain = float_logits(network.content, pictures, normalization)
    assert np.abs(plain - logits).max() > 2.01 * logit_step(int8)


def test_weights_are_half_a_step_away_at_most_and_every_activation_has_steps(paper):
    from hemline_convert.rounding import activation_steps, rounded_weights

    network, int8, _, _ = paper
    for layer in network.layers:
        weights = network.constant(layer.weights)
        error = np.abs(rounded_weights(network, int8)[layer.weights] - weights)
        assert error.max() <= 0.501 * np.abs(weights).max() / 127
    steps = activation_steps(network, int8)
    outputs = {int(i) for operator in network.graph.operators for i in operator.outputs}
    assert set(steps) == outputs


def test_only_the_named_activations_are_rounded(paper):
    from hemline_convert.float_run import float_logits
    from hemline_convert.rounding import Steps, with_rounded_activations

    network, _, pictures, normalization = paper
    last = network.layers[-1].output
    coarse = with_rounded_activations(network, {last: Steps(1.0, 0)})
    expected = np.clip(np.round(float_logits(network.content, pictures, normalization)), -128, 127)
    assert (float_logits(coarse, pictures, normalization) == expected).all()
