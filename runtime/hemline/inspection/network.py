"""A network as one looks at it, whatever file it comes from: tensors, operators, and what they add up to."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

_BITS = {
    "BOOL": 8, "INT4": 4, "UINT4": 4, "INT8": 8, "UINT8": 8, "INT16": 16, "UINT16": 16, "INT32": 32,
    "UINT32": 32, "INT64": 64, "UINT64": 64, "FLOAT16": 16, "BFLOAT16": 16, "FLOAT32": 32,
    "FLOAT64": 64,
}  # fmt: skip
_FLOATS = {"FLOAT16", "BFLOAT16", "FLOAT32", "FLOAT64"}
# They go from one number format to the other, and compute nothing.
_CONVERSIONS = {"QUANTIZE", "DEQUANTIZE", "QuantizeLinear", "DequantizeLinear"}

WEIGHTS, BIASES, CONSTANT, COMPUTED = "weights", "biases", "constant", "computed"

Shape = tuple[int | None, ...]  # None where a size is open


@dataclass(frozen=True)
class Tensor:
    """One tensor.

    Attributes:
        name: As the file has it.
        type_name: `INT8`, `FLOAT32`, …; empty where it is not known.
        shape: None where it is not known.
        scales: Of its quantization, real = scale * (value - zero point): none, one, or one for each
            slice along `axis`.
        zero_points: As many, or one.
        axis: Of the slices; None where there is one scale, or none.
        role: `weights`, `biases`, `constant` or `computed`.
        stored_bytes: Its values in the file; 0 where it is computed.
    """

    name: str
    type_name: str
    shape: Shape | None
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int | None = None
    role: str = COMPUTED
    stored_bytes: int = 0

    @property
    def count(self) -> int | None:
        """How many numbers it holds, None where that is not known."""
        if self.shape is None or None in self.shape:
            return None
        return math.prod(n for n in self.shape if n is not None)

    @property
    def memory_bytes(self) -> int | None:
        """What it takes in memory, None where that is not known."""
        bits = _BITS.get(self.type_name)
        return None if bits is None or self.count is None else (self.count * bits + 7) // 8

    @property
    def is_float(self) -> bool:
        """Whether its numbers are floating point."""
        return self.type_name in _FLOATS


@dataclass(frozen=True)
class Operator:
    """One operator.

    Attributes:
        name: `CONV_2D`, `Conv`, …
        version: Of the operator; in ONNX that of its operator set; None where there is none.
        inputs: Keys of `Network.tensors`, those left out left out.
        outputs: Keys of `Network.tensors`.
        macs: Multiplications with an addition; None where the shapes are not known.
        is_custom: Whether it is no operator of the format itself.
    """

    name: str
    version: int | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    macs: int | None
    is_custom: bool = False

    @property
    def is_conversion(self) -> bool:
        """Whether it only quantizes or dequantizes."""
        return self.name in _CONVERSIONS


@dataclass(frozen=True)
class Peak:
    """The most memory that activations need, and while which operator."""

    size_bytes: int
    operator: int


@dataclass(frozen=True)
class Network:
    """Tensors and operators of the main graph.

    Attributes:
        tensors: By key.
        operators: In the order in which they run.
        inputs: Keys of tensors.
        outputs: Keys of tensors.
        stands_for: Tensors that are in the file but not in memory, and those that are there instead:
            what ONNX dequantizes in front of an operator, and quantizes behind it, is never float.
    """

    tensors: dict[str, Tensor]
    operators: tuple[Operator, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    stands_for: dict[str, str]

    def in_memory(self, key: str) -> str:
        """The key of the tensor that is in memory for this one."""
        while key in self.stands_for:
            key = self.stands_for[key]
        return key

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of one inference, None where those of an operator are not known."""
        counts = [operator.macs for operator in self.operators]
        return None if None in counts else sum(n for n in counts if n is not None)

    @property
    def parameters(self) -> int:
        """Numbers that training found: weights and biases."""
        chosen = [t for t in self.tensors.values() if t.role in (WEIGHTS, BIASES)]
        return sum(tensor.count or 0 for tensor in chosen)

    @cached_property
    def float_operators(self) -> dict[str, int]:
        """How often each operator that computes in floating point is there, by name."""
        return dict(Counter(o.name for o in self.operators if self._is_float(o)))

    @property
    def has_hybrid_filters(self) -> bool:
        """Whether a convolution takes float activations and int8 weights."""
        pairs = (
            [self.tensors[key] for key in operator.inputs[:2]]
            for operator in self.operators
            if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D")
        )
        return any(len(p) == 2 and p[0].is_float and p[1].type_name == "INT8" for p in pairs)

    @property
    def is_integer_only(self) -> bool:
        """Whether all that computes does so on integers, and there is something that does."""
        works = [o for o in self.operators if o.macs]
        return bool(works) and not self.float_operators

    @property
    def is_fully_int8(self) -> bool:
        """Whether it does so on 8 bits."""
        return self.is_integer_only and not self.int16_operators

    @cached_property
    def int16_operators(self) -> frozenset[str]:
        """The operators that take int16 activations, by name."""
        takes = ((o.name, self.tensors[key]) for o in self.operators for key in o.inputs[:1])
        return frozenset(name for name, tensor in takes if tensor.type_name == "INT16")

    @cached_property
    def peak(self) -> Peak | None:
        """The largest sum of tensors that are alive at once; None where a size is not known, or nothing runs.

        A computed tensor is alive from the operator that makes it to the last that reads it, the
        inputs from the start, the outputs to the end; operators run in the file's order, none
        writes over its input, and nothing else is kept: scratch memory of kernels comes on top.
        """
        if not self.operators:  # of a damaged file
            return None
        constant = self._constants()
        alive: dict[str, tuple[int, int]] = dict.fromkeys(map(self.in_memory, self.inputs), (0, 0))
        for index, operator in enumerate(self.operators):
            for key in map(self.in_memory, (*operator.inputs, *operator.outputs)):
                if key not in constant:
                    alive[key] = (alive.get(key, (index, 0))[0], index)
        last = len(self.operators) - 1
        alive.update(
            (key, (alive[key][0], last))
            for key in map(self.in_memory, self.outputs)
            if key in alive
        )
        sums = [0] * len(self.operators)
        for key, (first, end) in alive.items():
            size = self.tensors[key].memory_bytes
            if size is None:
                return None
            for index in range(first, end + 1):
                sums[index] += size
        return max((Peak(n, i) for i, n in enumerate(sums)), key=lambda p: p.size_bytes)

    def _constants(self) -> set[str]:
        """Keys of what is in the file, or is computed of nothing else, and so when it is loaded."""
        found = {key for key, tensor in self.tensors.items() if tensor.role != COMPUTED}
        for operator in self.operators:
            if operator.inputs and found.issuperset(map(self.in_memory, operator.inputs)):
                found.update(map(self.in_memory, operator.outputs))
        return found

    def _is_float(self, operator: Operator) -> bool:
        if operator.is_conversion:
            return False
        keys = map(self.in_memory, (*operator.inputs, *operator.outputs))
        return any(self.tensors[key].is_float for key in keys)
