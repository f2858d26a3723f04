"""The usual mistakes on the way from pixels to a tensor, tried until one gives the tensor that was made."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hemline._opencv import cv2
from hemline.card import Foreground, InputSpec, Resize
from hemline.preprocess import Frame, Preprocessor

if TYPE_CHECKING:
    from hemline.parity.stages.tensors import BrokenTensor, InputDomain

_Pixels = NDArray[np.uint8]
_Real = NDArray[np.float64]
_MOST = 2  # mistakes at a time
_MUCH = 0.25  # of the difference: what is left where a mistake explains most of it, and not all
_EQUAL = 1e-3  # steps: what two explanations that are as good may differ by
_FITTED = ("(another zero point)", "(another scale)")
_CERTAIN = 0.02  # of a step: what floats may be off by where a line is fitted


class Picture(NamedTuple):
    """A picture as it was decoded.

    Attributes:
        frame: uint8, (H, W, 3) in BGR order or (H, W) in grey.
        picture_wh: Width and height before a decoder reduced it.
        whole: The same, not reduced.
    """

    frame: Frame
    picture_wh: tuple[int, int]
    whole: Frame


class _Way(NamedTuple):
    """How a picture becomes pixels of the input, and how far that is from the right way."""

    words: tuple[str, ...]
    pixels: _Pixels


def explanation(
    broken: Sequence[BrokenTensor],
    spec: InputSpec,
    picture: Callable[[int], Picture],
    tolerance: float,
    domain: InputDomain,
) -> str:
    """What gives the tensors that were made: "as if …", or what comes near; empty where nothing does.

    Mistakes are tried alone, then two at a time, so that the simplest is told.
    """
    made = [tensor.made.astype(np.float64) for tensor in broken]
    pictures = [picture(tensor.row) for tensor in broken]
    before = np.mean(
        [
            np.abs(m - domain.values(t.expected)).mean()
            for m, t in zip(made, broken, strict=True)
        ]
    ) / domain.step  # fmt: skip
    nearest: tuple[float, tuple[str, ...]] = (np.inf, ())
    exact: list[tuple[int, float, tuple[str, ...]]] = []
    for words, candidates in _ways(pictures, spec):
        if exact and len(words) > exact[0][0]:
            break
        for more, values in _stored(candidates, made, domain):
            together = (*words, *more)
            if len(together) > (exact[0][0] if exact else _MOST):
                continue
            errors = [np.abs(m - v) / domain.step for m, v in zip(made, values, strict=True)]
            mean = float(np.mean([error.mean() for error in errors]))
            if together:
                nearest = min(nearest, (mean + 1e-9 * len(together), together))
            if max(float(error.max()) for error in errors) <= tolerance:
                exact = sorted([*exact, (len(together), mean, together)])
    if exact:
        fewest, least, _ = exact[0]
        if fewest == 0:
            return (
                "hemline makes the same of these pictures on this machine, so the pack is of other rules, "
                f"or OpenCV {cv2.__version__} does not do here what it did where the pack was written"
            )
        alike = [w for n, mean, w in exact if n == fewest and mean <= least + _EQUAL]
        named = [w for w in alike if not w[-1].endswith(_FITTED)] or alike
        return "as if " + ", or ".join(" and ".join(words) for words in named[:2])
    if nearest[0] < _MUCH * before:
        return (
            f"much as if {' and '.join(nearest[1])} ({nearest[0]:.2g} steps are left of "
            f"{before:.2g} on average)"
        )
    return "none of the usual mistakes explains it"


def _ways(
    pictures: Sequence[Picture], spec: InputSpec
) -> Iterator[tuple[tuple[str, ...], list[_Pixels]]]:
    """Words and pixels of each way with no more than two mistakes, the fewest first."""
    resized = [(words, make) for words, make in _resizings(spec)]
    colours, grounds, layouts = _colours(spec), _grounds(spec), _layouts()
    combinations = sorted(
        itertools.product(resized, colours, grounds, layouts),
        key=lambda c: sum(bool(words) for words, _ in c),
    )
    cache: dict[tuple[str, str, str], list[_Pixels]] = {}
    for (how, resize), (colour, coloured), (ground, grounded), (layout, laid) in combinations:
        words = tuple(word for word in (how, colour, ground, layout) if word)
        if len(words) > _MOST:
            return
        key = (how, colour, "" if ground.startswith("inverted") else ground)
        if key not in cache:
            other = grounded(spec) if not ground.startswith("inverted") else spec
            cache[key] = [resize(other, coloured, picture) for picture in pictures]
        tensors = cache[key]
        if ground.startswith("inverted"):
            tensors = [255 - tensor for tensor in tensors]
        yield words, [laid(tensor) for tensor in tensors]


_Colour = Callable[[Frame, str], Frame]
_Resize = Callable[[InputSpec, _Colour | None, Picture], _Pixels]


_RULES: dict[Resize, str] = {"pad": "padding", "stretch": "stretching", "crop": "cropping"}


def _resizings(spec: InputSpec) -> Iterator[tuple[str, _Resize]]:
    """The right one first."""
    yield "", partial(_resized, spec.resize, None)
    others = [rule for rule in _RULES if rule != spec.resize]
    for rule in others:
        words = f"resized by {_RULES[rule]} ({rule!r} for {spec.resize!r})"
        yield words, partial(_resized, rule, None)
    for rule in (spec.resize, *others):
        for flag in ("AREA", "LINEAR", "NEAREST", "CUBIC"):
            words = f"resized in one step by INTER_{flag}"
            if rule != spec.resize:
                words += f" with {_RULES[rule]} ({rule!r} for {spec.resize!r})"
            yield words, partial(_resized, rule, getattr(cv2, f"INTER_{flag}"))


def _resized(
    rule: Resize, interpolation: int | None, spec: InputSpec, colour: _Colour | None, p: Picture
) -> _Pixels:
    preprocess = _Otherwise(replace(spec, resize=rule), colour, interpolation)
    shown = (p.frame, p.picture_wh) if interpolation is None else (p.whole,)
    pixels: _Pixels = preprocess(*shown)[0].copy()
    return pixels


class _Otherwise(Preprocessor):
    """The preprocessing with another interpolation, or other colours."""

    def __init__(self, spec: InputSpec, colour: _Colour | None, interpolation: int | None) -> None:
        super().__init__(spec)
        self._colour, self._interpolation = colour, interpolation

    def _shrunk_and_coloured(self, image: Frame, content_wh: tuple[int, int]) -> Frame:
        if self._interpolation is None:
            return super()._shrunk_and_coloured(image, content_wh)
        return self._coloured(self._resize(image, content_wh, self._interpolation))

    def _garment(self, frame: Frame) -> Frame | None:
        if self._colour is _grey_of_rgb and frame.ndim == 3:  # it is looked for by its colours
            frame = np.ascontiguousarray(frame[..., ::-1])
        return super()._garment(frame)

    def _coloured(self, image: Frame) -> Frame:
        if self._colour is None or image.ndim == 2:
            return super()._coloured(image)
        return self._colour(image, self.spec.color)


def _colours(spec: InputSpec) -> list[tuple[str, _Colour | None]]:
    if spec.color == "rgb":
        return [
            ("", None),
            ("red and blue exchanged (BGR for RGB)", lambda image, _: np.asarray(image)),
            ("turned grey", _grey_in_three),
        ]
    return [
        ("", None),
        (
            "turned grey with the weights of red and blue exchanged (RGB taken for BGR)",
            _grey_of_rgb,
        ),
        (
            "turned grey by the mean of the colours",
            lambda image, _: np.rint(image.mean(axis=2)).astype(np.uint8),
        ),
        ("grey were the green channel alone", lambda image, _: np.ascontiguousarray(image[..., 1])),
    ]


def _grey_of_rgb(image: Frame, _: str) -> Frame:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def _grey_in_three(image: Frame, _: str) -> Frame:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


_GROUNDS: dict[Foreground, str] = {
    "as-is": "a bright ground left bright",
    "light-on-dark": "a bright ground made dark",
    "garment": "the garment cut out of a photo",
}


def _grounds(spec: InputSpec) -> list[tuple[str, Callable[[InputSpec], InputSpec]]]:
    found: list[tuple[str, Callable[[InputSpec], InputSpec]]] = [("", lambda own: own)]
    for rule, words in _GROUNDS.items():
        if rule == spec.foreground or (rule == "garment" and spec.color != "gray"):
            continue
        if spec.foreground == "garment":
            words = f"{words}, and no garment cut out"
        told = f"{words} ({rule!r} for {spec.foreground!r})"
        found.append((told, partial(_with_ground, rule)))
    found.append(("inverted (255 − pixel)", lambda own: own))
    return found


def _with_ground(rule: Foreground, spec: InputSpec) -> InputSpec:
    return replace(spec, foreground=rule)


def _layouts() -> list[tuple[str, Callable[[_Pixels], _Pixels]]]:
    return [
        ("", lambda t: t),
        ("mirrored", lambda t: t[:, ::-1]),
        ("upside down", lambda t: t[::-1]),
        (
            "rows and columns exchanged",
            lambda t: t.transpose(1, 0, 2) if t.shape[0] == t.shape[1] else t,
        ),
        (
            "the channels in front (CHW read as HWC)",
            lambda t: np.ascontiguousarray(t.transpose(2, 0, 1)).reshape(t.shape),
        ),
    ]


@dataclass(frozen=True)
class _Numbers:
    """A way to turn pixels 0–255 into numbers."""

    words: str
    of: Callable[[_Real], _Real]


_NUMBERS = (
    _Numbers("not normalized (pixels 0 to 255)", lambda p: p),
    _Numbers("normalized to 0 to 1 (pixel / 255)", lambda p: p / 255),
    _Numbers("normalized to −1 to 1 (pixel / 127.5 − 1)", lambda p: p / 127.5 - 1),
    _Numbers("shifted by 128 (int8 for uint8)", lambda p: p - 128),
    _Numbers("wrapped by 128 (int8 and uint8 confused)", lambda p: (p + 128) % 256),
    _Numbers("wrapped to negative numbers (uint8 read as int8)", lambda p: (p + 128) % 256 - 128),
    _Numbers("divided by 255 and cut to integers", lambda p: np.floor(p / 255)),
    _Numbers(
        "normalized by mean and deviation of ImageNet",
        lambda p: (p / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225]),
    ),
)


def _stored(
    pixels: Sequence[_Pixels], made: Sequence[NDArray[Any]], domain: InputDomain
) -> Iterator[tuple[tuple[str, ...], list[_Real]]]:
    """The pixels as the input wants them, and as it does not: words and values."""
    right = [domain.values(p) for p in pixels]
    yield (), right
    for numbers in _NUMBERS:
        if "ImageNet" in numbers.words and pixels[0].shape[-1] != 3:
            continue
        values = [numbers.of(p.astype(np.float64)) for p in pixels]
        if not all(np.array_equal(v, r) for v, r in zip(values, right, strict=True)):
            yield (numbers.words,), values
    line = _line(right, made, domain)
    if line is not None:
        yield line


def _line(
    right: Sequence[_Real], made: Sequence[NDArray[Any]], domain: InputDomain
) -> tuple[tuple[str, ...], list[_Real]] | None:
    """Another scale or zero point, where one line through all values gives them."""
    x = np.concatenate([r.ravel() for r in right]) / domain.step
    y = np.concatenate([m.ravel() for m in made]) / domain.step
    if domain.dtype.kind in "iu":  # what was cut at the ends lies on no line
        inside = (y > y.min()) & (y < y.max())
        x, y = x[inside], y[inside]
        if not len(x):
            return None
    spread = x - x.mean()
    power = float((spread * spread).sum())
    if not power or not np.isfinite(y).all():
        return None
    slope = float((spread * y).sum()) / power
    shift = float(y.mean() - slope * x.mean())
    if slope <= 0 or (abs(slope - 1) < _CERTAIN and abs(shift) < 0.5):
        return None
    if abs(slope - 1) < _CERTAIN / 4:
        slope, words = 1.0, f"shifted by {shift:+.3g} steps (another zero point)"
    else:
        words = f"scaled by {slope:.4g}"
        words += f" and shifted by {shift:+.3g} steps" if abs(shift) >= 0.5 else ""
        words += " (another scale)"
    values = [(slope * (r / domain.step) + shift) * domain.step for r in right]
    if domain.dtype.kind in "iu":
        ends = np.iinfo(domain.dtype)
        values = [np.clip(v, ends.min, ends.max) for v in values]
    return (words,), values
