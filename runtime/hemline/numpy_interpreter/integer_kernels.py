"""Operators on int8 activations, bit for bit as LiteRT's reference kernels compute them.

Each function takes a node when the model is loaded, checks it, and gives the function that computes the
node's output from its inputs. Sums of products are taken in float64, whose matrix product is fast, and
which is exact here: every partial sum is an integer, and is checked to stay below 2**31.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.numpy_interpreter import geometry
from hemline.numpy_interpreter.fixed_point import Multiplier, rounded
from hemline.numpy_interpreter.geometry import RELU, RELU6, RELU_N1_TO_1
from hemline.numpy_interpreter.node import Node, Scale
from hemline.numpy_interpreter.products import product

Kernel = Callable[..., NDArray[Any]]

_ADD_LEFT_SHIFT = 20  # bits that summands are moved up by, so that rounding them costs nothing


def conv_2d(node: Node) -> Kernel:
    """CONV_2D: weights int8 (out, height, width, in / groups), bias int32 (out,)."""
    weights = node.constant(1, np.int8)
    windows, groups = geometry.convolution(node, weights)
    outputs = weights.shape[0]
    matrix = weights.reshape(outputs, -1)
    finish = _Products(node, matrix, geometry.activation(node, 3)).fixed_point_finish(node)
    matrices = np.split(matrix.T.astype(np.float64), groups, axis=1)
    zero_point = node.scale(node.input(0)).zero_point

    def run(pictures: NDArray[np.int8], *_: Any) -> NDArray[np.int8]:
        centred = pictures.astype(np.float64) - zero_point
        parts = np.split(centred, groups, axis=3) if groups > 1 else [centred]
        sums = [product(windows.patches(p), m) for p, m in zip(parts, matrices, strict=True)]
        return finish(sums[0] if groups == 1 else np.concatenate(sums, axis=1))

    return run


def depthwise_conv_2d(node: Node) -> Kernel:
    """DEPTHWISE_CONV_2D: weights int8 (1, height, width, in * multiplier), bias int32."""
    weights = node.constant(1, np.int8)
    windows, per_channel = geometry.depthwise(node, weights)
    outputs = weights.shape[3]
    places = weights.reshape(-1, outputs)
    products = _Products(node, places.T, geometry.activation(node, 4), axis=3)
    finish = products.fixed_point_finish(node)
    zero_point = node.scale(node.input(0)).zero_point
    taps = places.astype(np.float64)

    def run(pictures: NDArray[np.int8], *_: Any) -> NDArray[np.int8]:
        centred = np.repeat(pictures.astype(np.float64) - zero_point, per_channel, axis=3)
        sums = np.zeros(node.output.shape)
        for seen, tap in zip(windows.places(centred), taps, strict=True):
            sums += seen * tap
        return finish(sums)

    return run


def fully_connected(node: Node) -> Kernel:
    """FULLY_CONNECTED: weights int8 (out, in), bias int32 (out,).

    Its factor stays a float64, and the product is rounded once: so does LiteRT's kernel, other than
    those of convolutions, and other than that of tflite-runtime.
    """
    weights = node.constant(1, np.int8)
    rows = geometry.rows_of_product(node, weights)
    zero_point = node.scale(node.input(0)).zero_point
    products = _Products(node, weights, geometry.activation(node, 0))
    matrix = weights.T.astype(np.float64)

    def run(values: NDArray[np.int8], *_: Any) -> NDArray[np.int8]:
        centred = values.reshape(rows, -1).astype(np.float64) - zero_point
        sums = product(centred, matrix)
        return products.limited(rounded((sums + products.bias) * products.factor))

    return run


def max_pool_2d(node: Node) -> Kernel:
    """MAX_POOL_2D."""
    windows = geometry.pooling(node)
    limits = _limits(node, geometry.activation(node, 5))
    _must_share_scale(node)

    def run(pictures: NDArray[np.int8]) -> NDArray[np.int8]:
        places = windows.places(pictures, np.iinfo(pictures.dtype).min)
        greatest = next(places)
        for seen in places:
            greatest = np.maximum(greatest, seen)
        return _clipped(greatest, limits)

    return run


def average_pool_2d(node: Node) -> Kernel:
    """AVERAGE_POOL_2D: over those places of a window that lie on the picture."""
    windows = geometry.pooling(node)
    limits = _limits(node, geometry.activation(node, 5))
    _must_share_scale(node)
    counts = windows.counts(*node.image_shape()[1:3])

    def run(pictures: NDArray[np.int8]) -> NDArray[np.int8]:
        sums = sum(windows.places(pictures.astype(np.int64)))
        averages = np.sign(sums) * ((np.abs(sums) + counts // 2) // counts)
        return _clipped(averages, limits)

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
    offset = source.zero_point * count

    def run(values: NDArray[np.int8], *_: Any) -> NDArray[np.int8]:
        sums = values.sum(axis=axes, dtype=np.int64).reshape(node.output.shape)
        return _clipped(multiplier(sums - offset) + target.zero_point, _limits_of(np.int8))

    return run


def add(node: Node) -> Kernel:
    """ADD: both summands are brought to twice the greater scale with 20 more bits, then added."""
    return _sum(node, 1)


def sub(node: Node) -> Kernel:
    """SUB, as ADD."""
    return _sum(node, -1)


def _sum(node: Node, sign: int) -> Kernel:
    first, second, target = _pair(node)
    common = 2 * np.float64(max(first.scale, second.scale))
    to_common = [node.multiplier(np.float64(one.scale) / common) for one in (first, second)]
    to_target = node.multiplier(common / ((1 << _ADD_LEFT_SHIFT) * np.float64(target.scale)))
    if to_target.shift > 0:
        raise node.refused("has scales too far apart")
    limits = _limits(node, geometry.activation(node, 0))

    def run(left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.int8]:
        raised = [
            to((values.astype(np.int64) - one.zero_point) << _ADD_LEFT_SHIFT)
            for values, one, to in zip((left, right), (first, second), to_common, strict=True)
        ]
        total = to_target(raised[0] + sign * raised[1]) + target.zero_point
        return _clipped(total, limits)

    return run


def mul(node: Node) -> Kernel:
    """MUL; the factor is computed in float32, as the kernel does."""
    first, second, target = _pair(node)
    with np.errstate(over="ignore"):  # an infinite factor is refused
        multiplier = node.multiplier(first.scale * second.scale / target.scale)
    limits = _limits(node, geometry.activation(node, 0))

    def run(left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.int8]:
        centred = left.astype(np.int64) - first.zero_point
        products = centred * (right.astype(np.int64) - second.zero_point)
        return _clipped(multiplier(products) + target.zero_point, limits)

    return run


def _pair(node: Node) -> tuple[Scale, Scale, Scale]:
    geometry.must_broadcast(node)
    return node.scale(node.input(0)), node.scale(node.input(1)), node.scale(node.output)


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
    limits = _limits(node, activation)

    def run(values: NDArray[np.int8]) -> NDArray[np.int8]:
        rescaled = multiplier(values.astype(np.int64) - source.zero_point) + target.zero_point
        return _clipped(rescaled, limits)

    return run


def requantize(node: Node) -> Kernel:
    """QUANTIZE from integers to integers: another scale, another zero point, uint8 to int8 or back."""
    node.must_give(node.input(0).shape)
    source, target = node.scale(node.input(0)), node.scale(node.output)
    multiplier = node.multiplier(np.float64(source.scale) / np.float64(target.scale))
    dtype, limits = node.output.dtype, _limits_of(node.output.dtype)

    def run(values: NDArray[Any]) -> NDArray[Any]:
        rescaled = multiplier(values.astype(np.int64) - source.zero_point)
        return _clipped(rescaled + target.zero_point, limits, dtype)

    return run


def quantize(node: Node) -> Kernel:
    """QUANTIZE from float32: divided by the scale in float32, halves away from zero."""
    node.must_give(node.input(0).shape)
    target = node.scale(node.output)
    dtype, limits = node.output.dtype, _limits_of(node.output.dtype)

    def run(values: NDArray[np.float32]) -> NDArray[Any]:
        steps = rounded((values / target.scale).astype(np.float64))
        return _clipped(steps + target.zero_point, limits, dtype)

    return run


def dequantize(node: Node) -> Kernel:
    """DEQUANTIZE: float32(scale * (value - zero_point))."""
    node.must_give(node.input(0).shape)
    source = node.scale(node.input(0))

    def run(values: NDArray[Any]) -> NDArray[np.float32]:
        # Both factors are exact in float32, so their product is rounded once, as from float64.
        return (values.astype(np.float32) - np.float32(source.zero_point)) * source.scale

    return run


class _Products:
    """What operators with weights share: the bias, the factor from sums to the output, the limits."""

    def __init__(
        self, node: Node, weights: NDArray[np.int8], activation: int, *, axis: int = 0
    ) -> None:
        """Prepare; `weights` is (channels, products of one sum), `axis` that of the channels."""
        channels = weights.shape[0]
        self.bias = node.bias(channels, np.int32).astype(np.int64)
        greatest = 255 * np.abs(weights.astype(np.int64)).sum(axis=1) + np.abs(self.bias)
        if greatest.max(initial=0) >= 1 << 31:
            raise node.refused("has sums that can leave 32 bits", "make the layer smaller")
        source, target = node.scale(node.input(0)), node.scale(node.output)
        scales = node.weight_scales(1, channels, axis).astype(np.float64)
        self.factor = np.float64(source.scale) * scales / np.float64(target.scale)
        self.zero_point = target.zero_point
        self._limits = _limits(node, activation)
        self._shape = node.output.shape

    def limited(self, values: NDArray[Any]) -> NDArray[np.int8]:
        """The output from values that are around 0."""
        return _clipped(values + self.zero_point, self._limits).reshape(self._shape)

    def fixed_point_finish(self, node: Node) -> Callable[[NDArray[np.float64]], NDArray[np.int8]]:
        """From sums to the output, with the factor as a multiplier."""
        multiplier = node.multiplier(self.factor)
        return lambda sums: self.limited(multiplier(sums.astype(np.int64) + self.bias))


def _limits(node: Node, activation: int) -> tuple[int, int]:
    """Least and greatest int8 value that a fused activation lets through."""
    scale = node.scale(node.output)

    def quantized(real: float) -> int:
        return scale.zero_point + int(rounded(np.float64(np.float32(real) / scale.scale)))

    low, high = _limits_of(np.int8)
    if activation in (RELU, RELU6):
        low = max(low, quantized(0))
    if activation == RELU6:
        high = min(high, quantized(6))
    if activation == RELU_N1_TO_1:
        low, high = max(low, quantized(-1)), min(high, quantized(1))
    return low, high


def _must_share_scale(node: Node) -> None:
    source, target = node.scale(node.input(0)), node.scale(node.output)
    if source != target:
        raise node.refused("has another scale behind it than before it")


def _clipped(values: NDArray[Any], limits: tuple[int, int], dtype: Any = np.int8) -> NDArray[Any]:
    clipped: NDArray[Any] = np.clip(values, *limits).astype(dtype)
    return clipped


def _limits_of(dtype: Any) -> tuple[int, int]:
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
