"""Operators on int8 or int16 activations, bit for bit as LiteRT's reference kernels compute them.

Each function takes a node when the model is loaded, checks it, and gives the function that computes the
node's output from its inputs. Those with weights are in `integer_products`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.numpy_interpreter import geometry
from hemline.numpy_interpreter.fixed_point import Multiplier, rounded
from hemline.numpy_interpreter.geometry import RELU, RELU6
from hemline.numpy_interpreter.integer_limits import clipping
from hemline.numpy_interpreter.node import Node, Scale

Kernel = Callable[..., NDArray[Any]]

# Bits that summands are moved up by, so that rounding them costs nothing, and that still fit into 32.
_ADD_LEFT_SHIFT = {np.dtype(np.int8): 20, np.dtype(np.int16): 15}


def max_pool_2d(node: Node) -> Kernel:
    """MAX_POOL_2D."""
    windows = geometry.pooling(node)
    limited = clipping(node, geometry.activation(node, 5))
    _must_share_scale(node)

    def run(pictures: NDArray[Any]) -> NDArray[Any]:
        places = windows.places(pictures, np.iinfo(pictures.dtype).min)
        greatest = next(places)
        for seen in places:
            greatest = np.maximum(greatest, seen)
        return limited(greatest)

    return run


def average_pool_2d(node: Node) -> Kernel:
    """AVERAGE_POOL_2D: over those places of a window that lie on the picture."""
    windows = geometry.pooling(node)
    limited = clipping(node, geometry.activation(node, 5))
    _must_share_scale(node)
    counts = windows.counts(*node.image_shape()[1:3])

    def run(pictures: NDArray[Any]) -> NDArray[Any]:
        sums = sum(windows.places(pictures.astype(np.int64)))
        averages = np.sign(sums) * ((np.abs(sums) + counts // 2) // counts)
        return limited(averages)

    return run


def mean(node: Node) -> Kernel:
    """MEAN along constant axes; the sum is requantized with 1 / count inside the multiplier."""
    axes, count = geometry.mean_axes(node)
    source, target = node.scale(node.input(0)), node.scale(node.output)
    multiplier = node.multiplier(np.float64(source.scale) / np.float64(target.scale))
    # In whole numbers, since the kernel divides so: as many bits up as go without overflow, then down.
    bits = min(count.bit_length() - 1, 32, 31 + int(multiplier.shift))
    multiplier = Multiplier(
        (multiplier.mantissa << bits) // count, np.asarray(multiplier.shift - bits)
    )
    offset, limited = source.zero_point * count, clipping(node)

    def run(values: NDArray[Any], *_: Any) -> NDArray[Any]:
        sums = values.sum(axis=axes, dtype=np.int64).reshape(node.output.shape)
        return limited(multiplier(sums - offset) + target.zero_point)

    return run


def add(node: Node) -> Kernel:
    """ADD: both summands are brought to twice the greater scale with more bits, then added."""
    return _sum(node, 1)


def sub(node: Node) -> Kernel:
    """SUB, as ADD."""
    return _sum(node, -1)


def _sum(node: Node, sign: int) -> Kernel:
    first, second, target = _pair(node)
    bits = _ADD_LEFT_SHIFT[node.output.dtype]
    common = 2 * np.float64(max(first.scale, second.scale))
    to_common = [node.multiplier(np.float64(one.scale) / common) for one in (first, second)]
    to_target = node.multiplier(common / ((1 << bits) * np.float64(target.scale)))
    if to_target.shift > 0:
        raise node.refused("has scales too far apart")
    if node.output.dtype == np.int16 and all(map(_is_power_of_two, (first, second, target))):
        raise node.refused("has scales that are powers of two, for which LiteRT has another kernel")
    limited = clipping(node, geometry.activation(node, 0))

    def run(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
        raised = [
            to((values.astype(np.int64) - one.zero_point) << bits)
            for values, one, to in zip((left, right), (first, second), to_common, strict=True)
        ]
        total = to_target(raised[0] + sign * raised[1]) + target.zero_point
        return limited(total)

    return run


def mul(node: Node) -> Kernel:
    """MUL; the factor is computed in float32, as the kernel does."""
    first, second, target = _pair(node)
    with np.errstate(over="ignore"):  # an infinite factor is refused
        multiplier = node.multiplier(first.scale * second.scale / target.scale)
    limited = clipping(node, geometry.activation(node, 0))

    def run(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
        centred = left.astype(np.int64) - first.zero_point
        products = centred * (right.astype(np.int64) - second.zero_point)
        return limited(multiplier(products) + target.zero_point)

    return run


def _pair(node: Node) -> tuple[Scale, Scale, Scale]:
    geometry.must_broadcast(node)
    return node.scale(node.input(0)), node.scale(node.input(1)), node.scale(node.output)


def _is_power_of_two(scale: Scale) -> bool:
    return bool(np.frexp(scale.scale)[0] == 0.5)


def relu(node: Node) -> Kernel:
    """RELU alone; with a scale of its own behind it."""
    return _relu(node, RELU)


def relu6(node: Node) -> Kernel:
    """RELU6 alone."""
    return _relu(node, RELU6)


def _relu(node: Node, activation: int) -> Kernel:
    node.must_give(node.input(0).shape)
    source, target = node.scale(node.input(0)), node.scale(node.output)
    with np.errstate(over="ignore"):
        multiplier = node.multiplier(source.scale / target.scale)
    limited = clipping(node, activation)

    def run(values: NDArray[Any]) -> NDArray[Any]:
        rescaled = multiplier(values.astype(np.int64) - source.zero_point) + target.zero_point
        return limited(rescaled)

    return run


def requantize(node: Node) -> Kernel:
    """QUANTIZE from integers to integers: another scale, another zero point, uint8 to int8 or back."""
    node.must_give(node.input(0).shape)
    source, target = node.scale(node.input(0)), node.scale(node.output)
    multiplier = node.multiplier(np.float64(source.scale) / np.float64(target.scale))
    limited = clipping(node)

    def run(values: NDArray[Any]) -> NDArray[Any]:
        rescaled = multiplier(values.astype(np.int64) - source.zero_point)
        return limited(rescaled + target.zero_point)

    return run


def quantize(node: Node) -> Kernel:
    """QUANTIZE from float32: divided by the scale in float32, halves away from zero."""
    node.must_give(node.input(0).shape)
    target = node.scale(node.output)
    limited = clipping(node)

    def run(values: NDArray[np.float32]) -> NDArray[Any]:
        steps = rounded((values / target.scale).astype(np.float64))
        return limited(steps + target.zero_point)

    return run


def dequantize(node: Node) -> Kernel:
    """DEQUANTIZE: float32(scale * (value - zero_point))."""
    node.must_give(node.input(0).shape)
    source = node.scale(node.input(0))

    def run(values: NDArray[Any]) -> NDArray[np.float32]:
        # Both factors are exact in float32, so their product is rounded once, as from float64.
        return (values.astype(np.float32) - np.float32(source.zero_point)) * source.scale

    return run


def _must_share_scale(node: Node) -> None:
    source, target = node.scale(node.input(0)), node.scale(node.output)
    if source != target:
        raise node.refused("has another scale behind it than before it")
