"""What `hemline inspect` says of real files, against figures worked out by hand."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from hemline import models
from hemline.errors import ModelError, UserError
from hemline.inspection import ALTERED, MATCHES, NO_CHECKSUM, Inspection, inspect_model
from hemline.inspection.clients import clients_of_tflite
from hemline.inspection.needs import needs_of_onnx, needs_of_tflite
from hemline.inspection.network import Network, Operator, Tensor
from hemline.inspection.text import text_of
from hemline.onnx_reader import read_onnx

PARAMETERS = 98_442  # as the paper counts them, layer by layer: 160 + 4640 + 18496 + 73856 + 1290
MACS = (
    28 * 28 * 16 * (3 * 3 * 1)  # convolution_1
    + 14 * 14 * 32 * (3 * 3 * 16)  # convolution_2, behind the first pooling
    + 7 * 7 * 64 * (3 * 3 * 32)  # convolution_3
    + 576 * 128  # hidden
    + 128 * 10  # logits
)
# While the first pooling runs: what it reads and what it writes, a byte each.
PEAK_BYTES = 28 * 28 * 16 + 14 * 14 * 16
# The ONNX file has its first convolution in blocks of four columns, with zeros where they see nothing.
FOLDED_PARAMETERS = PARAMETERS - (3 * 3 * 16 + 16) + (4 * 16 * 4 * 3 * 3 + 4 * 16)
FOLDED_MACS = MACS - 28 * 28 * 16 * (3 * 3) + 28 * 7 * 64 * (4 * 3 * 3)
FOLDED_PEAK_BYTES = 2 * 28 * 28 * 16  # while its result is turned back into columns


@pytest.fixture(scope="module")
def keras_path() -> Path:
    path = models.source_path_of("paper")
    assert path is not None
    return Path(path)


@pytest.fixture(scope="module")
def tflite(paper_tflite) -> Inspection:
    return inspect_model(paper_tflite)


@pytest.fixture(scope="module")
def onnx(paper_onnx) -> Inspection:
    return inspect_model(paper_onnx)


@pytest.fixture(params=["tflite", "onnx"])
def shipped(request) -> Inspection:
    inspection: Inspection = request.getfixturevalue(request.param)
    return inspection


def test_the_work_and_the_parameters_are_those_of_the_paper(tflite, onnx):
    assert (tflite.parameters, tflite.macs) == (PARAMETERS, MACS)
    assert MACS == 1_994_240
    assert (onnx.parameters, onnx.macs) == (FOLDED_PARAMETERS, FOLDED_MACS)


def test_where_layers_were_folded_the_parameters_of_the_training_are_told_too(tflite, onnx):
    assert f"{PARAMETERS:,} (weights and biases)\n" in text_of(tflite)
    assert f"{FOLDED_PARAMETERS:,} (weights and biases); {PARAMETERS:,} as trained" in text_of(onnx)


def test_the_memory_of_the_activations_is_that_of_the_widest_place(tflite, onnx):
    for inspection, size_bytes, name in (
        (tflite, PEAK_BYTES, "MAX_POOL_2D"),
        (onnx, FOLDED_PEAK_BYTES, "Transpose"),
    ):
        peak = inspection.network.peak
        assert peak.size_bytes == size_bytes
        assert inspection.network.operators[peak.operator].name == name


def test_the_shipped_files_are_int8_throughout_and_unaltered(shipped):
    assert shipped.integrity == MATCHES
    assert shipped
    assert shipped.network is not None
    assert shipped.network.is_fully_int8
    assert shipped.network.float_operators == {}
    assert shipped.card is not None
    assert shipped.card.name == "paper"


def test_the_parts_together_are_the_file(tflite, onnx, keras_path):
    for inspection, parameters, first_biases in (
        (tflite, PARAMETERS, 16),
        (onnx, FOLDED_PARAMETERS, 4 * 16),
    ):
        assert inspection.total_bytes == Path(inspection.path).stat().st_size
        biases = first_biases + 32 + 64 + 128 + 10
        assert inspection.sizes["biases"] == 4 * biases
        assert inspection.sizes["weights"] == parameters - biases
        assert min(inspection.sizes.values()) >= 0
    assert inspect_model(keras_path).total_bytes == keras_path.stat().st_size


def test_tensors_have_the_quantization_of_the_file(tflite):
    tensors = {tensor.name: tensor for tensor in tflite.network.tensors.values()}
    image = tensors["image"]
    assert (image.type_name, image.shape) == ("UINT8", (1, 28, 28, 1))
    assert image.scales == pytest.approx((1 / 255,))
    assert (image.zero_points, image.axis) == ((0,), None)
    weights = tensors["convolution_2_1/convolution"]
    assert (weights.role, weights.shape, len(weights.scales), weights.axis) == (
        "weights",
        (32, 3, 3, 16),
        32,
        0,
    )


def test_a_keras_file_is_read_without_keras(keras_path):
    inspection = inspect_model(keras_path)
    assert (inspection.parameters, inspection.macs) == (PARAMETERS, MACS)
    counted = [layer.parameters for layer in inspection.layers if layer.parameters]
    assert counted == [160, 4640, 18496, 73856, 1290]
    assert inspection.integrity == MATCHES
    assert inspection


def test_an_edited_file_is_shown_and_said_to_be_altered(hemline, paper_tflite, tmp_path):
    content = bytearray(paper_tflite.read_bytes())
    content[50_000] ^= 1
    path = tmp_path / "edited.tflite"
    path.write_bytes(content)
    inspection = inspect_model(path)
    assert inspection.integrity == ALTERED
    assert not inspection
    assert inspection.macs == MACS
    done = hemline("inspect", path)
    assert done.returncode == 1
    assert "ALTERED" in done.stdout
    assert done.stderr == ""


def test_a_bare_file_of_another_tool_is_shown_without_card(paper_tflite, with_card, tmp_path):
    inspection = inspect_model(with_card(paper_tflite, tmp_path / "bare.tflite", None))
    assert (inspection.card, inspection.integrity) == (None, NO_CHECKSUM)
    assert inspection.sizes["card"] == inspection.sizes["labels"] == 0
    assert "--labels" in text_of(inspection)
    mediapipe = inspection.clients[0]
    assert "without labels.txt and metadata its classes have no names" in mediapipe.refusals


def test_the_reader_of_onnx_files_agrees_with_the_onnx_package(paper_onnx):
    package = pytest.importorskip("onnx")
    ours = read_onnx("m.onnx", paper_onnx.read_bytes())
    theirs = package.load(str(paper_onnx))
    assert ours.opsets == {entry.domain: entry.version for entry in theirs.opset_import}
    assert ours.properties == {entry.key: entry.value for entry in theirs.metadata_props}
    assert len(ours.nodes) == len(theirs.graph.node)
    for node, other in zip(ours.nodes, theirs.graph.node, strict=True):
        assert (node.op_type, node.inputs, node.outputs) == (
            other.op_type,
            tuple(other.input),
            tuple(other.output),
        )
        for attribute in other.attribute:
            value = package.helper.get_attribute_value(attribute)
            value = tuple(value) if isinstance(value, list) else value
            assert node.attributes[attribute.name] == value
    for constant in theirs.graph.initializer:
        value = ours.initializers[constant.name].value()
        assert np.array_equal(value, package.numpy_helper.to_array(constant))


def test_constants_that_are_not_raw_and_open_shapes_are_read_too(tmp_path):
    package = pytest.importorskip("onnx")
    helper, kinds = package.helper, package.TensorProto
    weights = helper.make_tensor("w", kinds.FLOAT, (3, 2), [1, 2, 3, 4, 5, 6.5])
    axes = helper.make_tensor("axes", kinds.INT64, (1,), [-1])
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["y"]),
            helper.make_node("ReduceMean", ["y", "axes"], ["z"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", kinds.FLOAT, ("batch", 3))],
        [helper.make_tensor_value_info("z", kinds.FLOAT, None)],
        [weights, axes],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.example", 1)]
    path = tmp_path / "open.onnx"
    package.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    model = read_onnx("m.onnx", path.read_bytes())
    assert model.inputs[0].shape == ("batch", 3)
    assert model.initializers["w"].value().tolist() == [[1, 2], [3, 4], [5, 6.5]]
    assert model.initializers["axes"].value().tolist() == [-1]
    inspection = inspect_model(path)
    assert inspection.macs is None
    assert inspection.network is not None
    assert inspection.network.peak is None
    assert inspection.network.float_operators == {"MatMul": 1, "ReduceMean": 1}
    assert inspection.needs[0].oldest is None  # an operator set of somebody else
    assert "unknown" in text_of(inspection)


def operator(name: str, version: int) -> Operator:
    return Operator(name, version, (), (), 0)


@pytest.mark.parametrize(
    ("operators", "has_int8", "tensorflow", "runtime"),
    [
        ([("CONV_2D", 1)], False, "1.5", "1.5"),
        ([("CONV_2D", 1)], True, "1.15", "1.15"),  # the quantizer leaves int8 at version 1
        ([("CONV_2D", 7), ("ADD", 2)], True, "2.11", "2.11"),  # the newest one counts
        ([("FULLY_CONNECTED", 12)], True, "2.17", None),  # newer than the last tflite-runtime
        ([("TRANSPOSE", 7)], False, "2.14.4", None),  # a little newer than it
        ([("CONV_2D", 99)], True, None, None),  # from the future
        ([("STABLEHLO_CASE", 1)], False, None, None),  # not in the table
    ],
)
def test_the_oldest_runtime_is_that_of_the_newest_operator(
    operators, has_int8, tensorflow, runtime
):
    needs = needs_of_tflite([operator(*entry) for entry in operators], has_int8=has_int8)
    assert [need.oldest for need in needs[:2]] == [tensorflow, runtime]
    assert all(need.note for need in needs)


def test_float16_and_filters_on_float_pictures_need_more_than_their_operators_say():
    """As tried: TensorFlow 2.2 refuses the dynamic range file, LiteRT 1.1 to 1.3 answer float16 wrongly."""
    operators = [operator("CONV_2D", 1)]
    hybrid = needs_of_tflite(operators, has_int8=True, has_hybrid_filters=True)
    assert [need.oldest for need in hybrid] == ["2.4", "2.4", "1.0"]
    half = needs_of_tflite(operators, has_int8=False, has_float16=True)
    assert [need.oldest for need in half] == ["1.15", "1.15", "1.4"]
    assert "wrongly" in half[2].note


def test_int16_activations_need_a_newer_runtime_than_the_version_of_an_operator_says():
    operators = [Operator(name, 1, (), (), 0) for name in ("CONV_2D", "MEAN", "RESHAPE")]
    usual = needs_of_tflite(operators, has_int8=True)
    wide = needs_of_tflite(operators, has_int8=True, int16_operators=frozenset({"CONV_2D", "MEAN"}))
    assert (usual[0].oldest, wide[0].oldest) == ("1.15", "2.4")
    assert wide[0].note == "for MEAN on int16"


@pytest.mark.parametrize(
    ("opset", "ir", "oldest"),
    [
        (13, 7, "1.6"),
        (13, 8, "1.9"),
        (17, 8, "1.12"),
        (22, 10, "1.21"),
        (21, 11, "1.23"),
        (21, 12, "1.24"),
        (26, 13, "1.25"),
        (27, 14, "1.32"),
        (99, 8, None),
    ],
)
def test_the_oldest_onnx_runtime_knows_the_operator_set_and_the_format(opset, ir, oldest):
    assert needs_of_onnx({"": opset}, ir)[0].oldest == oldest


def test_a_file_that_all_clients_take_has_no_refusals_and_others_name_theirs():
    def clients(image: str, answer: str, last: str):
        tensors = {
            "i": Tensor("image", image, (1, 28, 28, 3), scales=(0.1,), zero_points=(0,)),
            "o": Tensor("scores", answer, (1, 10)),
        }
        operators = (
            Operator("CONV_2D", 1, ("i",), ("o",), 9),
            Operator(last, 1, ("o",), ("o",), 0),
        )
        network = Network(tensors, operators, ("i",), ("o",), {})
        found = clients_of_tflite(
            network, has_metadata=True, has_labels=True, has_compressed_members=False
        )
        return {client.name.split()[0]: client.refusals for client in found}

    assert clients("UINT8", "UINT8", "SOFTMAX")["MediaPipe"] == ()
    both = clients("INT8", "INT8", "CONV_2D")
    assert len(both["MediaPipe"]) == 3
    assert both["TFLite"] == ()  # TFLite Micro
    assert clients("INT8", "INT8", "TOPK_V2")["TFLite"] == ("it does not know TOPK_V2",)
    assert both["LiteRT.js"] == ("input and output must not be int8",)
    assert clients("UINT8", "UINT8", "SOFTMAX")["LiteRT.js"] == ()


def test_no_line_of_the_report_is_wider_than_a_hundred_columns(shipped, keras_path):
    for inspection in (shipped, inspect_model(keras_path)):
        lines = text_of(inspection).splitlines()
        assert max(map(len, lines)) <= 100
        assert not [line for line in lines if line != line.rstrip()]


def test_the_json_has_the_same_keys_for_each_kind_of_file(
    hemline, paper_tflite, paper_onnx, keras_path
):
    done = hemline("inspect", paper_tflite, paper_onnx, keras_path, "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len({tuple(row) for row in rows}) == 1
    assert [row["format"] for row in rows] == ["tflite", "onnx", "keras"]
    assert [row["parameters"] for row in rows] == [PARAMETERS, FOLDED_PARAMETERS, PARAMETERS]
    assert rows[0]["integrity"]["status"] == MATCHES
    assert rows[0]["peak_activation"] == {"size_bytes": PEAK_BYTES, "operator": 2}
    assert rows[0]["operators"][1]["macs"] == 112_896


def test_it_works_where_only_numpy_is_installed(hemline, hiding, paper_onnx, keras_path):
    heavy = (
        "tensorflow keras onnx onnxruntime ai_edge_litert tflite_runtime flatbuffers cv2".split()
    )
    done = hemline("inspect", "paper", paper_onnx, keras_path, env=hiding(*heavy))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("98,442") == 3  # of the ONNX file as trained
    assert done.stdout.count("100,650") == 1


def test_bad_files_are_told_and_the_rest_is_done(hemline, paper_tflite, tmp_path):
    content = paper_tflite.read_bytes()
    (tmp_path / "cut.tflite").write_bytes(content[:5000])
    (tmp_path / "text.onnx").write_text("This is no model.")
    (tmp_path / "cut.keras").write_bytes(b"PK\3\4" + bytes(500))
    (tmp_path / "empty.tflite").write_bytes(b"")
    (tmp_path / "model.txt").write_text("x")
    (tmp_path / "folder.tflite").mkdir()
    names = ("cut.tflite", "text.onnx", "cut.keras", "empty.tflite", "model.txt", "missing.onnx")
    for name in (*names, "folder.tflite"):
        with pytest.raises(UserError):
            inspect_model(tmp_path / name)
        done = hemline("inspect", name, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, ""), name
        assert done.stderr.startswith("hemline: error: ")
        assert "Traceback" not in done.stderr
    done = hemline("inspect", *names, "paper", "--json", cwd=tmp_path)
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["error" in row for row in rows] == [True] * len(names) + [False]
    assert done.stderr.count("hemline: error: ") == len(names)


@pytest.mark.parametrize("kind", ["tflite", "onnx", "keras"])
def test_damage_never_ends_in_another_error(kind, paper_tflite, paper_onnx, keras_path, tmp_path):
    source = {"tflite": paper_tflite, "onnx": paper_onnx, "keras": keras_path}[kind]
    content, path, rng = source.read_bytes(), tmp_path / f"damaged.{kind}", random.Random(9)
    refused = 0
    for _ in range(150):
        changed = bytearray(content)
        for _ in range(rng.choice((1, 3, 20))):
            low = rng.choice((0, 0, len(content) - 9000))
            changed[rng.randrange(low, low + 9000)] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        try:
            inspection = inspect_model(path)
            json.dumps(inspection.to_json(), allow_nan=False)
            assert text_of(inspection)
            refused += not inspection
        except ModelError:
            refused += 1
    assert refused > 50
