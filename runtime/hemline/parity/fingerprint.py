"""What a decoder made of a picture, in a few bytes: enough to tell whether another made the same of it.

A golden pack holds one for each picture, so that a device that decodes otherwise is told so.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hemline.preprocess import Frame

Fingerprint = tuple[tuple[int, int], NDArray[np.uint8], int]  # one row of `Fingerprints`

GRID = 8  # blocks of a picture in each direction, whose means are kept
_MOST_PIXELS = 512  # that are looked at in each direction for the means of a large picture


class Fingerprints(NamedTuple):
    """One row for each picture.

    Attributes:
        sizes_wh: int64, (N, 2): width and height.
        means: uint8, (N, GRID, GRID, 3): means of the blocks of an even grid, BGR.
        checksums: uint32, (N,): CRC-32 of all pixels, rows from top to bottom.
    """

    sizes_wh: NDArray[np.int64]
    means: NDArray[np.uint8]
    checksums: NDArray[np.uint32]

    @classmethod
    def of(cls, frames: Iterable[Frame]) -> Fingerprints:
        """Of pictures as they were decoded: each uint8, (H, W, 3) in BGR order or (H, W) in grey."""
        return cls.of_rows([fingerprint(frame) for frame in frames])

    @classmethod
    def of_rows(cls, rows: Sequence[Fingerprint]) -> Fingerprints:
        """What `fingerprint` gave for each picture."""
        return cls(
            np.array([row[0] for row in rows], np.int64).reshape(-1, 2),
            np.array([row[1] for row in rows], np.uint8).reshape(-1, GRID, GRID, 3),
            np.array([row[2] for row in rows], np.uint32),
        )

    def rows(self, indices: NDArray[np.integer]) -> Fingerprints:
        """Those of some pictures."""
        return Fingerprints(self.sizes_wh[indices], self.means[indices], self.checksums[indices])


def fingerprint(frame: Frame) -> Fingerprint:
    """Width and height, means of blocks, and CRC-32 of one picture."""
    if frame.ndim == 2:
        frame = np.repeat(frame[:, :, None], 3, axis=2)
    height, width = frame.shape[:2]
    return (width, height), block_means(frame), zlib.crc32(np.ascontiguousarray(frame).data)


def block_means(frame: Frame) -> NDArray[np.uint8]:
    """uint8, (GRID, GRID, 3): means over blocks, rounded; in integers, so they are the same everywhere."""
    step = max(1, min(frame.shape[:2]) // _MOST_PIXELS)
    seen = frame[::step, ::step]
    (rows, row_counts), (columns, column_counts) = _blocks(seen.shape[0]), _blocks(seen.shape[1])
    sums = np.add.reduceat(seen, rows, axis=0, dtype=np.uint32)
    sums = np.add.reduceat(sums, columns, axis=1)
    counts = (row_counts[:, None] * column_counts)[:, :, None]
    means: NDArray[np.uint8] = ((sums + counts // 2) // counts).astype(np.uint8)
    return means


def _blocks(length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the blocks begin, and how long they are; in less than GRID pixels some are the same one.

    From both ends alike, so that a mirrored picture has mirrored means.
    """
    places = np.arange(GRID)
    from_end = length - (GRID - places) * length // GRID
    starts = np.where(places <= GRID // 2, places * length // GRID, from_end)
    starts = np.minimum(starts, length - 1)
    return starts, np.maximum(np.diff(np.append(starts, length)), 1)
