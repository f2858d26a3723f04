"""JPEG pictures one after the other, as cameras write them to a pipe or a connection (Motion JPEG)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from hemline._opencv import cv2
from hemline.errors import DeviceError

if TYPE_CHECKING:
    from hemline.preprocess import Frame

PIECE = 1 << 16  # bytes to read at a time: what a pipe holds
_MAX_PICTURE_BYTES = 64 << 20
_START = b"\xff\xd8\xff"
_END_MARKER = 0xD9
_START_OF_SCAN = 0xDA
# Inside the image data 0xFF is followed by 0x00, a restart marker or a fill byte (ITU-T T.81, B.1.1.2).
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class JpegSplitter:
    """Cuts a stream of bytes into whole JPEG pictures; whatever lies between them is left out.

    A picture is given when its end has come, so one that is cut off is never given. End markers in
    thumbnails of the header are stepped over.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._at = 0  # the next marker is looked for here; 0: no picture has begun
        self._in_scan = False

    def feed(self, piece: bytes) -> None:
        """Take the next bytes.

        Raises:
            DeviceError: More bytes without the end of a picture than any picture has.
        """
        self._bytes += piece
        if len(self._bytes) > _MAX_PICTURE_BYTES:
            raise DeviceError(
                f"no JPEG picture ends within {_MAX_PICTURE_BYTES >> 20} MiB",
                "give Motion JPEG: whole JPEG pictures one after the other",
            )

    @property
    def is_inside(self) -> bool:
        """Whether a picture has begun that has not ended."""
        return self._at > 0 or _START in self._bytes

    def next(self) -> bytes | None:
        """The next whole picture, or None until more bytes have come."""
        if not self._at and not self._find_start():
            return None
        while (end := self._step()) == 0:
            pass
        if end < 0:
            return None
        picture = bytes(self._bytes[:end])
        del self._bytes[:end]
        self._at = 0
        return picture

    def _find_start(self) -> bool:
        start = self._bytes.find(_START)
        if start < 0:
            del self._bytes[: max(0, len(self._bytes) - len(_START) + 1)]
            return False
        del self._bytes[:start]
        self._at, self._in_scan = 2, False
        return True

    def _step(self) -> int:
        """Go on by a segment: where the picture ends, 0 to go on, -1 where more bytes are needed."""
        content = self._bytes
        if self._in_scan:
            marker = _MARKER.search(content, self._at)
            if marker is None:
                self._at = max(self._at, len(content) - 1)  # 0xFF may be the last byte so far
                return -1
            self._at, self._in_scan = marker.start(), False
        if self._at + 4 > len(content) and content[self._at + 1 : self._at + 2] != b"\xd9":
            return -1
        if content[self._at] != 0xFF:  # no segment: damaged, so look for the next picture
            self._restart()
            return 0 if self._at else -1
        code = content[self._at + 1]
        if code == 0xFF:  # a fill byte
            self._at += 1
        elif code == _END_MARKER:
            return self._at + 2
        elif code == 0xD8:  # another picture begins before this one has ended: it was cut off
            self._restart()
            return 0 if self._at else -1
        else:
            length = content[self._at + 2] << 8 | content[self._at + 3]
            self._at += 2 + length
            self._in_scan = code == _START_OF_SCAN
            return 0 if self._at <= len(content) else -1
        return 0

    def _restart(self) -> None:
        del self._bytes[: max(self._at, 2)]
        self._at = 0
        self._find_start()


def decoded(picture: bytes) -> Frame | None:
    """A JPEG picture as uint8 (H, W, 3) BGR, or None if it is damaged beyond reading.

    OpenCV's Python has no way to decode into an array that is there, so each is a new one.
    """
    try:
        return cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)  # type: ignore[return-value]
    except cv2.error:
        return None


class JpegFrames:
    """Cuts a stream of bytes into pictures and decodes them; what cannot be decoded is counted.

    Attributes:
        damaged: How many pictures came that could not be decoded.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self._splitter = JpegSplitter()

    def restart(self) -> None:
        """What comes next is the beginning of a stream."""
        self._splitter = JpegSplitter()

    def feed(self, piece: bytes) -> None:
        """Take the next bytes; see `JpegSplitter.feed`."""
        self._splitter.feed(piece)

    @property
    def is_inside(self) -> bool:
        """Whether a picture has begun that has not ended."""
        return self._splitter.is_inside

    def next(self) -> Frame | None:
        """The next frame, or None until more bytes have come."""
        while (picture := self._splitter.next()) is not None:
            if (frame := decoded(picture)) is not None:
                return frame
            self.damaged += 1
        return None
