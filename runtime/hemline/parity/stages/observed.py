"""A runtime that is not ours, judged by what it wrote down of the pictures of a golden pack.

It takes an `.npz` file with any of these arrays, a row for each picture of the pack, in order:

- `pixels`: uint8, (N, H, W, 3) in BGR order, or (N, H, W) in grey; for pictures of several sizes one array
  for each, `pixels_0`, `pixels_1`, … by the number of the picture in the pack;
- `tensors`: (N, H, W, C), what was put into the input of the network;
- `scores`: (N, classes), what the network gave, dequantized;
- `labels`: N texts, or numbers of classes; `confidences`: N numbers from 0 to 1;
- `rows`: which pictures of the pack these are, where they are not all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.card import ModelCard
from hemline.errors import UserError
from hemline.parity._npz import read_npz
from hemline.parity.golden import GoldenPack
from hemline.preprocess import Frame

_KIND = "file of observations"
_WHOLE = ("pixels", "tensors", "scores", "labels", "confidences")
_ONE_PICTURE = re.compile(r"pixels_(\d+)")
_HINT = (
    "it holds any of pixels (or pixels_0, pixels_1, … for pictures of several sizes), tensors, scores, "
    "labels, confidences: a row for each picture of the pack, or for those that rows names"
)


@dataclass(frozen=True, eq=False)
class Observed:
    """What a runtime made of pictures.

    Attributes:
        name: Of the file.
        rows: int64, (N,): the pictures of the pack, by number.
        pixels: For each position in `rows` that is known, the picture: uint8, (H, W, 3) in BGR order or
            (H, W).
        tensors: (N, H, W, C), or whatever shape they have; None if they are not known.
        scores: float64, (N, classes), or None.
        labels: N labels, or None.
        confidences: float64, (N,), or None.
    """

    name: str
    rows: NDArray[np.int64]
    pixels: Mapping[int, Frame]
    tensors: NDArray[Any] | None
    scores: NDArray[np.float64] | None
    labels: tuple[str, ...] | None
    confidences: NDArray[np.float64] | None


def load_observed(path: Path, pack: GoldenPack) -> Observed:
    """Read what a runtime made of the pictures of a pack. Nothing in the file is trusted.

    Raises:
        UserError: The file is missing, damaged, or what it holds does not fit the pack.
    """
    arrays = read_npz(path, _KIND, "numpy.savez")
    foreign = [n for n in arrays if n not in (*_WHOLE, "rows") and not _ONE_PICTURE.fullmatch(n)]
    if foreign:
        raise UserError(f"{path} has an array {foreign[0]!r}, which has no meaning here", _HINT)
    if not set(arrays) - {"rows"}:
        raise UserError(f"{path} has no observation in it", _HINT)
    rows = _rows(path, arrays, pack)
    for name in _WHOLE:
        if name in arrays and (arrays[name].ndim < 1 or len(arrays[name]) != len(rows)):
            raise UserError(
                f"{path} has {name} of shape {arrays[name].shape} for {len(rows)} pictures",
                "a row for each picture; of some pictures only, say which: rows=[0, 5, …]",
            )
    return Observed(
        name=path.name,
        rows=rows,
        pixels=_pixels(path, arrays, rows),
        tensors=_numbers(path, arrays, "tensors"),
        scores=_scores(path, arrays, len(pack.card.labels)),
        labels=_labels(path, arrays, pack.card),
        confidences=_confidences(path, arrays),
    )


def _rows(path: Path, arrays: Mapping[str, NDArray[Any]], pack: GoldenPack) -> NDArray[np.int64]:
    rows = arrays.get("rows", np.arange(len(pack)))
    numbers = [*(_ONE_PICTURE.fullmatch(name) for name in arrays)]
    if "rows" not in arrays and not set(arrays) & set(_WHOLE):  # single pictures name themselves
        rows = np.array(sorted(int(match[1]) for match in numbers if match), np.int64)
    is_right = rows.ndim == 1 and rows.dtype.kind in "iu" and len(rows) > 0
    if not is_right or rows.min() < 0 or rows.max() >= len(pack):
        raise UserError(
            f"{path} is of pictures that the pack does not have: it has {len(pack)}",
            f"give numbers from 0 to {len(pack) - 1}, each a whole number",
        )
    if len(np.unique(rows)) < len(rows):
        raise UserError(f"{path} names a picture twice", "name each picture once")
    return rows.astype(np.int64)


def _pixels(
    path: Path, arrays: Mapping[str, NDArray[Any]], rows: NDArray[np.int64]
) -> dict[int, Frame]:
    found = dict(enumerate(arrays["pixels"])) if "pixels" in arrays else {}
    place_of = {row: place for place, row in enumerate(rows.tolist())}
    for name, array in arrays.items():
        match = _ONE_PICTURE.fullmatch(name)
        if match is None:
            continue
        if int(match[1]) not in place_of:
            raise UserError(f"{path} has {name}, and rows does not name that picture", _HINT)
        found[place_of[int(match[1])]] = array
    frames = {}
    for place, array in found.items():
        frame = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
        is_frame = frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 3)
        if array.dtype != np.uint8 or not is_frame or not array.size:
            raise UserError(
                f"{path} has pixels of {array.dtype} {array.shape}",
                "a picture is uint8, (height, width, 3) in BGR order or (height, width) in grey",
            )
        frames[place] = np.ascontiguousarray(frame)
    return frames


def _numbers(path: Path, arrays: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any] | None:
    array = arrays.get(name)
    if array is not None and array.dtype.kind not in "iuf":
        raise UserError(f"{path} has {name} of {array.dtype}", "they must be numbers")
    return array


def _scores(
    path: Path, arrays: Mapping[str, NDArray[Any]], classes: int
) -> NDArray[np.float64] | None:
    scores = _numbers(path, arrays, "scores")
    if scores is None:
        return None
    if scores.size != len(scores) * classes:
        raise UserError(
            f"{path} has scores of shape {scores.shape}, the model has {classes} classes",
            f"they must be (pictures, {classes})",
        )
    return scores.reshape(len(scores), classes).astype(np.float64)


def _labels(
    path: Path, arrays: Mapping[str, NDArray[Any]], card: ModelCard
) -> tuple[str, ...] | None:
    labels = arrays.get("labels")
    if labels is None:
        return None
    if labels.ndim == 1 and labels.dtype.kind == "U":
        return tuple(labels.tolist())
    if labels.ndim == 1 and labels.dtype.kind in "iu":
        classes = len(card.labels)
        if labels.min() >= 0 and labels.max() < classes:
            return tuple(card.labels[k] for k in labels.tolist())
        raise UserError(
            f"{path} has labels from {labels.min()} to {labels.max()}",
            f"numbers of classes go from 0 to {classes - 1}",
        )
    raise UserError(
        f"{path} has labels of {labels.dtype} {labels.shape}",
        "they must be texts or whole numbers, one for each picture",
    )


def _confidences(path: Path, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float64] | None:
    array = _numbers(path, arrays, "confidences")
    if array is None:
        return None
    if array.ndim != 1:
        raise UserError(f"{path} has confidences of shape {array.shape}", "one for each picture")
    if "labels" not in arrays:
        raise UserError(f"{path} has confidences without labels", "give labels as well")
    return array.astype(np.float64)
