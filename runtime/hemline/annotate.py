"""The answer under its picture: label, confidence and a bar, for saved pictures, films and windows."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hemline._opencv import cv2
from hemline.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hemline.classifier import Classification
    from hemline.preprocess import Frame

_LEAST_SIDE = 320  # smaller pictures are enlarged, or nobody could read what is below
_LEAST_LETTERS = 13  # pixels
_GROUND_BGR = (28, 26, 26)
_INK_BGR = (240, 242, 243)
_BAR_BGR = (156, 112, 240)
_BAR_GROUND_BGR = (70, 66, 66)


class Annotator:
    """Draws answers below frames; nothing of a frame is hidden."""

    def __init__(self) -> None:
        self._letters = _letters()
        self._canvas: Frame = np.empty((0, 0, 3), np.uint8)

    def undrawable(self, labels: Iterable[str]) -> list[str]:
        """The labels that have signs which this OpenCV cannot draw: it puts `?` in their place."""
        return [label for label in labels if not self._letters.can_draw(label)]

    def draw(self, frame_bgr: Frame, answer: Classification) -> Frame:
        """The frame with its answer.

        Args:
            frame_bgr: uint8, (H, W, 3), BGR.
            answer: What it was answered with.

        Returns:
            uint8, BGR, both sides even, as films need them; used again by the next call.
        """
        frame_bgr = _enlarged(frame_bgr)
        height, width = frame_bgr.shape[:2]
        size = max(_LEAST_LETTERS, round(0.055 * min(width, 1.5 * height)))
        band = 2 * size
        shape = (height + height % 2 + band + band % 2, width + width % 2, 3)
        if self._canvas.shape != shape:
            self._canvas = np.empty(shape, np.uint8)
        self._canvas[:] = _GROUND_BGR
        self._canvas[:height, :width] = frame_bgr
        self._draw_answer(self._canvas[height:], size, answer)
        return self._canvas

    def _draw_answer(self, band: Frame, size: int, answer: Classification) -> None:
        width, edge, thick = band.shape[1], size // 2, max(2, size // 7)
        band[:thick] = _BAR_GROUND_BGR
        band[:thick, : round(width * answer.confidence)] = _BAR_BGR
        baseline = thick + (band.shape[0] - thick + size * 7 // 10) // 2
        share = f"{100 * answer.confidence:.1f} %"
        share_width = self._letters.width(share, size)
        self._letters.draw(band, share, (width - edge - share_width, baseline), size)
        room = width - 3 * edge - share_width
        label, letters = self._fitting(printable(_named(answer)).replace("\n", " "), size, room)
        self._letters.draw(band, label, (edge, baseline), letters)

    def _fitting(self, text: str, size: int, room: int) -> tuple[str, int]:
        """The text in letters small enough for the room; what is too long even so loses its middle."""
        least = max(_LEAST_LETTERS, size // 2)
        while (width := self._letters.width(text, size)) > room and size > least:
            size = max(least, min(size - 1, size * room // width))
        kept = len(text)
        while self._letters.width(text, size) > room and kept > 2:
            kept = max(2, min(kept - 1, kept * room // self._letters.width(text, size)))
            text = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
        return text, size


def _named(answer: Classification) -> str:
    likeliest = answer.top[0][0]
    return answer.label if answer.label == likeliest else f"{answer.label} ({likeliest})"


def _enlarged(frame_bgr: Frame) -> Frame:
    height, width = frame_bgr.shape[:2]
    times = -(-_LEAST_SIDE // max(height, width))
    if times == 1:
        return frame_bgr
    size_wh = width * times, height * times
    return np.asarray(cv2.resize(frame_bgr, size_wh, interpolation=cv2.INTER_NEAREST))


class _Letters(Protocol):
    def can_draw(self, text: str) -> bool: ...

    def width(self, text: str, size: int) -> int: ...

    def draw(self, on: Frame, text: str, origin: tuple[int, int], size: int) -> None: ...


def _letters() -> _Letters:
    return _TrueType() if hasattr(cv2, "FontFace") else _Hershey()


class _TrueType:
    """The font that OpenCV brings from version 5 on: Latin, Greek, Cyrillic, Chinese, Japanese."""

    _WEIGHT = 500

    def __init__(self) -> None:
        self._face: Any = cv2.FontFace("sans")

    def can_draw(self, text: str) -> bool:
        # It has no way to say so. Emoji and other planes than the first are what it lacks for certain.
        return all(ord(sign) < 0x1_0000 for sign in text)

    def width(self, text: str, size: int) -> int:
        x, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), self._face, size, self._WEIGHT)
        return int(x + width)

    def draw(self, on: Frame, text: str, origin: tuple[int, int], size: int) -> None:
        cv2.putText(on, text, origin, _INK_BGR, self._face, size, self._WEIGHT)


class _Hershey:
    """The strokes of older versions, which are of ASCII alone."""

    _FACE = cv2.FONT_HERSHEY_SIMPLEX

    def can_draw(self, text: str) -> bool:
        return text.isascii()

    def width(self, text: str, size: int) -> int:
        (width, _), _ = cv2.getTextSize(_ascii(text), self._FACE, size / 30, self._thick(size))
        return int(width)

    def draw(self, on: Frame, text: str, origin: tuple[int, int], size: int) -> None:
        scale, thick = size / 30, self._thick(size)
        cv2.putText(on, _ascii(text), origin, self._FACE, scale, _INK_BGR, thick, cv2.LINE_AA)

    def _thick(self, size: int) -> int:
        return max(1, size // 16)


def _ascii(text: str) -> str:
    """Letters without their accents, three dots for an ellipsis, and `?` for all else."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return plain.encode("ascii", "replace").decode()
