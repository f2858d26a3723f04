"""What the segments of a JPEG file say, without decoding it (ITU-T T.81, annex B)."""

from __future__ import annotations

from typing import NamedTuple

MAGIC = b"\xff\xd8\xff"

_END = b"\xff\xd9"
_EXIF = b"Exif\0\0"
_APP1 = 0xE1
_START_OF_SCAN = 0xDA
# Start of frame, which holds the size; among these numbers 4, 8 and 12 mean something else.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class Header(NamedTuple):
    """What stands before the image data.

    Attributes:
        size_wh: Width and height as stored, before any EXIF orientation.
        exif_at: Where the EXIF data begin, or None.
    """

    size_wh: tuple[int, int]
    exif_at: int | None


def read_header(content: bytes) -> Header | None:
    """The header, or None if it holds no size."""
    at, exif_at = 2, None
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker in _START_OF_FRAME:
            height = content[at + 5] << 8 | content[at + 6]
            width = content[at + 7] << 8 | content[at + 8]
            return Header((width, height), exif_at) if width and height else None
        if marker == _START_OF_SCAN:
            return None
        if marker == _APP1 and exif_at is None and content.startswith(_EXIF, at + 4):
            exif_at = at + 4 + len(_EXIF)
        at = _next_segment(content, at)
    return None


def is_complete(content: bytes) -> bool:
    """Whether the end marker is there: at the end, or followed by zeros or what some cameras append."""
    return content.endswith(_END) or content.rstrip(b"\0").endswith(_END) or _ends_inside(content)


def _ends_inside(content: bytes) -> bool:
    """Whether an end marker follows the image data.

    A thumbnail in the header has an end marker of its own, so the segments of the header are stepped
    over. Inside the image data 0xFF is always followed by 0x00 or a marker (B.1.1.2).
    """
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        if content[at + 1] == _START_OF_SCAN:
            return content.find(_END, at) > 0
        at = _next_segment(content, at)
    return False


def _next_segment(content: bytes, at: int) -> int:
    """A segment is a marker of two bytes and its content, whose first two bytes say how long it is."""
    if content[at + 1] == 0xFF:  # a fill byte, of which any number may stand before a marker
        return at + 1
    return at + 2 + (content[at + 2] << 8 | content[at + 3])
