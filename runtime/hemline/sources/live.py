"""Cameras and streams: always the newest frame, and back again when they were gone."""

from __future__ import annotations

import math
import threading
from time import monotonic, time
from typing import TYPE_CHECKING

from hemline.errors import DeviceError
from hemline.sources.frames import Asked, FrameSource, TimedFrame, tell_on_standard_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemline.preprocess import Frame
    from hemline.sources.frames import Device, Tell

FIRST_FRAME_S = 10.0  # a camera that has given none by then gives none
_LONGEST_PAUSE_S = 8.0
_LOOK_S = 0.25  # how often a consumer that waits looks around
_JOIN_S = 0.5  # a thread that hangs in a driver is left to end with the process


class LiveSource(FrameSource):
    """The frames of a camera or stream, grabbed by a thread of its own.

    A consumer that is slower than the camera gets the newest frame each time; what it missed is counted.
    The thread reads into the same few arrays again and again.

    Args:
        device: What is read. It is opened and closed by the thread alone.
        asked: What was asked of it; if anything, what it gives is told.
        reopen_s: If it stops giving frames, it is waited for this long, with growing pauses;
            `math.inf` has no end. None: its end is the end, as of a stream that is played.
        await_first: If it is not there at the beginning, wait for it likewise.
        tell: Takes messages, each one line: that it is gone or back, and how many damaged pictures came.

    Raises:
        DeviceError: From the iteration: it cannot be opened, gives no frame, or was waited for in vain.
    """

    def __init__(
        self,
        device: Device,
        asked: Asked = Asked(),  # noqa: B008 - immutable
        *,
        reopen_s: float | None = None,
        await_first: bool = False,
        tell: Tell = tell_on_standard_error,
    ) -> None:
        self.name = device.name
        self.dropped = 0
        self._device = device
        self._asked = asked
        self._reopen_s = reopen_s
        self._await_first = await_first
        self._tell = tell
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._newest: tuple[Frame, float, float] | None = None
        self._held: Frame | None = None  # what the consumer works on
        self._free: list[Frame] = []
        self._given = 0
        self._first_s = 0.0
        self._ended = False
        self._error: BaseException | None = None
        self._first_by_s = monotonic() + FIRST_FRAME_S
        self._damaged_before = 0  # when the latest frame came
        self._thread = threading.Thread(target=self._run, name=f"grabs {self.name}", daemon=True)
        self._thread.start()

    def __next__(self) -> TimedFrame:
        with self._changed:
            while self._newest is None:
                self._look()
                self._changed.wait(_LOOK_S)
            frame, monotonic_s, wall_s = self._newest
            self._newest = None
            self._recycle(self._held)
            self._held = frame
            dropped = self.dropped
        if self._given == 0:
            self._first_s = monotonic_s
        number, self._given = self._given, self._given + 1
        return TimedFrame(frame, number, monotonic_s - self._first_s, monotonic_s, wall_s, dropped)

    def _look(self) -> None:
        """While there is no frame: is there a reason to wait no longer?"""
        if self._ended or self._stop.is_set():
            error, self._error = self._error, None
            raise error or StopIteration
        if self._given == 0 and monotonic() > self._first_by_s:
            raise self._device.no_frame()  # its thread hangs in the driver

    def close(self) -> None:
        """End the thread, and with it the device."""
        if not self._stop.is_set():
            self._stop.set()
            self._device.interrupt()
            if damaged := self._device.damaged:
                self._tell(f"{self.name} gave {_damaged(damaged)}, which count as no frames")
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            self._grab()
        except BaseException as error:  # the consumer's thread raises it
            self._error = error
        finally:
            self._device.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _grab(self) -> None:
        try:
            self._device.open()
            if not self._frames() and not self._stop.is_set():
                raise self._device.no_frame()
        except DeviceError as missing:
            if not (self._await_first and self._reopen_s):
                raise
            self._wait_for_it(self._reopen_s, missing)
        while not self._stop.is_set() and self._reopen_s is not None:
            self._wait_for_it(self._reopen_s)

    def _wait_for_it(self, reopen_s: float, missing: DeviceError | None = None) -> None:
        """Open it again and again until it gives frames, and return when it has stopped anew.

        Args:
            reopen_s: For how long.
            missing: Why it was not there from the beginning.
        """
        lost_s = monotonic()
        if reopen_s > 0:
            self._tell(f"{self._what_happened(missing)}; waiting until it is {_there(missing)}")
        for pause_s in _pauses():
            self._device.close()
            left_s = reopen_s - (monotonic() - lost_s)
            if left_s <= 0:
                raise DeviceError(
                    f"{self._what_happened(missing)}, and was not {_there(missing)} within {reopen_s:g} s",
                    "check its cable, its power and the network; --reopen says how long to wait",
                )
            self._first_by_s = math.inf
            if self._stop.wait(min(pause_s, left_s)):
                return
            self._first_by_s = monotonic() + FIRST_FRAME_S
            try:
                self._device.open()
            except DeviceError:
                continue
            if self._frames((lost_s, _there(missing))):
                return

    def _what_happened(self, missing: DeviceError | None) -> str:
        if missing is not None:
            return missing.problem
        damaged = self._device.damaged - self._damaged_before
        instead = f", but {_damaged(damaged)}" if damaged else ""
        return f"{self.name} gives no more frames{instead}"

    def _frames(self, lost: tuple[float, str] | None = None) -> int:
        """Grab frames until there are no more; how many there were.

        Args:
            lost: Since when it was waited for, and what it is again.
        """
        count = 0
        while not self._stop.is_set():
            with self._changed:
                into = self._free.pop() if self._free else None
            frame = self._device.read(into)
            if frame is None:
                break
            now_s = monotonic()
            self._offer(frame, now_s)
            self._damaged_before = self._device.damaged
            count += 1
            if count == 1 and lost is not None:
                self._tell(f"{self.name} is {lost[1]} after {now_s - lost[0]:.1f} s")
            if count == 1 and any(self._asked):
                self._tell_what_is_given(frame)
        return count

    def _offer(self, frame: Frame, now_s: float) -> None:
        with self._changed:
            if self._newest is not None:
                self.dropped += 1
                self._recycle(self._newest[0])
            self._newest = frame, now_s, time()
            self._changed.notify_all()

    def _recycle(self, frame: Frame | None) -> None:
        if frame is not None and len(self._free) < 2:
            self._free.append(frame)

    def _tell_what_is_given(self, frame: Frame) -> None:
        gives = Asked((frame.shape[1], frame.shape[0]), self._device.fps())
        rate = "" if gives.fps is not None else ", its frame rate is not known"
        self._tell(f"{self.name} gives {gives}{rate}; asked for was {self._asked}")


def _there(missing: DeviceError | None) -> str:
    return "back" if missing is None else "there"


def _damaged(count: int) -> str:
    return "1 damaged picture" if count == 1 else f"{count} damaged pictures"


def _pauses() -> Iterator[float]:
    """Growing pauses, in seconds, so that what is gone for long is not asked for all the time."""
    pause_s = 0.25
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
