"""A channel whose weights are (nearly) zero keeps its bias in the int8 files."""

from __future__ import annotations

import numpy as np
import pytest

from hemline.backends import open_backend

pytestmark = pytest.mark.slow


def network(keras, kind, factor):
    """A small network in which channel 1 of a layer has weights times `factor`, and a bias of 2."""
    layers = keras.layers
    keras.utils.set_random_seed(3)
    pixels = keras.Input((28, 28, 1))
    x = layers.Conv2D(6, 3, strides=2, activation="relu", name="first")(
        layers.Rescaling(1 / 255)(pixels)
    )
    if kind == "depthwise":
        x = layers.DepthwiseConv2D(3, activation="relu", name="spoilt")(x)
    elif kind == "convolution":
        x = layers.Conv2D(6, 3, activation="relu", name="spoilt")(x)
    x = layers.GlobalAveragePooling2D()(x)
    if kind == "dense":
        x = layers.Dense(6, activation="relu", name="spoilt")(x)
    model = keras.Model(pixels, layers.Dense(10)(x))
    weights, bias = model.get_layer("spoilt").get_weights()
    channel = ... if kind == "dense" else (..., 1, 0) if kind == "depthwise" else (..., 1)
    weights[channel] *= factor
    bias[1] = 2.0
    model.get_layer("spoilt").set_weights([weights, bias])
    return model


@pytest.mark.parametrize("factor", [0.0, 1e-9])
@pytest.mark.parametrize("kind", ["convolution", "depthwise", "dense"])
def test_the_bias_of_a_channel_without_weights_is_kept(untrained, tmp_path, kind, factor):
    from hemline_convert._tensorflow import keras
    from hemline_convert.convert import ConversionConfig, convert
    from hemline_convert.float_tflite import keras_logits
    from hemline_convert.keras_source import open_keras

    path = untrained(network(keras, kind, factor))
    convert(ConversionConfig(path, tmp_path, data="drawn", golden_images=20, calibration_images=60))
    pictures = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), np.uint8)
    expected = keras_logits(open_keras(path), pictures)
    for name in ("net_int8.tflite", "net_int8.onnx"):
        backend = open_backend(tmp_path / name)
        logits = np.array([backend.logits(picture[None]) for picture in pictures])
        # What cannot decide a label is cut off below, so it is compared from there on.
        error = np.abs(logits - np.maximum(expected, logits.min())).max()
        assert error < 0.05 * expected.max(), name


def test_a_network_whose_biases_fit_keeps_its_very_bytes(made):
    from hemline_convert.bias_room import with_room_for_biases
    from hemline_convert.keras_source import open_keras
    from hemline_convert.static_quantizer import StaticQuantizer

    quantizer = StaticQuantizer(open_keras(made.model), None)
    content = (made.out / "paper_int8.tflite").read_bytes()
    assert with_room_for_biases(quantizer.network, content) is content
