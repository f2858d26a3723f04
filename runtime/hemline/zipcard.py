"""The card out of a file with a zip part (`.tflite`, `.keras`), without Python's `zipfile`.

Importing `zipfile` with all that it brings takes as long as loading the model and running it. The format is
PKWARE's APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.16 (end of directory); of it
only what model files use: no zip64, no encryption, members stored or deflated.
"""

from __future__ import annotations

import struct
import zlib

from hemline.errors import ModelError

CARD_MEMBER = "hemline_card.json"  # name inside the zip part of .tflite and .keras files
LABELS_MEMBER = "labels.txt"  # the name that TFLite metadata readers look for

_END = struct.Struct("<4s4H2IH")  # …, members on this disk, members, directory's size and place, …
_ENTRY = struct.Struct("<4s6H3I5H2I")  # …, flags, method, time, date, CRC, packed, size, …
_LOCAL = struct.Struct("<4s5H3I2H")
_END_MAGIC, _ENTRY_MAGIC, _LOCAL_MAGIC = b"PK\5\6", b"PK\1\2", b"PK\3\4"
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1
_MAX_COMMENT = 65_535
_MAX_CARD_BYTES = 16 * 1024 * 1024  # a few bytes can claim to unpack to gigabytes


class _DamagedError(Exception):
    """The zip part cannot be right."""


def read_zip_card(path: str, content: bytes) -> str | None:
    """The text of the card, or None if the file has none.

    Args:
        path: For messages.
        content: The whole file; the zip part is at its end.

    Raises:
        ModelError: There is a card, and it or the zip part is damaged.
    """
    try:
        found = _member(content, CARD_MEMBER.encode())
        return None if found is None else found.decode()
    except (_DamagedError, struct.error, zlib.error, UnicodeDecodeError) as error:
        if CARD_MEMBER.encode() in content:
            raise ModelError(
                f"{path} is damaged: its end is missing or changed ({error})",
                "copy or convert the model again",
            ) from error
        return None


def _member(content: bytes, wanted: bytes) -> bytes | None:
    """The content of one member, checked against its checksum; None if there is no such member."""
    end = content.rfind(_END_MAGIC, max(0, len(content) - _END.size - _MAX_COMMENT))
    if end < 0:
        raise _DamagedError("no directory of a zip archive")
    _, _, _, _, count, size, place, comment = _END.unpack_from(content, end)
    if end + _END.size + comment != len(content):
        raise _DamagedError("something follows the zip archive")
    at = end - size
    shift = at - place  # places count from the start of the archive, and the model lies before it
    if at < 0 or shift < 0:
        raise _DamagedError("the directory lies outside of the file")
    chosen = None
    for _ in range(count):
        magic, _, _, flags, method, _, _, crc, packed, full, n, extra, note, *_, start = (
            _ENTRY.unpack_from(content, at)
        )
        if magic != _ENTRY_MAGIC:
            raise _DamagedError("the directory is changed")
        at += _ENTRY.size
        if content[at : at + n] == wanted:
            chosen = _unpacked(content, shift + start, wanted, (flags, method, crc, packed, full))
        at += n + extra + note
    if at != end:
        raise _DamagedError("the directory is changed")
    return chosen


def _unpacked(content: bytes, at: int, name: bytes, entry: tuple[int, int, int, int, int]) -> bytes:
    flags, method, crc, packed, full = entry
    magic, _, _, local_method, _, _, _, _, _, n, extra = _LOCAL.unpack_from(content, at)
    at += _LOCAL.size
    if magic != _LOCAL_MAGIC or local_method != method or content[at : at + n] != name:
        raise _DamagedError("a member is not where the directory says")
    if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED) or full > _MAX_CARD_BYTES:
        raise _DamagedError("a member is packed in a way that model files are not")
    at += n + extra
    data = content[at : at + packed]
    if method == _DEFLATED:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        data = inflate.decompress(data, full + 1)
    if len(data) != full or zlib.crc32(data) != crc:
        raise _DamagedError("a member fails its checksum")
    return data
