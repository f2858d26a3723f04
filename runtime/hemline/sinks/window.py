"""A window with the picture and its answer (`--show`)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from hemline._opencv import cv2
from hemline.annotate import Annotator
from hemline.errors import UserError
from hemline.images import read_image
from hemline.sinks.base import Sink

if TYPE_CHECKING:
    from hemline.batch import Outcome

_NAME = "hemline"
_ENDS = (ord("q"), 27)  # Esc
_LOOK_MS = 50
_TRIAL_S = 30
_TRIAL = "import cv2; cv2.namedWindow('hemline'); cv2.waitKey(1); cv2.destroyAllWindows()"


class WindowSink(Sink):
    """Shows frames as they come. A picture stays until a key is pressed; q, Esc, or closing the window ends.

    Raises:
        UserError: OpenCV comes without windows, or there is no display; with the command that mends it.
    """

    at_own_speed = True

    def __init__(self) -> None:
        _refuse_without_windows()
        # Qt would complain of missing fonts, which nothing here is written in.
        os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
        self._annotator = Annotator()
        self._is_open = False

    def write(self, outcome: Outcome) -> None:
        """Show its picture; an outcome without an answer has none."""
        if outcome.answer is None or self.ended:
            return
        is_still = outcome.timed is None
        frame = read_image(outcome.source) if outcome.timed is None else outcome.timed.bgr
        drawn = self._annotator.draw(frame, outcome.answer)
        if not self._is_open:
            # Not larger than most screens; whoever wants it larger pulls at its corner.
            cv2.namedWindow(_NAME, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            scale = min(1.0, 1024 / max(drawn.shape[:2]))
            cv2.resizeWindow(_NAME, round(drawn.shape[1] * scale), round(drawn.shape[0] * scale))
            self._is_open = True
        cv2.imshow(_NAME, drawn)
        key = cv2.waitKey(1)
        while is_still and key < 0 and not self._is_closed():
            key = cv2.waitKey(_LOOK_MS)
        self.ended = key & 0xFF in _ENDS or self._is_closed()

    def close(self) -> None:
        """Close the window."""
        if self._is_open:
            self._is_open = False
            cv2.destroyAllWindows()

    def _is_closed(self) -> bool:
        return cv2.getWindowProperty(_NAME, cv2.WND_PROP_VISIBLE) < 1


def _refuse_without_windows() -> None:
    kind = re.search(r"^\s*GUI:\s*(\w+)", cv2.getBuildInformation(), re.MULTILINE)
    if kind is None or kind[1] == "NONE":
        pip = f"{sys.executable} -m pip"
        raise UserError(
            "--show needs windows, which this OpenCV comes without (opencv-python-headless)",
            f"change it: {pip} uninstall -y opencv-python-headless && {pip} install opencv-python; "
            "or watch in a browser: --serve",
        )
    if sys.platform == "linux" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise UserError(
            "--show needs a display, and there is none (DISPLAY is not set)",
            "start it in a terminal of the desktop; or watch in a browser: --serve",
        )
    # Where the display does not answer, Qt ends the process; so a child tries first.
    if reason := _reason_against_windows():
        raise UserError(
            f"--show cannot open a window on {os.environ.get('DISPLAY', 'this display')}: {reason}",
            "check DISPLAY and who may use it (xhost); or watch in a browser: --serve",
        )


def _reason_against_windows() -> str:
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _TRIAL], capture_output=True, text=True, timeout=_TRIAL_S
        )
    except subprocess.TimeoutExpired:
        return "the display does not answer"
    if tried.returncode == 0:
        return ""
    said = filter(None, map(str.strip, tried.stderr.splitlines()))
    return next(said, f"the trial ended with {tried.returncode}")
