"""An annotated film (`--save FILE.mp4`)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from hemline import atomic
from hemline._opencv import cv2
from hemline.annotate import Annotator
from hemline.errors import UserError
from hemline.sinks.base import Sink
from hemline.sources.frames import MAX_FPS, tell_on_standard_error

if TYPE_CHECKING:
    from hemline.batch import Outcome
    from hemline.preprocess import Frame
    from hemline.sources.frames import Tell

# What OpenCV writes wherever it is installed.
CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "MJPG"}

_FIRST_FRAMES = 5  # of a film, of which its rate is measured
_FIRST_S = 0.5  # of a camera likewise: its very first frames may come all at once
_MOST_LIVE_FPS = 60.0
# OpenCV does not tell of a full disk, the end of a film needs some space, and so do other programs.
LEFT_FREE_BYTES = 16_000_000
_LONGEST_GAP_S = 2.0  # a camera that was gone does not leave a still picture for that time


class FilmSink(Sink):
    """Saves the frames with their answers as a film; each source, and each size of frames, has its own.

    Of a film every frame is written once. Of a camera they are written at a steady rate, so that the film
    lasts as long as it did: a frame is repeated or left out where the camera was slower or faster. Unless
    its rate is given, it is measured over the first half second, which the film leaves out.

    Args:
        path: Ends in `.mp4`, `.avi` or `.mkv`. Where it is taken, a number is added.
        fps: Rate of the film; by default that of its first frames.
        max_bytes: All films of it together take about that; what comes after is not saved, which is told
            once. None: no bound.
        tell: Takes messages: what was saved.

    Raises:
        UserError: From `write` and `close` too: it cannot be written, the disk is full, or there is a
            picture among the sources.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        fps: float | None = None,
        max_bytes: int | None = None,
        tell: Tell = tell_on_standard_error,
    ) -> None:
        self._path = Path(path)
        if self._path.suffix.lower() not in CODECS:
            raise UserError(
                f"{path} is no kind of film that can be written",
                f"give {', '.join(CODECS)}; or for pictures a folder, with no ending or a / behind it",
            )
        atomic.check_folder(self._path.parent)
        self._fps = fps
        self._max_bytes = max_bytes
        self._tell = tell
        self._annotator = Annotator()
        self._film: _Film | None = None
        self._finished_bytes = 0
        self._told_full = False
        self._recover()

    def write(self, outcome: Outcome) -> None:
        """Add its frame; an outcome without an answer has none."""
        if outcome.answer is None:
            return
        if outcome.timed is None:
            raise UserError(
                f"{outcome.source} is a picture, which cannot go into a film",
                "give --save a folder",
            )
        timed = outcome.timed
        if timed.number == 0:
            self._finish()
        if self._film is None and self._reaches_bound():
            self._tell_full()
            return
        drawn = self._annotator.draw(timed.bgr, outcome.answer)
        if self._film is not None and self._film.shape != drawn.shape:
            self._finish()
            if self._reaches_bound():
                self._tell_full()
                return
        if self._film is None:
            self._film = _Film(self._path, self._fps, drawn.shape, timed.wall_s is not None)
        self._film.add(drawn, timed.at_s)
        if self._film.lack:
            lack, film, self._film = self._film.lack, self._film, None
            path, frames = film.finish()
            raise UserError(
                f"cannot write all of {path}: {lack}",
                f"its first {frames} frames are kept; free some space, or choose another place",
            )
        if self._reaches_bound():
            self._finish()

    def close(self) -> None:
        """Finish the film."""
        self._finish()

    def _finish(self) -> None:
        film, self._film = self._film, None
        if film is not None and not film.has_frames:
            film.discard()
        elif film is not None:
            path, frames = film.finish()
            self._finished_bytes += path.stat().st_size
            self._tell(f"saved {path} ({frames} frames)")

    def _recover(self) -> None:
        """What runs left that were killed: what can be played gets a name, the rest is removed."""
        for suffix in CODECS:
            for path in atomic.abandoned(self._path.parent, suffix):
                if _can_be_played(path):
                    name = atomic.add(path, path.with_name(f"unfinished{suffix}"))
                    self._tell(f"the film of a run that was killed is now {name}")

    def _reaches_bound(self) -> bool:
        open_bytes = 0 if self._film is None else self._film.size
        return self._max_bytes is not None and self._finished_bytes + open_bytes >= self._max_bytes

    def _tell_full(self) -> None:
        assert self._max_bytes is not None
        if not self._told_full:
            self._told_full = True
            self._tell(
                f"no more is saved: the films have {self._max_bytes / 1e6:g} MB (--max-disk)"
            )


class _Film:
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
    if free >= LEFT_FREE_BYTES:
        return ""
    return (
        f"{free / 1e6:.1f} MB of the disk are free, and {LEFT_FREE_BYTES / 1e6:g} MB are left free, "
        "for the end of the film and for other programs"
    )


def _can_be_played(path: Path) -> bool:
    capture = cv2.VideoCapture(str(path))
    good, _ = capture.read()
    capture.release()
    return bool(good)


def _rate(times_s: list[float], most: float) -> float:
    """Frames per second of the first few: n frames span n − 1 intervals."""
    if len(times_s) < 2 or times_s[-1] <= times_s[0]:
        return 25.0
    return min(most, max(1.0, (len(times_s) - 1) / (times_s[-1] - times_s[0])))
