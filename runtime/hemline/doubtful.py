"""Keeping the frames that the model is unsure of, in a folder a class, for later training."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hemline import atomic
from hemline._opencv import cv2
from hemline.disk import DEFAULT_MAX_BYTES, Budget
from hemline.errors import UserError
from hemline.sinks.base import Sink
from hemline.sources.frames import tell_on_standard_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemline.batch import Outcome
    from hemline.sources.frames import Tell

DEFAULT_BELOW = 0.6
_JPEG_QUALITY = 95


class DoubtfulFrames(Sink):
    """Saves frames whose own answer is below a confidence, as JPEG, in the folder of their likeliest class.

    The folder is laid out as `hemline train --data` takes it, once somebody has looked through it. What
    cannot be saved meanwhile is told and counted, and makes it `incomplete`.

    Args:
        folder: Where; made with the first frame if it is not there.
        below: Confidence of the frame alone, 0 to 1, below which it is doubtful.
        labels: All labels of the model.
        max_bytes: The pictures in the folder take no more than that, older ones included. When it is full,
            nothing more is saved, nothing deleted, and that is told once.
        interval_s: At least so much time between two saved frames, since neighbours look alike.
        tell: Takes messages.

    Raises:
        UserError: The folder cannot be written to, a value is out of range, or two labels give the same
            folder.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        labels: Sequence[str],
        *,
        below: float = DEFAULT_BELOW,
        max_bytes: int = DEFAULT_MAX_BYTES,
        interval_s: float = 1.0,
        tell: Tell = tell_on_standard_error,
    ) -> None:
        if not 0 < below <= 1:
            raise UserError(
                f"frames are doubtful below {below}", "it must be above 0 and at most 1"
            )
        self._folder = Path(folder)
        self._folders = folder_names(labels)
        self._below = below
        self._interval_s = interval_s
        self._tell = tell
        for name in self._folders.values():
            atomic.remove_abandoned(self._folder / name, ".jpg")
        self._budget = Budget(self._folder, "*/*.jpg", max_bytes, tell)
        atomic.check_folder(self._folder)
        self._last_s: float | None = None
        self._told = ""
        self._lost = 0
        self.saved = 0

    def write(self, outcome: Outcome) -> None:
        """Save the frame of an outcome if it is doubtful; a full disk is told and does no more harm."""
        timed, own = outcome.timed, outcome.own
        if timed is None or own is None or own.confidence >= self._below:
            return
        # Less than nothing has passed where another source has begun.
        if self._last_s is not None and 0 <= timed.at_s - self._last_s < self._interval_s:
            return
        self._last_s = timed.at_s
        good, content = cv2.imencode(".jpg", timed.bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not good:
            raise RuntimeError("OpenCV cannot write a JPEG picture")
        if not self._budget.has_room(content.size):
            return
        try:
            # Its name can be taken: the clock was set back, or another process saves here.
            atomic.add_bytes(self._path(own.top[0][0], timed.number), content.tobytes())
        except UserError as error:
            self._lost += 1
            self.incomplete = True
            self._tell_once(
                f"a doubtful frame was not saved: {error.problem}", str(error.__cause__)
            )
            return
        self._budget.add(content.size)
        self._told = ""
        self.saved += 1

    def close(self) -> None:
        """Tell how many could not be saved."""
        lost, self._lost = self._lost, 0
        if lost:
            frames = "doubtful frame was" if lost == 1 else "doubtful frames were"
            self._tell(f"{lost} {frames} not saved in {self._folder}")

    def _path(self, label: str, number: int) -> Path:
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{number}.jpg"
        return self._folder / self._folders[label] / name

    def _tell_once(self, problem: str, cause: str) -> None:
        if cause != self._told:
            self._told = cause
            self._tell(problem)


def folder_names(labels: Sequence[str]) -> dict[str, str]:
    """A folder for each label: what a name of a folder cannot hold becomes `_`.

    Raises:
        UserError: Two labels would share a folder.
    """
    folders: dict[str, str] = {}
    for label in labels:
        name = re.sub(r"[/\\\0]", "_", label)
        name = re.sub(r"^\.", "_", name) or "_"
        if name in folders.values():
            raise UserError(
                f"the labels give two classes the same folder {name!r}",
                "rename a class of the model, or leave --save-doubtful out",
            )
        folders[label] = name
    return folders
