"""Operators that move values and compute nothing, for all types alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.numpy_interpreter import geometry
from hemline.numpy_interpreter.node import Node
from hemline.tflite_reader import Tensor

Kernel = Callable[..., NDArray[Any]]

_QUANTIZED = (np.int8, np.int16)


def reshape(node: Node) -> Kernel:
    """RESHAPE, to the shape that the file gives the output."""
    shape = node.output.shape
    if np.prod(node.input(0).shape, dtype=object) != np.prod(shape, dtype=object):
        raise node.refused(f"makes {node.input(0).shape} into {shape}")
    _must_keep_scale(node, node.input(0))
    return lambda values, *_: values.reshape(shape)


def pad(node: Node) -> Kernel:
    """PAD with zeros, which are zero points where values are quantized."""
    source = node.input(0)
    widths = node.constant(1, np.int32)
    if widths.shape != (len(source.shape), 2) or widths.min(initial=0) < 0:
        raise node.refused(f"has paddings {widths.tolist()} for an input {source.shape}")
    shape = np.add(source.shape, widths.sum(axis=1, dtype=np.int64))
    node.must_give(tuple(shape.tolist()))
    _must_keep_scale(node, source)
    around = node.scale(source).zero_point if source.dtype in _QUANTIZED else 0
    return lambda values, *_: np.pad(values, widths, constant_values=around)


def concatenation(node: Node) -> Kernel:
    """CONCATENATION of inputs that share one quantization, as converters see to."""
    axis, activation = node.options.integer(0, "i"), node.options.integer(1, "b")
    if activation != geometry.NONE:
        raise node.refused("has a fused activation")
    inputs = [node.input(position) for position in range(len(node.inputs))]
    shape = list(node.output.shape)
    if not inputs or not -len(shape) <= axis < len(shape):
        raise node.refused(f"joins {len(inputs)} inputs along the axis {axis} of {shape}")
    sizes = []
    for tensor in inputs:
        rest = list(tensor.shape)
        sizes.append(rest[axis] if len(rest) == len(shape) else -1)
        rest[axis : axis + 1 or None] = shape[axis : axis + 1 or None]
        if sizes[-1] < 0 or rest != shape or tensor.type_name != node.output.type_name:
            raise node.refused(f"joins {tensor.type_name} {tensor.shape} into {tuple(shape)}")
        _must_keep_scale(node, tensor)
    shape[axis] = sum(sizes)
    node.must_give(tuple(shape))
    return lambda *values: np.concatenate(values, axis=axis)


def cast(node: Node) -> Kernel:
    """CAST, as that of pixels to float32."""
    node.must_give(node.input(0).shape)
    dtype = node.output.dtype
    return lambda values: values.astype(dtype)


def _must_keep_scale(node: Node, source: Tensor) -> None:
    if source.dtype in _QUANTIZED and node.scale(source) != node.scale(node.output):
        raise node.refused("has another scale behind it than before it")
