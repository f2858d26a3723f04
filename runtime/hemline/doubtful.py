"""Keeping the frames that the model is unsure of, in a folder a class, for later training."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hemline import atomic
from hemline._opencv import cv2
from hemline.errors import UserError
from hemline.sources.frames import tell_on_standard_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemline.batch import Outcome
    from hemline.sources.frames import Tell

DEFAULT_BELOW = 0.6
DEFAULT_MAX_BYTES = 1_000_000_000
_JPEG_QUALITY = 95
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class DoubtfulFrames:
    """Saves frames whose own answer is below a confidence, as JPEG, in the folder of their likeliest class.

    The folder is laid out as `hemline train --data` takes it, once somebody has looked through it.

    Args:
        folder: Where; made if it is not there.
        below: Confidence of the frame alone, 0 to 1, below which it is doubtful.
        labels: All labels of the model.
        max_bytes: The pictures in the folder take no more than that, older ones included. When it is full,
            nothing more is saved, nothing deleted, and that is told once.
        interval_s: At least so much time between two saved frames, since neighbours look alike.
        tell: Takes messages.

    Raises:
        UserError: The folder is a file, a value is out of range, or two labels give the same folder.
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
        if max_bytes < 1:
            raise UserError(f"the disk space for frames is {max_bytes} bytes", "give 1 or more")
        self._folder = Path(folder)
        with atomic.explaining_os_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        self._folders = folder_names(labels)
        self._below = below
        self._max_bytes = max_bytes
        self._interval_s = interval_s
        self._tell = tell
        self._bytes = sum(path.stat().st_size for path in self._folder.glob("*/*.jpg"))
        self._last_s: float | None = None
        self._told = ""
        self.saved = 0

    def see(self, outcome: Outcome) -> None:
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
        if self._bytes + content.size > self._max_bytes:
            self._tell_once(
                f"{self._folder} has no room for more frames within {self._max_bytes / 1e6:g} MB; "
                "move some away, or raise --max-disk"
            )
            return
        try:
            atomic.write_bytes(self._path(own.top[0][0], timed.number), content.tobytes())
        except UserError as error:
            self._tell_once(
                f"a doubtful frame was not saved: {error.problem}", str(error.__cause__)
            )
            return
        self._bytes += content.size
        self._told = ""
        self.saved += 1

    def _path(self, label: str, number: int) -> Path:
        moment = time.strftime("%Y%m%d-%H%M%S")
        name, again = f"{moment}-{number}", 0
        folder = self._folder / self._folders[label]
        while (path := folder / f"{name}{f'-{again}' if again else ''}.jpg").exists():
            again += 1  # the clock was set back, or another process saves here
        return path

    def _tell_once(self, problem: str, cause: str = "no room") -> None:
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


def parse_bytes(text: str) -> int:
    """A number of bytes, such as `500M` or `2G` (powers of 1000).

    Raises:
        UserError: It is no such number.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?", text.strip())
    if match is None:
        raise UserError(f"{text!r} is no amount of disk space", "give one such as 500M or 2G")
    return int(float(match[1]) * _UNITS[match[2]])
