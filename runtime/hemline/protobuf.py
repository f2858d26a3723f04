"""Reading and writing protocol buffer messages (https://protobuf.dev/programming-guides/encoding/), by field.

A message is a row of fields: a number with a wire type, then a number or a length with as many bytes. What
the bytes mean (a text, a message, a row of numbers) only the schema says.
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _EIGHT_BYTES, _SIZED, _FOUR_BYTES = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10

Field = tuple[int, "int | memoryview"]  # its number, and its value; of fixed size are bytes too


class ProtobufError(ValueError):
    """The bytes are no protocol buffer message."""


def fields_of(message: memoryview) -> Iterator[Field]:
    """The fields of a message, in the order in which they come.

    Args:
        message: Bytes, one dimension. The values refer to it.

    Raises:
        ProtobufError: It ends within a field, or holds what no writer writes.
    """
    at, size = 0, len(message)
    while at < size:
        tag, at = varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, at = varint(message, at)
            yield number, value
            continue
        if wire_type == _SIZED:
            length, at = varint(message, at)
        elif wire_type in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if wire_type == _EIGHT_BYTES else 4
        else:
            raise ProtobufError(f"a field is of the unknown wire type {wire_type}")
        if number == 0 or at + length > size:
            raise ProtobufError("a part of it is missing, or a length was changed")
        yield number, message[at : at + length]
        at += length


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number of variable length at a place, unsigned, and the place behind it.

    Raises:
        ProtobufError: It does not end.
    """
    value = 0
    for shift, byte in enumerate(message[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + shift + 1
    raise ProtobufError("a part of it is missing, or a number was changed")


def signed(value: int) -> int:
    """A varint as the int64 that it stands for."""
    return value - (1 << 64) if value >> 63 else value


def field(number: int, value: int | bytes | memoryview) -> bytes:
    """One field of a message: a number that is not negative, or bytes with their length in front."""
    if isinstance(value, int):
        return _varint_of(number << 3 | _VARINT) + _varint_of(value)
    return _varint_of(number << 3 | _SIZED) + _varint_of(len(value)) + bytes(value)


def _varint_of(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])
