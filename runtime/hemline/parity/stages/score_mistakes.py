"""The usual mistakes between a tensor and its scores, tried until one gives the scores that were made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hemline.parity.stages.stage import Tolerances
from hemline.parity.stages.witness import Deviation, Logits, deviation
from hemline.scores import softmax

_Tensors = NDArray[np.uint8]
_Scores = NDArray[np.float64]
_MUCH = 0.25  # of the difference: what is left where a mistake explains most of it, and not all
_HALF = 0.5  # of the difference: where more is left, what is within the tolerance explains nothing
_SHIFTS = (*range(-16, 0), *range(1, 17), -128, -64, -32, 32, 64, 128)

_BRIGHTNESSES = (
    ("the pixels were half as bright", 0.5, 0),
    ("the pixels were twice as bright", 2.0, 0),
    ("16–235 stood for black to white", 219 / 255, 16),
)


def explanation(
    tensors: _Tensors,
    expected: _Scores,
    made: _Scores,
    run: Logits,
    step: float | None,
    tolerances: Tolerances,
) -> str:
    """What turns the scores that must be into those that were made: "as if …"; empty where nothing does.

    Args:
        tensors: uint8, (N, H, W, C), 0–255, in the order in which they were run.
        expected: (N, classes).
        made: (N, classes).
        run: Gives the scores of one tensor.
        step: Of an int8 output; None of a float one.
        tolerances: What is allowed.
    """
    if len(made) > 1 and (np.ptp(made, axis=0) == 0).all():
        return _constant(tensors, made, run, step, tolerances)
    before = deviation(expected, made, step, tolerances)

    def explains(found: Deviation) -> bool:
        better = found.worst.mean() <= _HALF * before.worst.mean()
        return bool(better and (found.worst <= found.limit).all())

    for how, scores in _changed_scores(expected, made):
        if explains(deviation(scores, made, step, tolerances)):
            return f"as if {how}"
    nearest, best, words = np.inf, before, ""
    for how, change in _changes(tensors):
        changed = change(tensors)
        if np.array_equal(changed, tensors):
            continue
        scores = np.array([run(np.ascontiguousarray(t[None])) for t in changed], np.float64)
        found = deviation(scores, made, step, tolerances)
        if found.worst.mean() < nearest:
            nearest, best, words = float(found.worst.mean()), found, how
    if explains(best):
        return f"as if {words}"
    return f"much as if {words}" if nearest < _MUCH * before.worst.mean() else ""


def _constant(
    tensors: _Tensors, made: _Scores, run: Logits, step: float | None, tolerances: Tolerances
) -> str:
    zeros = np.asarray(run(np.zeros_like(tensors[:1])), np.float64)[None]
    found = deviation(zeros, made[:1], step, tolerances)
    if found.worst[0] <= found.limit:
        return "as if fed with nothing but zeros (normalized twice, or the input never written)"
    return "as if each picture were the same: the input is never written, or the scores never read"


def _changed_scores(expected: _Scores, made: _Scores) -> Iterator[tuple[str, _Scores]]:
    """What is done to scores when they are read."""
    yield "softmax were in them already (probabilities for logits)", softmax(expected)
    if len(made) > 1:
        late = np.concatenate((made[:1], expected[:-1]))
        yield "each picture got the scores of the one before", late
    order = _order(expected, made)
    if order is not None:
        yield "the outputs stood in another order", expected[:, order]
    line = _line(expected, made)
    if line is not None:
        yield line


def _order(expected: _Scores, made: _Scores) -> NDArray[np.int64] | None:
    """Which column of the scores that must be each column is nearest to, if each is taken once."""
    apart = np.abs(made[:, :, None] - expected[:, None, :]).mean(axis=0)
    order = np.asarray(apart.argmin(axis=1), np.int64)
    identity = np.arange(len(order))
    is_order = np.array_equal(np.sort(order), identity)
    return order if is_order and not np.array_equal(order, identity) else None


def _line(expected: _Scores, made: _Scores) -> tuple[str, _Scores] | None:
    x, y = expected.ravel(), made.ravel()
    spread = x - x.mean()
    power = float((spread * spread).sum())
    if not power or not np.isfinite(y).all():
        return None
    slope = float((spread * y).sum()) / power
    shift = float(y.mean() - slope * x.mean())
    if abs(slope - 1) < 1e-3:
        words = f"all scores were shifted by {shift:+.3g} (another zero point of the output)"
    else:
        words = f"all scores were scaled by {slope:.4g}"
        words += f" and shifted by {shift:+.3g}" if abs(shift) > 1e-3 * np.ptp(y) else ""
        words += " (not dequantized, or with another scale of the output)"
    return words, slope * expected + shift


def _changes(tensors: _Tensors) -> Iterator[tuple[str, Callable[[_Tensors], _Tensors]]]:
    """What is done to tensors when they are written."""
    if tensors.shape[3] == 3:
        yield "fed with red and blue exchanged", lambda t: t[..., ::-1]
    yield "fed with int8 and uint8 confused (wrapped by 128)", lambda t: t ^ np.uint8(128)
    yield "normalized twice (pixels divided by 255 before they are fed)", lambda t: t // 255
    yield "fed with inverted pixels (255 − pixel)", lambda t: 255 - t
    if tensors.shape[1] == tensors.shape[2]:
        yield "fed with rows and columns exchanged", lambda t: t.transpose(0, 2, 1, 3)
    if tensors.shape[3] > 1:
        yield (
            "fed with the channels in front (CHW for HWC)",
            lambda t: np.ascontiguousarray(t.transpose(0, 3, 1, 2)).reshape(t.shape),
        )
    for shift in _SHIFTS:
        words = f"the zero point of the input were off by {-shift:+d}"
        yield words, partial(_along_a_line, 1.0, shift)
    for words, factor, shift in _BRIGHTNESSES:
        yield words, partial(_along_a_line, factor, shift)


def _along_a_line(factor: float, shift: float, tensors: _Tensors) -> _Tensors:
    changed: _Tensors = np.clip(np.rint(tensors * factor + shift), 0, 255).astype(np.uint8)
    return changed
