"""Operators with float32 activations and int8 weights, as in dynamic range models.

Each inference finds a scale for its input, quantizes it to int8, adds exact integers, and multiplies the
sums with both scales in float32. In float64 the integer sums are exact, as in `integer_kernels`.

LiteRT rounds an input that lies halfway between two steps by other rules on x86 (to even) than on Arm and
in its portable code (away from zero, as here), so such models answer alike, and not bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.numpy_interpreter import geometry
from hemline.numpy_interpreter.fixed_point import rounded
from hemline.numpy_interpreter.float_kernels import Floats, fused_activation
from hemline.numpy_interpreter.node import Node
from hemline.numpy_interpreter.products import product

Kernel = Callable[..., Floats]


def conv_2d(node: Node) -> Kernel:
    """CONV_2D: weights int8 (out, height, width, in / groups), bias float32 (out,)."""
    weights = node.constant(1, np.int8)
    windows, groups = geometry.convolution(node, weights)
    outputs = weights.shape[0]
    finish = _finish(node, outputs, axis=0, activation_position=3)
    matrices = np.split(weights.reshape(outputs, -1).T.astype(np.float64), groups, axis=1)
    # LiteRT has two kernels, and takes the older one where all channels have the same scale.
    scale_count = len(np.unique(node.weight_scales(1, outputs, 0)))
    quantized = _symmetric if scale_count == 1 and groups == 1 else _with_zero_point

    def run(pictures: Floats, *_: Any) -> Floats:
        centred, scales = quantized(pictures)
        parts = np.split(centred, groups, axis=3)
        sums = [product(windows.patches(p), m) for p, m in zip(parts, matrices, strict=True)]
        return finish(np.concatenate(sums, axis=1).reshape(node.output.shape), scales)

    return run


def depthwise_conv_2d(node: Node) -> Kernel:
    """DEPTHWISE_CONV_2D: weights int8 (1, height, width, in * multiplier), bias float32."""
    weights = node.constant(1, np.int8)
    windows, per_channel = geometry.depthwise(node, weights)
    finish = _finish(node, weights.shape[3], axis=3, activation_position=4)
    taps = weights.reshape(-1, weights.shape[3]).astype(np.float64)

    def run(pictures: Floats, *_: Any) -> Floats:
        centred, scales = _with_zero_point(pictures)
        sums = np.zeros(node.output.shape)
        repeated = np.repeat(centred, per_channel, axis=3)
        for seen, tap in zip(windows.places(repeated), taps, strict=True):
            sums += seen * tap
        return finish(sums, scales)

    return run


def fully_connected(node: Node) -> Kernel:
    """FULLY_CONNECTED: weights int8 (out, in), bias float32 (out,)."""
    weights = node.constant(1, np.int8)
    rows = geometry.rows_of_product(node, weights)
    finish = _finish(node, weights.shape[0], axis=0, activation_position=0)
    quantized = _with_zero_point if node.options.boolean(3) else _symmetric
    matrix = weights.T.astype(np.float64)

    def run(values: Floats, *_: Any) -> Floats:
        centred, scales = quantized(values.reshape(rows, -1))
        return finish(product(centred, matrix), scales).reshape(node.output.shape)

    return run


def _with_zero_point(values: Floats) -> tuple[NDArray[np.float64], Floats]:
    """Each picture or row, quantized with a zero point: value - zero point, and the scales."""
    axes = tuple(range(1, values.ndim))
    low = np.minimum(values.min(axis=axes, keepdims=True), 0).astype(np.float64)
    high = np.maximum(values.max(axis=axes, keepdims=True), 0).astype(np.float64)
    empty = low == high
    exact = np.where(empty, 255.0, high - low) / 255
    # The end of the range that 0 is nearer to is the one that is met exactly.
    nearer_low = 128 + np.abs(low / exact) < 127 + np.abs(high / exact)
    zero_points = np.where(nearer_low, -128 - low / exact, 127 - high / exact)
    zero_points = np.where(empty, 0, np.clip(rounded(zero_points), -128, 127))
    scales = exact.astype(np.float32)
    offsets = zero_points.astype(np.float32)
    steps = rounded(offsets + values * (np.float32(1) / scales))
    return np.clip(steps, -128, 127) - zero_points, scales


def _symmetric(values: Floats) -> tuple[NDArray[np.float64], Floats]:
    """Each picture or row, quantized without zero point: the integers from -127 to 127, and the scales."""
    axes = tuple(range(1, values.ndim))
    greatest: Floats = np.abs(values).max(axis=axes, keepdims=True)
    greatest = np.where(greatest == 0, np.float32(127), greatest)
    steps = rounded(values * (np.float32(127) / greatest))
    scales: Floats = greatest / np.float32(127)
    return np.clip(steps, -127, 127), scales


def _finish(
    node: Node, channels: int, *, axis: int, activation_position: int
) -> Callable[[NDArray[np.float64], Floats], Floats]:
    """From sums and the scales of the input to the output."""
    bias = node.bias(channels, np.float32)
    weight_scales = node.weight_scales(1, channels, axis)
    activation = fused_activation(node, activation_position)

    def finish(sums: NDArray[np.float64], scales: Floats) -> Floats:
        if len(weight_scales) == 1:  # the kernels multiply in this order
            return activation(sums.astype(np.float32) * (scales * weight_scales) + bias)
        return activation(sums.astype(np.float32) * weight_scales * scales + bias)

    return finish
