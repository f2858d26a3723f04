"""What integer and float operators share: how their inputs and outputs lie, checked against the file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.numpy_interpreter.node import Node
from hemline.numpy_interpreter.windows import Windows

NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)  # `ActivationFunctionType` in the schema


def convolution(node: Node, weights: NDArray[Any]) -> tuple[Windows, int]:
    """The windows and the number of groups of a CONV_2D.

    Args:
        node: The operator.
        weights: (out, height, width, in / groups).

    Raises:
        ModelError: Input, weights, options and output do not go together; so say all functions here.
    """
    batch, _, _, channels = node.image_shape()
    if weights.ndim != 4 or weights.shape[3] == 0 or channels % weights.shape[3]:
        raise node.refused(f"has weights {weights.shape} for {channels} channels")
    outputs, groups = weights.shape[0], channels // weights.shape[3]
    if groups == 0 or outputs % groups:
        raise node.refused(f"has {outputs} channels in {groups} groups")
    windows = Windows.of(node, weights.shape[1:3], _strides(node), _dilations(node, 4))
    node.must_give((batch, *windows.output_hw, outputs))
    return windows, groups


def depthwise(node: Node, weights: NDArray[Any]) -> tuple[Windows, int]:
    """The windows of a DEPTHWISE_CONV_2D, and how many outputs each channel has.

    Args:
        node: The operator.
        weights: (1, height, width, in * outputs per channel).
    """
    batch, _, _, channels = node.image_shape()
    if weights.ndim != 4 or weights.shape[0] != 1 or not channels or weights.shape[3] % channels:
        raise node.refused(f"has weights {weights.shape} for {channels} channels")
    windows = Windows.of(node, weights.shape[1:3], _strides(node), _dilations(node, 5))
    node.must_give((batch, *windows.output_hw, weights.shape[3]))
    node.must_fit(*node.output.shape)
    return windows, weights.shape[3] // channels


def rows_of_product(node: Node, weights: NDArray[Any]) -> int:
    """How many rows a FULLY_CONNECTED multiplies with its weights, (out, in)."""
    shape = node.input(0).shape
    count = int(np.prod(shape, dtype=object))
    if weights.ndim != 2 or weights.shape[1] == 0 or count % weights.shape[1]:
        raise node.refused(f"has weights {weights.shape} for an input {shape}")
    outputs, depth = (int(size) for size in weights.shape)
    rows = count // depth
    if node.output.shape not in ((rows, outputs), (*shape[:-1], outputs)):
        raise node.refused(f"gives {(rows, outputs)}, and the file says {node.output.shape}")
    return rows


def pooling(node: Node) -> Windows:
    """The windows of a MAX_POOL_2D or AVERAGE_POOL_2D."""
    size_hw = (node.options.integer(4, "i"), node.options.integer(3, "i"))
    windows = Windows.of(node, size_hw, _strides(node))
    batch, _, _, channels = node.image_shape()
    node.must_give((batch, *windows.output_hw, channels))
    return windows


def mean_axes(node: Node) -> tuple[tuple[int, ...], int]:
    """The axes of a MEAN, and how many values each mean is over."""
    shape = node.input(0).shape
    axes = node.constant(1, np.int32).reshape(-1).tolist()
    if not all(-len(shape) <= axis < len(shape) for axis in axes):
        raise node.refused(f"takes axes {axes} of an input {shape}")
    chosen = tuple(sorted({axis % len(shape) for axis in axes}))
    keeps = node.operator.options is not None and node.options.boolean(0)
    rest = [1 if axis in chosen else size for axis, size in enumerate(shape)]
    kept = [size for axis, size in enumerate(shape) if axis not in chosen]
    node.must_give(tuple(rest if keeps else kept))
    count = int(np.prod([shape[axis] for axis in chosen], dtype=object))
    if count < 1:
        raise node.refused(f"takes a mean over nothing: axes {axes} of {shape}")
    return chosen, count


def must_broadcast(node: Node) -> None:
    """Check that the two inputs go together, and give the output's shape."""
    first, second = node.input(0), node.input(1)
    if first.type_name != second.type_name:
        raise node.refused(f"takes {first.type_name} and {second.type_name}")
    try:
        shape = np.broadcast_shapes(first.shape, second.shape)
    except ValueError as error:
        raise node.refused(f"takes {first.shape} and {second.shape}") from error
    node.must_give(shape)


def activation(node: Node, position: int) -> int:
    """The fused activation of an operator, an option."""
    kind = node.options.integer(position, "b")
    if kind not in (NONE, RELU, RELU_N1_TO_1, RELU6):
        raise node.refused(f"has the fused activation {kind}", "known are ReLU and ReLU6")
    return kind


def _strides(node: Node) -> tuple[int, int]:
    return node.options.integer(2, "i"), node.options.integer(1, "i")


def _dilations(node: Node, position: int) -> tuple[int, int]:
    return node.options.integer(position + 1, "i", 1), node.options.integer(position, "i", 1)
