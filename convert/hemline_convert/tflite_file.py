"""Reading and writing `.tflite` files: graph edges, TFLite metadata, and the card.

A `.tflite` file is a FlatBuffer (schema identifier `TFL3`). Metadata for other clients is a second
FlatBuffer in the model buffer named `TFLITE_METADATA` (identifier `M001`); labels and the card follow
the model as a zip archive, which is how TFLite metadata carries files.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from hemline.card import ModelCard
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
    """An operator for a message: `TANH, of the layer backbone/activation`.

    The converter names tensors `LAYER_1/OPERATOR;…`, where it adds the 1, and layers within a model
    `MODEL_1/LAYER_1/OPERATOR`.
    """
    name = operator_name(model, operator)
    first = (model.subgraphs[0].tensors[operator.outputs[0]].name or b"").decode().split(";")[0]
    layer = "/".join(part.removesuffix("_1") for part in first.split("/")[:-1])
    return f"{name}, of the layer {layer}" if layer else name


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


def with_uint8_input_and_float_output(content: bytes) -> bytes:
    """Put QUANTIZE (uint8 to int8) in front of an all-int8 model and DEQUANTIZE behind it.

    The pixels go in as they are: the uint8 input has the scale of the int8 one, and a zero point 128
    higher, so that QUANTIZE changes no value.
    """
    model = unpack(content)
    graph = model.subgraphs[0]
    inner_in = graph.tensors[graph.inputs[0]]
    inner_out = graph.tensors[graph.outputs[0]]
    quantization = schema.QuantizationParametersT()
    quantization.scale = list(inner_in.quantization.scale)
    quantization.zeroPoint = [int(inner_in.quantization.zeroPoint[0]) + 128]
    inner_in.name, inner_out.name = b"image_int8", b"logits_int8"
    first = _add_tensor(graph, inner_in.shape, schema.TensorType.UINT8, quantization)
    last = _add_tensor(graph, inner_out.shape, schema.TensorType.FLOAT32, None)
    builtin = schema.BuiltinOperator
    quantize = _operator(model, builtin.QUANTIZE, first, graph.inputs[0])
    dequantize = _operator(model, builtin.DEQUANTIZE, graph.outputs[0], last)
    graph.operators = [quantize, *graph.operators, dequantize]
    graph.inputs, graph.outputs = [first], [last]
    return pack(model)


def _add_tensor(graph: Any, shape: Any, tensor_type: int, quantization: Any) -> int:
    tensor = schema.TensorT()
    tensor.shape, tensor.type, tensor.quantization = shape, tensor_type, quantization
    tensor.buffer = 0  # by convention the empty one: the tensor is computed
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _operator(model: Any, builtin: int, source: int, target: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 1
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = [source], [target]
    return operator


def described(content: bytes, card: ModelCard) -> bytes:
    """The model with names for its edges, metadata for other clients, labels, and the card."""
    model = unpack(content)
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].name = INPUT_NAME.encode()
    graph.tensors[graph.outputs[0]].name = OUTPUT_NAME.encode()
    model.description = f"{card.name}, made by hemline".encode()
    model.signatureDefs = [_signature(graph)]
    kept = [entry for entry in model.metadata or [] if entry.name.decode() in _KEPT_METADATA]
    data_of = {entry.name: model.buffers[entry.buffer].data for entry in kept}
    used = {int(tensor.buffer) for tensor in graph.tensors}
    last_used = max(used)
    model.buffers = model.buffers[: last_used + 1]
    model.metadata = []
    for name, data in data_of.items():
        _add_metadata(model, name, data)
    _add_metadata(model, _METADATA_NAME.encode(), list(metadata_buffer(card)))
    packed = pack(model)
    checksum = network_sha256(f"{card.name}.tflite", packed)
    return packed + _archive(card.replace(network_sha256=checksum))


def _signature(graph: Any) -> Any:
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    edges = ((INPUT_NAME, graph.inputs[0]), (OUTPUT_NAME, graph.outputs[0]))
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
    """Labels (stored, as other readers expect) and the card (deflated) as a zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        labels = "".join(f"{label}\n" for label in card.labels)
        archive.writestr(zipfile.ZipInfo(LABELS_MEMBER, _ZIP_DATE), labels)
        member = zipfile.ZipInfo(CARD_MEMBER, _ZIP_DATE)
        member.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(member, card.to_json())
    return file.getvalue()
