"""An annotated film (`--save FILE.mp4`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hemline import atomic
from hemline.annotate import Annotator
from hemline.errors import UserError
from hemline.sinks.base import Sink
from hemline.sinks.film_file import CODECS, FilmFile, can_be_played
from hemline.sources.frames import tell_on_standard_error

if TYPE_CHECKING:
    from hemline.batch import Outcome
    from hemline.sources.frames import Tell


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
        self._film: FilmFile | None = None
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
            self._film = FilmFile(self._path, self._fps, drawn.shape, timed.wall_s is not None)
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
                if can_be_played(path):
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
