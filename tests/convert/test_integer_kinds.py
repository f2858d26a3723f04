"""The integer files beside int8: 16-bit activations, int8 ends, one scale for the weights of a layer."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
from itertools import pairwise

import numpy as np
import pytest

from hemline.backends import open_backend
from hemline.datasets import open_dataset
from hemline.errors import ModelError, UserError
from hemline.inspection import inspect_model
from hemline.modelfile import load_model
from hemline.parity.golden import GoldenPack
from hemline.parity.layers import compare_layers
from hemline.tflite_reader import read_tflite
from hemline_convert import tflite_file
from hemline_convert.convert import ConversionConfig, convert
from hemline_convert.keras_source import StatedCard
from hemline_convert.recipe import QuantizationRecipe

pytestmark = pytest.mark.slow

CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")


@pytest.fixture(scope="module")
def config(keras_model, tmp_path_factory):
    return ConversionConfig(
        model=keras_model,
        out=tmp_path_factory.mktemp("integer"),
        tflite=("float32", "int8", "w8a16", "int8_io"),
        data="drawn",
        calibration_images=100,
        golden_images=60,
        stated=StatedCard(name="paper"),
    )


@pytest.fixture(scope="module")
def out(config):
    """The folder with all of these files."""
    convert(config)
    return config.out


@pytest.fixture(scope="module")
def per_tensor(config, tmp_path_factory):
    """The folder with integer files that have one scale for the weights of a layer."""
    folder = tmp_path_factory.mktemp("per tensor")
    recipe = QuantizationRecipe(granularity="tensor")
    kinds = ("int8", "w8a16", "int8_io")
    convert(dataclasses.replace(config, out=folder, tflite=kinds, recipe=recipe))
    return folder


@pytest.fixture(scope="module")
def pictures(made):
    """uint8 pictures that calibration never saw, and random ones: nothing may differ on either."""
    drawn = open_dataset("drawn").split("test").tensors(made.card.input)[::3]
    noise = np.random.default_rng(0).integers(0, 256, (50, 28, 28, 1), dtype=np.uint8)
    return np.concatenate((drawn, noise))


def logits_of(path, pictures, backend=None):
    opened = open_backend(path, backend=backend)
    return np.array([opened.logits(picture[None]) for picture in pictures])


def graph_of(path):
    return read_tflite(path.name, path.read_bytes()).graphs[0]


def weights_of(path):
    graph = graph_of(path)
    weighted = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    return [graph.tensors[o.inputs[1]] for o in graph.operators if o.name in weighted]


def test_w8a16_computes_on_int16_with_int8_weights_and_has_the_usual_ends(out):
    graph = graph_of(out / "paper_w8a16.tflite")
    assert [graph.tensors[i].type_name for i in (*graph.inputs, *graph.outputs)] == [
        "UINT8",
        "FLOAT32",
    ]
    for operator in graph.operators:
        if operator.name not in CONVERSIONS:
            types = [graph.tensors[i].type_name for i in (operator.inputs[0], *operator.outputs)]
            assert types == ["INT16", "INT16"], operator.name
    assert {tensor.type_name for tensor in weights_of(out / "paper_w8a16.tflite")} == {"INT8"}
    card = load_model(out / "paper_w8a16.tflite").card
    assert card.quantization["kind"] == "w8a16"
    assert card.quantization["recipe"]["activation_bits"] == 16


def test_w8a16_is_nearer_to_the_float_network_than_int8(out, pictures):
    """In the logits that can decide a label: the others int8 cuts off on purpose."""
    reference = logits_of(out / "paper_float32.tflite", pictures)
    errors = {}
    for kind in ("int8", "w8a16"):
        logits = logits_of(out / f"paper_{kind}.tflite", pictures)
        errors[kind] = np.abs(np.sort(logits)[:, -2:] - np.sort(reference)[:, -2:]).mean()
    assert errors["w8a16"] < errors["int8"]  # what is left is the rounding of the weights


def test_w8a16_leaves_no_noise_but_that_of_its_weights(out, made):
    """So layers without weights are all but exact, where int8 adds the rounding of their output."""
    tensors = GoldenPack.load(out / "paper.golden.npz").tensors[:20]
    float_network = (out / "paper_float32.tflite").read_bytes()
    wide, narrow = (
        compare_layers(
            float_network,
            (out / f"paper_{kind}.tflite").read_bytes(),
            tensors,
            normalization=made.card.normalization,
        )
        for kind in ("w8a16", "int8")
    )
    noise = {layer.name.rsplit("/", 1)[-1]: layer for layer in wide}
    assert wide[0].operator == "QUANTIZE"
    assert wide[0].sqnr_db > 80
    for layer in narrow:
        if layer.operator in ("CONV_2D", "FULLY_CONNECTED"):
            better = noise[layer.name.rsplit("/", 1)[-1]]
            assert better.local_sqnr_db > layer.local_sqnr_db
            assert better.sqnr_db > layer.sqnr_db


def test_int8_io_has_int8_and_int32_inside_and_at_its_ends_and_nothing_converts(out):
    graph = graph_of(out / "paper_int8_io.tflite")
    assert {tensor.type_name for tensor in graph.tensors} == {"INT8", "INT32"}
    assert not {operator.name for operator in graph.operators}.intersection(CONVERSIONS)
    (image,), (logits,) = (
        [graph.tensors[i].quantization for i in ends] for ends in (graph.inputs, graph.outputs)
    )
    assert image.scales == [np.float32(1 / 255)]
    assert image.zero_points == [-128]
    assert logits.scales[0] > 0


@pytest.mark.parametrize("backend", ["litert", "numpy"])
@pytest.mark.parametrize("folder", ["out", "per_tensor"])
def test_int8_io_gives_the_logits_of_the_int8_file_to_the_last_bit(
    request, folder, backend, pictures
):
    files = request.getfixturevalue(folder)
    if backend == "numpy":  # which is slow
        pictures = pictures[::4]
    int8 = logits_of(files / "paper_int8.tflite", pictures, backend)
    assert np.array_equal(logits_of(files / "paper_int8_io.tflite", pictures, backend), int8)
    assert len(np.unique(int8.argmax(1))) >= 4


def test_int8_io_takes_pixel_less_128_and_tells_so_in_its_metadata(out, pictures):
    backend = open_backend(out / "paper_int8_io.tflite")
    raw = backend.run((pictures[:1].astype(np.int16) - 128).astype(np.int8))
    real = (raw.astype(np.float32) - backend.output.zero_point) * np.float32(backend.output.scale)
    assert np.array_equal(real[0], backend.logits(pictures[:1]))
    model = tflite_file.unpack((out / "paper_int8_io.tflite").read_bytes())
    entry = next(entry for entry in model.metadata if entry.name == b"TFLITE_METADATA")
    assert b"pixels 0 to 255 less 128" in bytes(model.buffers[entry.buffer].data)


def test_int8_io_comes_with_a_header_that_holds_the_same_bytes(out):
    text = (out / "paper_int8_io.h").read_text()
    array = re.search(r"unsigned char paper_int8_io\[\] = \{(.*?)\};", text, re.DOTALL)
    content = bytes(int(number) for number in array[1].split(",") if number.strip())
    assert content == (out / "paper_int8_io.tflite").read_bytes()


def test_what_the_next_picture_gives_does_not_change_the_logits_before(out, pictures):
    backend = open_backend(out / "paper_int8_io.tflite")
    first = backend.logits(pictures[:1])
    kept = first.copy()
    backend.logits(pictures[1:2])
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("kind", ["int8", "w8a16", "int8_io"])
def test_per_tensor_each_layer_has_one_scale_for_its_weights_and_the_card_says_so(per_tensor, kind):
    path = per_tensor / f"paper_{kind}.tflite"
    assert [len(tensor.quantization.scales) for tensor in weights_of(path)] == [1] * 5
    assert load_model(path).card.quantization["recipe"]["granularity"] == "tensor"


def test_per_channel_is_the_default_and_the_card_says_so(out):
    scales = [len(t.quantization.scales) for t in weights_of(out / "paper_int8.tflite")]
    assert scales == [16, 32, 64, 1, 1]  # dense layers have one: older runtimes refuse more
    card = load_model(out / "paper_int8.tflite").card
    assert card.quantization["recipe"]["granularity"] == "channel"


def test_per_tensor_both_int8_files_are_the_same_network(per_tensor, pictures):
    tflite = logits_of(per_tensor / "paper_int8.tflite", pictures)
    onnx = logits_of(per_tensor / "paper_int8.onnx", pictures)
    step = graph_of(per_tensor / "paper_int8_io.tflite").tensors[-1].quantization.scales[0]
    assert (tflite.argmax(1) == onnx.argmax(1)).all()
    assert np.abs(tflite - onnx).max() <= 1.01 * step
    assert np.array_equal(
        load_model(per_tensor / "paper_int8.onnx").card.quantization["recipe"],
        load_model(per_tensor / "paper_int8.tflite").card.quantization["recipe"],
    )


@pytest.mark.parametrize("folder", ["out", "per_tensor"])
def test_converting_twice_gives_identical_bytes(request, config, folder, tmp_path):
    files = request.getfixturevalue(folder)
    granularity = "tensor" if folder == "per_tensor" else "channel"
    kinds = tuple(k for k in config.tflite if (files / f"paper_{k}.tflite").exists())
    recipe = QuantizationRecipe(granularity=granularity)
    convert(dataclasses.replace(config, out=tmp_path, tflite=kinds, recipe=recipe))
    for path in files.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("kind", ["w8a16", "int8_io"])
def test_no_byte_of_the_network_can_be_changed_unseen(out, kind, tmp_path):
    content = bytearray((out / f"paper_{kind}.tflite").read_bytes())
    content[len(content) // 2] ^= 1
    path = tmp_path / "altered.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="altered"):
        load_model(path)


def test_inspect_says_who_takes_a_file_with_int8_ends(out):
    clients = {c.name.split()[0]: c for c in inspect_model(out / "paper_int8_io.tflite").clients}
    assert "its input must be uint8 or float32" in clients["MediaPipe"].refusals
    assert clients["LiteRT.js"].refusals == ("input and output must not be int8",)
    assert clients["TFLite"].refusals == ()
    assert "pixel − 128" in clients["TFLite"].remark


def test_inspect_does_not_call_16_bits_int8_and_knows_the_oldest_runtime(out):
    wide, narrow = (inspect_model(out / f"paper_{kind}.tflite") for kind in ("w8a16", "int8_io"))
    assert wide.network.is_integer_only
    assert not wide.network.is_fully_int8
    assert narrow.network.is_fully_int8
    assert wide.needs[1].oldest == "2.3"
    assert narrow.needs[1].oldest == "1.15"


def elu(keras):
    layers = keras.layers
    inputs = keras.Input((12, 12, 1))
    x = layers.Conv2D(4, 3, name="first")(layers.Rescaling(1 / 255)(inputs))
    x = layers.Activation("elu", name="odd")(x)
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize("kind", ["w8a16", "int8_io"])
def test_a_layer_that_stays_in_float_is_refused_by_name(untrained, tmp_path, kind):
    from hemline_convert._tensorflow import keras

    path = untrained(elu(keras), with_card=True)
    config = ConversionConfig(path, tmp_path / "out", tflite=(kind,), onnx=(), data="drawn")
    with pytest.raises(UserError, match=f"would not be {kind}: a tensor of ELU, of the layer odd"):
        convert(config)
    assert not (tmp_path / "out").exists()


def test_int8_ends_that_are_not_those_of_pixels_are_refused(out):
    from hemline_convert import verify

    content = (out / "paper_int8_io.tflite").read_bytes()
    card = load_model(out / "paper_int8_io.tflite").card.replace(network_sha256="")
    verify.verify_tflite("paper_int8_io.tflite", content, "int8_io", card)
    model = tflite_file.unpack(content)
    image = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
    image.quantization.zeroPoint = [-127]
    shifted = tflite_file.described(tflite_file.pack(model), card)
    with pytest.raises(ModelError, match="not those of pixel − 128"):
        verify.verify_tflite("paper_int8_io.tflite", shifted, "int8_io", card)


def test_all_leaves_out_what_is_made_on_request():
    from hemline_convert import command

    parser = argparse.ArgumentParser()
    command.COMMAND.add_arguments(parser)
    everything, _ = command._kinds(parser.parse_args(["net.keras", "--all"]))
    assert set(everything) == {"float32", "float16", "dynamic_range", "int8", "mediapipe"}
    both, onnx = command._kinds(parser.parse_args(["net.keras", "--w8a16", "--int8-io"]))
    assert (both, onnx) == (("w8a16", "int8_io"), ())


def test_per_tensor_without_an_integer_file_is_refused(config):
    recipe = QuantizationRecipe(granularity="tensor")
    with pytest.raises(UserError, match="--per-tensor is for files with integer activations"):
        dataclasses.replace(config, tflite=("float32",), onnx=(), recipe=recipe)


def test_the_doctor_does_not_take_w8a16_for_an_int8_file(config):
    from hemline.parity.result import Gate

    with pytest.raises(UserError, match="need an int8 file"):
        dataclasses.replace(config, tflite=("w8a16",), onnx=(), gate=Gate())


def test_the_command_line_makes_them_and_parity_and_classify_run_them(
    hemline, keras_model, garments, tmp_path
):
    made = hemline(
        "convert", keras_model, "--name", "net", "--w8a16", "--int8-io", "--per-tensor",
        "--data", "drawn", "--calibration-images", "50", "--golden-images", "40", "--out", tmp_path,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "net_int8.tflite" not in made.stdout  # nobody asked for it
    measured = hemline("parity", tmp_path, "--json", tmp_path / "parity.json")
    assert measured.returncode == 0, measured.stdout + measured.stderr
    found = json.loads((tmp_path / "parity.json").read_text())["candidates"]
    assert [row["candidate"] for row in found] == ["net_int8_io.tflite", "net_w8a16.tflite"]
    answers = []
    for name in ("net_int8_io.tflite", "net_w8a16.tflite"):
        done = hemline("classify", *garments, "-m", tmp_path / name, "--json", "-k", "1")
        assert done.returncode == 0, done.stderr
        answers.append([json.loads(line)["label"] for line in done.stdout.splitlines()])
        assert len(answers[-1]) == len(garments)
    for first, second in pairwise(answers):
        assert sum(a == b for a, b in zip(first, second, strict=True)) >= len(garments) - 1
    report = (tmp_path / "net.report.html").read_text()
    assert "net_int8_io.tflite" in report
    assert "net_w8a16.tflite" in report
    assert "granularity tensor" in report
    assert "Signal-to-noise of net_int8_io.tflite" in report
