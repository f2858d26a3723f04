"""The one rule by which pictures are held out, wherever a data set lacks a split.

Per class, the different pictures are ordered by the SHA-256 of their content (raw pixels of an
array, bytes of a file), and the first 20 % are held out, at least one. It follows that

- the same pictures are held out on every machine, with every seed, whatever the order or the names
  of the files: a hash is as good as a draw by lot, and nobody can draw again for a better result;
- equal pictures never fall on both sides. A picture that is there several times counts once, and
  its copies go where it goes, those in other classes too (it belongs to the first of its classes).

A missing test split is cut from the training pictures first, then a validation split from the rest.
A data set that brings a validation split but no test split stays as it is: its makers keep the test
pictures elsewhere, and measurements on it are called validation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemline.datasets.split import TEST, TRAIN, VALIDATION, Split
from hemline.errors import DataError

HELD_OUT_PERCENT = 20


def with_missing_splits(given: dict[str, Split], where: str) -> dict[str, Split]:
    """Cut the splits that a data set lacks from its training pictures.

    Args:
        given: Splits by name; `train` must be there.
        where: Names the data set in messages.

    Returns:
        Splits by name, in the order train, validation, test.

    Raises:
        DataError: A class has too few different pictures to hold any out.
    """
    splits = dict(given)
    wanted = [name for name in (TEST, VALIDATION) if name not in splits]
    if VALIDATION in splits:
        wanted = []
    if wanted:
        train = splits[TRAIN]
        digests = train.digests()
        _refuse_tiny_classes(train, digests, len(wanted) + 1, where)
        rest = np.arange(len(train), dtype=np.int64)
        for name in wanted:
            held = held_out([digests[i] for i in rest], train.targets[rest])
            splits[name] = train.subset(rest[held], name)
            rest = rest[~held]
        splits[TRAIN] = train.subset(rest)
    return {name: splits[name] for name in (TRAIN, VALIDATION, TEST) if name in splits}


def held_out(digests: Sequence[bytes], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pictures are held out by the rule.

    Args:
        digests: SHA-256 of the content of each picture, N of them.
        targets: int64, (N,), the class of each picture.

    Returns:
        bool, (N,).
    """
    chosen: set[bytes] = set()
    for pictures in _different_pictures(digests, targets).values():
        count = max(1, len(pictures) * HELD_OUT_PERCENT // 100)
        chosen.update(sorted(pictures)[:count])
    return np.fromiter((digest in chosen for digest in digests), np.bool_, len(digests))


def _different_pictures(
    digests: Sequence[bytes], targets: NDArray[np.int64]
) -> dict[int, list[bytes]]:
    """The digests of each class, every one of them once, under the first of its classes."""
    class_of: dict[bytes, int] = {}
    for digest, target in zip(digests, targets.tolist(), strict=True):
        class_of[digest] = min(target, class_of.get(digest, target))
    pictures: dict[int, list[bytes]] = {}
    for digest, target in class_of.items():
        pictures.setdefault(target, []).append(digest)
    return pictures


def _refuse_tiny_classes(train: Split, digests: list[bytes], needed: int, where: str) -> None:
    pictures = _different_pictures(digests, train.targets)
    for target in np.unique(train.targets).tolist():
        count = len(pictures.get(target, []))
        if count < needed:
            raise DataError(
                f"{where}: the class {train.labels[target]!r} is too small to hold pictures out: "
                f"it has {count} different picture{'' if count == 1 else 's'} of its own",
                f"each class needs at least {needed} here (20 % are held out for each missing "
                "split); add pictures, or bring the splits yourself as folders train, "
                "validation and test",
            )
