"""Running a `.tflite` model with NumPy alone, and seeing every activation on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hemline.errors import ModelError
from hemline.numpy_interpreter import (
    float_kernels,
    hybrid_kernels,
    integer_kernels,
    integer_products,
    layout_kernels,
)
from hemline.numpy_interpreter.node import Node
from hemline.tflite_reader import ABSENT, Graph, Operator, read_tflite

_Kernel = Callable[..., NDArray[Any]]
_Maker = Callable[[Node], _Kernel]

_INT8, _UINT8, _INT16, _FLOAT32, _FLOAT16 = "INT8", "UINT8", "INT16", "FLOAT32", "FLOAT16"
_INTEGERS = (_INT8, _UINT8, _INT16)
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_MOVING = ("RESHAPE", "PAD", "CONCATENATION")
_ARITHMETIC = ("MAX_POOL_2D", "AVERAGE_POOL_2D", "MEAN", "ADD", "SUB", "MUL", "RELU", "RELU6")


def _and_weights(source: str, weights: str) -> str:
    return f"{source} and {weights} weights"


def _makers(
    names: tuple[str, ...], source: str, target: str, module: ModuleType
) -> dict[tuple[str, str, str], _Maker]:
    """The functions of a module that are named as the operators."""
    return {(name, source, target): getattr(module, name.lower()) for name in names}


# What computes an operator, by its name and the types of its input and its output.
_KERNELS: dict[tuple[str, str, str], _Maker] = {
    **_makers(_WEIGHTED, _and_weights(_INT8, _INT8), _INT8, integer_products),
    **_makers(_WEIGHTED, _and_weights(_INT16, _INT8), _INT16, integer_products),
    **_makers(_WEIGHTED, _and_weights(_FLOAT32, _INT8), _FLOAT32, hybrid_kernels),
    **_makers(_WEIGHTED, _and_weights(_FLOAT32, _FLOAT32), _FLOAT32, float_kernels),
    **_makers(_ARITHMETIC, _INT8, _INT8, integer_kernels),
    **_makers(_ARITHMETIC, _INT16, _INT16, integer_kernels),
    **_makers(_ARITHMETIC, _FLOAT32, _FLOAT32, float_kernels),
    **_makers(_MOVING, _INT8, _INT8, layout_kernels),
    **_makers(_MOVING, _INT16, _INT16, layout_kernels),
    **_makers(_MOVING, _FLOAT32, _FLOAT32, layout_kernels),
    **{
        ("QUANTIZE", source, target): integer_kernels.requantize
        for source in (_INT8, _UINT8)
        for target in (_INT8, _UINT8)
    },
    ("QUANTIZE", _INT16, _INT16): integer_kernels.requantize,
    **{("QUANTIZE", _FLOAT32, kind): integer_kernels.quantize for kind in _INTEGERS},
    **{("DEQUANTIZE", kind, _FLOAT32): integer_kernels.dequantize for kind in _INTEGERS},
    ("DEQUANTIZE", _FLOAT16, _FLOAT32): layout_kernels.cast,
    ("CAST", _UINT8, _FLOAT32): layout_kernels.cast,
    ("CAST", _INT8, _FLOAT32): layout_kernels.cast,
    ("SOFTMAX", _FLOAT32, _FLOAT32): float_kernels.softmax,
}


class Activation(NamedTuple):
    """What one operator computed.

    Attributes:
        operator_index: Its place in the order of the file.
        operator_name: `CONV_2D`, …
        tensor_index: Number of the tensor that it fills.
        tensor_name: That tensor's name.
        value: The tensor, of the type and shape in the file. Do not change it: what comes later may
            refer to it.
    """

    operator_index: int
    operator_name: str
    tensor_index: int
    tensor_name: str
    value: NDArray[Any]


class NumpyInterpreter:
    """A model that is ready to run; int8 networks answer bit for bit as LiteRT's reference kernels do.

    It is checked as a whole when it is loaded, so that what loads also runs.

    Attributes:
        inputs: The graph's inputs, in order.
        outputs: The graph's outputs, in order.
    """

    def __init__(self, name: str, content: bytes) -> None:
        """Load a model.

        Args:
            name: Of the file, for messages.
            content: The `.tflite` file.

        Raises:
            ModelError: The file is damaged, or has an operator, a type or an option that is not
                known here; operators are told with name and index.
        """
        graph = read_tflite(name, content).graphs[0]
        self.inputs = tuple(graph.tensors[index] for index in graph.inputs)
        self.outputs = tuple(graph.tensors[index] for index in graph.outputs)
        self._constants: dict[int, NDArray[Any]] = {}
        self._steps: list[tuple[Operator, _Kernel]] = []
        self._load(name, graph)

    def run(self, *tensors: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """One inference.

        Args:
            tensors: One for each input, of its shape and type.

        Returns:
            The outputs; they are the caller's.
        """
        values = self._first(tensors)
        for operator, kernel in self._steps:
            self._step(values, operator, kernel)
        return tuple(np.array(values[tensor.index]) for tensor in self.outputs)

    def activations(self, *tensors: NDArray[Any]) -> Iterator[Activation]:
        """One inference, operator by operator.

        Args:
            tensors: One for each input, of its shape and type.

        Yields:
            What each operator computed, in the order of the file.
        """
        values = self._first(tensors)
        for operator, kernel in self._steps:
            value = self._step(values, operator, kernel)
            index = operator.outputs[0]
            yield Activation(operator.index, operator.name, index, self._names[index], value)

    def apart(self, inputs: Sequence[Mapping[int, NDArray[Any]]]) -> list[NDArray[Any]]:
        """Each operator by itself, in the order of `activations`, on inputs that are given.

        Args:
            inputs: For each operator the activations that it takes, by the numbers of their tensors.

        Returns:
            What each computes.
        """
        return [
            self._step({**self._constants, **given}, operator, kernel)
            for given, (operator, kernel) in zip(inputs, self._steps, strict=True)
        ]

    def _first(self, tensors: tuple[NDArray[Any], ...]) -> dict[int, NDArray[Any]]:
        values = dict(self._constants)
        for wanted, tensor in zip(self.inputs, tensors, strict=True):
            if tensor.shape != wanted.shape or tensor.dtype != wanted.dtype:
                raise ValueError(
                    f"the input {wanted.name} is {tensor.dtype} {tensor.shape}, and must be "
                    f"{wanted.dtype} {wanted.shape}"
                )
            values[wanted.index] = tensor
        return values

    def _step(
        self, values: dict[int, NDArray[Any]], operator: Operator, kernel: _Kernel
    ) -> NDArray[Any]:
        result = kernel(*(values[index] for index in operator.inputs if index != ABSENT))
        values[operator.outputs[0]] = result
        return result

    def _load(self, name: str, graph: Graph) -> None:
        self._names = [tensor.name for tensor in graph.tensors]
        for tensor in graph.tensors:
            if tensor.is_constant and tensor.index not in graph.inputs:
                self._constants[tensor.index] = tensor.value()
        known = {*self._constants, *graph.inputs}
        for operator in graph.operators:
            node = self._node(name, graph, operator, known)
            kernel = _kernel(node)
            known.add(node.output.index)
            present = [tensor for tensor in node.inputs if tensor is not None]
            if all(tensor.index in self._constants for tensor in present):
                # float16 weights are widened here, once
                self._step(self._constants, operator, kernel)
            else:
                self._steps.append((operator, kernel))
        if not known.issuperset(graph.outputs):
            raise ModelError(
                f"{name} is damaged: nothing computes its output", "copy or convert the model again"
            )

    def _node(self, name: str, graph: Graph, operator: Operator, known: set[int]) -> Node:
        inputs = tuple(None if i == ABSENT else graph.tensors[i] for i in operator.inputs)
        what = f"{name}: operator {operator.index} ({operator.name})"
        if not inputs or len(operator.outputs) != 1:
            raise ModelError(
                f"{what} has {len(inputs)} inputs and {len(operator.outputs)} outputs",
                f"known here are {', '.join(_known_names())}; or run it with --backend litert",
            )
        node = Node(name, operator, inputs, graph.tensors[operator.outputs[0]], self._constants)
        for tensor in inputs:
            if tensor is None:
                continue
            if tensor.index not in known:
                raise node.refused(f"takes {tensor.name}, which nothing has computed yet")
            node.must_fit(*tensor.shape)
        if node.output.index in known:
            raise node.refused(f"computes {node.output.name}, which is known already")
        node.must_fit(*node.output.shape)
        return node


def _known_names() -> list[str]:
    return sorted({name for name, _, _ in _KERNELS})


def _kernel(node: Node) -> _Kernel:
    name = node.operator.name
    source, target = node.input(0).type_name, node.output.type_name
    if name in _WEIGHTED:
        source = _and_weights(source, node.input(1).type_name)
    make = None if node.operator.is_custom else _KERNELS.get((name, source, target))
    if make is not None:
        return make(node)
    if name not in _known_names():
        raise node.refused(
            "is not known to the NumPy interpreter",
            f"known are {', '.join(_known_names())}; or run the model with --backend litert",
        )
    kinds = [f"{source} to {target}" for n, source, target in _KERNELS if n == name]
    raise node.refused(
        f"computes {target} from {source}, which the NumPy interpreter does not",
        f"known are {', '.join(kinds)}; or run the model with --backend litert",
    )
