"""Photos in memory, at a size that is quick to work on, and a split of them to choose by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemline._opencv import cv2
from hemline.datasets import Split
from hemline.datasets.split import unusable_pictures
from hemline.errors import ImageError
from hemline.progress import progress
from hemline_train.wardrobe.foreground import Picture, garment_mask

CHOOSING_PERCENT = 15
ALIKE = 0.96  # correlation of two thumbnails from which on they show one thing, or nearly
_THUMBNAIL_WH = (12, 16)


@dataclass(frozen=True)
class Photos:
    """Photos and what is known of each.

    Attributes:
        pictures: uint8, (H, W, 3), BGR, of differing sizes.
        groups: int64, (N,).
        masks: uint8, (H, W), where the garment is; None where that could not be told.
        sources: Where each came from.
    """

    pictures: tuple[Picture, ...]
    groups: NDArray[np.int64]
    masks: tuple[Picture | None, ...]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pictures)

    def subset(self, indices: NDArray[np.int64]) -> Photos:
        """The photos at `indices`; the pictures are shared."""
        rows = indices.tolist()
        return Photos(
            tuple(self.pictures[i] for i in rows),
            self.groups[indices],
            tuple(self.masks[i] for i in rows),
            tuple(self.sources[i] for i in rows),
        )


def read_photos(
    split: Split,
    groups: NDArray[np.int64],
    long_side: int = 128,
    threads: int = 1,
    with_masks: bool = True,
) -> Photos:
    """Read a split into memory, shrunk, and cut the garments out.

    Args:
        split: Of any data set; grey pictures are taken as photos without colour.
        groups: int64, (N,), the group of each picture.
        long_side: Larger pictures are shrunk to it, in pixels.
        threads: Pictures that are worked on at the same time; the outcome does not depend on it.
        with_masks: Whether it is told where the garment is, which takes most of the time.

    Raises:
        DataError: Picture files cannot be read.
    """

    def read(i: int) -> tuple[Picture, Picture | None] | ImageError:
        try:
            picture = shrunk(split.frame(i), long_side)
        except ImageError as error:
            return error
        return picture, garment_mask(picture) if with_masks else None

    with ThreadPoolExecutor(threads) as pool:
        rows = range(len(split))
        found = list(progress(pool.map(read, rows), "reading photos", total=len(split)))
    unusable = [each for each in found if isinstance(each, ImageError)]
    if unusable:
        raise unusable_pictures(unusable, len(found), f"the {split.name} split") from unusable[0]
    done = [each for each in found if not isinstance(each, ImageError)]
    sources = tuple(split.source(i) for i in rows)
    return Photos(tuple(p for p, _ in done), groups, tuple(m for _, m in done), sources)


def photo_digest(photos: Photos) -> bytes:
    """SHA-256 over pictures and groups."""
    digest = hashlib.sha256()
    for picture, group in zip(photos.pictures, photos.groups.tolist(), strict=True):
        digest.update(f"{picture.shape} {group}".encode())
        digest.update(np.ascontiguousarray(picture).data)
    return digest.digest()


def choosing_split(photos: Photos) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which photos to train on, and which to choose by; nearly equal ones stay on one side.

    Photos whose thumbnails are alike form a series. In each class whole series are chosen, in the
    order of a hash of their names, until a share of `CHOOSING_PERCENT` is reached.

    Returns:
        Two int64 arrays of positions, in rising order.
    """
    series = _series(photos.pictures)
    held: list[int] = []
    for group in np.unique(photos.groups).tolist():
        members = np.flatnonzero(photos.groups == group)
        wanted = max(1, round(len(members) * CHOOSING_PERCENT / 100))
        held += _some_series(members, series, photos.sources, wanted)
    chosen = np.array(sorted(held), np.int64)
    rest = np.setdiff1d(np.arange(len(photos), dtype=np.int64), chosen)
    return rest, chosen


def _some_series(
    members: NDArray[np.int64], series: NDArray[np.int64], sources: Sequence[str], wanted: int
) -> list[int]:
    """Whole series out of one class, about `wanted` photos in all."""
    by_series: dict[int, list[int]] = {}
    for i in sorted(members.tolist(), key=lambda i: sources[i]):
        by_series.setdefault(int(series[i]), []).append(i)
    # A series that spans two classes stays in training, where it can do no harm.
    inside = set(members.tolist())
    whole = [
        rows
        for number, rows in by_series.items()
        if len(rows) == int((series == number).sum()) and set(rows) <= inside
    ]
    held: list[int] = []
    # A hash is as good as a draw by lot, and nobody can draw again for a better result.
    for rows in sorted(whole, key=lambda rows: hashlib.sha256(sources[rows[0]].encode()).digest()):
        if len(held) + len(rows) <= wanted:
            held += rows
    return held


def _series(pictures: Sequence[Picture]) -> NDArray[np.int64]:
    """A number for each picture; those that are alike, directly or through others, share it."""
    thumbnails = np.stack([_thumbnail(picture) for picture in pictures])
    likeness = thumbnails @ thumbnails.T
    series = np.arange(len(pictures), dtype=np.int64)
    for i, j in np.argwhere(np.triu(likeness > ALIKE, 1)).tolist():
        series[series == series[j]] = series[i]
    return series


def _thumbnail(picture: Picture) -> NDArray[np.float32]:
    small = cv2.resize(picture, _THUMBNAIL_WH, interpolation=cv2.INTER_AREA)
    values = small.astype(np.float32).ravel()
    values -= values.mean()
    unit: NDArray[np.float32] = values / max(float(np.linalg.norm(values)), 1e-6)
    return unit


def shrunk(frame: Picture, long_side: int) -> Picture:
    """A frame with a long side of at most so many pixels: uint8, (H, W, C); a grey one as BGR."""
    if frame.ndim == 2:
        frame = np.repeat(frame[:, :, None], 3, axis=2)
    height, width = frame.shape[:2]
    ratio = long_side / max(height, width)
    if ratio >= 1:
        return np.ascontiguousarray(frame)
    size_wh = max(1, round(width * ratio)), max(1, round(height * ratio))
    small: Picture = np.asarray(cv2.resize(frame, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return small
