"""The layer that was spoilt must be named, in TFLite and in ONNX; healthy networks have none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hemline.card import Normalization
from hemline.errors import ModelError, UserError
from hemline.parity.layers import compare_layers, worst_first
from hemline.tflite_objects import pack, unpack

pytestmark = pytest.mark.slow

PICTURES = np.random.default_rng(4).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)


def plain(keras, x):
    """Convolutions in a row, with ReLU, pooling and two dense layers."""
    layers = keras.layers
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(x)
    x = layers.MaxPooling2D(2, name="pooled")(x)
    x = layers.Conv2D(12, 3, activation="relu", name="second")(x)
    x = layers.Dense(16, activation="relu", name="hidden")(layers.Flatten(name="flat")(x))
    return layers.Dense(5, name="logits")(x)


def branched(keras, x):
    """A shortcut, two branches that are joined, depthwise and average: tensors that several layers take."""
    layers = keras.layers
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="first")(x)
    y = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Add(name="sum")([x, layers.Conv2D(6, 1, name="pointwise")(y)])
    z = layers.Conv2D(4, 3, padding="same", activation="relu", name="branch")(x)
    x = layers.Concatenate(name="joined")([x, z])
    x = layers.AveragePooling2D(2, name="pooled")(x)
    return layers.Dense(5, name="logits")(layers.GlobalAveragePooling2D(name="mean")(x))


@pytest.fixture(scope="module", params=[plain, branched], ids=lambda build: build.__name__)
def quantizer(request, tmp_path_factory):
    from hemline_convert._tensorflow import keras
    from hemline_convert.calibration import CalibrationSet
    from hemline_convert.keras_source import StatedCard, open_keras
    from hemline_convert.static_quantizer import StaticQuantizer

    keras.utils.set_random_seed(5)
    pixels = keras.Input((16, 16, 3))
    outputs = request.param(keras, keras.layers.Rescaling(1 / 255)(pixels))
    path = tmp_path_factory.mktemp("networks") / "net.keras"
    network = keras.Model(pixels, outputs)
    for variable in network.trainable_variables:
        if variable.name == "bias":  # zeros as they begin with, the converter leaves out
            variable.assign(keras.random.normal(variable.shape, stddev=0.1, seed=1))
    network.save(path)
    source = open_keras(path, StatedCard(name="net", labels=tuple("abcde")))
    noise = CalibrationSet(PICTURES, np.zeros(len(PICTURES), np.int64), "noise", ())
    return StaticQuantizer(source, noise)


@pytest.fixture(scope="module")
def int8(quantizer) -> bytes:
    from hemline_convert.recipe import QuantizationRecipe

    return quantizer.deployable(QuantizationRecipe())


def as_onnx(tflite: bytes) -> bytes:
    from hemline_convert.onnx_from_tflite import onnx_from_int8_tflite

    return onnx_from_int8_tflite(tflite).SerializeToString()


FORMATS = pytest.mark.parametrize("written", [bytes, as_onnx], ids=["tflite", "onnx"])


@FORMATS
def test_each_layer_of_a_healthy_network_is_compared_and_none_stands_out(quantizer, int8, written):
    layers = compare_layers(quantizer.network, written(int8), PICTURES)
    named = {layer.name.rsplit("/", 1)[-1] for layer in layers}
    assert {"first", "logits"} <= named
    assert "hidden" in named or {"depthwise", "sum", "branch", "joined", "mean"} <= named
    assert [layer.index for layer in layers] == list(range(len(layers)))
    for layer in layers:
        assert layer.local_sqnr_db > 30, layer
        assert layer.sqnr_db > 25, layer
        assert layer.cosine > 0.995
        assert layer.saturated_share < 0.02


def test_both_forms_of_the_float_network_give_the_same(quantizer, int8):
    from hemline_convert.float_tflite import tflite_from_keras

    deployable = tflite_from_keras(quantizer.source)
    stated = Normalization(1 / 255)
    for first, second in zip(
        compare_layers(quantizer.network, int8, PICTURES),
        compare_layers(deployable, int8, PICTURES, normalization=stated),
        strict=True,
    ):
        assert (first.index, first.name, first.operator) == (
            second.index,
            second.name,
            second.operator,
        )
        assert second.sqnr_db == pytest.approx(first.sqnr_db, abs=0.1)
        assert second.local_sqnr_db == pytest.approx(first.local_sqnr_db, abs=0.1)


def test_numpy_alone_finds_the_same_as_litert(quantizer, int8, monkeypatch):
    from hemline.parity.layers import tflite

    with_litert = compare_layers(quantizer.network, int8, PICTURES[:5])
    monkeypatch.setattr(tflite.importlib.util, "find_spec", lambda _: None)
    alone = compare_layers(quantizer.network, int8, PICTURES[:5])
    for first, second in zip(with_litert, alone, strict=True):
        assert second.name == first.name
        # LiteRT's fast kernels round averages and means otherwise than those that NumPy follows.
        assert second.sqnr_db == pytest.approx(first.sqnr_db, abs=1)
        assert second.local_sqnr_db == pytest.approx(first.local_sqnr_db, abs=1)


def test_16_bit_activations_leave_less_noise_in_each_layer(quantizer, int8):
    from hemline_convert.recipe import QuantizationRecipe

    wide = quantizer.integer_only(QuantizationRecipe(activation_bits=16))
    stated = Normalization(1 / 255)
    narrow = compare_layers(quantizer.network, int8, PICTURES)[1:]
    layers = compare_layers(quantizer.network, wide, PICTURES, normalization=stated)
    # The last is left out: int8 cuts low logits, and 16 bits, which are symmetric, do not.
    for layer, same in list(zip(layers, narrow, strict=True))[:-1]:
        assert (layer.name, layer.operator) == (same.name, same.operator)
        assert layer.local_sqnr_db >= same.local_sqnr_db - 0.1
    assert layers[0].local_sqnr_db > narrow[0].local_sqnr_db + 3
    with pytest.raises(UserError, match="takes int16 pictures, and does not say"):
        compare_layers(quantizer.network, wide, PICTURES)


def test_integers_at_both_ends_are_compared_as_well(quantizer, int8):
    from hemline_convert.recipe import QuantizationRecipe

    bare = quantizer.integer_only(QuantizationRecipe())
    deployable = compare_layers(quantizer.network, int8, PICTURES)[1:]
    for layer, same in zip(
        compare_layers(quantizer.network, bare, PICTURES), deployable, strict=True
    ):
        assert layer.operator == same.operator
        assert (layer.sqnr_db, layer.local_sqnr_db) == (same.sqnr_db, same.local_sqnr_db)


def operator_of(model, name: str):
    """The operator of a layer, and its output."""
    graph = model.subgraphs[0]
    for operator in graph.operators:
        names = [graph.tensors[i].name.decode() for i in (*operator.outputs, *operator.inputs[1:2])]
        if any(f"{name}_1/" in text for text in names):
            return operator, graph.tensors[operator.outputs[0]]
    raise AssertionError(name)


def larger_weights(model, name):
    operator, _ = operator_of(model, name)
    weights = model.subgraphs[0].tensors[operator.inputs[1]].quantization
    weights.scale = np.asarray(weights.scale) * 1.3


def one_channel_of_zeros(model, name):
    """Channel 3."""
    operator, _ = operator_of(model, name)
    tensor = model.subgraphs[0].tensors[operator.inputs[1]]
    values = np.array(model.buffers[tensor.buffer].data, np.uint8).view(np.int8)
    by_channel = values.reshape(tensor.shape)
    if name == "depthwise":
        by_channel[..., 3] = 0
    else:
        by_channel[3] = 0
    model.buffers[tensor.buffer].data = values.view(np.uint8)


def other_biases(model, name):
    operator, _ = operator_of(model, name)
    tensor = model.subgraphs[0].tensors[operator.inputs[2]]
    values = np.array(model.buffers[tensor.buffer].data, np.uint8).view(np.int32)
    model.buffers[tensor.buffer].data = (values + 20_000).view(np.uint8)


def other_scale(model, name, factor=1.4):
    """Of what the layer gives: it then stands for more than the layers behind it are made for."""
    _, tensor = operator_of(model, name)
    tensor.quantization.scale = np.asarray(tensor.quantization.scale) * factor


def smaller_scale(model, name):
    other_scale(model, name, 0.7)


WEIGHTED = {"plain": ["first", "second", "hidden", "logits"]}
WEIGHTED["branched"] = ["first", "depthwise", "pointwise", "branch", "logits"]


@FORMATS
@pytest.mark.parametrize("spoil", [larger_weights, one_channel_of_zeros, other_biases])
def test_a_spoilt_layer_is_the_worst_and_the_error_arises_there(quantizer, int8, spoil, written):
    names = WEIGHTED["plain" if b"hidden_1" in int8 else "branched"]
    for name in names:
        model = unpack(int8)
        spoil(model, name)
        layers = compare_layers(quantizer.network, written(pack(model)), PICTURES)
        worst = worst_first(layers)[0]
        assert worst.name.rsplit("/", 1)[-1] == name, (name, spoil, layers)
        assert worst.arises_here
        if spoil is larger_weights:
            assert (
                "the scale of its weights is 1.3 times what its biases are made for" in worst.misfit
            )
        else:
            assert not worst.misfit
        if spoil is one_channel_of_zeros:
            assert worst.worst_channel == 3
            assert worst.worst_channel_sqnr_db < 3
        else:
            assert worst.local_sqnr_db < 25
        behind = [layer for layer in layers if layer.index > worst.index]
        assert not any(layer.arises_here and layer.local_sqnr_db < 25 for layer in behind), layers


# Layers in front of one with biases; what is in between only moves integers.
IN_FRONT = {"plain": ["second", "hidden"], "branched": ["first", "depthwise"]}


@FORMATS
@pytest.mark.parametrize("spoil", [other_scale, smaller_scale])
def test_a_layer_whose_scale_does_not_fit_the_biases_behind_it_is_blamed(
    quantizer, int8, spoil, written
):
    for name in IN_FRONT["plain" if b"hidden_1" in int8 else "branched"]:
        model = unpack(int8)
        spoil(model, name)
        layers = compare_layers(quantizer.network, written(pack(model)), PICTURES)
        if written is as_onnx and all(layer.local_sqnr_db > 30 for layer in layers):
            continue  # ONNX Runtime takes biases for what they say, unless it fuses them with the layer
        worst = worst_first(layers)[0]
        assert worst.name.rsplit("/", 1)[-1] == name, (name, spoil, layers)
        assert worst.arises_here
        if spoil is other_scale:  # too small a scale also cuts the layer itself
            assert "the scale of its output is 1.4 times what" in worst.misfit
        others = [layer for layer in layers if layer.index != worst.index]
        assert not any(layer.misfit for layer in others), layers


def test_a_scale_that_is_changed_in_front_of_pooling_is_blamed_in_tflite(quantizer, int8):
    name = "first" if b"hidden_1" in int8 else "joined"
    if name == "joined":
        pytest.skip("its pooling is followed by a mean, which takes any scale")
    model = unpack(int8)
    other_scale(model, name)
    layers = compare_layers(quantizer.network, pack(model), PICTURES)
    worst = worst_first(layers)[0]
    assert worst.name.rsplit("/", 1)[-1] == name, layers
    pooled = next(layer for layer in layers if layer.operator == "MAX_POOL_2D")
    assert pooled.made_wrong_by == worst.index
    assert not pooled.arises_here


@pytest.mark.parametrize("place", ["in front", "behind"])
def test_a_zero_point_that_is_changed_around_pooling_is_blamed_in_tflite(quantizer, int8, place):
    if b"hidden_1" not in int8:
        pytest.skip("the other network")
    model = unpack(int8)
    operator, tensor = operator_of(model, "first")
    output = operator.outputs[0]
    if place == "behind":
        graph = model.subgraphs[0]
        pooling = next(o for o in graph.operators if o.inputs[0] == output)
        tensor = graph.tensors[pooling.outputs[0]]
    tensor.quantization.zeroPoint = np.asarray(tensor.quantization.zeroPoint) + 30
    layers = compare_layers(quantizer.network, pack(model), PICTURES)
    worst = worst_first(layers)[0]
    assert worst.operator == ("CONV_2D" if place == "in front" else "MAX_POOL_2D"), layers
    assert "zero point of its output is off by +30" in worst.misfit


@FORMATS
def test_a_healthy_network_has_no_misfit(quantizer, int8, written):
    layers = compare_layers(quantizer.network, written(int8), PICTURES)
    assert not any(layer.misfit or layer.made_wrong_by is not None for layer in layers)


@FORMATS
def test_a_range_that_cuts_a_layer_is_told_by_its_saturated_values(quantizer, int8, written):
    from hemline_convert import quantize, tflite_file
    from hemline_convert.observation import Ranges
    from hemline_convert.recipe import QuantizationRecipe

    recipe = QuantizationRecipe()
    ranges = quantizer.ranges(recipe)
    name = "second" if b"hidden_1" in int8 else "depthwise"
    (tensor,) = [n for n in ranges.low if f"{name}_1/" in n]
    low, high = ({**side, tensor: side[tensor] / 8} for side in (ranges.low, ranges.high))
    cut = quantize.static_tflite(quantizer.network, Ranges(low, high), recipe)
    content = tflite_file.with_uint8_input_and_float_output(cut, Normalization(1 / 255))
    layers = compare_layers(quantizer.network, written(content), PICTURES)
    worst = worst_first(layers)[0]
    assert worst.name.rsplit("/", 1)[-1] == name, layers
    assert worst.arises_here
    assert worst.local_saturated_share > 0.05


def test_another_network_is_refused_with_the_layer_that_it_lacks(int8, made):
    paper = (made.out / "paper_float32.tflite").read_bytes()
    with pytest.raises(ModelError, match="the float network has nothing that the layer") as error:
        compare_layers(paper, int8, PICTURES)
    assert "CONV_2D, 16×16×" in error.value.problem


def test_an_onnx_file_of_others_is_refused(quantizer, made):
    content = (made.out / "paper_float32.onnx").read_bytes()
    with pytest.raises(ModelError, match="does not tell its layers"):
        compare_layers(quantizer.network, content, PICTURES)


def test_no_pictures_are_refused(quantizer, int8):
    with pytest.raises(UserError, match="no pictures"):
        compare_layers(quantizer.network, int8, PICTURES[:0])


def test_what_moves_numbers_without_changing_them_adds_no_noise(quantizer, int8):
    layers = compare_layers(quantizer.network, int8, PICTURES)
    moving = [layer for layer in layers if layer.operator in ("RESHAPE", "MAX_POOL_2D")]
    assert all(layer.local_sqnr_db == math.inf and not layer.arises_here for layer in moving)
