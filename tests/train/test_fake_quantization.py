"""The fake-quantized network against the int8 file of the same weights and ranges, run by LiteRT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hemline import models
from hemline.backends.litert import LiteRtBackend
from hemline.card import InputSpec, ModelCard, Normalization
from hemline.errors import ModelError
from hemline_convert import quantize, tflite_file
from hemline_convert.calibration import CalibrationSet
from hemline_convert.keras_source import KerasSource, load_keras
from hemline_convert.observation import Observations
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.verify import logit_step
from hemline_train._tensorflow import keras, tf
from hemline_train.batch_norm_folding import without_batch_norm
from hemline_train.evaluation import Forward
from hemline_train.fake_quantization import FakeQuantizedNetwork, quantized_weights
from hemline_train.int8_graph import Constant, read_int8_graph

L = keras.layers
CLASSES = 5


def residual(x: Any) -> Any:
    for _ in range(2):
        x = L.Conv2D(8, 3, padding="same", use_bias=False)(x)
        x = L.ReLU()(L.BatchNormalization()(x))
    shortcut = x
    x = L.BatchNormalization()(L.Conv2D(8, 3, padding="same")(x))
    x = L.ReLU()(L.Add()([shortcut, x]))
    return L.Dense(CLASSES)(L.GlobalAveragePooling2D()(x))


def dense(x: Any) -> Any:
    x = L.Conv2D(8, 3, padding="same", use_bias=False)(x)
    for _ in range(2):
        y = L.ReLU()(L.BatchNormalization()(x))
        y = L.Conv2D(4, 3, padding="same", use_bias=False)(y)
        x = L.Concatenate()([x, y])
    x = L.AveragePooling2D(2)(x)
    x = L.ReLU()(L.BatchNormalization()(x))
    return L.Dense(CLASSES)(L.GlobalAveragePooling2D()(x))


def mobile(x: Any) -> Any:
    x = L.Conv2D(8, 3, strides=2, use_bias=False)(L.ZeroPadding2D(((0, 1), (0, 1)))(x))
    x = L.ReLU(6.0)(L.BatchNormalization()(x))
    x = L.DepthwiseConv2D(3, padding="same", depth_multiplier=2, use_bias=False)(x)
    x = L.ReLU(6.0)(L.BatchNormalization()(x))
    x = L.SeparableConv2D(8, 3, padding="same", activation="relu")(x)
    x = L.BatchNormalization()(L.Dense(16)(L.Flatten()(x)))
    return L.Dense(CLASSES)(L.Activation("relu")(x))


def source_of(build: Callable[[Any], Any]) -> KerasSource:
    pixels = keras.Input((16, 16, 1))
    model = keras.Model(pixels, build(pixels))
    chance = np.random.default_rng(5)
    for variable in model.variables:
        if variable.dtype == "float32":
            centre = 0.0 if "kernel" in variable.path else 1.0
            variable.assign(centre + chance.uniform(-0.5, 0.5, variable.shape))
    card = ModelCard("net", tuple("abcde"), InputSpec((16, 16), "gray"))
    model = without_batch_norm(model)
    return KerasSource(model, model, Normalization(1 / 255), card, "")


def pictures(side: int, count: int = 200) -> NDArray[np.uint8]:
    """Bars of noise on black."""
    chance = np.random.default_rng(3)
    noise = chance.integers(0, 256, (count, side, side, 1), dtype=np.uint8)
    edges = chance.integers(0, side, (count, 1, 1, 1))
    return np.where(np.arange(side)[None, :, None, None] >= edges, noise, 0).astype(np.uint8)


def fake_quantized(source: KerasSource, pixels: NDArray[np.uint8]) -> FakeQuantizedNetwork:
    graph = read_int8_graph(source)
    names = tuple(map(str, range(50)))
    calibration = CalibrationSet(pixels[:50], np.zeros(50, np.int64), "test", names)
    observed = Observations(graph.network, calibration, source.normalization)
    return FakeQuantizedNetwork(source, graph, observed.ranges(QuantizationRecipe()), 4)


def int8_file(source: KerasSource, network: FakeQuantizedNetwork) -> bytes:
    graph = read_int8_graph(source)
    content = quantize.static_tflite(graph.network, network.ranges, QuantizationRecipe())
    return tflite_file.with_uint8_input_and_float_output(content, source.normalization)


@pytest.mark.parametrize(
    ("build", "identical"),
    # The least share of logits that must be identical. Where activations are added or multiplied, LiteRT
    # rounds by fixed-point rules that float arithmetic does not have.
    [(residual, 0.99), (dense, 0.7), (mobile, 0.99)],
)
def test_the_network_answers_as_its_int8_file(
    build: Callable[[Any], Any], identical: float
) -> None:
    source, pixels = source_of(build), pictures(16)
    network = fake_quantized(source, pixels)
    content = int8_file(source, network)
    file = LiteRtBackend("int8", content, 1)
    steps = Forward(network)(pixels) - np.array([file.logits(pixel[None]) for pixel in pixels])
    steps = np.abs(steps) / logit_step(content)
    assert steps.max() < 2.01
    assert (steps < 0.01).mean() >= identical
    assert (steps < 1.01).mean() >= 0.999


def test_the_shipped_network_answers_as_its_int8_file() -> None:
    path = models.source_path_of("paper")
    assert path is not None
    model = load_keras(path)
    card = ModelCard("net", tuple(map(str, range(10))), InputSpec((28, 28), "gray"))
    source = KerasSource(model, model, Normalization(), card, "").with_model(model)
    pixels = pictures(28)
    network = fake_quantized(source, pixels)
    content = int8_file(source, network)
    file = LiteRtBackend("int8", content, 1)
    logits = np.array([file.logits(pixel[None]) for pixel in pixels])
    steps = np.abs(Forward(network)(pixels) - logits) / logit_step(content)
    assert steps.max() < 1.01
    assert (steps < 0.01).mean() > 0.99


def test_weights_are_those_that_the_file_holds() -> None:
    source, pixels = source_of(mobile), pictures(16)
    network = fake_quantized(source, pixels)
    graph = read_int8_graph(source)
    file = tflite_file.unpack(int8_file(source, network))
    tensors = file.subgraphs[0].tensors
    axes = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": None}
    compared = 0
    for operation, operator in zip(
        graph.operations, file.subgraphs[0].operators[1:-1], strict=True
    ):
        if operation.operator not in axes:
            continue
        given, axis = operation.inputs[1], axes[operation.operator]
        assert isinstance(given, Constant)
        values, scale = quantized_weights(given.value(), axis)
        tensor = tensors[operator.inputs[1]]
        held = tflite_file.constant(file, tensor)
        assert held is not None
        shape = [1] * held.ndim
        if axis is not None:
            shape[axis] = -1
        assert np.allclose(scale, tensor.quantization.scale, rtol=1e-6)
        steps = np.rint(np.array(values) / np.reshape(scale, shape))
        assert np.array_equal(steps, held)
        compared += 1
    assert compared == 6


def test_every_weight_gets_a_gradient_and_the_logits_cut_off_get_one_too() -> None:
    source, pixels = source_of(mobile), pictures(16, 32)
    network = fake_quantized(source, pixels)
    network._table.assign(network._table * 0.5)  # half of everything is cut off
    with tf.GradientTape() as tape:
        logits = network(tf.cast(pixels, tf.float32), training=False)
        loss = tf.reduce_sum(logits[:, 0])
    gradients = tape.gradient(loss, network.trainable_variables)
    assert len(gradients) == len(source.model.trainable_variables)
    assert all(gradient is not None for gradient in gradients)
    bias = gradients[
        [v.path for v in network.trainable_variables].index(source.model.layers[-1].bias.path)
    ]
    assert np.array_equal(bias, [32, 0, 0, 0, 0])


def test_ranges_follow_the_batches_and_then_stand_still() -> None:
    source, pixels = source_of(residual), pictures(16)
    network = fake_quantized(source, pixels)
    tables = [network._table.numpy()]
    dark = tf.cast(pixels[:64] // 4, tf.float32)
    for _ in range(6):  # ranges move for 4
        network(dark, training=True)
        tables.append(network._table.numpy())
    widths = [(table[1:, 1] - table[1:, 0]).sum() for table in tables]
    assert widths[0] > widths[1] > widths[2] > widths[3] > widths[4] == widths[5] == widths[6]
    assert np.array_equal(tables[0][0], tables[-1][0]), "the input's range is the normalization's"
    network(dark, training=False)
    assert np.array_equal(network._table.numpy(), tables[-1])


def test_state_comes_back_as_it_was() -> None:
    source, pixels = source_of(residual), pictures(16)
    network = fake_quantized(source, pixels)
    kept = network.get_weights()
    before = Forward(network)(pixels)
    network(tf.cast(pixels[:64] // 4, tf.float32), training=True)
    source.model.layers[1].kernel.assign(source.model.layers[1].kernel * 2)
    assert not np.array_equal(Forward(network)(pixels), before)
    network.set_weights(kept)
    assert np.array_equal(Forward(network)(pixels), before)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (
            lambda x: L.Dense(CLASSES)(L.Flatten()(L.Activation("tanh", name="curve")(x))),
            "TANH.*curve",
        ),
        (lambda x: L.Dense(CLASSES)(L.Flatten()(L.PReLU(name="slope")(x))), "PRELU.*slope"),
    ],
)
def test_an_operator_that_is_not_known_is_refused_with_its_layer(
    build: Callable[[Any], Any], said: str
) -> None:
    source = source_of(build)
    with pytest.raises(ModelError, match=said):
        fake_quantized(source, pictures(16))
