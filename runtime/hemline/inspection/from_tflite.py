"""The network of a `.tflite` file."""

from __future__ import annotations

import math

from hemline.inspection.network import (
    BIASES,
    COMPUTED,
    CONSTANT,
    WEIGHTS,
    Network,
    Operator,
    Shape,
    Tensor,
)
from hemline.tflite_reader import ABSENT, Graph, TfliteModel
from hemline.tflite_reader import Operator as FileOperator
from hemline.tflite_reader import Tensor as FileTensor

# Where an operator has its weights and its bias among its inputs.
_WEIGHTED = {
    "CONV_2D": (1, 2),
    "DEPTHWISE_CONV_2D": (1, 2),
    "FULLY_CONNECTED": (1, 2),
    "CONV_3D": (1, 2),
    "TRANSPOSE_CONV": (1, 3),
}
# Constants of these types elsewhere are shapes, axes and the like, unless they are quantized.
_NOT_TRAINED = {"INT32", "INT64", "BOOL", "STRING"}


def network_of_tflite(model: TfliteModel) -> Network:
    """The main graph of a file."""
    graph = model.graphs[0]
    roles = _roles(graph)
    tensors = {str(tensor.index): _tensor(tensor, roles) for tensor in graph.tensors}
    return Network(
        tensors=tensors,
        operators=tuple(_operator(graph, operator) for operator in graph.operators),
        inputs=tuple(map(str, graph.inputs)),
        outputs=tuple(map(str, graph.outputs)),
        stands_for={},
    )


def _roles(graph: Graph) -> dict[int, str]:
    """Weights and biases by index; float16 files widen theirs with a DEQUANTIZE in between."""
    widened = {
        operator.outputs[0]: operator.inputs[0]
        for operator in graph.operators
        if operator.name == "DEQUANTIZE" and operator.inputs and operator.outputs
    }
    roles = {}
    for operator in graph.operators:
        for place, role in zip(_WEIGHTED.get(operator.name, ()), (WEIGHTS, BIASES), strict=False):
            if place < len(operator.inputs) and operator.inputs[place] != ABSENT:
                index = operator.inputs[place]
                roles[widened.get(index, index)] = role
    return roles


def _tensor(tensor: FileTensor, roles: dict[int, str]) -> Tensor:
    quantized = tensor.quantization is not None
    trained = (tensor.type_name not in _NOT_TRAINED or quantized) and math.prod(tensor.shape) > 1
    role = COMPUTED
    if tensor.is_constant:
        role = roles.get(tensor.index, WEIGHTS if trained else CONSTANT)
    signature = tensor.shape_signature or tensor.shape
    shape: Shape = tuple(n if n >= 0 else None for n in signature)
    quantization = tensor.quantization
    return Tensor(
        name=tensor.name,
        type_name=tensor.type_name,
        shape=shape,
        scales=tuple(quantization.scales.tolist()) if quantization else (),
        zero_points=tuple(quantization.zero_points.tolist()) if quantization else (),
        axis=quantization.axis if quantization and quantization.is_per_channel else None,
        role=role,
        stored_bytes=len(tensor.data),
    )


def _operator(graph: Graph, operator: FileOperator) -> Operator:
    return Operator(
        name=operator.name,
        version=operator.version,
        inputs=tuple(str(index) for index in operator.inputs if index != ABSENT),
        outputs=tuple(map(str, operator.outputs)),
        macs=_macs(graph, operator),
        is_custom=operator.is_custom,
    )


def _macs(graph: Graph, operator: FileOperator) -> int | None:
    """Multiply-accumulates: for each number of the output, one for each weight that it sums over."""
    name = operator.name
    if name not in _WEIGHTED and name != "BATCH_MATMUL":
        return 0
    if len(operator.inputs) < 2 or not operator.outputs or ABSENT in operator.inputs[:2]:
        return None
    weights = graph.tensors[operator.inputs[1]].shape
    output = graph.tensors[operator.outputs[0]].shape
    if not weights or not output or min(*weights, *output) < 0:
        return None
    if name == "DEPTHWISE_CONV_2D":  # weights (1, height, width, channels)
        return math.prod(output) * math.prod(weights[1:3])
    if name in ("CONV_2D", "FULLY_CONNECTED"):  # weights (out, …)
        return math.prod(output) * math.prod(weights[1:])
    if name == "CONV_3D":  # weights (depth, height, width, in, out)
        return math.prod(output) * math.prod(weights[:-1])
    if name == "TRANSPOSE_CONV" and len(operator.inputs) > 2:  # each input goes to many outputs
        return math.prod(graph.tensors[operator.inputs[2]].shape) * math.prod(weights[:3])
    if name == "BATCH_MATMUL":
        return math.prod(output) * graph.tensors[operator.inputs[0]].shape[-1]
    return None
