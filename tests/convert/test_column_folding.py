from __future__ import annotations

import numpy as np
import pytest

from hemline_convert.column_folding import COLUMNS, fold_columns


def convolved(picture, kernel, strides, pads):
    """Integer convolution of (C, H, W) with (O, C, h, w); pads are top, left, bottom, right."""
    top, left, bottom, right = pads
    padded = np.pad(picture.astype(np.int64), ((0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], axis=(1, 2))
    windows = windows[:, :: strides[0], :: strides[1]]
    return np.einsum("cyxhw,ochw->oyx", windows, kernel.astype(np.int64))


@pytest.mark.parametrize(
    ("width", "size", "stride", "left", "right"),
    [
        (28, 3, 1, 1, 1),  # the paper's
        (28, 3, 1, 0, 0),  # no padding: 26 columns, so that the last block has two too many
        (28, 5, 1, 2, 2),  # taps of three blocks
        (8, 11, 1, 5, 5),  # wider than the picture
        (28, 1, 1, 0, 0),  # one block sees one block
        (32, 3, 2, 0, 1),  # TensorFlow's padding for a stride of 2
        (32, 3, 2, 0, 0),  # stride without padding: 15 columns
        (32, 7, 4, 1, 2),  # one column a block
        (4, 2, 1, 0, 1),  # even, and one block in all
    ],
)
def test_a_folded_convolution_gives_the_very_same_sums(width, size, stride, left, right):
    random = np.random.default_rng(5)
    picture = random.integers(-128, 128, (1, 9, width))
    kernel = random.integers(-127, 128, (6, 1, 3, size)).astype(np.int8)
    expected = convolved(picture, kernel, (2, stride), (1, left, 0, right))
    folded = fold_columns(kernel, width, expected.shape[2], stride, left)
    assert folded is not None
    assert folded.kernel.dtype == np.int8
    blocks = picture.reshape(9, width // COLUMNS, COLUMNS).transpose(2, 0, 1)
    pads = (1, folded.pads[0], 0, folded.pads[1])
    result = convolved(blocks, folded.kernel, (2, 1), pads)
    height = expected.shape[1]
    assert result.shape == (folded.columns * 6, height, folded.width)
    # Channels last, the memory lies as that of the plain result; columns too many are at the end.
    unfolded = result.transpose(1, 2, 0).reshape(height, folded.width * folded.columns, 6)
    assert np.array_equal(unfolded[:, : expected.shape[2]].transpose(2, 0, 1), expected)
    assert 0 <= unfolded.shape[1] - expected.shape[2] < folded.columns


@pytest.mark.parametrize(
    ("width", "stride"),
    [
        (30, 1),  # no whole number of blocks
        (28, 3),  # a block would begin at another place in each step
        (28, 8),  # steps longer than a block
    ],
)
def test_where_blocks_do_not_fit_nothing_is_folded(width, stride):
    kernel = np.ones((6, 1, 3, 3), np.int8)
    assert fold_columns(kernel, width, -(-width // stride), stride, 1) is None
