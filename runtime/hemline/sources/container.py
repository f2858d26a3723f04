"""What a film says that it has: so many bytes, and an AVI so many frames.

FFmpeg's count of frames is no such promise. Healthy films have fewer: what an edit list leaves out, what an
AVI only repeats, and in Matroska the count is guessed from a length that may be the sound's.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import BinaryIO

# Some writers count their own header, or leave out a padding byte.
_TOLERANCE_BYTES = 1024
_UNFINISHED_RIFF = 0x7FFF_FFF0  # and above: of a writer that could not go back to put the size
_MOST_INDEX_BYTES = 64 << 20
_INDEX_ENTRY = 16
_MP4_CONTENT = (b"mdat", b"moov", b"moof")
_MP4_BOXES = (*_MP4_CONTENT, b"ftyp", b"styp", b"free", b"skip", b"wide", b"uuid", b"sidx", b"mfra")
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


class Cut(NamedTuple):
    """A film of which a part is missing."""

    there_bytes: int
    promised_bytes: int

    def __str__(self) -> str:
        return f"it is cut off: {self.there_bytes:,} of at least {self.promised_bytes:,} bytes are there"


def cut_of(path: str) -> Cut | None:
    """What is missing of an AVI, MP4, QuickTime, Matroska or WebM file; None where nothing is known to be.

    Files that were never finished, and containers without a size of their own (MPEG, bare JPEGs), promise
    nothing.
    """
    if not os.path.isfile(path):  # an address; or a pipe, whose bytes are not ours to take
        return None
    try:
        with open(path, "rb") as file:
            there = os.fstat(file.fileno()).st_size
            promised = _promised(file, there)
    except OSError:
        return None
    return Cut(there, promised) if promised > there + _TOLERANCE_BYTES else None


def indexed_frames(path: str) -> int:
    """How many frames the index of an AVI names, those that only repeat the one before left out; else 0.

    Of a film beyond a gigabyte that may be the first part alone.
    """
    if not os.path.isfile(path):
        return 0
    try:
        with open(path, "rb") as file:
            index = _avi_index(file)
    except OSError:
        return 0
    entries = [index[at : at + _INDEX_ENTRY] for at in range(0, len(index), _INDEX_ENTRY)]
    # Number of the stream, "dc" or "db" for pictures, flags, offset, size.
    pictures = [entry for entry in entries if entry[2:4] in (b"dc", b"db") and any(entry[12:])]
    return sum(entry[:2] == pictures[0][:2] for entry in pictures)


def _avi_index(file: BinaryIO) -> bytes:
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"AVI ":
        return b""
    while len(head := file.read(8)) == 8:
        size = int.from_bytes(head[4:], "little")
        if head[:4] == b"idx1":
            return file.read(min(size, _MOST_INDEX_BYTES))
        file.seek(size + size % 2, os.SEEK_CUR)
    return b""


def _promised(file: BinaryIO, there: int) -> int:
    """Where the content ends, by what the file says; 0 if it does not say."""
    head = file.read(12)
    if head[:4] == b"RIFF":
        size = int.from_bytes(head[4:8], "little")
        return 8 + size if size < _UNFINISHED_RIFF else 0
    if head[:4] == _EBML:
        return _promised_by_matroska(file)
    return _promised_by_mp4(file, there) if head[4:8] in _MP4_BOXES else 0


def _promised_by_mp4(file: BinaryIO, there: int) -> int:
    """The boxes of the file, one after the other (ISO/IEC 14496-12, 4.2)."""
    at = 0
    while at < there:
        file.seek(at)
        head = file.read(16)
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8 or kind not in _MP4_BOXES:  # up to the end, or nothing that one knows
            return 0
        at += size
        if at > there:
            return at if kind in _MP4_CONTENT else 0
    return at


def _promised_by_matroska(file: BinaryIO) -> int:
    """The EBML header, and the one segment behind it (RFC 8794, 4.4; RFC 9559, 5.1)."""
    file.seek(len(_EBML))
    size = _ebml_size(file)
    if size is None:
        return 0
    file.seek(size, os.SEEK_CUR)
    if file.read(len(_SEGMENT)) != _SEGMENT:
        return 0
    size = _ebml_size(file)
    return 0 if size is None else file.tell() + size


def _ebml_size(file: BinaryIO) -> int | None:
    """A number whose first byte says by its leading zeros how many follow; all ones: not known."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    value = int.from_bytes(first + file.read(more), "big")
    bits = 7 * (more + 1)
    value &= (1 << bits) - 1
    return None if value == (1 << bits) - 1 else value
