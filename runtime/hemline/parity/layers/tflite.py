"""Every activation of a `.tflite` model: with LiteRT, or where it is not installed, with NumPy alone."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np

from hemline.errors import ModelError
from hemline.numpy_interpreter import NumpyInterpreter
from hemline.parity.layers.network import Array, Layer, Network, Scale, Use
from hemline.quiet import holding_back_stderr
from hemline.tflite_objects import pack, unpack
from hemline.tflite_reader import ABSENT, Graph, Operator, read_tflite

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_KINDS = {"DEPTHWISE_CONV_2D": "CONV_2D"}


def open_tflite(name: str, content: bytes) -> Network:
    """Open a model; `name` is for messages.

    Raises:
        ModelError: The file is damaged, or has what the interpreter does not know.
    """
    graph = read_tflite(name, content).graphs[0]
    if importlib.util.find_spec("ai_edge_litert") is None:
        return _NumpyNetwork(name, content, graph)
    return _LiteRtNetwork(name, content, graph)


class _TfliteNetwork(Network):
    """What both have in common: how the file is read."""

    moves_integers = ("MAX_POOL_2D", "AVERAGE_POOL_2D", "RESHAPE", "PAD")

    def __init__(self, graph: Graph) -> None:
        self.input = graph.inputs[0]
        self.input_dtype = graph.tensors[self.input].dtype
        self._operators = _computing(graph)
        computed = {self.input, *(operator.outputs[0] for operator in self._operators)}
        self.layers = tuple(_layer(graph, operator, computed) for operator in self._operators)
        self.scales = {index: scale for index in computed if (scale := _scale(graph, index))}
        self.bias_scales = {
            place: scales
            for place, operator in enumerate(self._operators)
            if (scales := _bias_scales(graph, operator)) is not None
        }


class _LiteRtNetwork(_TfliteNetwork):
    """LiteRT, on two variants of the model: one whose activations are all outputs, and one whose layers are
    cut off from each other. Without XNNPACK, which refuses networks whose scales do not fit each other,
    and those above all are to be looked into.
    """

    def __init__(self, name: str, content: bytes, graph: Graph) -> None:
        super().__init__(graph)
        import ai_edge_litert

        self.runs_on = f"LiteRT {ai_edge_litert.__version__}"
        self._whole = _interpreter(name, _all_shown(unpack(content), self.layers))
        apart, self._fed = _cut_apart(unpack(content), self._operators, self.layers)
        self._apart = _interpreter(name, apart)

    def run(self, picture: Array) -> dict[int, Array]:
        self._whole.set_tensor(self.input, picture)
        self._whole.invoke()
        outputs = [layer.output for layer in self.layers]
        return {self.input: picture, **{i: self._whole.get_tensor(i) for i in outputs}}

    def run_apart(self, values: Mapping[Use, Array]) -> list[Array]:
        for use, tensor in self._fed.items():
            self._apart.set_tensor(tensor, values[use])
        self._apart.invoke()
        return [self._apart.get_tensor(layer.output) for layer in self.layers]


class _NumpyNetwork(_TfliteNetwork):
    """hemline's own interpreter."""

    def __init__(self, name: str, content: bytes, graph: Graph) -> None:
        super().__init__(graph)
        self.runs_on = f"NumPy {np.__version__}"
        self._interpreter = NumpyInterpreter(name, content)

    def run(self, picture: Array) -> dict[int, Array]:
        shown = self._interpreter.activations(picture)
        return {self.input: picture, **{a.tensor_index: a.value for a in shown}}

    def run_apart(self, values: Mapping[Use, Array]) -> list[Array]:
        return self._interpreter.apart(
            [{i: values[place, i] for i in layer.inputs} for place, layer in enumerate(self.layers)]
        )


def _computing(graph: Graph) -> list[Operator]:
    """The operators that depend on the picture; others widen weights, once."""
    computed = {graph.inputs[0]}
    found = []
    for operator in graph.operators:
        if computed.intersection(operator.inputs):
            computed.update(operator.outputs)
            found.append(operator)
    return found


def _layer(graph: Graph, operator: Operator, computed: set[int]) -> Layer:
    inputs = tuple(i for i in operator.inputs if i in computed)
    output = operator.outputs[0]
    return Layer(
        operator=operator.name,
        kind=_KINDS.get(operator.name, operator.name),
        name=_layer_name(graph, operator) or graph.tensors[output].name,
        inputs=inputs,
        output=output,
        shape=graph.tensors[output].shape,
        takes_constants=len(inputs) < sum(i != ABSENT for i in operator.inputs),
    )


def _layer_name(graph: Graph, operator: Operator) -> str:
    """The layer of the source model: the converter names tensors `LAYER_1/OPERATOR;…`, and adds the 1."""
    names = [graph.tensors[i].name for i in (*operator.outputs, *operator.inputs[1:]) if i >= 0]
    for part in (part for name in names for part in name.split(";")):
        layer = "/".join(word.removesuffix("_1") for word in part.split("/")[:-1])
        if layer:
            return layer
    return ""


def _scale(graph: Graph, index: int) -> Scale | None:
    tensor = graph.tensors[index]
    if tensor.quantization is None or tensor.dtype.kind not in "iu":
        return None
    found = tensor.quantization
    return Scale(float(found.scales[0]), int(found.zero_points[0]), tensor.dtype)


def _bias_scales(graph: Graph, operator: Operator) -> tuple[Array, Array] | None:
    """The scales of weights and biases; None for a layer that has not both, as integers."""
    if operator.name not in _WEIGHTED or len(operator.inputs) < 3 or ABSENT in operator.inputs:
        return None
    found = [graph.tensors[i].quantization for i in operator.inputs[1:3]]
    if found[0] is None or found[1] is None:
        return None
    weights, biases = (q.scales.astype(np.float64) for q in found if q is not None)
    return (weights, biases) if weights.all() and biases.all() else None


def _all_shown(model: Any, layers: tuple[Layer, ...]) -> bytes:
    model.signatureDefs = None  # they name the edges as they were
    model.subgraphs[0].outputs = [layer.output for layer in layers]
    return pack(model)


def _cut_apart(
    model: Any, operators: list[Operator], layers: tuple[Layer, ...]
) -> tuple[bytes, dict[Use, int]]:
    """The model with an input of its own for each use of an activation, and the numbers of these."""
    model.signatureDefs = None
    graph = model.subgraphs[0]
    fed: dict[Use, int] = {}
    for place, (operator, layer) in enumerate(zip(operators, layers, strict=True)):
        cut = graph.operators[operator.index]
        inputs = [int(i) for i in cut.inputs]
        for index in dict.fromkeys(layer.inputs):
            tensor = copy.copy(graph.tensors[index])
            tensor.name = f"fed {place} {index}".encode()
            graph.tensors.append(tensor)
            fed[place, index] = len(graph.tensors) - 1
        cut.inputs = [fed.get((place, i), i) for i in inputs]
    graph.inputs = list(fed.values())
    graph.outputs = [layer.output for layer in layers]
    return pack(model), fed


def _interpreter(name: str, content: bytes) -> Any:
    from ai_edge_litert import interpreter

    resolver = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        with holding_back_stderr():
            opened = interpreter.Interpreter(
                model_content=content, num_threads=1, experimental_op_resolver_type=resolver
            )
            opened.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"LiteRT cannot look into the layers of {name}: {reason}", "convert the model again"
        ) from error
    return opened
