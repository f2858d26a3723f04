from __future__ import annotations

import numpy as np
import pytest

from hemline.parity.fingerprint import GRID, Fingerprints, block_means, fingerprint


@pytest.mark.parametrize(
    ("height", "width"),
    [
        (1, 1),  # the smallest picture
        (2, 5),  # fewer pixels than blocks
        (8, 8),  # a pixel for each block
        (28, 28),  # blocks of 3 and 4 pixels
        (1300, 900),  # so large that some pixels are left out
    ],
)
def test_pictures_of_any_size_have_the_means_of_their_blocks(height, width):
    flat = np.full((height, width, 3), (10, 20, 250), np.uint8)
    assert (block_means(flat) == (10, 20, 250)).all()
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    assert block_means(noise).shape == (GRID, GRID, 3)


def test_a_mean_is_that_of_its_block_rounded():
    frame = np.zeros((16, 24, 3), np.uint8)
    frame[2:4, 3:6, 1] = [[10, 10, 10], [10, 10, 13]]  # block 1, 1: the mean is 10.5
    means = block_means(frame)
    assert means[1, 1].tolist() == [0, 11, 0]
    assert means.sum() == 11


def test_a_mirrored_picture_has_mirrored_means():
    frame = np.random.default_rng(2).integers(0, 256, (28, 44, 3), np.uint8)
    assert (block_means(frame[:, ::-1]) == block_means(frame)[:, ::-1]).all()
    assert (block_means(frame[::-1]) == block_means(frame)[::-1]).all()


def test_the_checksum_sees_every_pixel():
    frame = np.zeros((40, 30, 3), np.uint8)
    (size, _, before) = fingerprint(frame)
    assert size == (30, 40)
    frame[17, 20, 2] = 1
    assert fingerprint(frame)[2] != before


def test_a_grey_picture_is_the_same_as_one_in_three_equal_channels():
    grey = np.random.default_rng(3).integers(0, 256, (20, 20), np.uint8)
    both = Fingerprints.of([grey, np.repeat(grey[:, :, None], 3, axis=2)])
    assert (both.means[0] == both.means[1]).all()
    assert both.checksums[0] == both.checksums[1]
