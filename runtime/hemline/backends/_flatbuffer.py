"""Is a `.tflite` file whole? tflite-runtime does not look, and crashes on a file that was cut off.

A FlatBuffer is tables and vectors that point forwards to each other, without a length for the whole. So
everything that a `.tflite` file points to is visited, and must lie inside. LiteRT does the same by itself.
"""

from __future__ import annotations

import struct

# What the tables of TensorFlow's `schema.fbs` point to, by field number: a table by its name, a vector
# of tables by its name in a tuple, a vector of numbers (or a text) by the bytes of one element.
_Field = str | tuple[str] | int
_SCHEMA: dict[str, dict[int, _Field]] = {
    "Model": {
        1: ("OperatorCode",),
        2: ("SubGraph",),
        3: 1,
        4: ("Buffer",),
        5: 4,
        6: ("Metadata",),
    },
    "OperatorCode": {1: 1},
    "SubGraph": {0: ("Tensor",), 1: 4, 2: 4, 3: ("Operator",), 4: 1},
    "Buffer": {0: 1},
    "Metadata": {0: 1},
    "Tensor": {0: 4, 3: 1, 4: "Quantization", 7: 4},
    "Quantization": {0: 4, 1: 4, 2: 4, 3: 8},
    "Operator": {1: 4, 2: 4, 4: "Options", 5: 1, 7: 1, 8: 4},
    "Options": {},  # of each operator another; only the table itself is looked at
}


def is_whole(content: bytes) -> bool:
    """Whether all that the model points to lies inside of `content`."""
    try:
        _visit_table(content, _number("I", content, 0), "Model")
    except struct.error:
        return False
    return True


def _visit_table(content: bytes, at: int, kind: str) -> None:
    fields_at = at - _number("i", content, at)
    fields_size, table_size = _number("H", content, fields_at), _number("H", content, fields_at + 2)
    _must_lie_inside(content, fields_at, fields_size)
    _must_lie_inside(content, at, table_size)
    for number, target in _SCHEMA[kind].items():
        slot = 4 + 2 * number
        offset = _number("H", content, fields_at + slot) if slot + 2 <= fields_size else 0
        if offset:
            _visit(content, _followed(content, at + offset), target)


def _visit(content: bytes, at: int, target: _Field) -> None:
    if isinstance(target, str):
        _visit_table(content, at, target)
        return
    count = _number("I", content, at)
    _must_lie_inside(content, at + 4, count * (target if isinstance(target, int) else 4))
    if isinstance(target, tuple):
        for place in range(at + 4, at + 4 + 4 * count, 4):
            _visit_table(content, _followed(content, place), target[0])


def _followed(content: bytes, at: int) -> int:
    return at + _number("I", content, at)


def _number(form: str, content: bytes, at: int) -> int:
    _must_lie_inside(content, at, 0)  # struct would count a negative place from the end
    (value,) = struct.unpack_from("<" + form, content, at)
    return int(value)


def _must_lie_inside(content: bytes, at: int, size: int) -> None:
    if at < 0 or at + size > len(content):
        raise struct.error("outside")
