"""The Raspberry Pi's ribbon camera by way of `rpicam-vid`, which Raspberry Pi OS has installed."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
from time import monotonic
from typing import TYPE_CHECKING

from hemline.errors import DeviceError
from hemline.sources.frames import WITHOUT_FRAME_S
from hemline.sources.mjpeg import PIECE, JpegFrames

if TYPE_CHECKING:
    from hemline.preprocess import Frame
    from hemline.sources.frames import Asked

_PROGRAMS = ("rpicam-vid", "libcamera-vid")  # the second is its name on Debian 11
_END_S = 0.3  # for it to end by itself
_LAST_WORDS = 4096  # bytes of what it said that are kept
_DEFAULT_SIZE_WH = (640, 480)  # its own choice would be a small preview or a whole film picture


class RpicamDevice:
    """Runs `rpicam-vid` as a child and reads the Motion JPEG that it writes.

    JPEG and not YUV: each picture says its size, and needs no knowledge of how the camera pads its rows.

    Args:
        number: Which of the cameras, from 0.
        asked: Size and rate.
    """

    def __init__(self, number: int, asked: Asked) -> None:
        self.name = f"camera picamera:{number}" if number else "camera picamera"
        self._number = number
        self._asked = asked
        self._process: subprocess.Popen[bytes] | None = None
        self._said = b""
        self._frames = JpegFrames()

    @property
    def damaged(self) -> int:
        """Pictures that could not be decoded."""
        return self._frames.damaged

    def open(self) -> None:
        """Start the program."""
        program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
        if program is None:
            raise DeviceError(
                "there is neither Picamera2 nor rpicam-vid for the Raspberry Pi's camera",
                "install one: sudo apt install rpicam-apps-lite (or python3-picamera2, and make the "
                "virtual environment with --system-site-packages)",
            )
        self._frames.restart()
        self._said = b""
        try:
            self._process = subprocess.Popen(
                [program, *self._options()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,  # Ctrl-C in the terminal is for hemline to decide
            )
        except OSError as error:
            raise DeviceError(
                f"{program} cannot be started: {error.strerror}",
                "see whether it runs: rpicam-hello",
            ) from error

    def _options(self) -> list[str]:
        width, height = self._asked.size_wh or _DEFAULT_SIZE_WH
        options = ["--codec", "mjpeg", "--timeout", "0", "--nopreview", "--verbose", "0", "--flush"]
        options += ["--camera", str(self._number), "--width", str(width), "--height", str(height)]
        if self._asked.fps is not None:
            options += ["--framerate", f"{self._asked.fps:g}"]
        return [*options, "--output", "-"]

    def read(self, into: Frame | None) -> Frame | None:  # noqa: ARG002 - see `decoded`
        """The next whole picture; None if the program has ended, hangs, or writes none."""
        deadline_s = monotonic() + WITHOUT_FRAME_S
        while self._process is not None:
            if (frame := self._frames.next()) is not None:
                return frame
            left_s = deadline_s - monotonic()
            try:
                if left_s < 0 or not self._feed(left_s):
                    return None
            except DeviceError:  # what it writes are no JPEGs
                return None
        return None

    def _feed(self, patience_s: float) -> bool:
        """Take what the program writes next; False if that is nothing."""
        assert self._process is not None
        out, said = self._process.stdout, self._process.stderr
        assert out is not None
        assert said is not None
        poll = select.poll()
        for pipe in (out, said):
            if not pipe.closed:
                poll.register(pipe, select.POLLIN)
        ready = {end for end, _ in poll.poll(max(0, int(patience_s * 1e3)))}
        if not said.closed and said.fileno() in ready:
            words = os.read(said.fileno(), PIECE)
            self._said = (self._said + words)[-_LAST_WORDS:]
            if not words:
                said.close()
        if out.fileno() in ready:
            piece = os.read(out.fileno(), PIECE)
            self._frames.feed(piece)
            return bool(piece)
        return bool(ready)

    def fps(self) -> float | None:
        """The program does not say."""
        return None

    def no_frame(self) -> DeviceError:
        """With the last that the program said."""
        lines = [line for line in self._said.decode(errors="replace").splitlines() if line.strip()]
        reason = f": {lines[-1].strip()}" if lines else ""
        return DeviceError(
            f"rpicam-vid gives no frame of {self.name}{reason}",
            "see whether the camera is found: rpicam-hello --list-cameras; if not, check the ribbon "
            "cable at both ends with the power off",
        )

    def interrupt(self) -> None:
        """End the program, which closes the pipe that is read."""
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()

    def close(self) -> None:
        """End the program, by force if it must be."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
