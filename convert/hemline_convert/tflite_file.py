"""Reading and writing `.tflite` files: graph edges, TFLite metadata, and the card.

A `.tflite` file is a FlatBuffer (schema identifier `TFL3`). Metadata for other clients is a second
FlatBuffer in the model buffer named `TFLITE_METADATA` (identifier `M001`); labels and the card follow
the model as a zip archive, which is how TFLite metadata carries files.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from hemline.card import ModelCard, Normalization
from hemline.integrity import network_sha256
from hemline.tflite_objects import pack as pack
from hemline.tflite_objects import unpack as unpack
from hemline.zipcard import CARD_MEMBER, LABELS_MEMBER
from hemline_convert.tflite_metadata import metadata_buffer

INPUT_NAME = "image"
OUTPUT_NAME = "logits"
_METADATA_NAME = "TFLITE_METADATA"
_KEPT_METADATA = ("min_runtime_version",)  # the converter's own notes are dropped
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the oldest that zip knows: the same model gives the same bytes

BUILTIN_NAMES = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)
}


def operator_name(model: Any, operator: Any) -> str:
    """The name of an operator, as the schema has it: `CONV_2D`."""
    code = model.operatorCodes[operator.opcodeIndex]
    # Files for very old runtimes hold the code in the deprecated field.
    return str(BUILTIN_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)])


def operator_and_layer(model: Any, operator: Any) -> str:
    """An operator for a message: `TANH, of the layer backbone/activation`."""
    name, layer = operator_name(model, operator), layer_name(model, operator)
    return f"{name}, of the layer {layer}" if layer else name


def layer_name(model: Any, operator: Any) -> str:
    """The Keras layer that an operator comes from, or "".

    The converter names tensors `LAYER_1/OPERATOR;…`, where it adds the 1, and layers within a model
    `MODEL_1/LAYER_1/OPERATOR`. The output of the whole network it calls `Identity`, so that for the last
    operator the name of its weights tells.
    """
    tensors = model.subgraphs[0].tensors
    for index in (operator.outputs[0], *operator.inputs[1:2]):
        first = (tensors[index].name or b"").decode().split(";")[0]
        layer = "/".join(part.removesuffix("_1") for part in first.split("/")[:-1])
        if layer:
            return layer
    return ""


def constant(model: Any, tensor: Any) -> np.ndarray | None:
    """The value of a constant tensor, or None if it is computed."""
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0:
        return None
    shape = tuple(int(n) for n in tensor.shape) if tensor.shape is not None else ()
    return np.frombuffer(bytes(np.asarray(data, np.uint8)), dtype_of(tensor)).reshape(shape)


def dtype_of(tensor: Any) -> np.dtype[Any]:
    """NumPy's type of a tensor."""
    types = {
        schema.TensorType.FLOAT32: np.float32,
        schema.TensorType.FLOAT16: np.float16,
        schema.TensorType.INT32: np.int32,
        schema.TensorType.UINT8: np.uint8,
        schema.TensorType.INT8: np.int8,
        schema.TensorType.INT64: np.int64,
        schema.TensorType.INT16: np.int16,
        schema.TensorType.BOOL: np.bool_,
    }
    return np.dtype(types[tensor.type])


def with_uint8_input_and_float_output(content: bytes, normalization: Normalization) -> bytes:
    """Let an integer network take the pixels as they are, as uint8, and give float32.

    Before int8 stands QUANTIZE: the uint8 input has the scale of the int8 one, and a zero point 128 higher,
    so that it changes no value. Before a first layer in float, and before int16, stands DEQUANTIZE, which
    normalizes. Behind the logits stands DEQUANTIZE, unless they are float.

    Args:
        content: A network that takes int8, int16 or float32, and gives the same or another of these.
        normalization: Of its pixels.
    """
    model = unpack(content)
    graph = model.subgraphs[0]
    builtin = schema.BuiltinOperator
    source, target = int(graph.inputs[0]), int(graph.outputs[0])
    inner_in, inner_out = graph.tensors[source], graph.tensors[target]
    uint8 = schema.QuantizationParametersT()
    uint8.scale, uint8.zeroPoint = [normalization.scale], [normalization.zero_point]
    before: list[Any] = []
    if dtype_of(inner_in) == np.int8:
        uint8.scale = list(inner_in.quantization.scale)
        uint8.zeroPoint = [int(inner_in.quantization.zeroPoint[0]) + 128]
    elif dtype_of(inner_in) == np.int16:
        middle = add_tensor(graph, inner_in.shape, schema.TensorType.FLOAT32, None)
        before, source = [new_operator(model, builtin.QUANTIZE, [middle], [source])], middle
    first = add_tensor(graph, inner_in.shape, schema.TensorType.UINT8, uint8)
    is_int8 = dtype_of(inner_in) == np.int8
    entry = builtin.QUANTIZE if is_int8 else builtin.DEQUANTIZE
    before = [new_operator(model, entry, [first], [source]), *before]
    inner_in.name = f"{INPUT_NAME}_{dtype_of(inner_in)}".encode()
    after: list[Any] = []
    if dtype_of(inner_out) != np.float32:
        inner_out.name = f"{OUTPUT_NAME}_{dtype_of(inner_out)}".encode()
        target = add_tensor(graph, inner_out.shape, schema.TensorType.FLOAT32, None)
        after = [new_operator(model, builtin.DEQUANTIZE, [graph.outputs[0]], [target])]
    graph.operators = [*before, *graph.operators, *after]
    graph.inputs, graph.outputs = [first], [target]
    return pack(model)


def add_tensor(graph: Any, shape: Any, tensor_type: int, quantization: Any) -> int:
    """Add a tensor that is computed; its index."""
    tensor = schema.TensorT()
    tensor.shape, tensor.type, tensor.quantization = shape, tensor_type, quantization
    tensor.buffer = 0  # by convention the empty one: the tensor is computed
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def add_constant(model: Any, value: np.ndarray, tensor_type: int, quantization: Any) -> int:
    """Add a constant tensor; its index."""
    graph = model.subgraphs[0]
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(value.tobytes(), np.uint8)
    model.buffers.append(buffer)
    index = add_tensor(graph, list(value.shape), tensor_type, quantization)
    graph.tensors[index].buffer = len(model.buffers) - 1
    return index


def new_operator(
    model: Any, builtin: int, sources: Sequence[int], targets: Sequence[int], version: int = 1
) -> Any:
    """An operator from tensors to tensors, by index, which is not in the graph yet."""
    operator = schema.OperatorT()
    operator.opcodeIndex = _operator_code(model, builtin, version)
    operator.inputs, operator.outputs = list(sources), list(targets)
    return operator


def _operator_code(model: Any, builtin: int, version: int) -> int:
    for index, code in enumerate(model.operatorCodes):
        if (code.builtinCode, code.version, code.customCode) == (builtin, version, None):
            return index
    code = schema.OperatorCodeT()
    code.builtinCode, code.version = builtin, version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def described(content: bytes, card: ModelCard) -> bytes:
    """The model with names for its edges, metadata for other clients, labels, and the card."""
    model = unpack(content)
    graph = model.subgraphs[0]
    # The whole names take as much room as a layer of a small network.
    for tensor, short in zip(graph.tensors, short_names(graph), strict=True):
        tensor.name = short.encode()
    graph.tensors[graph.inputs[0]].name = INPUT_NAME.encode()
    graph.tensors[graph.outputs[0]].name = card.output.encode()
    model.description = f"{card.name}, made by hemline".encode()
    model.signatureDefs = [_signature(graph, card.output)]
    kept = [entry for entry in model.metadata or [] if entry.name.decode() in _KEPT_METADATA]
    data_of = {entry.name: model.buffers[entry.buffer].data for entry in kept}
    used = {int(tensor.buffer) for tensor in graph.tensors}
    last_used = max(used)
    model.buffers = model.buffers[: last_used + 1]
    model.metadata = []
    for name, data in data_of.items():
        _add_metadata(model, name, data)
    is_int8 = dtype_of(graph.tensors[graph.inputs[0]]) == np.int8
    metadata = metadata_buffer(card, has_int8_ends=is_int8)
    _add_metadata(model, _METADATA_NAME.encode(), list(metadata))
    packed = pack(model)
    checksum = network_sha256(f"{card.name}.tflite", packed)
    return packed + _archive(card.replace(network_sha256=checksum))


def short_names(graph: Any) -> list[str]:
    """Of `LAYER_1/OPERATOR;LAYER_2/OPERATOR;…`, all that was fused, the first, which is what is told.

    Names stay different, and short ones the same. What operators give comes before biases, whose names begin
    alike.

    Returns:
        By the index of the tensor.
    """
    names = [(tensor.name or b"").decode() for tensor in graph.tensors]
    computed = [int(index) for operator in graph.operators for index in operator.outputs]
    rest = sorted(set(range(len(names))) - set(computed))
    taken = set(names)
    for index in (*computed, *rest):
        parts = names[index].split(";")
        short = next((part for part in parts if "/" in part and part not in taken), "")
        if short:
            taken.add(short)
            names[index] = short
    return names


def _signature(graph: Any, output_name: str) -> Any:
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    edges = ((INPUT_NAME, graph.inputs[0]), (output_name, graph.outputs[0]))
    maps = []
    for name, index in edges:
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), int(index)
        maps.append(entry)
    signature.inputs, signature.outputs = maps[:1], maps[1:]
    return signature


def _add_metadata(model: Any, name: bytes, data: Any) -> None:
    buffer = schema.BufferT()
    buffer.data = data
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, len(model.buffers) - 1
    model.metadata.append(entry)


def _archive(card: ModelCard) -> bytes:
    """Labels (stored, as other readers expect) and the card as a zip.

    MediaPipe refuses an archive with a deflated member, so the card is stored too in a file that is for it.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        labels = "".join(f"{label}\n" for label in card.labels)
        archive.writestr(zipfile.ZipInfo(LABELS_MEMBER, _ZIP_DATE), labels)
        member = zipfile.ZipInfo(CARD_MEMBER, _ZIP_DATE)
        if card.output == "logits":
            member.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(member, card.to_json())
    return file.getvalue()
