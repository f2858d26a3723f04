from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from hemline.backends import open_backend
from hemline.card import ModelCard
from hemline.datasets import open_dataset
from hemline.errors import UserError
from hemline.modelfile import load_model
from hemline.parity.golden import GoldenPack
from hemline_convert import tflite_file
from hemline_convert.convert import ConversionConfig, convert

pytestmark = pytest.mark.slow

FILES = [
    "paper_float32.tflite",
    "paper_float16.tflite",
    "paper_dynamic_range.tflite",
    "paper_int8.tflite",
    "paper_float32.onnx",
    "paper_int8.onnx",
]


@pytest.fixture(scope="module")
def pictures(made):
    """uint8 pictures that calibration never saw, and random ones: nothing may differ on either."""
    drawn = open_dataset("drawn").split("test").tensors(made.card.input)[::3]
    noise = np.random.default_rng(0).integers(0, 256, (50, 28, 28, 1), dtype=np.uint8)
    return np.concatenate((drawn, noise))


def logits_of(made, name, pictures):
    backend = open_backend(made.out / name)
    return np.array([backend.logits(picture[None]) for picture in pictures])


def test_exactly_the_named_files_are_written_and_nothing_else(made):
    others = ["paper_mediapipe.tflite", "paper.calibration.json", "paper.golden.npz"]
    assert sorted(path.name for path in made.out.iterdir()) == sorted([*FILES, *others])


@pytest.mark.parametrize("name", FILES)
def test_every_file_takes_uint8_pixels_and_gives_float32_logits_with_a_static_batch_of_one(
    made, name
):
    backend = open_backend(made.out / name)
    assert (backend.input.shape, backend.input.dtype) == ((1, 28, 28, 1), np.uint8)
    assert (backend.output.shape, backend.output.dtype) == ((1, 10), np.float32)


@pytest.mark.parametrize("name", FILES)
def test_every_file_carries_the_card_with_the_hash_of_its_source_and_of_the_golden_pack(made, name):
    card = load_model(made.out / name).card
    assert card.source_sha256 == hashlib.sha256(made.model.read_bytes()).hexdigest()
    assert card.golden_sha256 == GoldenPack.load(made.out / "paper.golden.npz").content_sha256
    assert f"paper_{card.quantization['kind']}." in name
    assert card.quantization["versions"]["tensorflow"]


def test_the_card_keeps_which_pictures_calibrated_and_that_they_are_of_the_training_split(made):
    calibration = load_model(made.out / "paper_int8.tflite").card.quantization["calibration"]
    assert calibration["data"] == "drawn/train"
    assert calibration["images"] == 100
    manifest = (made.out / "paper.calibration.json").read_bytes()
    assert calibration["manifest_sha256"] == hashlib.sha256(manifest).hexdigest()
    assert calibration["tensors_sha256"] == json.loads(manifest)["tensors_sha256"]


def test_both_int8_files_give_the_same_label_and_are_never_more_than_one_step_apart(made, pictures):
    tflite = logits_of(made, "paper_int8.tflite", pictures)
    onnx = logits_of(made, "paper_int8.onnx", pictures)
    model = tflite_file.unpack((made.out / "paper_int8.tflite").read_bytes())
    graph = model.subgraphs[0]
    step = graph.tensors[graph.operators[-1].inputs[0]].quantization.scale[0]
    assert (tflite.argmax(1) == onnx.argmax(1)).all()
    assert np.abs(tflite - onnx).max() <= 1.01 * step


def test_both_int8_files_hold_the_same_scales_and_zero_points(made):
    """Activations are uint8 in the ONNX file, with zero points 128 higher; weights are int8 in both."""
    import onnx
    from onnx import numpy_helper

    model = tflite_file.unpack((made.out / "paper_int8.tflite").read_bytes())
    tflite = {
        (float(scale), int(zero_point))
        for tensor in model.subgraphs[0].tensors
        if tensor.quantization is not None and tensor.quantization.scale is not None
        if tflite_file.dtype_of(tensor) != np.uint8  # the picture, which is int8 behind QUANTIZE
        for scale, zero_point in zip(
            np.float32(tensor.quantization.scale), tensor.quantization.zeroPoint, strict=True
        )
    }
    graph = onnx.load(made.out / "paper_int8.onnx").graph
    values = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    found = set()
    for node in graph.node:
        if node.op_type in ("DequantizeLinear", "QuantizeLinear"):
            scale = values[node.input[1]].reshape(-1)
            zero = values[node.input[2]].reshape(-1) if len(node.input) > 2 else 0 * scale
            shift = 128 if zero.dtype == np.uint8 else 0
            found |= {(float(s), int(z) - shift) for s, z in zip(scale, zero, strict=True)}
    assert found == tflite
    assert len(found) > 100  # one of each filter


def test_no_operator_of_the_int8_tflite_works_in_float(made):
    model = tflite_file.unpack((made.out / "paper_int8.tflite").read_bytes())
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if tflite_file.operator_name(model, operator) not in ("QUANTIZE", "DEQUANTIZE"):
            types = {str(tflite_file.dtype_of(graph.tensors[i])) for i in operator.inputs}
            assert types <= {"int8", "int32"}


def test_onnx_runtime_runs_the_int8_file_in_integers_and_moves_nothing_about(made, tmp_path):
    """It must fuse all it can: nothing stays in float, and no Transpose is left of those in the file."""
    import onnx
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    ort.InferenceSession(made.out / "paper_int8.onnx", options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    pooled = ["QLinearConv", "NhwcMaxPool"]
    first = ["Reshape", "QLinearConv", "Reshape", "NhwcMaxPool"]
    last = ["Reshape", "QGemm", "QGemm", "DequantizeLinear"]
    assert kinds == [*first, *pooled, *pooled, *last]


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("paper_float32.tflite", 1e-3),  # rounding only
        ("paper_float32.onnx", 1e-3),
        ("paper_float16.tflite", 0.2),  # 11 bits of mantissa
        ("paper_dynamic_range.tflite", 3.0),  # 8-bit weights
    ],
)
def test_float_files_answer_as_keras_does(made, pictures, name, tolerance):
    keras = open_backend(made.model)
    reference = np.array([keras.logits(picture[None]) for picture in pictures])
    assert np.abs(logits_of(made, name, pictures) - reference).max() < tolerance


def test_the_int8_file_of_the_paper_network_is_at_most_115_kilobytes(made):
    assert (made.out / "paper_int8.tflite").stat().st_size <= 115_000


def test_tensors_are_named_by_their_first_layer_where_that_tells_them_apart(made):
    graph = tflite_file.unpack((made.out / "paper_int8.tflite").read_bytes()).subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]
    assert len(set(names)) == len(names)
    for name in names:  # the whole one stays where the short one is taken
        assert ";" not in name or any(part in names for part in name.split(";"))
    computed = [names[operator.outputs[0]] for operator in graph.operators]
    assert "convolution_2_1/Relu" in computed
    assert not any(";" in name for name in computed)


def test_zero_points_of_as_many_channels_are_held_once(made):
    from ai_edge_litert import schema_py_generated as schema

    content = (made.out / "paper_int8.tflite").read_bytes()
    graph = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    places: dict[int, set[int]] = {}
    for i in range(graph.TensorsLength()):
        found = graph.Tensors(i).Quantization()
        if found is not None and found.ZeroPointLength() > 1:
            table = found._tab
            place = table.Vector(table.Offset(10))  # the field `zero_point`
            places.setdefault(found.ZeroPointLength(), set()).add(place)
    assert set(places) == {16, 32, 64}
    assert all(len(of_length) == 1 for of_length in places.values())


def test_buffers_are_aligned_as_the_schema_asks(made):
    from ai_edge_litert import schema_py_generated as schema

    content = (made.out / "paper_int8.tflite").read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    for i in range(model.BuffersLength()):
        buffer = model.Buffers(i)
        offset = buffer._tab.Offset(4)
        assert not offset or buffer._tab.Vector(offset) % 16 == 0


def test_labels_and_card_can_be_read_with_any_zip_tool(made):
    import zipfile

    with zipfile.ZipFile(made.out / "paper_int8.tflite") as archive:
        labels = archive.read("labels.txt").decode().splitlines()
        card = ModelCard.from_json(archive.read("hemline_card.json"))
    assert tuple(labels) == card.labels


def test_tflite_metadata_names_the_label_file_and_the_colour_space(made):
    model = tflite_file.unpack((made.out / "paper_int8.tflite").read_bytes())
    entry = next(entry for entry in model.metadata if entry.name == b"TFLITE_METADATA")
    content = bytes(model.buffers[entry.buffer].data)
    assert content[4:8] == b"M001"
    assert b"labels.txt" in content
    assert ", ".join(made.card.labels).encode() in content  # what Netron shows


def test_converting_twice_gives_identical_bytes(made, tmp_path):
    convert(dataclasses.replace(made.config, out=tmp_path))
    for path in made.out.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_int8_without_calibration_pictures_is_refused_and_says_how_to_give_some(made, tmp_path):
    with pytest.raises(UserError, match="pictures to calibrate") as error:
        convert(ConversionConfig(model=made.model, out=tmp_path))
    assert "--data fashion-mnist" in error.value.hint
    assert list(tmp_path.iterdir()) == []


def test_float_files_need_no_data_and_then_the_lack_of_a_golden_pack_is_said(made, tmp_path):
    config = ConversionConfig(model=made.model, out=tmp_path, tflite=("float32",), onnx=())
    result = convert(config)
    assert [path.suffix for path in result.files] == [".tflite"]
    assert any("no golden pack" in note for note in result.notes)


def test_data_of_other_classes_does_not_calibrate(made, tmp_path):
    import cv2

    for label in ("cat", "dog"):
        (tmp_path / "animals" / label).mkdir(parents=True)
        for n in range(20):
            picture = np.full((28, 28), 5 * n + len(label), np.uint8)
            picture[0, 0] = ord(label[0])
            cv2.imwrite(str(tmp_path / "animals" / label / f"{n}.png"), picture)
    config = ConversionConfig(made.model, tmp_path / "out", data=str(tmp_path / "animals"))
    with pytest.raises(UserError, match="cat, dog"):
        convert(config)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_what_it_claims_is_never_written(made, tmp_path, monkeypatch):
    from hemline_convert import quantize

    monkeypatch.setattr(quantize, "float16_tflite", lambda model: model)
    config = ConversionConfig(made.model, tmp_path, tflite=("float16",), onnx=())
    with pytest.raises(UserError, match="would not be float16"):
        convert(config)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_adds_up_to_nothing_is_refused_and_does_not_end_the_process(
    hemline, untrained, tmp_path
):
    """TensorFlow Lite aborts where a sum has no scale; so the test asks a process of its own."""
    from hemline_convert._tensorflow import keras

    layers = keras.layers
    pixels = keras.Input((28, 28, 1))
    both = [layers.Conv2D(4, 3, bias_initializer="ones", name=name)(pixels) for name in "ab"]
    below_zero = layers.Add(name="sum")([layers.Rescaling(-1)(layers.ReLU()(x)) for x in both])
    x = layers.GlobalAveragePooling2D()(layers.ReLU(name="dead")(below_zero))
    model = untrained(keras.Model(pixels, layers.Dense(10)(x)))
    out = tmp_path / "out"
    result = hemline("convert", model, "--int8", "--data", "drawn", "--out", out)
    assert result.returncode == 2
    assert "gives zero for all pictures that calibrate" in result.stderr
    assert not out.exists()
