"""JPEG pictures one after the other, as cameras write them to a pipe or a connection (Motion JPEG)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from hemline._opencv import cv2
from hemline.decoder_messages import damage_told_by, is_of_a_decoder
from hemline.errors import DeviceError
from hemline.quiet import listening

if TYPE_CHECKING:
    from hemline.preprocess import Frame

PIECE = 1 << 16  # bytes to read at a time: what a pipe holds
_MAX_PICTURE_BYTES = 64 << 20
_START = b"\xff\xd8\xff"
_END_MARKER = 0xD9
_START_OF_SCAN = 0xDA
# Inside the image data 0xFF is followed by 0x00, a restart marker or a fill byte (ITU-T T.81, B.1.1.2).
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# What healthy streams have between pictures: headers of multipart, and padding; and a few bytes of anything,
# such as the head of a chunk.
_HARMLESS = bytes([0, 0xFF, *b"\t\n\r", *range(0x20, 0x7F)])
_MOST_ODD = 15


class JpegSplitter:
    """Cuts a stream of bytes into whole JPEG pictures; whatever lies between them is left out.

    A picture is given when its end has come, so one that is cut off is never given. End markers in
    thumbnails of the header are stepped over.

    Attributes:
        lost: At how many places pictures were cut off, or something else stood between two. A stream that
            begins with something else is a container, or was joined in the middle: in it only pictures
            that are cut off are counted, since sound and tables lie between the others.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._odd = 0  # bytes since the last picture that a healthy stream has not there
        self._is_bare: bool | None = None  # nothing but pictures; None: not known before the first
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
        passed = max(0, len(self._bytes) - len(_START) + 1) if start < 0 else start
        self._odd += len(self._bytes[:passed].translate(None, _HARMLESS))
        del self._bytes[:passed]
        if start < 0:
            return False
        is_odd, self._odd = self._odd > _MOST_ODD, 0
        if self._is_bare is None:
            self._is_bare = not is_odd
        elif self._is_bare and is_odd:
            self.lost += 1
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
        self.lost += 1
        del self._bytes[: max(self._at, 2)]
        self._at = 0
        is_bare, self._is_bare = self._is_bare, False  # what is left of it is not counted once more
        self._find_start()
        self._is_bare = is_bare


def decoded(picture: bytes) -> Frame | None:
    """A JPEG picture as uint8 (H, W, 3) BGR, or None if it is damaged.

    OpenCV's Python has no way to decode into an array that is there, so each is a new one.
    """
    array = np.frombuffer(picture, np.uint8)
    try:
        frame, said = listening(lambda: cv2.imdecode(array, cv2.IMREAD_COLOR), is_of_a_decoder)
    except cv2.error:
        return None
    return None if said and damage_told_by(said, picture) else frame  # type: ignore[return-value]


class JpegFrames:
    """Cuts a stream of bytes into pictures and decodes them; what is damaged is counted."""

    def __init__(self) -> None:
        self._damaged = 0
        self._splitter = JpegSplitter()

    @property
    def damaged(self) -> int:
        """How many pictures came damaged, and at how many places some are lost."""
        return self._damaged + self._splitter.lost

    def restart(self) -> None:
        """What comes next is the beginning of a stream."""
        self._damaged += self._splitter.lost
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
            self._damaged += 1
        return None
