"""The file of one film: frames one by one, at a rate that is stated or measured."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from hemline import atomic
from hemline._opencv import cv2
from hemline.errors import UserError
from hemline.sources.frames import MAX_FPS

if TYPE_CHECKING:
    from hemline.preprocess import Frame

# What OpenCV writes wherever it is installed.
CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "MJPG"}

_FIRST_FRAMES = 5  # of a film, of which its rate is measured
_FIRST_S = 0.5  # of a camera likewise: its very first frames may come all at once
_MOST_LIVE_FPS = 60.0
# OpenCV does not tell of a full disk, the end of a film needs some space, and so do other programs.
_LEFT_FREE_BYTES = 16_000_000
_LONGEST_GAP_S = 2.0  # a camera that was gone does not leave a still picture for that time


class FilmFile:
    """One file, which has its name when it is whole.

    Args:
        path: What it is to be called; where that is taken when it is whole, a number is added.
        fps: Its rate; None to measure it.
        shape: Of its frames.
        is_live: Whether frames come as they happen, rather than each by its own time.

    Attributes:
        shape: As given.
        size: Bytes so far.
        lack: Why no more frames are taken: the disk is nearly full. Else "".

    Raises:
        UserError: It cannot be written, or the disk is nearly full.
    """

    def __init__(
        self, path: Path, fps: float | None, shape: tuple[int, ...], is_live: bool
    ) -> None:
        self.shape = shape
        self.size = 0
        with atomic.explaining_os_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.lack = _lack_of_space(path.parent)
        if self.lack:
            raise UserError(
                f"cannot write {path}: {self.lack}", "free some space, or choose another place"
            )
        self._fps = fps
        self._is_live = is_live
        self._times_s: list[float] = []
        self._held: list[tuple[Frame, float]] = []  # until the rate is known
        self._writer: cv2.VideoWriter | None = None
        self._written = 0
        self._start_s = self._last_s = 0.0
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(atomic.explaining_os_errors(path))
        self._temporary = self._stack.enter_context(atomic.part_of(path))

    @property
    def has_frames(self) -> bool:
        """Whether there is anything to finish: an interruption can come before the first frame."""
        return self._writer is not None or bool(self._held)

    def add(self, frame: Frame, at_s: float) -> None:
        """Add a frame, which is copied where it has to be kept."""
        if self._writer is not None:
            self._put(frame, at_s)
            return
        self._times_s.append(at_s)
        kept = (frame.copy(), at_s)
        # Of a camera only the last: half a second of large frames would take much memory.
        self._held = [kept] if self._is_live else [*self._held, kept]
        if self._fps is not None or self._has_measured():
            self._begin()

    def finish(self) -> tuple[Path, int]:
        """Close the file, see that it is whole, and give it its name; which, and how many frames.

        Where a part cannot be played, because another program has filled the disk, the rest has its name too.
        """
        with self._stack:
            if self._writer is None:
                self._begin()
            assert self._writer is not None
            self._writer.release()
            playable = self._playable()
            if not playable:
                raise UserError(
                    f"cannot write {self._path}: its {self._written} frames cannot be read again",
                    "see whether the disk is full; nothing was left half-written",
                )
            self._path = atomic.add(self._temporary, self._path)
        if playable < self._written:
            raise UserError(
                f"cannot write all of {self._path}: {playable} of its {self._written} frames can be played",
                "these are kept; see whether the disk is full",
            )
        return self._path, self._written

    def discard(self) -> None:
        """Remove the file."""
        self._stack.close()

    def _has_measured(self) -> bool:
        if self._is_live:
            return self._times_s[-1] - self._times_s[0] >= _FIRST_S
        return len(self._times_s) >= _FIRST_FRAMES

    def _begin(self) -> None:
        fps = self._fps or _rate(self._times_s, _MOST_LIVE_FPS if self._is_live else MAX_FPS)
        self._fps = fps
        codec = cv2.VideoWriter.fourcc(*CODECS[self._path.suffix.lower()])
        height, width = self.shape[:2]
        self._writer = cv2.VideoWriter(str(self._temporary), codec, fps, (width, height))
        if not self._writer.isOpened():
            raise UserError(
                f"cannot write {self._path}: OpenCV has no writer for such a film here",
                "give another kind (.avi), or a folder",
            )
        self._start_s = self._last_s = self._held[0][1]
        for frame, at_s in self._held:
            self._put(frame, at_s)
        self._held.clear()

    def _put(self, frame: Frame, at_s: float) -> None:
        assert self._writer is not None
        assert self._fps is not None
        times = 1
        if self._is_live:
            self._start_s += max(0.0, at_s - self._last_s - _LONGEST_GAP_S)
            times = int((at_s - self._start_s) * self._fps + 0.5) + 1 - self._written
        self._last_s = at_s
        for _ in range(times):
            self._writer.write(frame)
            self._written += 1
            self.size = self._temporary.stat().st_size
            self.lack = _lack_of_space(self._path.parent)
            if self.lack:
                return

    def _playable(self) -> int:
        """How many frames a reader finds: OpenCV's writer tells of no error."""
        capture = cv2.VideoCapture(str(self._temporary))
        capture.set(cv2.CAP_PROP_POS_FRAMES, self._written - 1)
        good, _ = capture.read()
        capture.release()
        if good:
            return self._written
        capture.open(str(self._temporary))
        count = 0
        while count < self._written and capture.read()[0]:
            count += 1
        capture.release()
        return count


def _lack_of_space(folder: Path) -> str:
    """What to say where the disk has too little space left for more of a film."""
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free >= _LEFT_FREE_BYTES:
        return ""
    return (
        f"{free / 1e6:.1f} MB of the disk are free, and {_LEFT_FREE_BYTES / 1e6:g} MB are left free, "
        "for the end of the film and for other programs"
    )


def can_be_played(path: Path) -> bool:
    """Whether a film has a frame at least that can be read."""
    capture = cv2.VideoCapture(str(path))
    good, _ = capture.read()
    capture.release()
    return bool(good)


def _rate(times_s: list[float], most: float) -> float:
    """Frames per second of the first few: n frames span n − 1 intervals."""
    if len(times_s) < 2 or times_s[-1] <= times_s[0]:
        return 25.0
    return min(most, max(1.0, (len(times_s) - 1) / (times_s[-1] - times_s[0])))
