"""The translation must hold for more networks than the paper's: each of these has other operators."""

from __future__ import annotations

import numpy as np
import pytest

from hemline.backends.litert import LiteRtBackend
from hemline.backends.onnxruntime import OnnxRuntimeBackend
from hemline.errors import ModelError

pytestmark = pytest.mark.slow


def separable(keras, x):
    """Depthwise convolutions, strides, batch normalization, ReLU6, global pooling."""
    layers = keras.layers
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
    x = layers.ReLU(6.0)(layers.Conv2D(16, 1)(x))
    return layers.Dense(5)(layers.GlobalAveragePooling2D()(x))


def residual(keras, x):
    """A shortcut, average pooling, and a Flatten of several channels."""
    layers = keras.layers
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    y = layers.Conv2D(8, 3, padding="same")(x)
    x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.AveragePooling2D(2)(x)
    return layers.Dense(5)(layers.Flatten()(x))


def dense_block(keras, x):
    """Concatenation, explicit padding, convolutions without padding, odd sizes with strides."""
    layers = keras.layers
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.Concatenate()([x, y])
    x = layers.Conv2D(6, 3, strides=2, activation="relu")(layers.ZeroPadding2D(1)(x))
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    return layers.Dense(5)(layers.Flatten()(x))


def signed(keras, x):
    """Activations below zero throughout, so that nothing can hide in the clipping of ReLU."""
    layers = keras.layers
    x = layers.Conv2D(6, 5, padding="same", dilation_rate=2)(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(12)(layers.Flatten()(x))
    return layers.Dense(5)(x)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("build", [separable, residual, dense_block, signed])
def test_the_onnx_twin_answers_within_rounding(tmp_path, untrained, build, channels):
    from hemline_convert import float_tflite, onnx_file, quantize, tflite_file, verify
    from hemline_convert._tensorflow import keras
    from hemline_convert.calibration import CalibrationSet, measure_ranges
    from hemline_convert.keras_source import open_keras
    from hemline_convert.onnx_from_tflite import onnx_from_int8_tflite

    keras.utils.set_random_seed(3)
    pixels = keras.Input((15, 16, channels))
    model = keras.Model(pixels, build(keras, keras.layers.Rescaling(1 / 255)(pixels)))
    source = open_keras(untrained(model, classes=5))
    images = np.random.default_rng(1).integers(0, 256, (60, 15, 16, channels), dtype=np.uint8)
    network = float_tflite.network_tflite_from_keras(source)
    ranges = measure_ranges(network, CalibrationSet(images[:30], "", ""), source.normalization)
    tflite = quantize.int8_tflite(network, ranges)
    content = tflite_file.described(tflite, source.card)
    onnx_content = onnx_file.described(onnx_from_int8_tflite(tflite), source.card)
    verify.verify_tflite("a.tflite", content, "int8", source.card)
    verify.verify_onnx("a.onnx", onnx_content, "int8", source.card)
    first, second = (
        LiteRtBackend(str(tmp_path / "a.tflite"), content, 1),
        OnnxRuntimeBackend(str(tmp_path / "a.onnx"), onnx_content, 1),
    )
    assert verify.steps_apart(content) == (1 if build in (signed, dense_block) else 8)
    verify.verify_same_quantized_network("a.onnx", content, first, second, images)


def test_another_network_is_not_taken_for_the_twin(made):
    """The check above must be able to fail."""
    from hemline_convert import verify

    content = (made.out / "paper_int8.tflite").read_bytes()
    int8 = LiteRtBackend(str(made.out / "paper_int8.tflite"), content, 1)
    other_path = made.out / "paper_dynamic_range.tflite"
    other = LiteRtBackend(str(other_path), other_path.read_bytes(), 1)
    images = np.random.default_rng(1).integers(0, 256, (20, 28, 28, 1), dtype=np.uint8)
    with pytest.raises(ModelError, match="steps away"):
        verify.verify_same_quantized_network("x.onnx", content, int8, other, images)


def test_an_operator_without_a_rule_is_refused_by_its_name(untrained):
    from hemline_convert import float_tflite, quantize
    from hemline_convert._tensorflow import keras
    from hemline_convert.calibration import CalibrationSet, measure_ranges
    from hemline_convert.keras_source import open_keras
    from hemline_convert.onnx_from_tflite import onnx_from_int8_tflite

    layers = keras.layers
    pixels = keras.Input((8, 8, 1))
    x = layers.UpSampling2D(2, interpolation="bilinear")(layers.Rescaling(1 / 255)(pixels))
    model = keras.Model(pixels, layers.Dense(3)(layers.Flatten()(x)))
    source = open_keras(untrained(model, classes=3))
    images = np.random.default_rng(1).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)
    network = float_tflite.network_tflite_from_keras(source)
    ranges = measure_ranges(network, CalibrationSet(images, "", ""), source.normalization)
    with pytest.raises(ModelError, match="RESIZE_BILINEAR"):
        onnx_from_int8_tflite(quantize.int8_tflite(network, ranges))
