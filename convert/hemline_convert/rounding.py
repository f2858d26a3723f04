"""What quantization rounds, part by part, in networks that still compute in float.

With the weights of a quantized file in the float network, or with its steps for some activations, each
source of error can be looked at alone: it is what the int8 network does, but for the rest of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from hemline_convert import tflite_file
from hemline_convert.float_network import Array, FloatNetwork, along, layers_of


@dataclass(frozen=True)
class Steps:
    """The int8 steps of an activation: real = scale × (value − zero_point)."""

    scale: float
    zero_point: int

    @property
    def low(self) -> float:
        """The smallest value that it can hold."""
        return self.scale * (-128 - self.zero_point)

    @property
    def high(self) -> float:
        """The greatest value that it can hold."""
        return self.scale * (127 - self.zero_point)


def rounded_weights(network: FloatNetwork, quantized: bytes) -> dict[int, Array]:
    """What the weights of a float network are in its quantized file, by their index in the float one.

    Args:
        network: The float network.
        quantized: The quantized file, whose layers stand in the same order. Weights that are float in
            it are left out.
    """
    model = tflite_file.unpack(quantized)
    tensors = model.subgraphs[0].tensors
    rounded = {}
    for ours, theirs in zip(network.layers, layers_of(model), strict=True):
        tensor = tensors[theirs.weights]
        if tflite_file.dtype_of(tensor) != np.int8:
            continue
        value = tflite_file.constant(model, tensor)
        assert value is not None
        scale = np.asarray(tensor.quantization.scale, np.float32)
        if len(scale) > 1:
            scale = along(scale, int(tensor.quantization.quantizedDimension), value.ndim)
        rounded[ours.weights] = value.astype(np.float32) * scale
    return rounded


def activation_steps(network: FloatNetwork, quantized: bytes) -> dict[int, Steps]:
    """The steps that an int8 file has for the activations, by their index in the float network.

    The picture is left out: pixels are whole numbers anyway. So are activations that are float in the file.
    """
    model = tflite_file.unpack(quantized)
    graph = model.subgraphs[0]
    names = tflite_file.short_names(network.graph)  # as a finished file has them
    by_name = dict(zip(tflite_file.short_names(graph), graph.tensors, strict=True))
    last = graph.operators[-1]
    if (
        tflite_file.operator_name(model, last) == "DEQUANTIZE"
    ):  # its name is that of the file's output
        by_name[names[network.graph.outputs[0]]] = graph.tensors[last.inputs[0]]
    found = {}
    for operator in network.graph.operators:
        for index in map(int, operator.outputs):
            tensor = by_name.get(names[index])
            if tensor is None or tflite_file.dtype_of(tensor) != np.int8:
                continue
            quantization = tensor.quantization
            found[index] = Steps(float(quantization.scale[0]), int(quantization.zeroPoint[0]))
    return found


def with_rounded_activations(network: FloatNetwork, steps: Mapping[int, Steps]) -> bytes:
    """The float network with some activations rounded to int8 and back, by tensor index."""
    model = tflite_file.unpack(network.content)
    graph = model.subgraphs[0]
    operators = []
    renamed: dict[int, int] = {}
    for operator in graph.operators:
        operator.inputs = [renamed.get(int(index), int(index)) for index in operator.inputs]
        operators.append(operator)
        for index in map(int, operator.outputs):
            if index in steps:
                pair = _there_and_back(model, index, steps[index])
                operators += pair
                renamed[index] = pair[-1].outputs[0]
    graph.operators = operators
    graph.outputs = [renamed.get(int(index), int(index)) for index in graph.outputs]
    model.signatureDefs = []  # they would name the output before it is rounded
    return tflite_file.pack(model)


def _there_and_back(model: Any, index: int, steps: Steps) -> list[Any]:
    """QUANTIZE and DEQUANTIZE behind a tensor."""
    graph = model.subgraphs[0]
    quantization = schema.QuantizationParametersT()
    quantization.scale, quantization.zeroPoint = [steps.scale], [steps.zero_point]
    shape = graph.tensors[index].shape
    rounded = tflite_file.add_tensor(graph, shape, schema.TensorType.INT8, quantization)
    back = tflite_file.add_tensor(graph, shape, schema.TensorType.FLOAT32, None)
    builtin = schema.BuiltinOperator
    return [
        tflite_file.new_operator(model, builtin.QUANTIZE, [index], [rounded]),
        tflite_file.new_operator(model, builtin.DEQUANTIZE, [rounded], [back]),
    ]
