"""Annotated pictures in a folder (`--save DIR`)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hemline import atomic
from hemline._opencv import cv2
from hemline.annotate import Annotator
from hemline.disk import Budget, file_name
from hemline.images import read_image
from hemline.sinks.base import Sink
from hemline.sources.frames import tell_on_standard_error
from hemline.sources.listing import STREAM_SCHEMES

if TYPE_CHECKING:
    from hemline.batch import Outcome
    from hemline.sources.frames import Tell

_JPEG_QUALITY = 92


class PictureSink(Sink):
    """Saves each picture and frame with its answer as JPEG, under a name that was free.

    Args:
        folder: Where; made with the first picture if it is not there.
        max_bytes: The pictures in the folder take no more than that, older ones included. When it is full,
            nothing more is saved, and that is told once. None: no bound.
        tell: Takes messages.

    Raises:
        UserError: From `write` too: the folder cannot be written to, or the disk is full.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        max_bytes: int | None = None,
        tell: Tell = tell_on_standard_error,
    ) -> None:
        self._folder = Path(folder)
        atomic.remove_abandoned(self._folder, ".jpg")
        self._budget = Budget(self._folder, "*.jpg", max_bytes, tell)
        atomic.check_folder(self._folder)
        self._annotator = Annotator()

    def write(self, outcome: Outcome) -> None:
        """Save its picture; an outcome without an answer has none."""
        if outcome.answer is None:
            return
        frame = read_image(outcome.source) if outcome.timed is None else outcome.timed.bgr
        drawn = self._annotator.draw(frame, outcome.answer)
        good, content = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not good:
            raise RuntimeError("OpenCV cannot write a JPEG picture")
        if self._budget.has_room(content.size):
            atomic.add_bytes(self._folder / f"{_stem(outcome)}.jpg", content.tobytes())
            self._budget.add(content.size)


def source_stem(source: str) -> str:
    """What files are called that are saved of a source."""
    if source.startswith(STREAM_SCHEMES):
        return file_name(source.partition("://")[2].partition("/")[0].rpartition("@")[2])
    stem = Path(source).stem
    return file_name(f"camera-{stem}" if stem.isdecimal() and not Path(source).exists() else stem)


def _stem(outcome: Outcome) -> str:
    timed, stem = outcome.timed, source_stem(outcome.source)
    if timed is None:
        return stem
    when = ""
    if timed.wall_s is not None:
        when = time.strftime("-%Y%m%d-%H%M%S", time.localtime(timed.wall_s))
    return f"{stem}{when}-{timed.number:06}"
