"""Reading `.tflite` files with NumPy alone: tensors, operators with their options, metadata.

The file is a FlatBuffer after TensorFlow's `schema.fbs`; the numbers below are the positions of fields
there. All that the model points to is visited while it is read, so a file that was cut off or whose
offsets were changed is refused, and what is read can be relied on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.backends._tflite import must_be_tflite
from hemline.errors import ModelError
from hemline.flatbuffer import FlatBuffer, Table

ABSENT = -1  # stands among an operator's inputs for one that is left out

# Names of `BuiltinOperator` and `TensorType` in the schema, by number.
_BUILTIN_NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6
RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM
EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND
TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN
EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX
MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV
SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT
REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV
REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU
REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL
PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS
HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE
READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM
MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX
UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT
STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM
STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM
STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS
STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM
STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT
STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT
STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA
STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER
STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE
STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
""".split()
_CUSTOM = _BUILTIN_NAMES.index("CUSTOM")
_TYPE_NAMES = """
FLOAT32 FLOAT16 INT32 UINT8 INT64 STRING BOOL INT16 COMPLEX64 INT8 FLOAT64 COMPLEX128 UINT64
RESOURCE VARIANT UINT32 UINT16 INT4 BFLOAT16 INT2 UINT4 FLOAT8_E4M3FN FLOAT8_E5M2
""".split()
_DTYPES = {
    name: np.dtype(name.lower()).newbyteorder("<")
    for name in (
        "FLOAT16 FLOAT32 FLOAT64 INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64 BOOL "
        "COMPLEX64 COMPLEX128"
    ).split()
}


@dataclass(frozen=True)
class Quantization:
    """real = scale * (value - zero_point), for a whole tensor or for each slice along an axis.

    Attributes:
        scales: float32, (1,) or (slices,).
        zero_points: int64, (1,) or (slices,).
        axis: The axis of the slices; without meaning where there is one scale.
    """

    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    axis: int

    @property
    def is_per_channel(self) -> bool:
        """Whether each slice has a scale of its own."""
        return len(self.scales) > 1


@dataclass(frozen=True)
class Tensor:
    """One tensor of a graph.

    Attributes:
        index: Its number in the graph.
        name: As the converter gave it; several tensors may share one.
        shape: As stored; () for a scalar.
        shape_signature: The same with -1 where the size is open; empty where all is fixed.
        type_name: `INT8`, `FLOAT32`, … as in the schema.
        quantization: None where it has none.
        buffer: Number of the buffer that holds its value.
        data: The bytes of its value; empty where it is computed.
        is_variable: Whether it keeps its value from one inference to the next.
        is_sparse: Whether `data` holds only the values that are not zero.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    type_name: str
    quantization: Quantization | None
    buffer: int
    data: memoryview
    is_variable: bool
    is_sparse: bool

    @property
    def is_constant(self) -> bool:
        """Whether its value is in the file."""
        return len(self.data) > 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's type.

        Raises:
            ModelError: NumPy has none for it (texts, 4 bits, and such).
        """
        if self.type_name not in _DTYPES:
            raise ModelError(
                f"the tensor {self.name} is {self.type_name}, which cannot be read here",
                f"known are {', '.join(_DTYPES)}",
            )
        return _DTYPES[self.type_name]

    def value(self) -> NDArray[Any]:
        """The value of a constant, read-only, of the tensor's shape.

        Raises:
            ModelError: It is computed, sparse, of a type that NumPy has not, or of another size
                than shape and type say.
        """
        count = int(np.prod(self.shape, dtype=object))
        if not self.is_constant or self.is_sparse:
            how = "is stored sparse" if self.is_sparse else "is no constant"
            raise ModelError(f"the tensor {self.name} {how}", "convert the model again, dense")
        if min(self.shape, default=0) < 0 or count * self.dtype.itemsize != len(self.data):
            raise ModelError(
                f"the tensor {self.name} is damaged: it has {len(self.data)} bytes for the shape "
                f"{self.shape} of {self.type_name}",
                "copy or convert the model again",
            )
        return np.frombuffer(self.data, self.dtype).reshape(self.shape)


@dataclass(frozen=True)
class Operator:
    """One step of a graph.

    Attributes:
        index: Its place in the graph's order.
        name: `CONV_2D`, … as in the schema; of a custom operator the name that it goes by.
        is_custom: Whether it is no builtin operator.
        version: Version of the operator.
        inputs: Indices of tensors; ABSENT where an input is left out.
        outputs: Indices of tensors.
        options: The operator's own table, by position (`Conv2DOptions`, …); None where it has none.
        options_2: The second such table, which newer operators have.
        custom_options: The options of a custom operator, in a form of its own.
    """

    index: int
    name: str
    is_custom: bool
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None
    options_2: Table | None
    custom_options: memoryview


@dataclass(frozen=True)
class Graph:
    """A subgraph: operators in the order in which they run. The first of a file is the main one."""

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """Names for the edges of a graph: tensor indices by name."""

    key: str
    graph: int
    inputs: dict[str, int]
    outputs: dict[str, int]


@dataclass(frozen=True)
class TfliteModel:
    """A whole file.

    Attributes:
        version: Version of the schema, 3.
        description: A free text.
        graphs: At least one.
        buffers: The bytes of each buffer, not copied.
        metadata: The bytes of each entry, by its name.
        signatures: Often one, `serving_default`, or none.
    """

    version: int
    description: str
    graphs: tuple[Graph, ...]
    buffers: tuple[memoryview, ...]
    metadata: dict[str, memoryview]
    signatures: tuple[Signature, ...]


def read_tflite(name: str, content: bytes) -> TfliteModel:
    """Read a model.

    Args:
        name: Of the file, for messages.
        content: The whole file; a zip part behind the model does no harm. The answer refers to it.

    Raises:
        ModelError: It is no TFLite file, was cut off, or points to what is not there.
    """
    must_be_tflite(name, content)
    return _Reader(FlatBuffer(name, content)).model()


class _Reader:
    """One file while it is read."""

    def __init__(self, file: FlatBuffer) -> None:
        self._file = file

    def model(self) -> TfliteModel:
        root = self._file.root()
        self._buffers = tuple(self._buffer(table) for table in root.tables(4))
        self._codes = [self._code(table) for table in root.tables(1)]
        graphs = tuple(self._graph(table) for table in root.tables(2))
        if not graphs:
            raise self._file.damaged("it has no graph")
        metadata = {
            entry.text(0): self._one_of(self._buffers, entry.integer(1, "I"), "buffer")
            for entry in root.tables(6)
        }
        signatures = tuple(self._signature(table, graphs) for table in root.tables(7))
        return TfliteModel(
            version=root.integer(0, "I"),
            description=root.text(3),
            graphs=graphs,
            buffers=self._buffers,
            metadata=metadata,
            signatures=signatures,
        )

    def _buffer(self, table: Table) -> memoryview:
        # Files above 2 GB keep data behind the FlatBuffer; offsets 0 and 1 mean that this does not.
        offset, size = table.integer(1, "Q"), table.integer(2, "Q")
        if offset > 1:
            self._file.must_hold(offset, size)
            return self._file.content[offset : offset + size]
        return table.data(0)

    def _code(self, table: Table) -> tuple[str, bool, int]:
        """Name, whether it is custom, version."""
        # Files for very old runtimes hold the code in the deprecated field.
        number = max(table.integer(3, "i"), table.integer(0, "b"))
        custom_name = table.text(1)
        version = table.integer(2, "i", 1)
        if number == _CUSTOM:
            return custom_name or "CUSTOM", True, version
        known = 0 <= number < len(_BUILTIN_NAMES)
        return _BUILTIN_NAMES[number] if known else f"BUILTIN_{number}", False, version

    def _graph(self, table: Table) -> Graph:
        tensors = tuple(self._tensor(i, entry) for i, entry in enumerate(table.tables(0)))
        operators = tuple(
            self._operator(i, entry, len(tensors)) for i, entry in enumerate(table.tables(3))
        )
        inputs, outputs = table.integers(1), table.integers(2)
        self._must_be_tensors((*inputs, *outputs), len(tensors), least=0)
        return Graph(table.text(4), tensors, operators, inputs, outputs)

    def _tensor(self, index: int, table: Table) -> Tensor:
        buffer, kind = table.integer(2, "I"), table.integer(1, "b")
        known = 0 <= kind < len(_TYPE_NAMES)
        return Tensor(
            index=index,
            name=table.text(3),
            shape=table.integers(0),
            shape_signature=table.integers(7),
            type_name=_TYPE_NAMES[kind] if known else f"TYPE_{kind}",
            quantization=self._quantization(table.table(4)),
            buffer=buffer,
            data=self._one_of(self._buffers, buffer, "buffer"),
            is_variable=table.boolean(5),
            is_sparse=table.table(6) is not None,
        )

    def _quantization(self, table: Table | None) -> Quantization | None:
        if table is None:
            return None
        table.numbers(0, np.float32)  # smallest and largest value while training; they must lie
        table.numbers(1, np.float32)  # inside like all the rest
        scales, zero_points = table.numbers(2, np.float32), table.numbers(3, np.int64)
        if len(scales) == 0:
            return None
        if len(zero_points) not in (1, len(scales)):
            raise self._file.damaged(f"{len(scales)} scales with {len(zero_points)} zero points")
        return Quantization(scales, zero_points, table.integer(6, "i"))

    def _operator(self, index: int, table: Table, tensors: int) -> Operator:
        number = table.integer(0, "I")
        name, is_custom, version = self._one_of(self._codes, number, "operator code")
        inputs, outputs = table.integers(1), table.integers(2)
        self._must_be_tensors(inputs, tensors, least=ABSENT)
        self._must_be_tensors(outputs, tensors, least=0)
        self._must_be_tensors(table.integers(8), tensors, least=ABSENT)  # intermediate values
        table.data(7)  # which inputs are variables; it must lie inside like all the rest
        return Operator(
            index=index,
            name=name,
            is_custom=is_custom,
            version=version,
            inputs=inputs,
            outputs=outputs,
            options=table.table(4),
            options_2=table.table(12),
            custom_options=table.data(5),
        )

    def _signature(self, table: Table, graphs: tuple[Graph, ...]) -> Signature:
        number = table.integer(4, "I")
        graph = self._one_of(graphs, number, "graph")
        edges = []
        for position in (0, 1):
            named = {entry.text(0): entry.integer(1, "I") for entry in table.tables(position)}
            self._must_be_tensors(tuple(named.values()), len(graph.tensors), least=0)
            edges.append(named)
        return Signature(table.text(2), number, *edges)

    def _one_of(self, what: Any, number: int, kind: str) -> Any:
        if number >= len(what):
            raise self._file.damaged(f"there is no {kind} {number}")
        return what[number]

    def _must_be_tensors(self, indices: tuple[int, ...], tensors: int, *, least: int) -> None:
        for index in indices:
            if not least <= index < tensors:
                raise self._file.damaged(f"there is no tensor {index}")
