"""The windows of convolutions and pooling: where they lie, and what each of their places sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.numpy_interpreter.node import Node

_SAME, _VALID = 0, 1  # `Padding` in the schema
_MOST_PLACES = 1 << 16


@dataclass(frozen=True)
class Windows:
    """Windows that slide over pictures.

    Attributes:
        size_hw: Height and width of a window, in places.
        strides_hw: Steps from window to window.
        dilations_hw: Steps from place to place within a window.
        pads_hw: Rows above and below, columns left and right, that the picture is enlarged by.
        output_hw: How many windows there are.
    """

    size_hw: tuple[int, int]
    strides_hw: tuple[int, int]
    dilations_hw: tuple[int, int]
    pads_hw: tuple[tuple[int, int], tuple[int, int]]
    output_hw: tuple[int, int]

    @classmethod
    def of(
        cls,
        node: Node,
        size_hw: tuple[int, int],
        strides_hw: tuple[int, int],
        dilations_hw: tuple[int, int] = (1, 1),
    ) -> Windows:
        """The windows of an operator, whose padding is its option 0.

        Raises:
            ModelError: They are not possible.
        """
        padding = node.options.integer(0, "b")
        batch, height, width, channels = node.image_shape()
        figures = (*size_hw, *strides_hw, *dilations_hw, height, width)
        if padding not in (_SAME, _VALID) or min(figures) < 1:
            raise node.refused(f"has impossible windows: {size_hw}, strides {strides_hw}")
        if size_hw[0] * size_hw[1] > _MOST_PLACES:
            raise node.refused(f"has windows of {size_hw}, more than {_MOST_PLACES} places")
        both = zip((height, width), size_hw, strides_hw, dilations_hw, strict=True)
        (pads_h, output_h), (pads_w, output_w) = (_along(padding, *axis) for axis in both)
        node.must_fit(batch, height + sum(pads_h), width + sum(pads_w), channels)
        node.must_fit(batch, output_h, output_w, size_hw[0], size_hw[1], channels)
        if output_h < 1 or output_w < 1:
            raise node.refused(f"has windows of {size_hw} on a picture of {(height, width)}")
        return cls(size_hw, strides_hw, dilations_hw, (pads_h, pads_w), (output_h, output_w))

    def places(self, pictures: NDArray[Any], around: Any = 0) -> Iterator[NDArray[Any]]:
        """What each place of the windows sees, row by row.

        Args:
            pictures: (N, H, W, C).
            around: The value around the picture.

        Yields:
            (N, windows down, windows across, C), for each place of a window.
        """
        if any(map(any, self.pads_hw)):
            widths = ((0, 0), *self.pads_hw, (0, 0))
            pictures = np.pad(pictures, widths, constant_values=around)
        for row in range(self.size_hw[0]):
            rows = self._every(0, row)
            for column in range(self.size_hw[1]):
                yield pictures[:, rows, self._every(1, column)]

    def patches(self, pictures: NDArray[Any]) -> NDArray[Any]:
        """Each window as a row, with zeros around the picture: (N * windows, places * C)."""
        seen = np.concatenate(list(self.places(pictures)), axis=-1)
        return seen.reshape(-1, seen.shape[-1])

    def counts(self, height: int, width: int) -> NDArray[np.int64]:
        """How many places of each window lie on the picture: (1, windows down, windows across, 1)."""
        ones = np.ones((1, height, width, 1), np.int64)
        counts: NDArray[np.int64] = np.sum(list(self.places(ones)), axis=0)
        return counts

    def _every(self, axis: int, place: int) -> slice:
        start = place * self.dilations_hw[axis]
        stride = self.strides_hw[axis]
        return slice(start, start + (self.output_hw[axis] - 1) * stride + 1, stride)


def _along(
    padding: int, size: int, window: int, stride: int, dilation: int
) -> tuple[tuple[int, int], int]:
    """Padding before and after, and the number of windows, along one axis, as TensorFlow has them."""
    extent = (window - 1) * dilation + 1
    if padding == _VALID:
        return (0, 0), (size - extent) // stride + 1
    count = -(-size // stride)
    total = max((count - 1) * stride + extent - size, 0)
    return (total // 2, total - total // 2), count
