"""Cameras and streams that OpenCV reads: V4L2 devices, RTSP and other addresses."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from hemline._opencv import cv2
from hemline.errors import DeviceError
from hemline.printable import without_password

if TYPE_CHECKING:
    from hemline.preprocess import Frame
    from hemline.sources.frames import Asked

# OpenCV would wait for 30 s, a minute in all, before it says that nobody answers.
FFMPEG_TIMEOUTS = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 8000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 5000]


class _OpenCvDevice:
    """What a device is once it is open."""

    name: str
    _capture: cv2.VideoCapture | None = None

    @property
    def damaged(self) -> int:
        """Not known: OpenCV leaves them out in silence, a few dozen in a row at most."""
        return 0

    def read(self, into: Frame | None) -> Frame | None:
        """The next frame, in `into` if it has the size of the frame."""
        if self._capture is None:
            return None
        good, frame = self._capture.read(into)
        return frame if good else None  # type: ignore[return-value]

    def interrupt(self) -> None:
        """OpenCV cannot be woken; its time-outs end what waits."""

    def close(self) -> None:
        """Release it."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None


class V4l2Device(_OpenCvDevice):
    """A camera of this machine: an index (`0`) or a device path.

    Args:
        camera: The index or path.
        asked: Size and rate to ask the driver for.
    """

    def __init__(self, camera: str, asked: Asked) -> None:
        self.name = f"camera {camera}"
        self._camera = camera
        self._asked = asked

    def open(self) -> None:
        """Open the device, and ask for size and rate."""
        camera = self._camera
        device = f"/dev/video{int(camera)}" if camera.isdecimal() else camera
        if camera.isdecimal() and sys.platform != "linux":
            self._capture = cv2.VideoCapture(int(camera))
        elif not os.path.exists(device):
            raise DeviceError(
                f"there is no camera {device}",
                f"{_nodes()}; plug one in, or see: ls /dev/video*",
            )
        else:
            self._capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self.close()
            raise _cannot_be_opened(device)
        self._ask(self._capture)

    def _ask(self, capture: cv2.VideoCapture) -> None:
        if self._asked.size_wh is not None:
            # USB 2 has no room for large pictures that are not compressed; a camera without MJPEG keeps
            # its own format.
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._asked.size_wh[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._asked.size_wh[1])
        if self._asked.fps is not None:
            capture.set(cv2.CAP_PROP_FPS, self._asked.fps)

    def fps(self) -> float | None:
        """What the driver says."""
        return None if self._capture is None else self._capture.get(cv2.CAP_PROP_FPS) or None

    def no_frame(self) -> DeviceError:
        """It or its cable fails, or it is no camera that V4L2 serves."""
        return DeviceError(
            f"{self.name} opens but gives no frame",
            "plug it in again, without a hub and with a good power supply; a ribbon camera, which "
            "V4L2 shows but does not serve, is --camera picamera",
        )


class StreamDevice(_OpenCvDevice):
    """An address that OpenCV's FFmpeg plays: RTSP, and what else it knows."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.name = without_password(address)

    def open(self) -> None:
        """Connect."""
        self._capture = cv2.VideoCapture(self._address, cv2.CAP_FFMPEG, FFMPEG_TIMEOUTS)
        if not self._capture.isOpened():
            self.close()
            raise cannot_be_opened(self.name)

    def fps(self) -> float | None:
        """Not known: what FFmpeg says of a live stream is not to be trusted."""
        return None

    def no_frame(self) -> DeviceError:
        """It is connected, and no picture comes."""
        return DeviceError(
            f"{self.name} gives no frame that can be decoded",
            "check that the camera is on, and that the stream plays elsewhere (ffplay ADDRESS)",
        )


def _cannot_be_opened(device: str) -> DeviceError:
    if sys.platform != "linux":
        return DeviceError(f"camera {device} cannot be opened", "another program may hold it")
    from hemline.v4l2 import why_closed

    why, mend = why_closed(device)
    return DeviceError(f"camera {device} cannot be opened: {why}", mend)


def cannot_be_opened(address: str, reason: str = "") -> DeviceError:
    """Nobody answers there, or with something else."""
    return DeviceError(
        f"{address} cannot be opened as a video{reason and f': {reason}'}",
        "check the address, or that the file is a video that plays elsewhere",
    )


def _nodes() -> str:
    """What there is, without opening it: a camera that is waited for is looked for again and again."""
    found = sorted(f"/dev/{name}" for name in os.listdir("/dev") if name.startswith("video"))
    return f"this machine has {', '.join(found)}" if found else "this machine shows no camera"
