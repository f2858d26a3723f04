"""Many frames on standard input: Motion JPEG, or raw frames of a stated size."""

from __future__ import annotations

import os
from time import monotonic, time
from typing import TYPE_CHECKING

import numpy as np

from hemline._opencv import cv2
from hemline.errors import DeviceError, UserError
from hemline.sources.frames import (
    WITHOUT_FRAME_S,
    Asked,
    FrameSource,
    TimedFrame,
    tell_on_standard_error,
)
from hemline.sources.listing import STANDARD_INPUT
from hemline.sources.mjpeg import PIECE, JpegFrames

if TYPE_CHECKING:
    from hemline.preprocess import Frame
    from hemline.sources.frames import Tell

MJPEG = "mjpeg"
# Rows and channels of the array that a raw frame fills, for a height; and how it becomes BGR.
_RAW: dict[str, tuple[float, int, int | None]] = {
    "bgr24": (1, 3, None),
    "rgb24": (1, 3, cv2.COLOR_RGB2BGR),
    "gray": (1, 1, cv2.COLOR_GRAY2BGR),
    "yuv420p": (1.5, 1, cv2.COLOR_YUV2BGR_I420),
}
FORMATS = (MJPEG, *_RAW)


def refuse_form(form: str, asked: Asked) -> None:
    """Refuse what cannot be read, before anything is.

    Raises:
        UserError: Another format; a size or rate that cannot be; raw frames without a size; MJPEG with one.
    """
    asked.checked()
    if form not in FORMATS:
        raise UserError(f"the format {form!r} is not known", f"known: {', '.join(FORMATS)}")
    if (form == MJPEG) != (asked.size_wh is None):
        raise UserError(
            f"frames in {form} {'have a size of their own' if form == MJPEG else 'need a size'}",
            "leave --size out" if form == MJPEG else "state it: --size 640x480",
        )


class Sequence(FrameSource):
    """The frames that come through a pipe. Every one counts: whoever writes them waits for us.

    Args:
        form: `mjpeg`; or raw frames, named as ffmpeg's `-pix_fmt` does: `bgr24`, `rgb24`, `gray`,
            `yuv420p`.
        asked: Of raw frames the size, which must be stated. If the rate is, times are counted by it.
        pipe: The file descriptor; by default standard input.
        tell: Takes the message that no picture can be decoded for a while, once until one can again.

    Raises:
        UserError: Another format; raw frames without a size; MJPEG with one.
        DeviceError: From the iteration: it ends inside a frame, or without any; or it has ended, and some
            pictures could not be decoded.
    """

    def __init__(
        self, form: str, asked: Asked, pipe: int = 0, *, tell: Tell = tell_on_standard_error
    ) -> None:
        self.name = STANDARD_INPUT
        refuse_form(form, asked)
        self._pipe = pipe
        self._fps = asked.fps
        self._number = 0
        self._first_s = 0.0
        self._closed = False
        self._next = (
            _Jpegs(pipe, tell).next
            if asked.size_wh is None
            else _Raw(pipe, form, asked.size_wh).next
        )

    def __next__(self) -> TimedFrame:
        frame = None if self._closed else self._next()
        if frame is None:
            if self._number or self._closed:
                raise StopIteration
            raise DeviceError(
                "there is no frame on standard input", "pipe frames into it, or name a file"
            )
        now_s = monotonic()
        if self._number == 0:
            self._first_s = now_s
        at_s = now_s - self._first_s if self._fps is None else self._number / self._fps
        number, self._number = self._number, self._number + 1
        return TimedFrame(frame, number, at_s, now_s, time(), 0)

    def close(self) -> None:
        """Read no more. The pipe itself is not ours to close."""
        self._closed = True


class _Jpegs:
    def __init__(self, pipe: int, tell: Tell) -> None:
        self._pipe = pipe
        self._tell = tell
        self._frames = JpegFrames()
        self._good = 0
        self._known = 0  # damaged ones that were told
        self._told = False

    def next(self) -> Frame | None:
        tell_s, damaged = monotonic() + WITHOUT_FRAME_S, self._frames.damaged
        while True:
            if (frame := self._frames.next()) is not None:
                self._good += 1
                self._told = False
                return frame
            if self._frames.damaged > damaged and monotonic() > tell_s and not self._told:
                self._told = True
                lost = self._frames.damaged - damaged
                self._tell(f"of the last {lost} pictures on standard input none is whole")
            piece = os.read(self._pipe, PIECE)
            if not piece:
                self._refuse_loss()
                return None
            self._frames.feed(piece)

    def _refuse_loss(self) -> None:
        """At the end of the pipe."""
        if self._frames.is_inside:
            raise _cut_off()
        damaged, self._known = self._frames.damaged - self._known, self._frames.damaged
        if damaged:
            raise DeviceError(
                f"{damaged} of {self._good + damaged} pictures on standard input are damaged or lost",
                "see whether its writer makes Motion JPEG, and whether anything is lost on the way",
            )


class _Raw:
    """Reads into one array and turns it into another; both are used for every frame."""

    def __init__(self, pipe: int, form: str, size_wh: tuple[int, int]) -> None:
        rows, channels, self._code = _RAW[form]
        width, height = size_wh
        if rows != 1 and (width % 2 or height % 2):
            raise UserError(
                f"frames in {form} cannot be {width}x{height}", "both sides must be even"
            )
        shape = (int(height * rows), width, channels)
        self._pipe = pipe
        self._raw: Frame = np.empty(shape if channels > 1 else shape[:2], np.uint8)
        self._bgr: Frame | None = (
            None if self._code is None else np.empty((height, width, 3), np.uint8)
        )

    def next(self) -> Frame | None:
        view = self._raw.data.cast("B")
        while view:
            count = os.readv(self._pipe, [view])
            if not count:
                if len(view) < self._raw.nbytes:
                    raise _cut_off()
                return None
            view = view[count:]
        if self._code is None:
            return self._raw
        return cv2.cvtColor(self._raw, self._code, self._bgr)  # type: ignore[return-value]


def _cut_off() -> DeviceError:
    return DeviceError(
        "standard input ends in the middle of a frame",
        "see whether its writer was stopped, and whether --stdin and --size are what it writes",
    )
