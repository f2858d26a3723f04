from __future__ import annotations

import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hemline.backends import open_backend
from hemline.errors import ModelError
from hemline.tflite_reader import TfliteModel, read_tflite


@pytest.fixture(scope="module")
def content(paper_tflite) -> bytes:
    """The shipped model without its zip part."""
    with zipfile.ZipFile(paper_tflite) as archive:
        start = min(member.header_offset for member in archive.infolist())
    return paper_tflite.read_bytes()[:start]


@pytest.fixture(scope="module")
def paper(content) -> TfliteModel:
    return read_tflite("paper", content)


def is_whole(content: bytes) -> bool:
    try:
        read_tflite("model.tflite", content)
    except ModelError:
        return False
    return True


def test_the_operators_come_in_order_with_name_version_and_edges(paper):
    graph = paper.graphs[0]
    assert [operator.name for operator in graph.operators] == [
        *["QUANTIZE", *["CONV_2D", "MAX_POOL_2D"] * 3],
        *["RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED", "DEQUANTIZE"],
    ]
    assert {operator.version for operator in graph.operators} == {1}
    assert graph.operators[0].inputs == graph.inputs
    assert graph.operators[-1].outputs == graph.outputs
    for earlier, later in zip(graph.operators, graph.operators[1:], strict=False):
        assert later.inputs[0] == earlier.outputs[0]


def test_options_are_read_by_position_and_have_their_defaults(paper):
    convolution, pooling = paper.graphs[0].operators[1:3]
    same, valid, relu = 0, 1, 1
    options = convolution.options  # Conv2DOptions
    assert options.integer(0, "b") == same
    assert (options.integer(1, "i"), options.integer(2, "i")) == (1, 1)
    assert options.integer(3, "b") == relu
    assert options.integer(4, "i", 1) == 1  # dilation is not stored where it is 1
    options = pooling.options  # Pool2DOptions
    assert [options.integer(0, "b"), *(options.integer(i, "i") for i in range(1, 5))] == [
        valid,
        *[2] * 4,
    ]
    assert not options.has(17)
    assert options.real(17, 0.5) == 0.5
    assert options.text(17) == ""
    assert options.table(17) is None
    assert options.tables(17) == []


def test_tensors_have_what_litert_says_of_them(paper, content):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    # Without a delegate all tensors can be read; it adds some of its own behind them.
    litert = interpreter.Interpreter(
        model_content=content,
        experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_REF,
    )
    litert.allocate_tensors()
    details = litert.get_tensor_details()
    assert len(details) >= len(paper.graphs[0].tensors) == 23
    constants = 0
    for tensor, said in zip(paper.graphs[0].tensors, details, strict=False):
        assert (tensor.index, tensor.name) == (said["index"], said["name"])
        assert tensor.shape == tuple(said["shape"])
        assert tensor.dtype == said["dtype"]
        quantized = said["quantization_parameters"]
        if tensor.quantization is None:
            assert len(quantized["scales"]) == 0
        else:
            assert np.array_equal(tensor.quantization.scales, quantized["scales"])
            assert (tensor.quantization.zero_points == quantized["zero_points"]).all()
            assert tensor.quantization.axis == quantized["quantized_dimension"]
        if tensor.is_constant:
            constants += 1
            assert np.array_equal(tensor.value(), litert.get_tensor(tensor.index))
    assert constants == 11


def test_metadata_description_and_signature_are_read(paper):
    assert paper.version == 3
    assert paper.description == "paper, made by hemline"
    assert bytes(paper.metadata["TFLITE_METADATA"][4:8]) == b"M001"
    (signature,) = paper.signatures
    assert (signature.key, signature.graph) == ("serving_default", 0)
    graph = paper.graphs[0]
    assert signature.inputs == {"image": graph.inputs[0]}
    assert signature.outputs == {"logits": graph.outputs[0]}


def test_a_constant_cannot_be_changed_and_a_computed_tensor_has_no_value(paper):
    weights, computed = paper.graphs[0].tensors[10], paper.graphs[0].tensors[12]
    with pytest.raises(ValueError, match="read-only"):
        weights.value()[:] = 0
    with pytest.raises(ModelError, match="is no constant"):
        computed.value()


def test_a_whole_file_is_told_from_every_cut_one(content, paper_tflite, tmp_path: Path):
    """tflite-runtime does not look by itself, and crashes; LiteRT does, and is the judge here."""
    assert is_whole(content)
    assert is_whole(paper_tflite.read_bytes())  # a zip part behind it does no harm
    for cut in [*range(8, 4000, 37), *range(4000, len(content) - 16, 997), len(content) - 16]:
        assert not is_whole(content[:cut])
    for size in range(len(content) - 16, len(content)):
        (tmp_path / "cut.tflite").write_bytes(content[:size])
        try:
            open_backend(tmp_path / "cut.tflite")
            loads = True
        except ModelError:
            loads = False
        assert is_whole(content[:size]) == loads


def test_changed_bits_never_escape_as_another_error(content):
    refused = 0
    for bit in range(0, 8 * 6000, 17):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        refused += not is_whole(bytes(changed))
    assert refused > 100


def test_a_small_file_that_unfolds_into_a_huge_one_is_refused_in_time():
    """All of 20,000 graphs are the same one, whose 20,000 tensors are the same one."""
    many = 20_000
    model_fields, graph_fields, empty_fields = 8, 22, 28  # places of the lists of fields
    content = struct.pack("<I4s", 32, b"TFL3")
    content += struct.pack("<7H", 14, 12, 0, 0, 4, 0, 8)  # a model with graphs (2), buffers (4)
    content += struct.pack("<3H", 6, 8, 4)  # a graph with tensors (0)
    content += struct.pack("<2H", 4, 4)  # a table without fields: a tensor, and a buffer too
    model_at = len(content)
    graphs_at = model_at + 12
    graph_at = graphs_at + 4 + 4 * many
    tensors_at = graph_at + 8
    buffers_at = tensors_at + 4 + 4 * many
    empty_at = buffers_at + 8
    content += struct.pack(
        "<iII", model_at - model_fields, graphs_at - model_at - 4, buffers_at - model_at - 8
    )
    content += to_all_the_same(graphs_at, many, graph_at)
    content += struct.pack("<iI", graph_at - graph_fields, 4)
    content += to_all_the_same(tensors_at, many, empty_at)
    content += to_all_the_same(buffers_at, 1, empty_at)
    content += struct.pack("<i", empty_at - empty_fields)
    started = time.monotonic()
    with pytest.raises(ModelError, match="its parts overlap"):
        read_tflite("bomb.tflite", content)
    assert time.monotonic() - started < 10


def to_all_the_same(at: int, count: int, target: int) -> bytes:
    """A vector at a place, all of whose offsets point to one target."""
    offsets = target - (at + 4 + 4 * np.arange(count))
    return struct.pack("<I", count) + offsets.astype("<u4").tobytes()
