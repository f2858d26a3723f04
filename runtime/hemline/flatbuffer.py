"""Reading FlatBuffers, with every offset checked: a file that was cut off or changed is refused in words.

A FlatBuffer (https://flatbuffers.dev/internals/) is made of tables and vectors that point to each other.
A table begins with the way back to its list of fields, which holds the place of each field, 0 where it
has its default. Nothing says how long the whole is, so that each place must be looked at before it is used.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.errors import ModelError

# Offsets that were changed can make many tables share their content, so that a small file unfolds into
# a huge one. An honest file has each table and list once, but for a few shared texts.
_UNFOLDS_TO = 16
_SMALL_BYTES = 1 << 16


class FlatBuffer:
    """The content of a file, in which no place outside can be read."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self.content = memoryview(content)
        self._may_read = _UNFOLDS_TO * len(content) + _SMALL_BYTES

    def root(self) -> Table:
        """The table in which all begins.

        Raises:
            ModelError: It does not lie inside of the file; so say all readers of tables.
        """
        return Table(self, self.pointed_to(0))

    def number(self, form: str, at: int) -> Any:
        """The number at a place, in a form of `struct`."""
        self.must_hold(at, struct.calcsize(form))
        return struct.unpack_from("<" + form, self.content, at)[0]

    def pointed_to(self, at: int) -> int:
        """The place that the offset at a place points to; offsets point forwards."""
        return at + int(self.number("I", at))

    def vector(self, at: int, element_bytes: int) -> tuple[int, int]:
        """Place of the first element and number of elements of the vector at a place."""
        count = self.number("I", at)
        self.must_hold(at + 4, count * element_bytes)
        return at + 4, count

    def must_hold(self, at: int, size: int) -> None:
        """Refuse places outside."""
        if at < 0 or at + size > len(self.content):
            raise self.damaged("a part of it is missing, or an offset was changed")

    def spend(self, size: int) -> None:
        """Count what is read, and refuse a file that unfolds without end."""
        self._may_read -= size
        if self._may_read < 0:
            raise self.damaged("its parts overlap")

    def damaged(self, how: str) -> ModelError:
        """The error for such a file."""
        return ModelError(f"{self.name} is damaged: {how}", "copy or convert the model again")


class Table:
    """One table; its fields go by their position in the schema, counted from 0."""

    def __init__(self, file: FlatBuffer, at: int) -> None:
        self._file, self._at = file, at
        self._fields_at = at - file.number("i", at)
        self._fields_bytes = file.number("H", self._fields_at)
        table_bytes = file.number("H", self._fields_at + 2)
        if self._fields_bytes % 2:  # of which each reader makes something else
            raise file.damaged("a list of fields has an odd size")
        file.must_hold(self._fields_at, self._fields_bytes)
        file.must_hold(at, table_bytes)
        file.spend(4 + table_bytes)

    def has(self, position: int) -> bool:
        """Whether a field is there; where it is not, it has its default."""
        return self._place(position) is not None

    def integer(self, position: int, form: str, default: int = 0) -> int:
        """An integer or an enumeration; `form` is that of `struct`: b B h H i I q Q."""
        place = self._place(position)
        return default if place is None else int(self._file.number(form, place))

    def boolean(self, position: int, default: bool = False) -> bool:
        """A truth value."""
        return self.integer(position, "B", int(default)) != 0

    def real(self, position: int, default: float = 0.0) -> float:
        """A float32."""
        place = self._place(position)
        return default if place is None else float(self._file.number("f", place))

    def text(self, position: int) -> str:
        """A text, empty where it is missing; what is no UTF-8 is shown as �."""
        data = self.data(position)
        self._file.spend(len(data))
        return bytes(data).decode("utf-8", "replace")

    def data(self, position: int) -> memoryview:
        """A vector of bytes, not copied; empty where it is missing."""
        start, count = self._vector(position, 1)
        return self._file.content[start : start + count]

    def numbers(self, position: int, dtype: Any) -> NDArray[Any]:
        """A vector of numbers, read-only, (N,); empty where it is missing."""
        kind = np.dtype(dtype).newbyteorder("<")
        start, count = self._vector(position, kind.itemsize)
        self._file.spend(count * kind.itemsize)
        return np.frombuffer(self._file.content, kind, count, start)

    def integers(self, position: int) -> tuple[int, ...]:
        """A vector of int32 as a tuple."""
        return tuple(self.numbers(position, np.int32).tolist())

    def table(self, position: int) -> Table | None:
        """A table, or None where it is missing."""
        place = self._place(position)
        return None if place is None else Table(self._file, self._file.pointed_to(place))

    def tables(self, position: int) -> list[Table]:
        """A vector of tables, empty where it is missing."""
        start, count = self._vector(position, 4)
        places = range(start, start + 4 * count, 4)
        return [Table(self._file, self._file.pointed_to(place)) for place in places]

    def _place(self, position: int) -> int | None:
        slot = 4 + 2 * position
        if slot + 2 > self._fields_bytes:  # written for an older schema
            return None
        offset = self._file.number("H", self._fields_at + slot)
        return self._at + offset if offset else None

    def _vector(self, position: int, element_bytes: int) -> tuple[int, int]:
        place = self._place(position)
        if place is None:
            return 0, 0
        return self._file.vector(self._file.pointed_to(place), element_bytes)
