"""From the file to pixels: is a picture decoded to what it was decoded to where the pack was written?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hemline._opencv import cv2
from hemline.parity.fingerprint import GRID, Fingerprints, block_means
from hemline.parity.stages.stage import PIXELS, Stage, Tolerances

_Means = NDArray[np.float64]
_LEFT = 0.3  # of the difference: what a cause may leave, since the blocks of a turned picture lie otherwise
_RESIZED_STEPS = 8  # that the means of blocks may differ by where only the size is another
_EXPLAINED = 0.9  # share of the broken pictures that a cause must explain


def judge_pixels(
    expected: Fingerprints,
    made: Fingerprints,
    names: Sequence[str],
    tolerances: Tolerances,
    encoded: Callable[[int], bytes],
    steps_apart: NDArray[np.float64] | None = None,
) -> tuple[Stage, NDArray[np.bool_]]:
    """Compare what two decoders made of the same files.

    Args:
        expected: What they must be.
        made: What they are.
        names: Of the pictures.
        tolerances: What is allowed.
        encoded: Gives the file of a picture.
        steps_apart: For each picture the mean difference of its pixels, where all pixels are known.

    Returns:
        The verdict, and which pictures are as they must be: bool, (N,).
    """
    steps = np.abs(made.means.astype(int) - expected.means).reshape(len(names), -1).max(axis=1)
    if steps_apart is not None:
        steps = np.maximum(steps, np.rint(steps_apart).astype(int))
    other_size = (made.sizes_wh != expected.sizes_wh).any(axis=1)
    good = ~other_size & (steps <= tolerances.pixel_steps)
    exact = int((good & (made.checksums == expected.checksums)).sum())
    numbers = {
        "pictures": len(names),
        "equal": exact,
        "broken": int((~good).sum()),
        "other_size": int(other_size.sum()),
        "max_steps": int(steps.max()),
    }
    allowed = f"size equal, means of blocks within {tolerances.pixel_steps} steps of 255"
    if good.all():
        finding = f"{exact} of {len(names)} pictures are decoded to the same pixels"
        if exact < len(names):
            finding += f", the others within {steps.max()} steps"
        return Stage(PIXELS, "pass", finding, allowed, numbers=numbers), good
    bad = np.flatnonzero(~good)
    first = int(bad[0])
    finding = f"{len(bad)} of {len(names)} pictures are decoded to other pixels"
    if other_size.any():
        first = int(np.flatnonzero(other_size)[0])
        finding += (
            f", {other_size.sum()} to another size ({names[first]}: {_size(made, first)} for "
            f"{_size(expected, first)})"
        )
    else:
        finding += f", by up to {steps.max()} steps of 255 in the mean of a block"
    cause = _cause(expected.rows(bad), made.rows(bad), [encoded(int(k)) for k in bad], tolerances)
    return Stage(PIXELS, "fail", finding, allowed, cause, numbers), good


def _size(prints: Fingerprints, row: int) -> str:
    width, height = prints.sizes_wh[row].tolist()
    return f"{width}×{height}"


def _cause(
    expected: Fingerprints, made: Fingerprints, files: Sequence[bytes], tolerances: Tolerances
) -> str:
    """The first of the usual mistakes that gives nearly all of the broken pictures."""
    got, wanted = made.means.astype(np.float64), expected.means.astype(np.float64)
    same = (expected.sizes_wh == made.sizes_wh).all(axis=1)
    swapped = (expected.sizes_wh[:, ::-1] == made.sizes_wh).all(axis=1)
    before = _apart(wanted, got)

    def explains(means: _Means, fits: NDArray[np.bool_] = same) -> NDArray[np.bool_]:
        return fits & (_apart(means, got) <= np.maximum(_LEFT * before, tolerances.pixel_steps / 2))

    for words, flags in _DECODES:
        if _nearly_all(explains(_decoded(files, flags), same | swapped)):
            return words
    for words, means in _other_colours(wanted):
        if _nearly_all(explains(means)):
            return words
    turns = [explains(means, swapped if quarter else same) for means, quarter in _turns(wanted)]
    if _nearly_all(np.any(turns, axis=0)):
        return "as if turned or mirrored"
    if _nearly_all(~same & (before <= _RESIZED_STEPS)):
        return "as if the same pictures were resized when they were decoded"
    return ""


def _apart(expected: _Means, made: _Means) -> _Means:
    """Mean difference of each picture."""
    return np.asarray(np.abs(expected - made).reshape(len(made), -1).mean(axis=1), np.float64)


def _nearly_all(found: NDArray[np.bool_]) -> bool:
    return bool(found.mean() >= _EXPLAINED)


# What is lost where OpenCV's decoder is told less, or where another knows less.
_DECODES = (
    (
        "as if transparency were dropped; transparent parts are to be laid on white",
        cv2.IMREAD_COLOR,
    ),
    (
        "as if the orientation in the EXIF data were not heeded",
        cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION,
    ),
)


def _decoded(files: Sequence[bytes], flags: int) -> _Means:
    found = []
    for content in files:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
        unreadable = np.full((GRID, GRID, 3), np.inf)
        found.append(unreadable if image is None else block_means(np.asarray(image, np.uint8)))
    return np.array(found, np.float64)


def _other_colours(means: _Means) -> Iterator[tuple[str, _Means]]:
    """What mistakes with colours make of the means: (N, rows, columns, BGR)."""
    yield "as if red and blue were exchanged (RGB for BGR)", means[..., ::-1]
    grey = means @ np.array([0.114, 0.587, 0.299])
    yield "as if decoded to grey", np.repeat(grey[..., None], 3, axis=3)
    yield "as if inverted (255 − pixel)", 255 - means
    yield "as if 16–235 stood for black to white", means * 219 / 255 + 16
    stretched = np.clip((means - 16) * 255 / 219, 0, 255)
    yield "as if 16–235 had been stretched to 0–255", stretched


def _turns(means: _Means) -> Iterator[tuple[_Means, bool]]:
    """The seven other ways to lay a picture, and whether width and height change places."""
    for laid, quarter in ((means, False), (means.transpose(0, 2, 1, 3), True)):
        for rows, columns in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            if quarter or (rows, columns) != (1, 1):
                yield laid[:, ::rows, ::columns], quarter
