"""Video files: every frame counts, and none is dropped without a word."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from hemline._opencv import cv2
from hemline.errors import DeviceError
from hemline.sources.container import cut_of, indexed_frames
from hemline.sources.frames import FrameSource, TimedFrame
from hemline.sources.listing import STREAM_SCHEMES
from hemline.sources.opencv_device import FFMPEG_TIMEOUTS

if TYPE_CHECKING:
    from hemline.preprocess import Frame

# Behind a damaged place FFmpeg goes on, when it is asked again: a failure for each frame that is lost. At the
# end of a whole film there is nothing to be had, and this many failures take 20 ms.
_MOST_LOST = 400
_PATIENCE_S = 1.0
_FEW = 3  # frames that some decoders keep to themselves at the end
_MEND = "copy it again, or record it anew; all that could be read of it was classified"


class Video(FrameSource):
    """All frames of a video file, or of a film behind an address, in order.

    What lies behind a damaged place of a file is read too. That it is damaged or cut off is told at the end.

    Raises:
        DeviceError: It cannot be opened; or, from the iteration, it has no frame, or not all of its frames
            could be read, which is known when the others were given.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._is_file = not name.startswith(STREAM_SCHEMES)
        if self._is_file:
            self._capture = cv2.VideoCapture(name)
        else:
            self._capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG, FFMPEG_TIMEOUTS)
        if not self._capture.isOpened():
            self._capture.release()
            cut = cut_of(name)
            raise DeviceError(
                f"{name} cannot be opened as a video{'' if cut is None else f': {cut}'}",
                "see whether it plays elsewhere, and shows more than sound"
                if self._is_file
                else "check the address, and that it is of a video that plays elsewhere",
            )
        self._frame: Frame | None = None
        self._number = 0
        self._first_s = 0.0
        self._at_s = 0.0
        self._damaged = ""  # behind which frame, in words

    def __next__(self) -> TimedFrame:
        if not self._capture.isOpened():
            raise StopIteration
        frame = self._read()
        if frame is None:
            frame = self._read_on()
        if frame is None:
            self.close()
            raise self._incomplete() or StopIteration
        position_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        if self._number == 0:
            self._first_s = position_s
        self._at_s = position_s - self._first_s
        number, self._number = self._number, self._number + 1
        return TimedFrame(frame, number, self._at_s, monotonic(), None, 0)

    def _read(self) -> Frame | None:
        good, frame = self._capture.read(self._frame)
        if not good:
            return None
        self._frame = frame  # type: ignore[assignment]  # OpenCV's stubs know only "some array"
        return self._frame

    def _read_on(self) -> Frame | None:
        """The frame behind a damaged place; None if it was the end."""
        if not self._is_file:  # each failure could take as long as the network's time-out
            return None
        give_up_s = monotonic() + _PATIENCE_S
        for _ in range(_MOST_LOST):
            if (frame := self._read()) is not None:
                self._damaged = self._damaged or f"frame {self._number - 1} ({self._at_s:.1f} s)"
                return frame
            if monotonic() > give_up_s:
                break
        return None

    def _incomplete(self) -> DeviceError | None:
        """What is wrong with a film that has given all that it gives."""
        cut = cut_of(self.name)
        if not self._number:
            why = "" if cut is None else f": {cut}"
            return DeviceError(f"{self.name} has no frame that can be decoded{why}")
        if cut is not None:
            return DeviceError(f"{self.name} ends early, {cut}", _MEND)
        if self._damaged:
            return DeviceError(
                f"{self.name} is damaged: there are lost frames behind {self._damaged}", _MEND
            )
        lost = indexed_frames(self.name) - self._number
        if lost > _FEW:
            return DeviceError(f"{self.name} is damaged: {lost} of its frames are lost", _MEND)
        return None

    def close(self) -> None:
        """Release the file."""
        self._capture.release()
