"""Operators on float32 activations. They add in another order than other runtimes, so last digits differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.numpy_interpreter import geometry
from hemline.numpy_interpreter.node import Node
from hemline.numpy_interpreter.products import product

Floats = NDArray[np.float32]
Kernel = Callable[..., Floats]

_LIMITS = {  # of what fused activations let through
    geometry.NONE: None,
    geometry.RELU: (0, np.inf),
    geometry.RELU_N1_TO_1: (-1, 1),
    geometry.RELU6: (0, 6),
}


def conv_2d(node: Node) -> Kernel:
    """CONV_2D: weights (out, height, width, in / groups), bias (out,)."""
    weights = node.constant(1, np.float32)
    windows, groups = geometry.convolution(node, weights)
    bias = node.bias(weights.shape[0], np.float32)
    matrices = np.split(weights.reshape(weights.shape[0], -1).T, groups, axis=1)
    activation = fused_activation(node, 3)

    def run(pictures: Floats, *_: Any) -> Floats:
        parts = np.split(pictures, groups, axis=3)
        sums = [product(windows.patches(p), m) for p, m in zip(parts, matrices, strict=True)]
        return activation((np.concatenate(sums, axis=1) + bias).reshape(node.output.shape))

    return run


def depthwise_conv_2d(node: Node) -> Kernel:
    """DEPTHWISE_CONV_2D: weights (1, height, width, in * multiplier), bias."""
    weights = node.constant(1, np.float32)
    windows, per_channel = geometry.depthwise(node, weights)
    bias = node.bias(weights.shape[3], np.float32)
    taps = weights.reshape(-1, weights.shape[3])
    activation = fused_activation(node, 4)

    def run(pictures: Floats, *_: Any) -> Floats:
        sums = np.zeros(node.output.shape, np.float32)
        repeated = np.repeat(pictures, per_channel, axis=3)
        for seen, tap in zip(windows.places(repeated), taps, strict=True):
            sums += seen * tap
        return activation(sums + bias)

    return run


def fully_connected(node: Node) -> Kernel:
    """FULLY_CONNECTED: weights (out, in), bias (out,)."""
    weights = node.constant(1, np.float32)
    rows = geometry.rows_of_product(node, weights)
    bias = node.bias(weights.shape[0], np.float32)
    activation = fused_activation(node, 0)

    def run(values: Floats, *_: Any) -> Floats:
        sums = product(values.reshape(rows, -1), weights.T) + bias
        return activation(sums.reshape(node.output.shape))

    return run


def max_pool_2d(node: Node) -> Kernel:
    """MAX_POOL_2D."""
    windows = geometry.pooling(node)
    activation = fused_activation(node, 5)

    def run(pictures: Floats) -> Floats:
        places = windows.places(pictures, -np.inf)
        greatest = next(places)
        for seen in places:
            greatest = np.maximum(greatest, seen)
        return activation(greatest)

    return run


def average_pool_2d(node: Node) -> Kernel:
    """AVERAGE_POOL_2D: over those places of a window that lie on the picture."""
    windows = geometry.pooling(node)
    activation = fused_activation(node, 5)
    counts = windows.counts(*node.image_shape()[1:3]).astype(np.float32)

    def run(pictures: Floats) -> Floats:
        sums = np.zeros(node.output.shape, np.float32)
        for seen in windows.places(pictures):
            sums += seen
        return activation(sums / counts)

    return run


def mean(node: Node) -> Kernel:
    """MEAN along constant axes."""
    axes, count = geometry.mean_axes(node)

    def run(values: Floats, *_: Any) -> Floats:
        sums: Floats = values.sum(axis=axes).reshape(node.output.shape)
        return sums / np.float32(count)

    return run


def add(node: Node) -> Kernel:
    """ADD."""
    return _elementwise(node, np.add)


def sub(node: Node) -> Kernel:
    """SUB."""
    return _elementwise(node, np.subtract)


def mul(node: Node) -> Kernel:
    """MUL."""
    return _elementwise(node, np.multiply)


def _elementwise(node: Node, operation: Callable[[Floats, Floats], Floats]) -> Kernel:
    geometry.must_broadcast(node)
    activation = fused_activation(node, 0)
    return lambda left, right: activation(operation(left, right))


def relu(node: Node) -> Kernel:
    """RELU alone."""
    node.must_give(node.input(0).shape)
    return _clipping(geometry.RELU)


def relu6(node: Node) -> Kernel:
    """RELU6 alone."""
    node.must_give(node.input(0).shape)
    return _clipping(geometry.RELU6)


def softmax(node: Node) -> Kernel:
    """SOFTMAX along the last axis; the option `beta` multiplies its input."""
    node.must_give(node.input(0).shape)
    if not node.output.shape:
        raise node.refused("has an input without axes")
    beta = np.float32(node.options.real(0))

    def run(values: Floats) -> Floats:
        powers: Floats = np.exp((values - values.max(axis=-1, keepdims=True)) * beta)
        sums: Floats = powers.sum(axis=-1, keepdims=True)
        return powers / sums

    return run


def fused_activation(node: Node, position: int) -> Callable[[Floats], Floats]:
    """What an operator's option at this position makes of its sums."""
    return _clipping(geometry.activation(node, position))


def _clipping(kind: int) -> Callable[[Floats], Floats]:
    limits = _LIMITS[kind]
    if limits is None:
        return lambda values: values
    low, high = np.float32(limits[0]), np.float32(limits[1])
    return lambda values: np.clip(values, low, high)
