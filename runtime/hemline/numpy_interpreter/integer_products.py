"""Operators that sum products of int8 or int16 activations with int8 weights, as LiteRT's reference kernels.

They are made as those of `integer_kernels`. Sums are taken in float64, whose matrix product is fast, and
which is exact here: every partial sum is an integer, and is checked to stay small enough.

LiteRT multiplies the sums of convolutions with the factor in fixed point: 31 bits on int8, 15 on int16.
Those of FULLY_CONNECTED it multiplies with the factor as a float64 (tflite-runtime does not).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.numpy_interpreter import geometry
from hemline.numpy_interpreter.fixed_point import rounded
from hemline.numpy_interpreter.integer_limits import clipping
from hemline.numpy_interpreter.node import Node
from hemline.numpy_interpreter.products import product

Kernel = Callable[..., NDArray[Any]]
_Finish = Callable[[NDArray[np.float64]], NDArray[Any]]


def conv_2d(node: Node) -> Kernel:
    """CONV_2D: weights int8 (out, height, width, in / groups), bias (out,), int32 or for int16 int64."""
    weights = node.constant(1, np.int8)
    windows, groups = geometry.convolution(node, weights)
    outputs = weights.shape[0]
    matrix = weights.reshape(outputs, -1)
    finish = _finish(node, matrix, geometry.activation(node, 3))
    matrices = np.split(matrix.T.astype(np.float64), groups, axis=1)
    zero_point = node.scale(node.input(0)).zero_point

    def run(pictures: NDArray[Any], *_: Any) -> NDArray[Any]:
        centred = pictures.astype(np.float64) - zero_point
        parts = np.split(centred, groups, axis=3) if groups > 1 else [centred]
        sums = [product(windows.patches(p), m) for p, m in zip(parts, matrices, strict=True)]
        return finish(sums[0] if groups == 1 else np.concatenate(sums, axis=1))

    return run


def depthwise_conv_2d(node: Node) -> Kernel:
    """DEPTHWISE_CONV_2D: weights int8 (1, height, width, in * multiplier), bias as of CONV_2D."""
    weights = node.constant(1, np.int8)
    windows, per_channel = geometry.depthwise(node, weights)
    places = weights.reshape(-1, weights.shape[3])
    finish = _finish(node, places.T, geometry.activation(node, 4), axis=3)
    zero_point = node.scale(node.input(0)).zero_point
    taps = places.astype(np.float64)

    def run(pictures: NDArray[Any], *_: Any) -> NDArray[Any]:
        centred = np.repeat(pictures.astype(np.float64) - zero_point, per_channel, axis=3)
        sums = np.zeros(node.output.shape)
        for seen, tap in zip(windows.places(centred), taps, strict=True):
            sums += seen * tap
        return finish(sums)

    return run


def fully_connected(node: Node) -> Kernel:
    """FULLY_CONNECTED: weights int8 (out, in), bias (out,), int32 or for int16 int64."""
    weights = node.constant(1, np.int8)
    rows = geometry.rows_of_product(node, weights)
    zero_point = node.scale(node.input(0)).zero_point
    finish = _finish(node, weights, geometry.activation(node, 0), in_fixed_point=False)
    matrix = weights.T.astype(np.float64)

    def run(values: NDArray[Any], *_: Any) -> NDArray[Any]:
        centred = values.reshape(rows, -1).astype(np.float64) - zero_point
        return finish(product(centred, matrix))

    return run


def _finish(
    node: Node,
    weights: NDArray[np.int8],
    activation: int,
    *,
    axis: int = 0,
    in_fixed_point: bool = True,
) -> _Finish:
    """From sums to the output.

    Args:
        node: The operator.
        weights: (channels, products of one sum).
        activation: What is fused.
        axis: That of the channels in the file's weights.
        in_fixed_point: Whether the factor is a fixed-point number, and not a float64.
    """
    channels = weights.shape[0]
    is_int8 = node.output.dtype == np.int8
    bias = node.bias(channels, np.int32 if is_int8 else np.int64).astype(np.int64)
    source, target = node.scale(node.input(0)), node.scale(node.output)
    scales = node.weight_scales(1, channels, axis).astype(np.float64)
    factor = np.float64(source.scale) * scales / np.float64(target.scale)
    _check_sums(node, weights, bias, factor)
    limited, shape = clipping(node, activation), node.output.shape
    if in_fixed_point:
        multiplier = node.multiplier(factor) if is_int8 else node.short_multiplier(factor)
        return lambda sums: limited(
            multiplier(sums.astype(np.int64) + bias) + target.zero_point
        ).reshape(shape)
    return lambda sums: limited(rounded((sums + bias) * factor) + target.zero_point).reshape(shape)


def _check_sums(
    node: Node, weights: NDArray[np.int8], bias: NDArray[np.int64], factor: NDArray[np.float64]
) -> None:
    """Refuse sums that the kernels' registers may not hold, or that float64 may round."""
    is_int8 = node.output.dtype == np.int8
    greatest_input = 255 if is_int8 else 1 << 15
    sums = greatest_input * np.abs(weights.astype(np.float64)).sum(axis=1) + np.abs(
        bias.astype(np.float64)
    )
    if sums.max(initial=0) >= 1 << (31 if is_int8 else 47):
        raise node.refused(
            f"has sums that can leave {32 if is_int8 else 48} bits", "make the layer smaller"
        )
    if not is_int8 and (sums * factor).max(initial=0) >= 1 << 31:
        raise node.refused("has results that can leave 32 bits", "make the layer smaller")
