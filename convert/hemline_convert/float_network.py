"""A float TFLite network as its layers with weights: to read them, and to write the network with others.

Batch normalization is folded in here already, and the activation function is part of the layer, so that
these are the weights that get quantized.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from hemline_convert import tflite_file

Array = NDArray[Any]

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@dataclass(frozen=True)
class Layer:
    """An operator with weights.

    Attributes:
        number: Its place among those with weights; the quantized network has the same order.
        name: The Keras layer that it comes from.
        kind: `CONV_2D`, `DEPTHWISE_CONV_2D` or `FULLY_CONNECTED`.
        source: Index of the tensor that it takes.
        output: Index of the tensor that it gives.
        output_name: That tensor's name.
        weights: Index of the weights.
        bias: Index of the bias, or None.
        axis: Axis of the weights that counts the channels of the output.
    """

    number: int
    name: str
    kind: str
    source: int
    output: int
    output_name: str
    weights: int
    bias: int | None
    axis: int


class FloatNetwork:
    """A float32 TFLite network of one graph.

    Attributes:
        content: Its bytes.
        layers: Its layers with weights, in the order of the file.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.model = tflite_file.unpack(content)
        self.graph = self.model.subgraphs[0]
        self.layers = layers_of(self.model)

    def constant(self, index: int) -> Array:
        """The value of a constant tensor.

        Raises:
            ValueError: It is computed.
        """
        value = tflite_file.constant(self.model, self.graph.tensors[index])
        if value is None:
            raise ValueError(f"tensor {index} is no constant")
        return value

    def constants(self) -> dict[int, Array]:
        """Weights and biases of all layers, by tensor index."""
        indices = [i for layer in self.layers for i in (layer.weights, layer.bias) if i is not None]
        return {index: self.constant(index) for index in indices}

    def with_constants(self, constants: Mapping[int, Array]) -> bytes:
        """The bytes of the network with other values for some constants, by tensor index."""
        model = tflite_file.unpack(self.content)
        tensors = model.subgraphs[0].tensors
        users = Counter(int(tensor.buffer) for tensor in tensors)
        for index, value in constants.items():
            if users[int(tensors[index].buffer)] > 1:  # equal constants may share a buffer
                tensors[index].buffer = len(model.buffers)
                model.buffers.append(schema.BufferT())
            data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
            model.buffers[tensors[index].buffer].data = data
        return tflite_file.pack(model)

    def consumers(self, index: int) -> list[Any]:
        """The operators that take a tensor."""
        return [operator for operator in self.graph.operators if index in operator.inputs]


def layers_of(model: Any) -> tuple[Layer, ...]:
    """The operators with constant weights of an unpacked model, float or quantized, in order."""
    graph = model.subgraphs[0]
    found: list[Layer] = []
    for operator in graph.operators:
        kind = tflite_file.operator_name(model, operator)
        if kind not in WEIGHTED:
            continue
        weights = int(operator.inputs[1])
        if tflite_file.constant(model, graph.tensors[weights]) is None:
            continue
        has_bias = len(operator.inputs) > 2 and operator.inputs[2] >= 0
        output = int(operator.outputs[0])
        found.append(
            Layer(
                number=len(found),
                name=tflite_file.layer_name(model, operator) or f"number {len(found)}",
                kind=kind,
                source=int(operator.inputs[0]),
                output=output,
                output_name=(graph.tensors[output].name or b"").decode(),
                weights=weights,
                bias=int(operator.inputs[2]) if has_bias else None,
                axis=3 if kind == "DEPTHWISE_CONV_2D" else 0,
            )
        )
    return tuple(found)


def greatest_by(values: Array, axis: int) -> NDArray[np.float32]:
    """The greatest magnitude of each slice along an axis."""
    others = tuple(a for a in range(values.ndim) if a != axis)
    return np.asarray(np.abs(values).max(axis=others), np.float32)


def along(values: Array, axis: int, rank: int) -> Array:
    """A vector in the shape in which it multiplies along one axis of `rank` axes."""
    return values.reshape([-1 if a == axis else 1 for a in range(rank)])
