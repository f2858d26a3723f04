"""Whole networks, converted as `hemline convert` does, in NumPy and in LiteRT's reference kernels."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from hemline.numpy_interpreter import NumpyInterpreter

pytestmark = pytest.mark.slow


def mobile(keras, x):
    """Depthwise convolutions, strides, ReLU6 behind batch normalization, global average pooling."""
    layers = keras.layers
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.ReLU(6.0)(layers.DepthwiseConv2D(3, strides=2, padding="same")(x))
    y = layers.Conv2D(8, 1)(x)
    x = layers.Add()([x, y])  # no activation behind it: values on both sides of zero
    return layers.Dense(5)(layers.GlobalAveragePooling2D()(x))


def dense_block(keras, x):
    """Concatenation, explicit padding, `valid` windows, odd sizes with strides, both poolings."""
    layers = keras.layers
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.Concatenate()([x, y])
    x = layers.Conv2D(6, 3, strides=2, activation="relu")(layers.ZeroPadding2D(1)(x))
    x = layers.AveragePooling2D(3, strides=2, padding="same")(x)
    x = layers.MaxPooling2D(2, strides=1)(x)
    return layers.Dense(5)(layers.Dense(9, activation="relu")(layers.Flatten()(x)))


def attentive(keras, x):
    """A channel-wise product, a ReLU of its own, dilation, and a depth multiplier of two."""
    layers = keras.layers
    x = layers.Conv2D(6, 3, padding="same", dilation_rate=2)(x)
    y = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    y = layers.Dense(6)(layers.GlobalAveragePooling2D(keepdims=True)(y))
    x = layers.ReLU()(layers.Multiply()([x, y]))
    x = layers.Subtract()([x, layers.AveragePooling2D(3, strides=1, padding="same")(x)])
    return layers.Dense(5)(layers.Flatten()(x))


OPERATORS = {
    mobile: "QUANTIZE CONV_2D DEPTHWISE_CONV_2D ADD MEAN FULLY_CONNECTED DEQUANTIZE",
    dense_block: "CONV_2D CONCATENATION PAD AVERAGE_POOL_2D MAX_POOL_2D RESHAPE FULLY_CONNECTED",
    attentive: "CONV_2D DEPTHWISE_CONV_2D MEAN MUL SUB AVERAGE_POOL_2D",
}


@pytest.fixture(scope="module", params=OPERATORS, ids=lambda build: build.__name__)
def converted(request, tmp_path_factory) -> tuple[dict[str, bytes], str]:
    """The files of one network, by kind, and the operators that it must have."""
    from hemline_convert import float_tflite, quantize
    from hemline_convert._tensorflow import keras
    from hemline_convert.calibration import CalibrationSet
    from hemline_convert.keras_source import StatedCard, open_keras
    from hemline_convert.recipe import QuantizationRecipe
    from hemline_convert.static_quantizer import StaticQuantizer

    keras.utils.set_random_seed(3)
    pixels = keras.Input((15, 14, 3))
    outputs = request.param(keras, keras.layers.Rescaling(1 / 255)(pixels))
    path = tmp_path_factory.mktemp("networks") / "net.keras"
    keras.Model(pixels, outputs).save(path)
    source = open_keras(path, StatedCard(name="net", labels=tuple("abcde")))
    noise = CalibrationSet(pictures(30, seed=1), np.zeros(30, np.int64), "noise", ())
    quantizer = StaticQuantizer(source, noise)
    float_model = float_tflite.tflite_from_keras(source)
    files = {
        "int8": quantizer.deployable(QuantizationRecipe()),
        "w8a16": quantizer.deployable(QuantizationRecipe(activation_bits=16)),
        "float32": float_model,
        "float16": quantize.float16_tflite(float_model),
        "dynamic_range": quantize.dynamic_range_tflite(float_model),
    }
    return files, OPERATORS[request.param]


def pictures(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, 15, 14, 3), dtype=np.uint8)


def reference(content: bytes):
    interpreter = Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    return interpreter


@pytest.mark.parametrize("kind", ["int8", "w8a16"])
def test_an_integer_network_is_bit_for_bit_the_same_at_every_layer(converted, kind):
    files, operators = converted
    litert, candidate = reference(files[kind]), NumpyInterpreter("net", files[kind])
    seen: set[str] = set()
    answers = set()
    for picture in pictures(100, seed=2):
        litert.set_tensor(litert.get_input_details()[0]["index"], picture[None])
        litert.invoke()
        for activation in candidate.activations(picture[None]):
            wanted = litert.get_tensor(activation.tensor_index)
            assert activation.value.dtype == wanted.dtype
            assert np.array_equal(activation.value, wanted), activation.operator_name
            seen.add(activation.operator_name)
        answers.add(wanted.tobytes())
    assert seen >= set(operators.split())
    assert len(answers) > 50


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_a_float_network_is_the_same_but_for_the_order_of_its_sums(converted, kind):
    content = converted[0][kind]
    litert, candidate = reference(content), NumpyInterpreter("net", content)
    for picture in pictures(50, seed=2):
        litert.set_tensor(litert.get_input_details()[0]["index"], picture[None])
        litert.invoke()
        for activation in candidate.activations(picture[None]):
            wanted = litert.get_tensor(activation.tensor_index)
            largest = max(1.0, float(np.abs(wanted).max()))
            assert np.abs(activation.value - wanted).max() < 1e-5 * largest


def test_a_dynamic_range_network_is_nearer_to_litert_than_a_step_of_its_inputs(converted):
    """One value that lies halfway between two steps, and is rounded otherwise, moves a logit so far."""
    content = converted[0]["dynamic_range"]
    litert, candidate = reference(content), NumpyInterpreter("net", content)
    for picture in pictures(50, seed=2):
        litert.set_tensor(litert.get_input_details()[0]["index"], picture[None])
        litert.invoke()
        wanted = litert.get_tensor(litert.get_output_details()[0]["index"])
        (got,) = candidate.run(picture[None])
        assert np.abs(got - wanted).max() < 0.01 * np.abs(wanted).max()
