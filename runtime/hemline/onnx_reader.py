"""Reading `.onnx` files without the `onnx` package: graph, weights, operator sets, properties.

The file is a protocol buffer message after `onnx.proto3`; the numbers below are those of its fields. For
looking at a model, not for running it: subgraphs, functions and sparse weights are only counted.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.errors import ModelError
from hemline.protobuf import ProtobufError, fields_of, signed, varint

# Names of `TensorProto.DataType`, by number.
TYPE_NAMES = """
UNDEFINED FLOAT32 UINT8 INT8 UINT16 INT16 INT32 INT64 STRING BOOL FLOAT16 FLOAT64 UINT32 UINT64
COMPLEX64 COMPLEX128 BFLOAT16 FLOAT8E4M3FN FLOAT8E4M3FNUZ FLOAT8E5M2 FLOAT8E5M2FNUZ UINT4 INT4
FLOAT4E2M1
""".split()
_DTYPES = {
    name: np.dtype(name.lower()).newbyteorder("<")
    for name in (
        "FLOAT16 FLOAT32 FLOAT64 INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64 BOOL"
    ).split()
}
# The field of a tensor that holds its values where they are not raw: field number, dtype.
_FLOATS, _INT32S, _INT64S, _DOUBLES, _UINT64S = 4, 5, 7, 10, 11
_RAW, _EXTERNAL = 9, 14
_PACKED_FLOATS = {_FLOATS: "<f4", _DOUBLES: "<f8"}

Message = dict[int, list["int | memoryview"]]


@dataclass(frozen=True)
class Initializer:
    """A constant of the graph.

    Attributes:
        name: What operators call it.
        type_name: `INT8`, `FLOAT32`, …
        shape: () for a scalar.
        size_bytes: Of its values, as they are in the file.
        is_external: Whether its values are in another file.
    """

    name: str
    type_name: str
    shape: tuple[int, ...]
    size_bytes: int
    is_external: bool
    _message: Message

    def value(self) -> NDArray[Any]:
        """The values, of the tensor's shape.

        Raises:
            ModelError: They are in another file, of a type that NumPy has not, or of another number
                than the shape says.
        """
        dtype = _DTYPES.get(self.type_name)
        if self.is_external or dtype is None:
            raise ModelError(f"the values of {self.name} ({self.type_name}) cannot be read here")
        if _RAW in self._message:
            values: Any = np.frombuffer(_bytes(self._message[_RAW][-1]), dtype)
        else:
            values = np.array(_numbers(self._message), dtype)
        if values.size != int(np.prod(self.shape, dtype=object)):
            raise ModelError(
                f"the constant {self.name} is damaged: it has {values.size} values for the shape "
                f"{self.shape}",
                "copy or convert the model again",
            )
        return np.asarray(values.reshape(self.shape))


@dataclass(frozen=True)
class Value:
    """An input, an output or an intermediate value, as far as the file says what it is.

    Attributes:
        name: What operators call it.
        type_name: `UINT8`, `FLOAT32`, …; empty where the file does not say.
        shape: A name or None stands for a size that is open; None where nothing is said.
    """

    name: str
    type_name: str
    shape: tuple[int | str | None, ...] | None


@dataclass(frozen=True)
class Node:
    """One operator.

    Attributes:
        name: Often empty.
        op_type: `Conv`, …
        domain: Empty for the operators of ONNX itself.
        inputs: Names; empty where an input is left out.
        outputs: Names.
        attributes: Integers, floats, texts (as bytes), tuples of integers or floats; None for what
            is of another kind.
    """

    name: str
    op_type: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class OnnxModel:
    """A whole file.

    Attributes:
        ir_version: Version of the format.
        producer: Name and version of what wrote it.
        opsets: Version of each operator set by its domain, "" for ONNX itself.
        nodes: In the order in which they run.
        initializers: By name.
        inputs: Of the graph, those that are no constants.
        outputs: Of the graph.
        values: What the file says of intermediate values, by name.
        properties: The metadata properties.
        functions: How many functions the model brings with it.
    """

    ir_version: int
    producer: str
    opsets: dict[str, int]
    nodes: tuple[Node, ...]
    initializers: dict[str, Initializer]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    values: dict[str, Value]
    properties: dict[str, str]
    functions: int


def read_onnx(name: str, content: bytes) -> OnnxModel:
    """Read a model.

    Args:
        name: Of the file, for messages.
        content: The whole file. The answer refers to it.

    Raises:
        ModelError: It is no ONNX file, or damaged.
    """
    try:
        model = _message(memoryview(content))
        if 7 not in model:
            raise ProtobufError("it has no graph")
        return _model(model)
    except (ProtobufError, struct.error) as error:
        raise ModelError(
            f"{name} is no ONNX model, or damaged: {error}", "copy or convert the model again"
        ) from error


def _model(model: Message) -> OnnxModel:
    graph = _message(_bytes(model[7][-1]))
    initializers = {
        tensor.name: tensor for tensor in (_initializer(m) for m in _messages(graph, 5))
    }
    opsets = {_text(m, 1): _integer(m, 2) for m in _messages(model, 8)}
    if "ai.onnx" in opsets:  # another name for the same
        opsets[""] = opsets.pop("ai.onnx")
    return OnnxModel(
        ir_version=_integer(model, 1),
        producer=f"{_text(model, 2)} {_text(model, 3)}".strip(),
        opsets=opsets,
        nodes=tuple(_node(m) for m in _messages(graph, 1)),
        initializers=initializers,
        inputs=tuple(
            value
            for value in (_value(m) for m in _messages(graph, 11))
            if value.name not in initializers
        ),
        outputs=tuple(_value(m) for m in _messages(graph, 12)),
        values={value.name: value for value in (_value(m) for m in _messages(graph, 13))},
        properties={_text(m, 1): _text(m, 2) for m in _messages(model, 14)},
        functions=len(model.get(25, [])),
    )


def _initializer(message: Message) -> Initializer:
    held = [value for number in (_FLOATS, _INT32S, _INT64S, _RAW, _DOUBLES, _UINT64S)
            for value in message.get(number, [])]  # fmt: skip
    return Initializer(
        name=_text(message, 8),
        type_name=_type_name(_integer(message, 2)),
        shape=tuple(_integers(message, 1)),
        size_bytes=sum(1 if isinstance(value, int) else len(value) for value in held),
        is_external=_integer(message, _EXTERNAL) == 1,
        _message=message,
    )


def _numbers(message: Message) -> list[Any]:
    for number, form in _PACKED_FLOATS.items():
        if number in message:
            size = np.dtype(form).itemsize
            joined = b"".join(bytes(_bytes(value)) for value in message[number])
            if len(joined) % size:
                raise ProtobufError("a row of numbers was cut")
            return list(np.frombuffer(joined, form))
    return [n for number in (_INT32S, _INT64S, _UINT64S) for n in _integers(message, number)]


def _value(message: Message) -> Value:
    kinds = _messages(message, 2)
    tensors = _messages(kinds[-1], 1) if kinds else []
    if not tensors:
        return Value(_text(message, 1), "", None)
    shapes = _messages(tensors[-1], 2)
    shape = tuple(_dimension(m) for m in _messages(shapes[-1], 1)) if shapes else None
    return Value(_text(message, 1), _type_name(_integer(tensors[-1], 1)), shape)


def _dimension(message: Message) -> int | str | None:
    if 1 in message:
        return _integer(message, 1)
    return _text(message, 2) or None


def _node(message: Message) -> Node:
    return Node(
        name=_text(message, 3),
        op_type=_text(message, 4),
        domain=_text(message, 7).removesuffix("ai.onnx"),
        inputs=tuple(_decoded(value) for value in message.get(1, [])),
        outputs=tuple(_decoded(value) for value in message.get(2, [])),
        attributes={_text(m, 1): _attribute(m) for m in _messages(message, 5)},
    )


def _attribute(message: Message) -> Any:
    kind = _integer(message, 20)
    if kind == 1:
        return struct.unpack("<f", _bytes(message.get(2, [memoryview(bytes(4))])[-1]))[0]
    if kind == 2:
        return _integer(message, 3)
    if kind == 3:
        return bytes(_bytes(message.get(4, [memoryview(b"")])[-1]))
    if kind == 6:
        joined = b"".join(bytes(_bytes(value)) for value in message.get(7, []))
        return struct.unpack(f"<{len(joined) // 4}f", joined)
    if kind == 7:
        return tuple(_integers(message, 8))
    return None


def _type_name(number: int) -> str:
    return TYPE_NAMES[number] if 0 <= number < len(TYPE_NAMES) else f"TYPE_{number}"


def _message(content: memoryview) -> Message:
    message: Message = {}
    for number, value in fields_of(content):
        message.setdefault(number, []).append(value)
    return message


def _messages(message: Message, number: int) -> list[Message]:
    return [_message(_bytes(value)) for value in message.get(number, [])]


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ProtobufError("bytes were changed into a number")
    return value


def _decoded(value: int | memoryview) -> str:
    return bytes(_bytes(value)).decode("utf-8", "replace")


def _text(message: Message, number: int) -> str:
    return _decoded(message[number][-1]) if number in message else ""


def _integer(message: Message, number: int) -> int:
    value = message[number][-1] if number in message else 0
    if not isinstance(value, int):
        raise ProtobufError("a number was changed into bytes")
    return signed(value)


def _integers(message: Message, number: int) -> list[int]:
    """A row of numbers, written one by one or packed."""
    found = []
    for value in message.get(number, []):
        if isinstance(value, int):
            found.append(signed(value))
            continue
        at = 0
        while at < len(value):
            one, at = varint(value, at)
            found.append(signed(one))
    return found
