"""The TFLite metadata FlatBuffer, written by hand: its schema is in no light package.

Slots are those of `metadata_schema.fbs` (TensorFlow Lite Support, schema version 1.5): each constant is
the field's number in its table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers

from hemline.card import ModelCard
from hemline.zipcard import LABELS_MEMBER

_IDENTIFIER = b"M001"
_MIN_PARSER_VERSION = "1.0.0"  # only tables of the first version are used
_IMAGE_PROPERTIES = 2  # member of the union ContentProperties
_NORMALIZATION_OPTIONS = 1  # member of the union ProcessUnitOptions
_TENSOR_AXIS_LABELS = 2  # AssociatedFileType
_DESCRIBED_CLASSES = 100  # so many are named in the description of the output
_COLOR_SPACE = {"rgb": 1, "gray": 2}  # ColorSpaceType

Field = tuple[int, str, Any]  # slot, kind, value


def metadata_buffer(card: ModelCard, *, has_int8_ends: bool = False) -> bytes:
    """`ModelMetadata` for a classifier that takes uint8 pixels, or int8 and gives int8."""
    builder = flatbuffers.Builder(1024)
    subgraph = _table(
        builder,
        [
            (2, "offset", _vector(builder, [_input(builder, card, has_int8_ends)])),
            (3, "offset", _vector(builder, [_output(builder, card, has_int8_ends)])),
        ],
    )
    root = _table(
        builder,
        [
            (0, "offset", builder.CreateString(card.name)),
            (1, "offset", builder.CreateString("Image classifier made by hemline")),
            (2, "offset", builder.CreateString(card.version)),
            (3, "offset", _vector(builder, [subgraph])),
            (7, "offset", builder.CreateString(_MIN_PARSER_VERSION)),
        ],
    )
    builder.Finish(root, _IDENTIFIER)
    return bytes(builder.Output())


def _input(builder: Any, card: ModelCard, is_int8: bool) -> int:
    """TensorMetadata of the picture; the pixels go in as they are, mean 0, or as int8, mean 128."""
    pixels = "pixels 0 to 255 less 128" if is_int8 else "pixels 0 to 255"
    image = _table(builder, [(0, "byte", _COLOR_SPACE[card.input.color])])
    content = _table(builder, [(0, "byte", _IMAGE_PROPERTIES), (1, "offset", image)])
    means = _floats(builder, [128.0 if is_int8 else 0.0] * card.input.channels)
    deviations = _floats(builder, [1.0] * card.input.channels)
    options = _table(builder, [(0, "offset", means), (1, "offset", deviations)])
    unit = _table(builder, [(0, "byte", _NORMALIZATION_OPTIONS), (1, "offset", options)])
    stats = _table(
        builder,
        [
            (0, "offset", _floats(builder, [127.0 if is_int8 else 255.0] * card.input.channels)),
            (1, "offset", _floats(builder, [-128.0 if is_int8 else 0.0] * card.input.channels)),
        ],
    )
    return _table(
        builder,
        [
            (0, "offset", builder.CreateString("image")),
            (1, "offset", builder.CreateString(f"The picture to classify, {pixels}")),
            (3, "offset", content),
            (4, "offset", _vector(builder, [unit])),
            (5, "offset", stats),
        ],
    )


def _output(builder: Any, card: ModelCard, is_int8: bool) -> int:
    """TensorMetadata of the logits or probabilities, with the file that names them.

    The description names the classes too: Netron shows it, and does not show that file.
    """
    meaning = {
        "logits": "Softmax of these gives the confidence",
        "probabilities": "The confidence in each class, 0 to 1",
    }[card.output]
    if is_int8:
        meaning = "Dequantized, these are logits, and softmax of those gives the confidence"
    classes = ", ".join(card.labels[:_DESCRIBED_CLASSES])
    if len(card.labels) > _DESCRIBED_CLASSES:
        classes += ", …"
    labels = _table(
        builder,
        [
            (0, "offset", builder.CreateString(LABELS_MEMBER)),
            (1, "offset", builder.CreateString("One class a line, in the order of the outputs")),
            (2, "byte", _TENSOR_AXIS_LABELS),
        ],
    )
    return _table(
        builder,
        [
            (0, "offset", builder.CreateString(card.output)),
            (1, "offset", builder.CreateString(f"{meaning}; {classes}")),
            (6, "offset", _vector(builder, [labels])),
        ],
    )


def _table(builder: Any, fields: Sequence[Field]) -> int:
    builder.StartObject(max(slot for slot, _, _ in fields) + 1)
    for slot, kind, value in fields:
        if kind == "byte":
            builder.PrependInt8Slot(slot, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
    return int(builder.EndObject())


def _vector(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _floats(builder: Any, values: Sequence[float]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return int(builder.EndVector())
