"""The card out of an `.onnx` file, without the `onnx` package and before a runtime loads the file.

Fields are those of `ModelProto` and `StringStringEntryProto` in `onnx.proto3`.
"""

from __future__ import annotations

import zlib

from hemline.card import CARD_PROPERTY
from hemline.errors import ModelError
from hemline.protobuf import ProtobufError, fields_of

# An .onnx file has no checksum of its own, as a zip archive has. This is that of the card's UTF-8 text.
CARD_CRC_PROPERTY = "hemline_card_crc32"
_METADATA_PROPS = 14
_KEY, _VALUE = 1, 2


def read_onnx_card(path: str, content: bytes) -> str | None:
    """The text of the card, or None if the file has none.

    Args:
        path: For messages.
        content: The whole file.

    Raises:
        ModelError: The content is no protocol buffer message, or the card is damaged.
    """
    try:
        properties = properties_of(content)
        card = properties.get(CARD_PROPERTY.encode())
        if card is None:
            return None
        stated = properties.get(CARD_CRC_PROPERTY.encode())
        if stated is not None and stated.decode() != card_crc32(card):
            raise ProtobufError("the card fails its checksum")
        return card.decode()
    except (ProtobufError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path} is no ONNX model, or damaged: {error}", "copy or convert the model again"
        ) from error


def card_crc32(card: bytes) -> str:
    """The checksum of a card for the property `CARD_CRC_PROPERTY`: 8 hexadecimal digits."""
    return f"{zlib.crc32(card):08x}"


def properties_of(content: bytes) -> dict[bytes, bytes]:
    """The metadata properties of a model; of two with one key the last.

    Raises:
        ProtobufError: The content is no protocol buffer message.
    """
    properties = {}
    for number, value in fields_of(memoryview(content)):
        if number == _METADATA_PROPS and not isinstance(value, int):
            entry = dict(fields_of(value))
            properties[_text(entry.get(_KEY))] = _text(entry.get(_VALUE))
    return properties


def _text(value: int | memoryview | None) -> bytes:
    if isinstance(value, int):
        raise ProtobufError("a text was changed into a number")
    return b"" if value is None else bytes(value)
