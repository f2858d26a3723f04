"""Whether a GIF moves, without decoding it (GIF89a specification, sections 15 to 27)."""

from __future__ import annotations

_MAGIC = b"GIF8"
_HEADER_BYTES = 13
_EXTENSION = 0x21
_IMAGE = 0x2C
_HAS_TABLE = 0x80


def is_animated(path: str) -> bool:
    """Whether the file is a GIF of two pictures or more. What cannot be read is none."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return False
    return content.startswith(_MAGIC) and _pictures(content) > 1


def _pictures(content: bytes) -> int:
    """How many there are; no more than 2 are counted."""
    if len(content) < _HEADER_BYTES:
        return 0
    at, count = _HEADER_BYTES + _table_bytes(content[10]), 0
    while at + 10 <= len(content) and count < 2:
        if content[at] == _EXTENSION:
            at = _behind_blocks(content, at + 2)
        elif content[at] == _IMAGE:
            count += 1
            at = _behind_blocks(content, at + 11 + _table_bytes(content[at + 9]))
        else:
            break
    return count


def _table_bytes(packed: int) -> int:
    """The bytes of a table of colours."""
    return 3 << (packed & 7) + 1 if packed & _HAS_TABLE else 0


def _behind_blocks(content: bytes, at: int) -> int:
    """Behind blocks that each begin with their length, up to one of 0 bytes."""
    while at < len(content) and content[at]:
        at += 1 + content[at]
    return at + 1
