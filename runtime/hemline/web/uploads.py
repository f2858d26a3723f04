"""Pictures that are sent to be classified: looked at before they are decoded, then one at a time."""

from __future__ import annotations

import queue
import struct
import threading
from typing import TYPE_CHECKING

from hemline import jpeg
from hemline.batch import Outcome
from hemline.errors import UserError
from hemline.web.guard import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemline.classifier import Classifier
    from hemline.web.limits import Limits

    Answered = Callable[[Outcome | BaseException], None]

NAME = "upload"
_PNG = b"\x89PNG\r\n\x1a\n"
_JOIN_S = 0.5


def refused(content: bytes, limits: Limits) -> Refusal | None:
    """Whether a picture is of another kind than browsers and cameras write, or too large to decode."""
    size_wh = size_of(content)
    most = limits.jpeg_pixels if content.startswith(jpeg.MAGIC) else limits.other_pixels
    if size_wh is None:
        return Refusal(415, "the body is no picture; send the bytes of a JPEG, PNG or WebP file")
    width, height = size_wh
    if width * height > most:
        return Refusal(
            413,
            f"the picture is {width}×{height}; {most // 1_000_000} megapixels are allowed",
        )
    return None


def size_of(content: bytes) -> tuple[int, int] | None:
    """Width and height that a JPEG, PNG or WebP file states; None for all else."""
    if content.startswith(jpeg.MAGIC):
        header = jpeg.read_header(content)
        return None if header is None else header.size_wh
    if content.startswith(_PNG) and content[12:16] == b"IHDR" and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP" and len(content) >= 30:
        return _size_of_webp(content)
    return None


def _size_of_webp(content: bytes) -> tuple[int, int] | None:
    """The three kinds of WebP (RFC 9649, sections 2.5 to 2.7; RFC 6386, section 9.1 for the lossy one)."""
    kind = content[12:16]
    if kind == b"VP8X":
        return (
            1 + int.from_bytes(content[24:27], "little"),
            1 + int.from_bytes(content[27:30], "little"),
        )
    if kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", content[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


class Desk:
    """Classifies pictures one at a time, in a thread of its own and with a classifier of its own.

    Args:
        make: Makes the classifier, when the first picture comes.
    """

    def __init__(self, make: Callable[[], Classifier]) -> None:
        self._make = make
        self._classifier: Classifier | None = None
        self._waiting: queue.SimpleQueue[tuple[bytes, Answered] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="classifies uploads", daemon=True)
        self._thread.start()

    def classify(self, content: bytes, answered: Answered) -> None:
        """Classify the content of a picture file; `answered` gets the outcome, in the desk's thread."""
        self._waiting.put((content, answered))

    def close(self) -> None:
        """End the thread."""
        self._waiting.put(None)
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            content, answered = work
            try:
                answered(self._outcome(content))
            except BaseException as error:  # a bug: the server tells it
                answered(error)

    def _outcome(self, content: bytes) -> Outcome:
        if self._classifier is None:
            self._classifier = self._make()
        try:
            return Outcome(NAME, None, self._classifier.classify_content(content, "the picture"))
        except UserError as error:
            return Outcome(NAME, None, None, error.problem)
