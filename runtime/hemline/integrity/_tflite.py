"""The network of a `.tflite` file as bytes that do not depend on how the file is laid out.

A FlatBuffer holds the same content in many ways: tables and vectors may come in any order, with any
padding, and a tool that adds metadata packs the whole file anew. So what is hashed is not the file but
what a walk along its offsets finds: from the root, each table as its fields in the order of the schema, a
number as `field=value` in hexadecimal, a vector as its length and its bytes, a table between braces. A
field that is absent in the file, since it has its default, is absent here too.

- Covered is all that an interpreter reads: operators with their versions and options, tensors with names,
  shapes, types, quantization and sparsity, the content of the buffers that tensors refer to (so the
  numbers of the buffers do not matter), signatures, and the metadata that interpreters obey (`_OBEYED`).
- Not covered: the description, all other metadata, buffers that no tensor refers to, padding, and the
  zip archive behind the model. Nor data outside of the FlatBuffer, which only files above 2 GB have.

What a FlatBuffer points to cannot be told from the file, in which an offset looks like a number. The
tables below say it for TensorFlow's `schema.fbs`; a test compares them with the schema that LiteRT ships.
A field that they do not know counts as a number, so that no table gets an unknown field unnoticed.

The walk is apart from `hemline.tflite_reader` since it is on the way to the first label: it builds no
objects, keeps the layouts of tables in a cache, and covers what the reader has no use for.
"""

from __future__ import annotations

import struct
from typing import Any

from hemline.integrity import UnreadableNetworkError

# What the fields of a table point to, by their position in the schema: a vector of numbers by the bytes
# of one of them; a text; a table by its own fields; a list holds the fields of the tables in a vector.
# A union is a pair: the field that tells the type, and the types that point on.
_Fields = dict[int, Any]
_TEXT = 0
_BUFFER = "buffer"  # the number of a buffer; its content takes the place of the number
_METADATA = "metadata"
_LEFT_OUT = "left out"
_NUMBERS_ONLY: _Fields = {}

_OPTIONS: dict[int, _Fields] = {  # BuiltinOptions
    3: {1: 4, 2: 4},  # ConcatEmbeddings
    8: {5: 1},  # FullyConnected
    17: {0: 4},  # Reshape
    30: {0: 4},  # Squeeze
    111: {0: _TEXT, 1: _TEXT},  # VarHandle
    115: {0: 4},  # Bucketize
}
_OPTIONS_2: dict[int, _Fields] = {  # BuiltinOptions2, the operators of StableHLO
    2: {0: 8},  # BroadcastInDim
    3: {0: 8, 1: 8, 2: 8},  # Slice
    4: {0: 8, 1: 8, 2: 8, 3: 8, 4: 1, 7: 8, 10: 8, 13: 8, 16: 4},  # Convolution
    5: {0: _TEXT, 2: _TEXT, 4: 4, 5: 1},  # CustomCall
    6: {0: 8},  # Reduce
    7: {1: 8, 2: 8, 3: 8},  # Scatter
    9: {0: 8},  # DynamicSlice
    10: {0: 8, 1: 8, 2: 8},  # Pad
    12: {0: 8, 1: 8, 2: 8, 3: 8, 4: 4},  # DotGeneral
    13: {0: 8, 1: 8, 2: 8, 3: 8, 4: 8},  # ReduceWindow
    16: {0: 8, 1: 8, 2: 8, 4: 8},  # Gather
    17: {0: 8},  # Transpose
    21: {0: _TEXT, 2: 1},  # Composite
    23: {0: 4},  # Case
}
_DETAILS: dict[int, _Fields] = {1: {0: 1}, 2: {3: 4}, 3: {3: 4}}  # QuantizationDetails
_SPARSE_INDICES: dict[int, _Fields] = {1: {0: 4}, 2: {0: 2}, 3: {0: 1}}  # SparseIndexVector
_QUANTIZATION: _Fields = {0: 4, 1: 4, 2: 4, 3: 8, 5: (4, _DETAILS)}
_DIMENSION: _Fields = {3: (2, _SPARSE_INDICES), 5: (4, _SPARSE_INDICES)}
_SPARSITY: _Fields = {0: 4, 1: 4, 2: [_DIMENSION]}
_VARIANT: _Fields = {0: 4}
_TENSOR: _Fields = {0: 4, 2: _BUFFER, 3: _TEXT, 4: _QUANTIZATION, 6: _SPARSITY, 7: 4, 9: [_VARIANT]}
_OPERATOR: _Fields = {
    1: 4,
    2: 4,
    4: (3, _OPTIONS),
    5: 1,
    7: 1,
    8: 4,
    12: (11, _OPTIONS_2),
}
_GRAPH: _Fields = {0: [_TENSOR], 1: 4, 2: 4, 3: [_OPERATOR], 4: _TEXT}
_CODE: _Fields = {1: _TEXT}
_CONTENT: _Fields = {0: 1}  # of a buffer
_NAMED: _Fields = {0: _TEXT}
_SIGNATURE: _Fields = {0: [_NAMED], 1: [_NAMED], 2: _TEXT}
_MODEL: _Fields = {
    1: [_CODE],
    2: [_GRAPH],
    3: _LEFT_OUT,  # description
    4: _LEFT_OUT,  # buffers come with their tensors
    5: _LEFT_OUT,  # an older kind of metadata
    6: _METADATA,
    7: [_SIGNATURE],
    8: [_NAMED],  # groups of external buffers
    9: [{4: _TEXT}],  # external buffers
}
# Metadata that changes what is computed: in which order (LiteRT), in which precision (XNNPACK, GPU), and
# where in memory (microcontrollers).
_OBEYED = (b"model_control_dependencies", b"reduced_precision_support", b"OfflineMemoryAllocation")

# Changed offsets can make many tables share their content, so that a small file unfolds without end.
_UNFOLDS_TO = 16
_SMALL_BYTES = 1 << 16

_I32 = struct.Struct("<i").unpack_from
_U32 = struct.Struct("<I").unpack_from
_TWO_U16 = struct.Struct("<2H").unpack_from

# Bytes of the table, and of each field: position, start and end in the table, what it points to, and for
# a union the start of its type.
_Layout = tuple[int, list[tuple[int, int, int, Any, int]]]


def network_pieces(content: bytes) -> list[bytes | memoryview]:
    """The network of a file, in pieces that are to be joined.

    Raises:
        UnreadableNetworkError: Something points outside of the file.
    """
    walk = _Walk(content)
    try:
        return walk.model()
    except (struct.error, IndexError) as error:
        raise _outside() from error


def _outside() -> UnreadableNetworkError:
    return UnreadableNetworkError("a part of it is missing, or an offset was changed")


class _Walk:
    """One walk through a file."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._view = memoryview(content)
        self._may_read = _UNFOLDS_TO * len(content) + _SMALL_BYTES
        self._layouts: dict[tuple[int, int], _Layout] = {}
        self._buffers: list[int] = []
        self._pieces: list[bytes | memoryview] = []

    def model(self) -> list[bytes | memoryview]:
        (root,) = _U32(self._content, 0)
        buffers = self._pointed_to(root, 4)
        if buffers:
            self._buffers = self._tables(buffers)
        self._table(root, _MODEL)
        return self._pieces

    def _table(self, at: int, fields: _Fields) -> None:
        content, put = self._content, self._pieces.append
        for position, start, end, target, type_start in self._layout(at, fields)[1]:
            place = at + start
            if target is None:
                # Bytes that pad a number are 0, and so do not change it.
                value = int.from_bytes(content[place : at + end], "little")
                # Hexadecimal, since of a damaged file it can be longer than Python writes in decimal.
                put(b"%d=%x;" % (position, value))
            elif type(target) is int:
                self._vector(position, place + _U32(content, place)[0], target)
            elif type(target) is str:
                self._special(position, place, target)
            elif type(target) is list:
                tables = self._tables(place + _U32(content, place)[0])
                put(b"%d(%d){" % (position, len(tables)))
                for table in tables:
                    self._table(table, target[0])
                    put(b"}{")
            else:
                if type(target) is tuple:
                    kind = content[at + type_start] if type_start else 0
                    target = target[1].get(kind, _NUMBERS_ONLY)
                put(b"%d{" % position)
                self._table(place + _U32(content, place)[0], target)
                put(b"}")

    def _vector(self, position: int, at: int, element_bytes: int) -> None:
        (count,) = _U32(self._content, at)
        size = count * element_bytes if element_bytes else count + 1  # a text ends in a zero
        self._take(at + 4, size)
        self._pieces.append(b"%d[%d]" % (position, count))
        self._pieces.append(self._view[at + 4 : at + 4 + size])

    def _special(self, position: int, place: int, target: str) -> None:
        (number,) = _U32(self._content, place)
        if target is _BUFFER:
            self._pieces.append(b"%d:" % position)
            self._table(self._buffers[number], _CONTENT)
        elif target is _METADATA:
            for table in self._tables(place + number):
                self._metadata(table)

    def _metadata(self, at: int) -> None:
        name_at = self._pointed_to(at, 0)
        if not name_at:
            return
        (count,) = _U32(self._content, name_at)
        name = self._content[name_at + 4 : name_at + 4 + count]
        if name in _OBEYED:
            place = self._place(at, 1)
            number = _U32(self._content, place)[0] if place else 0
            self._pieces.append(b"%s:" % name)
            self._table(self._buffers[number], _CONTENT)

    def _tables(self, at: int) -> list[int]:
        (count,) = _U32(self._content, at)
        self._take(at + 4, 4 * count)
        offsets = struct.unpack_from(f"<{count}I", self._content, at + 4)
        return [at + 4 + 4 * i + offset for i, offset in enumerate(offsets)]

    def _pointed_to(self, at: int, position: int) -> int:
        place = self._place(at, position)
        return place + int(_U32(self._content, place)[0]) if place else 0

    def _place(self, at: int, position: int) -> int:
        """Where a field of a table is, 0 where it is absent."""
        for number, start, *_ in self._layout(at, _NUMBERS_ONLY)[1]:
            if number == position:
                return at + start
        return 0

    def _layout(self, at: int, fields: _Fields) -> _Layout:
        listed_at = at - _I32(self._content, at)[0]
        layout = self._layouts.get((listed_at, id(fields)))
        if layout is None:
            layout = self._new_layout(listed_at, fields)
            self._layouts[listed_at, id(fields)] = layout
        self._take(at, layout[0])
        return layout

    def _new_layout(self, listed_at: int, fields: _Fields) -> _Layout:
        if listed_at < 0:
            raise _outside()
        listed_bytes, table_bytes = _TWO_U16(self._content, listed_at)
        # Of an odd size other readers take one field more.
        if listed_bytes < 4 or listed_bytes % 2:
            raise _outside()
        count = (listed_bytes - 4) // 2
        starts = struct.unpack_from(f"<{count}H", self._content, listed_at + 4)
        if max(starts, default=0) >= table_bytes:
            raise _outside()
        ends = sorted({*starts, table_bytes})
        found = []
        for position, start in enumerate(starts):
            if start:
                target = fields.get(position)
                type_at = target[0] if type(target) is tuple else count
                type_start = starts[type_at] if type_at < count else 0
                end = ends[ends.index(start) + 1]
                found.append((position, start, end, target, type_start))
        return table_bytes, found

    def _take(self, at: int, size: int) -> None:
        if at + size > len(self._content):
            raise _outside()
        self._may_read -= size
        if self._may_read < 0:
            raise UnreadableNetworkError("its parts overlap")
