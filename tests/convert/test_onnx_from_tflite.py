"""The translation must hold for more networks than the paper's: each of these has other operators."""

from __future__ import annotations

import numpy as np
import pytest

from hemline.backends.litert import LiteRtBackend
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


def averaged(keras, x):
    """Averages of four and of nine, the latter with fewer at the edges: many of them end in a half."""
    layers = keras.layers
    x = layers.AveragePooling2D(2)(layers.Conv2D(4, 1)(x))
    return layers.Flatten()(layers.AveragePooling2D(3, strides=2, padding="same")(x))


def joined(keras, x):
    """Two scales become one in a concatenation; behind it a factor and a summand per channel."""
    layers = keras.layers
    x = layers.Concatenate()([layers.Conv2D(4, 1)(x), x])
    return layers.Flatten()(layers.ReLU()(layers.BatchNormalization()(x)))


def excited(keras, x):
    """A factor per channel that is computed, as in squeeze and excitation."""
    layers = keras.layers
    y = layers.Conv2D(4, 1)(x)
    gate = layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling2D()(y))
    return layers.Flatten()(layers.Multiply()([y, layers.Reshape((1, 1, 4))(gate)]))


def two_branches(keras, x):
    """Two convolutions see the picture; they are joined, and added to a third."""
    layers = keras.layers
    ways = [layers.Conv2D(4, size, padding="same", activation="relu")(x) for size in (3, 5)]
    x = layers.Add()([layers.Concatenate()(ways), layers.Conv2D(8, 1)(x)])
    return layers.Dense(5)(layers.Flatten()(layers.MaxPooling2D(2)(layers.ReLU()(x))))


def normalized(keras, x):
    """A subtraction whose scales are small fractions of each other, so that halves are common."""
    layers = keras.layers
    channels = x.shape[-1]
    mean, variance = [0.4, 0.5, 0.6][:channels], [0.04, 0.05, 0.06][:channels]
    return layers.Flatten()(layers.Normalization(mean=mean, variance=variance)(x))


def residual_eight(keras, x):
    """ResNet-8."""
    layers = keras.layers

    def convolved(x, filters, size, strides=1):
        x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    x = layers.ReLU()(convolved(x, 16, 3))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        y = convolved(layers.ReLU()(convolved(x, filters, 3, strides)), filters, 3)
        if strides > 1:
            x = convolved(x, filters, 1, strides)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.AveragePooling2D(x.shape[1])(x)
    return layers.Dense(5)(layers.Flatten()(x))


def dense_net(keras, x):
    """DenseNet with two blocks of three."""
    layers = keras.layers

    def composite(x, filters, size):
        x = layers.ReLU()(layers.BatchNormalization()(x))
        return layers.Conv2D(filters, size, padding="same", use_bias=False)(x)

    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(x)
    for _ in range(3):
        x = layers.Concatenate()([x, composite(composite(x, 32, 1), 8, 3)])
    x = layers.AveragePooling2D(2)(composite(x, 20, 1))
    for _ in range(3):
        x = layers.Concatenate()([x, composite(composite(x, 32, 1), 8, 3)])
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))
    return layers.Dense(5)(x)


def mobile_net(keras, x):
    """MobileNetV2; large enough for the quantizer to put the weights behind the FlatBuffer."""
    return keras.applications.MobileNetV2(
        input_tensor=x, alpha=0.35, weights=None, classes=5, classifier_activation=None
    ).output


def twins(build, shape, untrained):
    """Both int8 files of a network with random weights, pictures, and the logits of both, in steps."""
    from hemline_convert import onnx_file, tflite_file, verify
    from hemline_convert._tensorflow import keras
    from hemline_convert.calibration import CalibrationSet
    from hemline_convert.keras_source import open_keras
    from hemline_convert.onnx_from_tflite import onnx_from_int8_tflite
    from hemline_convert.recipe import QuantizationRecipe
    from hemline_convert.static_quantizer import StaticQuantizer

    keras.utils.set_random_seed(3)
    images = np.random.default_rng(1).integers(0, 256, (60, *shape), dtype=np.uint8)
    pixels = keras.Input(shape)
    rescaled = keras.layers.Rescaling(1 / 255)(pixels)
    model = keras.Model(pixels, build(keras, rescaled))
    for (
        layer
    ) in model.layers:  # with the statistics that layers begin with, deep networks fall silent
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(images.astype(np.float32), training=True)
    source = open_keras(untrained(model, classes=model.output.shape[1]))
    quantizer = StaticQuantizer(
        source, CalibrationSet(images[:30], np.zeros(30, np.int64), "noise", ())
    )
    tflite = quantizer.deployable(QuantizationRecipe())
    content = tflite_file.described(tflite, source.card)
    onnx_content = onnx_file.described(onnx_from_int8_tflite(tflite), source.card)
    backends = (
        verify.verify_tflite("a.tflite", content, "int8", source.card),
        verify.verify_onnx("a.onnx", onnx_content, "int8", source.card),
    )
    step = verify.logit_step(content)
    logits = [np.array([b.logits(image[None]) for image in images]) / step for b in backends]
    return content, backends, images, logits


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "build", [separable, dense_block, signed, averaged, joined, excited, two_branches, normalized]
)
def test_the_onnx_twin_gives_the_very_same_numbers(untrained, build, channels):
    _, _, _, (first, second) = twins(build, (15, 16, channels), untrained)
    assert len(np.unique(first)) > 10
    assert np.abs(first - second).max() < 0.01


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (residual, (15, 16, 3)),
        (residual_eight, (32, 32, 3)),
        (dense_net, (32, 32, 1)),
    ],
)
def test_the_onnx_twin_of_a_deep_network_answers_within_a_step(untrained, build, shape):
    from hemline_convert import verify

    content, backends, images, (first, second) = twins(build, shape, untrained)
    assert (first.argmax(1) == second.argmax(1)).all()
    assert np.abs(first - second).max() < 1.01
    verify.verify_same_quantized_network("a.onnx", content, *backends, images)


def test_the_onnx_twin_of_a_network_of_ten_sums_answers_the_same_but_for_a_few_pictures(untrained):
    """Where a sum is rounded to the other side in one of its pixels; which depends on the weights."""
    from hemline_convert import verify

    content, backends, images, (first, second) = twins(mobile_net, (96, 96, 3), untrained)
    assert (first.argmax(1) == second.argmax(1)).all()
    assert (np.abs(first - second).max(axis=1) > 0.01).mean() <= 0.1
    verify.verify_same_quantized_network("a.onnx", content, *backends, images)


def test_another_network_is_not_taken_for_the_twin(made):
    """The check above must be able to fail."""
    from hemline_convert import verify

    content = (made.out / "paper_int8.tflite").read_bytes()
    int8 = LiteRtBackend("paper_int8.tflite", content, 1)
    other_path = made.out / "paper_dynamic_range.tflite"
    other = LiteRtBackend(str(other_path), other_path.read_bytes(), 1)
    images = np.random.default_rng(1).integers(0, 256, (20, 28, 28, 1), dtype=np.uint8)
    with pytest.raises(ModelError, match="steps away"):
        verify.verify_same_quantized_network("x.onnx", content, int8, other, images)


def test_an_operator_without_a_rule_is_refused_by_its_name_and_its_layers(untrained):
    from hemline_convert._tensorflow import keras
    from hemline_convert.calibration import CalibrationSet
    from hemline_convert.keras_source import open_keras
    from hemline_convert.onnx_from_tflite import onnx_from_int8_tflite
    from hemline_convert.recipe import QuantizationRecipe
    from hemline_convert.static_quantizer import StaticQuantizer

    layers = keras.layers
    pixels = keras.Input((8, 8, 1))
    x = layers.UpSampling2D(2, interpolation="bilinear", name="enlarged")(
        layers.Rescaling(1 / 255)(pixels)
    )
    model = keras.Model(pixels, layers.Dense(3)(layers.Flatten()(x)))
    source = open_keras(untrained(model, classes=3))
    images = np.random.default_rng(1).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)
    quantizer = StaticQuantizer(source, CalibrationSet(images, np.zeros(20, np.int64), "noise", ()))
    tflite = quantizer.deployable(QuantizationRecipe())
    with pytest.raises(ModelError, match="RESIZE_BILINEAR, of the layer enlarged"):
        onnx_from_int8_tflite(tflite)


def test_a_layer_that_the_quantizer_leaves_in_float_is_refused_by_its_name(untrained):
    def leaky(keras, x):
        layers = keras.layers
        x = layers.LeakyReLU(name="leaks")(layers.Conv2D(4, 3)(x))
        return layers.Dense(5)(layers.Flatten()(x))

    with pytest.raises(ModelError, match="LEAKY_RELU, of the layer leaks"):
        twins(leaky, (8, 8, 3), untrained)
