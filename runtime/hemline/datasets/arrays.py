"""A split whose pictures are in memory, as one array."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemline._opencv import cv2
from hemline.datasets.split import Split
from hemline.preprocess import Frame


class ArraySplit(Split):
    """Pictures of one size. Subsets share the array with the whole; nothing is copied.

    Args:
        name: `train`, `validation` or `test`.
        labels: Class names.
        images: uint8, (M, H, W) in grey or (M, H, W, 3) in BGR order.
        targets: Integers, (N,), one for each of the `rows`.
        origin: What `source` puts before the number of a picture, such as `fashion-mnist/train`.
        rows: int64, (N,), which of the `images` belong to the split; all of them by default.
    """

    def __init__(
        self,
        name: str,
        labels: Sequence[str],
        images: NDArray[np.uint8],
        targets: NDArray[np.integer],
        origin: str,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        super().__init__(name, labels, targets.astype(np.int64))
        self._images = images
        self._origin = origin
        self._rows = np.arange(len(images), dtype=np.int64) if rows is None else rows
        assert len(self._rows) == len(self.targets)

    def frame(self, i: int) -> Frame:
        """One picture: uint8, (H, W) or (H, W, 3), a view into the array. Do not write into it."""
        image: Frame = self._images[self._rows[i]]
        return image

    def encoded(self, i: int) -> bytes:
        """One picture as a PNG file."""
        done, content = cv2.imencode(".png", self.frame(i))
        assert done  # PNG takes every uint8 picture
        return content.tobytes()

    def source(self, i: int) -> str:
        """`origin`, a slash, and the number of the picture in the whole array."""
        return f"{self._origin}/{self._rows[i]}"

    def digests(self) -> list[bytes]:
        """SHA-256 of the raw pixels of each picture."""
        images = np.ascontiguousarray(self._images)
        return [hashlib.sha256(images[row].data).digest() for row in self._rows]

    def subset(
        self, indices: Sequence[int] | NDArray[np.int64], name: str | None = None
    ) -> ArraySplit:
        """The pictures at `indices`; the array is shared."""
        chosen = np.asarray(indices, np.int64)
        return ArraySplit(
            name or self.name,
            self.labels,
            self._images,
            self.targets[chosen],
            self._origin,
            self._rows[chosen],
        )
