from __future__ import annotations

import numpy as np
import pytest

from hemline.card import Normalization

pytestmark = pytest.mark.slow

NORMALIZATION = Normalization(1 / 255)


def relu6(keras, x):
    """Nothing here scales: ReLU6 between all layers."""
    layers = keras.layers
    x = layers.ReLU(6.0)(layers.Conv2D(8, 3)(x))
    x = layers.ReLU(6.0)(layers.DepthwiseConv2D(3)(x))
    return layers.Dense(5)(layers.Flatten()(x))


def branches(keras, x):
    """Channels that two layers use, that are added, that are joined; and one pair behind them."""
    layers = keras.layers
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="stem")(x)
    y = layers.Conv2D(8, 3, padding="same", name="side")(x)
    x = layers.Concatenate()([layers.Add()([x, y]), x])
    x = layers.Conv2D(6, 3, activation="relu", name="late")(x)
    return layers.Dense(5, name="last")(layers.Flatten()(x))


def spoilt_channels(content: bytes, pair, factors) -> bytes:
    """The same function with the channels between two layers of very different size."""
    from hemline_convert.float_network import FloatNetwork, along

    network = FloatNetwork(content)
    first, second = network.constant(pair.first.weights), network.constant(pair.second.weights)
    repeated = np.tile(factors, second.shape[-1] // len(factors))
    return network.with_constants(
        {
            pair.first.weights: np.float32(first * along(factors, pair.first.axis, first.ndim)),
            pair.first.bias: np.float32(network.constant(pair.first.bias) * factors),
            pair.second.weights: np.float32(second / repeated),
        }
    )


@pytest.mark.parametrize(
    ("build", "pairs"),
    [
        ("plain", 3),  # through both poolings and Flatten
        ("mobile", 4),  # depthwise on both sides, through the padding and the mean
        (relu6, 0),  # ReLU6 does not scale
        (branches, 1),  # stem and side go two ways
    ],
)
def test_the_float_function_stays_the_same_and_every_channel_gets_equal_ranges(
    network_of, noise, build, pairs
):
    from hemline_convert.equalization import equalized, pairs_of
    from hemline_convert.float_network import FloatNetwork, greatest_by
    from hemline_convert.float_run import float_logits

    content, pictures = network_of(build), noise[:20]
    found = pairs_of(FloatNetwork(content))
    assert len(found) == pairs
    for pair in found:
        channels = len(FloatNetwork(content).constant(pair.first.bias))
        factors = np.float32(10.0) ** np.linspace(-2, 2, channels, dtype=np.float32)
        content = spoilt_channels(content, pair, factors)
    reference = float_logits(content, pictures, NORMALIZATION)
    better = equalized(content)
    logits = float_logits(better, pictures, NORMALIZATION)
    assert np.abs(logits - reference).max() < 1e-4 * np.abs(reference).max()
    network = FloatNetwork(better)
    for pair in found:
        first, second = network.constant(pair.first.weights), network.constant(pair.second.weights)
        made = greatest_by(first, pair.first.axis)
        used = greatest_by(second.reshape(-1, len(made)), 1)
        assert np.allclose(made, used, rtol=0.02)


def test_a_channel_of_zeros_is_left_alone(network_of, noise):
    from hemline_convert.equalization import equalized, pairs_of
    from hemline_convert.float_network import FloatNetwork
    from hemline_convert.float_run import float_logits

    content, pictures = network_of("plain"), noise[:5]
    network = FloatNetwork(content)
    pair = pairs_of(network)[0]
    weights = network.constant(pair.first.weights).copy()
    weights[3] = 0
    content = network.with_constants({pair.first.weights: weights})
    reference = float_logits(content, pictures, NORMALIZATION)
    logits = float_logits(equalized(content), pictures, NORMALIZATION)
    assert np.isfinite(logits).all()
    assert np.abs(logits - reference).max() < 1e-4 * np.abs(reference).max()


def test_int8_loses_much_to_channels_of_different_size_and_wins_it_back_by_equalization(
    network_of, noise
):
    from hemline_convert.equalization import equalized, pairs_of
    from hemline_convert.float_network import FloatNetwork
    from hemline_convert.float_run import float_logits

    content, pictures = network_of("mobile"), noise
    for pair in pairs_of(FloatNetwork(content)):
        channels = len(FloatNetwork(content).constant(pair.first.bias))
        factors = np.float32(2.0) ** np.random.default_rng(0).uniform(-6, 6, channels)
        content = spoilt_channels(content, pair, factors.astype(np.float32))
    reference = float_logits(content, pictures, NORMALIZATION)

    floor = np.sort(reference, axis=1)[:, -2].min()  # what is lower is clipped, and decides nothing

    def mean_square_error(network: bytes) -> float:
        logits = int8_logits(network, pictures)
        return float(((np.maximum(logits, floor) - np.maximum(reference, floor)) ** 2).mean())

    assert mean_square_error(equalized(content)) < 0.1 * mean_square_error(content)


def int8_logits(content, pictures):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=int8_of(content, pictures))
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    logits = []
    for picture in pictures:
        interpreter.set_tensor(source, picture[None])
        interpreter.invoke()
        logits.append(interpreter.get_tensor(target)[0])
    return np.array(logits)


def int8_of(content, pictures):
    from hemline_convert.calibration import CalibrationSet
    from hemline_convert.observation import Observations
    from hemline_convert.quantize import static_tflite
    from hemline_convert.recipe import QuantizationRecipe
    from hemline_convert.tflite_file import with_uint8_input_and_float_output

    recipe = QuantizationRecipe("min-max")
    targets = np.zeros(len(pictures), np.int64)
    calibration = CalibrationSet(pictures, targets, "noise", ("",) * len(pictures))
    ranges = Observations(content, calibration, NORMALIZATION).ranges(recipe)
    return with_uint8_input_and_float_output(static_tflite(content, ranges, recipe), NORMALIZATION)
