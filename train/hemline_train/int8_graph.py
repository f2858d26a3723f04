"""Where the int8 file of a network quantizes, and which weights each of its constants comes from.

Nothing of it is guessed: the network is converted and quantized as `hemline convert --int8` does it, and
read back. Each activation gets a range of its own for that, so that the scale of a tensor in the int8 graph
tells which range it is quantized with. And the network is converted with weights drawn at random, so that
each constant of the graph equals one arrangement of one layer's weights and no other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.errors import ModelError
from hemline_convert import float_tflite, quantize, tflite_file
from hemline_convert.keras_source import KerasSource
from hemline_convert.observation import Ranges
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.trained_ranges import activation_names
from hemline_train._tensorflow import keras, tf
from hemline_train.batch_norm_folding import batch_norm_as_scale_and_offset
from hemline_train.int8_operators import must_be_known

_PROBE_STEP = 0.01  # between the ranges that tell activations apart


@dataclass(frozen=True)
class Constant:
    """A constant of the graph.

    Attributes:
        value: Gives it as a tensor, in the arrangement of TFLite.
        variables: The Keras variables that it is computed from; none if it never changes.
    """

    value: Callable[[], Any]
    variables: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One operator of the int8 graph.

    Attributes:
        operator: As the schema has it: `CONV_2D`.
        options: The operator's options, an object of the schema.
        inputs: Constants, and numbers of activation tensors.
        output: Number of the tensor that it makes.
        range: Name of the activation whose range the output is quantized with.
    """

    operator: str
    options: Any
    inputs: tuple[Constant | int, ...]
    output: int
    range: str


@dataclass(frozen=True)
class Int8Graph:
    """An int8 network between the quantized pixels and the quantized logits.

    Attributes:
        network: The float32 TFLite model that it comes from.
        operations: In the order in which they run.
        input: Number of the tensor with the normalized pixels.
        ranges: For each activation of `network`, the one whose range it is quantized with.
    """

    network: bytes
    operations: tuple[Operation, ...]
    input: int
    ranges: dict[str, str]


def read_int8_graph(source: KerasSource) -> Int8Graph:
    """Convert the network, and read back what is quantized where.

    Raises:
        ModelError: An operator is not known, or weights go into the int8 file in a way that is not; the
            layer is named.
    """
    network = float_tflite.network_tflite_from_keras(source)
    _must_be_known(network)
    names = list(activation_names(network))
    edges = {name: 1 + _PROBE_STEP * number for number, name in enumerate(names)}
    probe = Ranges({name: -edge for name, edge in edges.items()}, edges)
    int8 = tflite_file.unpack(quantize.static_tflite(network, probe, QuantizationRecipe()))
    graph = int8.subgraphs[0]
    constants = iter(_constants(source, network))
    made = iter(names[1:])
    operations, ranges = [], {names[0]: names[0]}
    for operator in graph.operators:
        kind = tflite_file.operator_name(int8, operator)
        output = int(operator.outputs[0])
        used = _range_of(graph.tensors[output], edges)
        known: dict[int, Constant] = {}
        if kind != "QUANTIZE":  # which the quantizer puts in where two ranges meet
            known = next(constants)
            ranges[next(made)] = used
        inputs = tuple(
            known.get(position, int(index))
            for position, index in enumerate(operator.inputs)
            if index >= 0
        )
        operations.append(Operation(kind, operator.builtinOptions, inputs, output, used))
    return Int8Graph(network, tuple(operations), int(graph.inputs[0]), ranges)


def _must_be_known(network: bytes) -> None:
    model = tflite_file.unpack(network)
    for operator in model.subgraphs[0].operators:
        kind = tflite_file.operator_name(model, operator)
        text = tflite_file.operator_and_layer(model, operator)
        must_be_known(kind, operator.builtinOptions, text)


def _range_of(tensor: Any, edges: dict[str, float]) -> str:
    """The activation whose range gave the tensor its scale."""
    scale = float(tensor.quantization.scale[0])
    return min(edges, key=lambda name: abs(2 * edges[name] / 255 - scale))


def _constants(source: KerasSource, network: bytes) -> Iterator[dict[int, Constant]]:
    """Of each operator of the float network, its constants by their position among the inputs.

    Raises:
        ModelError: A constant depends on weights in a way that is not known here.
    """
    drawn, candidates = _with_drawn_weights(source)
    model, other = tflite_file.unpack(network), tflite_file.unpack(drawn)
    graph, other_graph = model.subgraphs[0], other.subgraphs[0]
    kinds, other_kinds = (
        [tflite_file.operator_name(m, o) for o in m.subgraphs[0].operators] for m in (model, other)
    )
    if kinds != other_kinds:
        raise ModelError(
            f"the converter makes other operators of {source.card.name} with other weights",
            "train the network in float first; one with weights of exactly 0 or 1 is simplified",
        )
    for operator, twin in zip(graph.operators, other_graph.operators, strict=True):
        found = {}
        for position, index in enumerate(operator.inputs):
            if index < 0:
                continue
            value = tflite_file.constant(model, graph.tensors[index])
            if value is None:
                continue
            drawn_value = tflite_file.constant(other, other_graph.tensors[twin.inputs[position]])
            assert drawn_value is not None
            constant = next((c for v, c in candidates if _same(v, drawn_value)), None)
            if constant is None and not np.array_equal(value, drawn_value):
                raise ModelError(
                    f"{tflite_file.operator_and_layer(model, operator)}, has weights that are made of "
                    "those of several layers",
                    "quantization-aware training knows convolutions and dense layers, each with a batch "
                    "normalization right behind it or none; replace the layer",
                )
            found[position] = constant or Constant(functools.partial(tf.constant, value))
        yield found


def _same(value: NDArray[Any], drawn: NDArray[Any]) -> bool:
    return value.shape == drawn.shape and np.allclose(value, drawn, rtol=1e-5, atol=1e-6)


def _with_drawn_weights(source: KerasSource) -> tuple[bytes, list[tuple[NDArray[Any], Constant]]]:
    """The float network with weights drawn at random, and what its constants may be, with their values."""
    variables = [v for v in source.network.variables if v.dtype == "float32"]
    kept = [np.array(variable) for variable in variables]
    chance = np.random.default_rng(0)
    try:
        for variable in variables:
            variable.assign(chance.uniform(0.5, 1.5, variable.shape))
        candidates = [(np.array(c.value()), c) for c in _possible_constants(source.network)]
        return float_tflite.network_tflite_from_keras(source), candidates
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)


def _possible_constants(network: Any) -> Iterator[Constant]:
    """Every arrangement of the weights of every layer that TFLite has constants for."""
    for layer in network._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            for part in (0, 1):
                yield Constant(
                    functools.partial(_part_of_batch_norm, layer, part),
                    tuple(layer.trainable_variables),
                )
        else:
            for variable in layer.trainable_variables:
                for arrange in _ARRANGEMENTS.get(len(variable.shape), ()):
                    yield Constant(functools.partial(arrange, variable), (variable,))


def _part_of_batch_norm(layer: Any, part: int) -> Any:
    return batch_norm_as_scale_and_offset(layer)[part]


def _filters(kernel: Any) -> Any:
    """(height, width, inputs, outputs) to (outputs, height, width, inputs)."""
    return tf.transpose(kernel, (3, 0, 1, 2))


def _depthwise_filters(kernel: Any) -> Any:
    """(height, width, channels, multiplier) to (1, height, width, channels · multiplier)."""
    height, width, channels, multiplier = kernel.shape
    return tf.reshape(kernel, (1, height, width, channels * multiplier))


# By the rank of the variable.
_ARRANGEMENTS: dict[int, tuple[Callable[[Any], Any], ...]] = {
    1: (tf.identity,),
    2: (tf.transpose,),
    4: (_filters, _depthwise_filters),
}
