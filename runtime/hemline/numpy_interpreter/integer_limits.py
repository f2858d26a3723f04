"""Where integers end: the least and the greatest value that an operator lets through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.numpy_interpreter.fixed_point import rounded
from hemline.numpy_interpreter.geometry import NONE, RELU, RELU6, RELU_N1_TO_1
from hemline.numpy_interpreter.node import Node

_REAL_LIMITS = {  # of what fused activations let through; None where only the type ends
    NONE: (None, None),
    RELU: (0, None),
    RELU_N1_TO_1: (-1, 1),
    RELU6: (0, 6),
}


def clipping(node: Node, activation: int = NONE) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """What cuts values off where the output's type or a fused activation ends, and gives that type."""
    dtype, scale = node.output.dtype, node.scale(node.output)
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)

    def quantized(real: float) -> int:
        return scale.zero_point + int(rounded(np.float64(np.float32(real) / scale.scale)))

    least, greatest = _REAL_LIMITS[activation]
    if least is not None:
        low = max(low, quantized(least))
    if greatest is not None:
        high = min(high, quantized(greatest))
    return lambda values: np.clip(values, low, high).astype(dtype)
