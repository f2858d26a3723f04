"""Video files: every frame counts, and none is dropped."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from hemline._opencv import cv2
from hemline.errors import DeviceError
from hemline.sources.frames import FrameSource, TimedFrame
from hemline.sources.listing import STREAM_SCHEMES
from hemline.sources.opencv_device import FFMPEG_TIMEOUTS

if TYPE_CHECKING:
    from hemline.preprocess import Frame


class Video(FrameSource):
    """All frames of a video file, or of a film behind an address, in order.

    Raises:
        DeviceError: It cannot be opened, or, from the iteration, has no frame.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        if name.startswith(STREAM_SCHEMES):
            self._capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG, FFMPEG_TIMEOUTS)
        else:
            self._capture = cv2.VideoCapture(name)
        if not self._capture.isOpened():
            self._capture.release()
            raise DeviceError(
                f"{name} cannot be opened as a video",
                "check the address, or that the file is a video that plays elsewhere",
            )
        self._frame: Frame | None = None
        self._number = 0
        self._first_s = 0.0

    def __next__(self) -> TimedFrame:
        if not self._capture.isOpened():
            raise StopIteration
        good, frame = self._capture.read(self._frame)
        if not good:
            self.close()
            if self._number:
                raise StopIteration
            raise DeviceError(f"{self.name} has no frame that can be decoded")
        self._frame = frame  # type: ignore[assignment]  # OpenCV's stubs know only "some array"
        position_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        if self._number == 0:
            self._first_s = position_s
        at_s = position_s - self._first_s
        number, self._number = self._number, self._number + 1
        return TimedFrame(frame, number, at_s, monotonic(), None, 0)  # type: ignore[arg-type]

    def close(self) -> None:
        """Release the file."""
        self._capture.release()
