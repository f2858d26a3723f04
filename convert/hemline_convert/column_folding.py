"""The convolution of a grey picture, written as one of blocks of columns: the same sums, in a faster form.

Integer kernels take channels by fours. A grey picture has one, so its convolution falls back to copying
every window and multiplying matrices that are a few numbers wide: in the paper's network, on x86-64, this
first convolution took longer than the two others together, with an eighth of the products of each.

In memory four neighbouring pixels of one channel lie as one pixel of four channels does, and (channels last)
four neighbouring results of `O` channels as one of `4 · O`. So the convolution may be one of blocks,
with zeros where a block holds columns that a result does not see: no number changes, and nothing moves.

Colour pictures are left alone. There the zeros cost more: whole networks became up to twice as fast on
x86-64 with VNNI, but as slow or slower without it, and on an emulated Cortex-A76.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLUMNS = 4  # of the picture in a block


@dataclass(frozen=True)
class FoldedConvolution:
    """What replaces a convolution; its stride along the columns is 1.

    Attributes:
        kernel: (columns · O, 4, height, blocks), where `columns` are those of a block of the result.
        columns: How many columns of the result a block has.
        width: Of the result, in blocks. The last one may have columns too many.
        pads: Blocks of padding, left and right.
    """

    kernel: NDArray[Any]
    columns: int
    width: int
    pads: tuple[int, int]


def fold_columns(
    kernel: NDArray[Any], width: int, result_width: int, stride: int, left: int
) -> FoldedConvolution | None:
    """Fold a convolution along the columns.

    Args:
        kernel: (O, 1, height, width).
        width: Of the picture.
        result_width: Of the result.
        stride: Along the columns.
        left: Columns of padding on the left.

    Returns:
        The folded convolution, or None where blocks do not fit the width or the stride.
    """
    if width % COLUMNS or COLUMNS % stride:
        return None
    columns = COLUMNS // stride
    taps = kernel.shape[3]
    # Column `c` of a block of the result sees tap `k` so far from the first column of the same block.
    seen = {(c, k): stride * c + k - left for c in range(columns) for k in range(taps)}
    first, last = (seen[at] // COLUMNS for at in ((0, 0), (columns - 1, taps - 1)))
    blocks = -(-result_width // columns)
    pads = (-first, blocks - width // COLUMNS + last)
    if min(pads) < 0:
        return None
    filters, _, height, _ = kernel.shape
    folded = np.zeros((columns, filters, COLUMNS, height, last - first + 1), kernel.dtype)
    for (c, k), distance in seen.items():
        folded[c, :, distance % COLUMNS, :, distance // COLUMNS - first] = kernel[:, 0, :, k]
    folded = folded.reshape(columns * filters, *folded.shape[2:])
    return FoldedConvolution(folded, columns, blocks, pads)
