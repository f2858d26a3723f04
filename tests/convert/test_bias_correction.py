from __future__ import annotations

import numpy as np
import pytest

from hemline.card import Normalization

pytestmark = pytest.mark.slow

NORMALIZATION = Normalization(1 / 255)


def wide_windows(keras, x):
    """Strides, dilation, groups, and a depth multiplier."""
    layers = keras.layers
    x = layers.Conv2D(6, 5, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(6, 3, padding="same", dilation_rate=2, activation="relu")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="relu")(x)
    return layers.Dense(5)(layers.Flatten()(x))


@pytest.fixture(scope="module", params=["plain", "mobile", wide_windows], ids=str)
def pair(request, network_of):
    """A float network, and the same with coarse weights, which stand for int8 ones."""
    from hemline_convert.float_network import FloatNetwork

    network = FloatNetwork(network_of(request.param))
    rounded = {}
    for layer in network.layers:
        weights = network.constant(layer.weights)
        step = np.float32(np.abs(weights).max() / 3)
        rounded[layer.weights] = np.round(weights / step) * step
    return network, rounded


def test_the_mean_output_of_each_layer_is_that_of_the_float_layer_again(pair, noise, monkeypatch):
    """Each layer alone, since what the ones before it add is not its own rounding's doing.

    The activation function hides part of a sum, so the mean is taken before it, by NumPy's own sums.
    """
    from hemline_convert import bias_correction
    from hemline_convert.float_network import FloatNetwork
    from hemline_convert.float_run import observed

    network, rounded = pair
    monkeypatch.setattr(bias_correction, "rounded_weights", lambda *_: rounded)
    corrected = FloatNetwork(
        bias_correction.bias_corrected(network.content, b"", noise, NORMALIZATION)
    )
    for layer in network.layers:
        change = {layer.weights: rounded[layer.weights], layer.bias: corrected.constant(layer.bias)}
        sums = {}
        for name, constants in (
            ("float", {}),
            ("rounded", {layer.weights: rounded[layer.weights]}),
            ("corrected", change),
        ):
            content = without_activations(network.with_constants(constants), layer)
            outputs = [
                values[layer.output]
                for values in observed(content, noise, NORMALIZATION, [layer.output], "")
            ]
            sums[name] = np.mean(outputs, axis=0).reshape(-1, outputs[0].shape[-1]).mean(axis=0)
        before = np.abs(sums["rounded"] - sums["float"]).max()
        after = np.abs(sums["corrected"] - sums["float"]).max()
        assert before > 1e-3
        assert after < 1e-2 * before


def without_activations(content, layer):
    """The network with that layer's activation function left out."""
    from hemline_convert import tflite_file

    model = tflite_file.unpack(content)
    for operator in model.subgraphs[0].operators:
        if int(operator.outputs[0]) == layer.output:
            operator.builtinOptions.fusedActivationFunction = 0
    return tflite_file.pack(model)
