"""Random single operators: the NumPy interpreter against LiteRT's reference kernels, bit for bit."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hemline.errors import ModelError
from hemline.numpy_interpreter import NumpyInterpreter

pytest.importorskip("flatbuffers")
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from hemline_convert import tflite_file

SEEDS = range(25)
ROUNDS = 4  # inferences per network
NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)
SAME, VALID = range(2)
TYPES = {
    np.int8: schema.TensorType.INT8,
    np.int16: schema.TensorType.INT16,
    np.int64: schema.TensorType.INT64,
    np.uint8: schema.TensorType.UINT8,
    np.int32: schema.TensorType.INT32,
    np.float16: schema.TensorType.FLOAT16,
    np.float32: schema.TensorType.FLOAT32,
}


@dataclasses.dataclass
class Edge:
    """A tensor of a generated network; with a value it is a constant."""

    shape: tuple[int, ...]
    dtype: Any = np.int8
    scales: Any = None
    zero_point: int = 0
    axis: int = 0
    value: np.ndarray | None = None


def network(name: str, inputs: list[Edge | None], output: Edge, **options: Any) -> bytes:
    """A `.tflite` file with one operator; `options` are named as in the schema."""
    model, graph, operator = schema.ModelT(), schema.SubGraphT(), schema.OperatorT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
    model.operatorCodes = [code]
    present = [edge for edge in inputs if edge is not None]
    graph.tensors = [tensor(model, number, edge) for number, edge in enumerate([*present, output])]
    indices = iter(range(len(present)))
    operator.inputs = [-1 if edge is None else next(indices) for edge in inputs]
    operator.outputs = graph.outputs = [len(present)]
    graph.inputs = [number for number, edge in enumerate(present) if edge.value is None]
    graph.operators, operator.opcodeIndex = [operator], 0
    if options:
        kind = options.pop("kind")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        operator.builtinOptions = getattr(schema, f"{kind}T")()
        for key, value in options.items():
            assert hasattr(operator.builtinOptions, key)
            setattr(operator.builtinOptions, key, value)
    return tflite_file.pack(model)


def tensor(model: Any, number: int, edge: Edge) -> Any:
    made = schema.TensorT()
    made.name, made.shape, made.type = f"tensor_{number}", list(edge.shape), TYPES[edge.dtype]
    if edge.scales is not None:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = np.atleast_1d(np.asarray(edge.scales, np.float32)).tolist()
        made.quantization.zeroPoint = [edge.zero_point] * len(made.quantization.scale)
        made.quantization.quantizedDimension = edge.axis
    made.buffer = 0
    if edge.value is not None:
        made.buffer = len(model.buffers)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(edge.value).tobytes(), np.uint8)
        model.buffers.append(buffer)
    return made


class Chance:
    """What a random network is made of; `dtype` is that of its activations, int8 or int16."""

    def __init__(self, seed: int, dtype: Any = np.int8) -> None:
        self.random = np.random.default_rng(seed)
        self.dtype = dtype

    def size(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    def one_of(self, *choices: Any) -> Any:
        return choices[self.size(0, len(choices) - 1)]

    def scale(self, low: float = 1e-3, high: float = 0.2) -> np.float32:
        scale = np.exp(self.random.uniform(np.log(low), np.log(high)))
        if self.size(0, 2) == 0:  # a power of two, with which many results lie halfway
            scale = 2.0 ** np.round(np.log2(scale))
        return np.float32(scale)

    def halfway(self, scale: np.float32) -> np.float32:
        """A scale under which every other value of this one lies halfway between two steps, nearly.

        Then the last digit of the factor decides, and shows in what precision it was computed.
        """
        return np.float32(scale / self.one_of(0.5, 1.5, 2.5))

    def activation(self, shape: tuple[int, ...]) -> Edge:
        if self.dtype == np.int16:  # symmetric, and with smaller steps
            return Edge(shape, np.int16, self.scale(1e-5, 1e-3))
        return Edge(shape, np.int8, self.scale(), self.size(-128, 127))

    def values(self, shape: tuple[int, ...], dtype: Any = np.int8) -> np.ndarray:
        if dtype == np.float32:
            return self.random.normal(0, 3, shape).astype(np.float32)
        limits = np.iinfo(dtype)
        if np.prod(shape) == 256 and limits.bits == 8:  # each value once
            return self.random.permutation(256).reshape(shape).astype(np.uint8).view(dtype)
        values = self.random.integers(limits.min, limits.max + 1, shape)
        if self.size(0, 3) == 0:  # extremes
            values = self.random.choice([limits.min, limits.max], shape)
        return values.astype(dtype)

    def weights(self, shape: tuple[int, ...], axis: int) -> Edge:
        channels = shape[axis]
        scales = [self.scale(1e-4, 0.02) for _ in range(self.one_of(1, channels))]
        return Edge(shape, np.int8, scales, 0, axis, self.values(shape))

    def bias(self, channels: int) -> Edge:
        if self.dtype == np.int16:
            value = self.random.integers(-5_000_000, 5_000_000, channels)
            return Edge((channels,), np.int64, None, 0, 0, value)
        value = self.random.integers(-20_000, 20_000, channels).astype(np.int32)
        return Edge((channels,), np.int32, None, 0, 0, value)

    def fitting_scale(self, source: Edge, weights: Edge, products: int) -> np.float32:
        """A scale for the output under which it fills its range, about."""
        spread = float(source.scales) * float(np.mean(weights.scales)) * 50 * products**0.5
        scale = spread * self.random.uniform(0.2, 3)
        return np.float32(self.one_of(scale, scale, 2.0 ** np.round(np.log2(scale))))


def along(padding: int, size: int, window: int, stride: int, dilation: int = 1) -> int:
    """The number of windows along an axis, as TensorFlow's documentation states it."""
    if padding == SAME:
        return -(-size // stride)
    return -(-(size - (window - 1) * dilation) // stride)


def convolution(chance: Chance) -> bytes:
    groups = chance.one_of(1, 1, 1, 2)
    depth, outputs = groups * chance.size(1, 6), groups * chance.size(1, 7)
    height, width = chance.size(5, 12), chance.size(5, 12)
    rows, columns = chance.size(1, 4), chance.size(1, 4)
    stride_h, stride_w = chance.size(1, 3), chance.size(1, 3)
    dilation = chance.one_of(1, 1, 2) if max(rows, columns) < 3 else 1
    padding = chance.one_of(SAME, VALID)
    source = chance.activation((chance.size(1, 2), height, width, depth))
    weights = chance.weights((outputs, rows, columns, depth // groups), 0)
    weights.scales = np.broadcast_to(weights.scales, outputs)  # the kernel wants one per channel
    down = along(padding, height, rows, stride_h, dilation)
    across = along(padding, width, columns, stride_w, dilation)
    target = chance.activation((source.shape[0], down, across, outputs))
    target.scales = chance.fitting_scale(source, weights, rows * columns * depth // groups)
    return network(
        "CONV_2D",
        [source, weights, chance.bias(outputs)],
        target,
        kind="Conv2DOptions",
        padding=padding,
        strideH=stride_h,
        strideW=stride_w,
        dilationHFactor=dilation,
        dilationWFactor=dilation,
        fusedActivationFunction=chance.one_of(NONE, RELU, RELU6, RELU_N1_TO_1),
    )


def depthwise_convolution(chance: Chance) -> bytes:
    depth, multiplier = chance.size(1, 6), chance.one_of(1, 1, 2, 3)
    height, width = chance.size(5, 12), chance.size(5, 12)
    rows, columns = chance.size(1, 4), chance.size(1, 4)
    stride = chance.size(1, 3)
    dilation = chance.one_of(1, 2) if stride == 1 and max(rows, columns) < 3 else 1
    padding = chance.one_of(SAME, VALID)
    source = chance.activation((chance.size(1, 2), height, width, depth))
    weights = chance.weights((1, rows, columns, depth * multiplier), 3)
    weights.scales = np.broadcast_to(weights.scales, depth * multiplier)
    down = along(padding, height, rows, stride, dilation)
    across = along(padding, width, columns, stride, dilation)
    target = chance.activation((source.shape[0], down, across, depth * multiplier))
    target.scales = chance.fitting_scale(source, weights, rows * columns)
    return network(
        "DEPTHWISE_CONV_2D",
        [source, weights, chance.bias(depth * multiplier)],
        target,
        kind="DepthwiseConv2DOptions",
        padding=padding,
        strideH=stride,
        strideW=stride,
        depthMultiplier=multiplier,
        dilationHFactor=dilation,
        dilationWFactor=dilation,
        fusedActivationFunction=chance.one_of(NONE, RELU, RELU6),
    )


def fully_connected(chance: Chance) -> bytes:
    rows, depth, outputs = chance.size(1, 3), chance.size(1, 300), chance.size(1, 40)
    source = chance.activation((rows, depth))
    weights = chance.weights((outputs, depth), 0)
    target = chance.activation((rows, outputs))
    target.scales = chance.fitting_scale(source, weights, depth)
    bias = chance.bias(outputs)
    bias.scales = source.scales * np.asarray(weights.scales)  # the kernel looks whether it fits
    return network(
        "FULLY_CONNECTED",
        [source, weights, chance.one_of(bias, None)],
        target,
        kind="FullyConnectedOptions",
        fusedActivationFunction=chance.one_of(NONE, RELU, RELU6),
        keepNumDims=chance.one_of(True, False),
    )


def fully_connected_halves(chance: Chance) -> bytes:
    """Small sums, and a factor of a half or a quarter: many results lie halfway between two steps."""
    depth, outputs = chance.size(1, 4), chance.size(10, 40)
    source = Edge((1, depth), np.int8, 0.5, chance.size(-128, 127))
    values = chance.random.integers(-1, 2, (outputs, depth)).astype(np.int8)
    weights = Edge((outputs, depth), np.int8, 0.125, value=values)
    bias = Edge((outputs,), np.int32, 0.0625)
    bias.value = chance.random.integers(-9, 9, outputs, np.int32)
    target = Edge((1, outputs), np.int8, 0.0625 * chance.one_of(2, 4))
    return network("FULLY_CONNECTED", [source, weights, bias], target, kind="FullyConnectedOptions")


def pooling(name: str) -> Callable[[Chance], bytes]:
    def made(chance: Chance) -> bytes:
        height, width, depth = chance.size(4, 12), chance.size(4, 12), chance.size(1, 9)
        rows, columns = chance.size(1, 4), chance.size(1, 4)
        stride_h, stride_w = chance.size(1, 3), chance.size(1, 3)
        padding = chance.one_of(SAME, VALID)
        source = chance.activation((chance.size(1, 2), height, width, depth))
        down, across = (
            along(padding, height, rows, stride_h),
            along(padding, width, columns, stride_w),
        )
        target = dataclasses.replace(source, shape=(source.shape[0], down, across, depth))
        return network(
            name,
            [source],
            target,
            kind="Pool2DOptions",
            padding=padding,
            strideH=stride_h,
            strideW=stride_w,
            filterHeight=rows,
            filterWidth=columns,
            fusedActivationFunction=chance.one_of(NONE, RELU, RELU6),
        )

    return made


def mean(chance: Chance) -> bytes:
    shape = (chance.size(1, 2), chance.size(1, 9), chance.size(1, 9), chance.size(1, 9))
    axes = chance.one_of((1, 2), (2, 1), (-3, -2), (1,), (3,), (1, 2, 3))
    keeps = chance.one_of(True, False)
    dropped = {axis % 4 for axis in axes}
    rest = [1 if axis in dropped else size for axis, size in enumerate(shape)]
    if not keeps:
        rest = [size for axis, size in enumerate(shape) if axis not in dropped]
    source, target = chance.activation(shape), chance.activation(tuple(rest))
    other = source.scales * np.float32(0.37)
    target.scales = chance.one_of(source.scales, other, chance.halfway(source.scales))
    value = np.array(axes, np.int32)
    return network(
        "MEAN",
        [source, Edge(value.shape, np.int32, value=value)],
        target,
        kind="ReducerOptions",
        keepDims=keeps,
    )


def elementwise(name: str, kind: str) -> Callable[[Chance], bytes]:
    def made(chance: Chance) -> bytes:
        shape = (1, chance.size(1, 6), chance.size(1, 6), chance.size(1, 6))
        shapes = shape, chance.one_of(shape, (1, 1, 1, shape[3]), (shape[3],), shape), shape
        if chance.size(0, 1):  # every value with every other
            shapes = (1, 256, 1, 1), (1, 1, 256, 1), (1, 256, 256, 1)
        first, second, target = (chance.activation(shape) for shape in shapes)
        if name == "MUL":
            product = first.scales * second.scales
            steps = np.iinfo(chance.dtype).max  # of the greatest result, about
            other = np.float32(product * steps * chance.random.uniform(0.2, 2.5))
            # In int16 such small steps are refused: 6 would be more of them than 32 bits can count.
            halfway = other if chance.dtype == np.int16 else chance.halfway(product)
            target.scales = chance.one_of(other, halfway)
        if chance.size(0, 2) == 0:
            second.value = chance.values(second.shape, chance.dtype)
        return network(
            name,
            [first, second],
            target,
            kind=kind,
            fusedActivationFunction=chance.one_of(NONE, RELU, RELU6),
        )

    return made


def alone(name: str) -> Callable[[Chance], bytes]:
    def made(chance: Chance) -> bytes:
        source, target = chance.activation((2, 128)), chance.activation((2, 128))
        other = np.float32(source.scales * chance.one_of(1, 0.71, 1.3))
        target.scales = chance.one_of(other, chance.halfway(source.scales))
        return network(name, [source], target)

    return made


def requantizing(chance: Chance) -> bytes:
    kinds = [chance.one_of(np.int8, np.uint8) for _ in range(2)]
    if chance.dtype == np.int16:
        kinds = [np.int16, np.int16]
    source, target = chance.activation((1, 256)), chance.activation((1, 256))
    for edge, kind in zip((source, target), kinds, strict=True):
        edge.dtype = kind
        edge.zero_point += 128 * (kind is np.uint8)
    half = chance.halfway(source.scales)
    target.scales = chance.one_of(source.scales, np.float32(source.scales * 0.6), half)
    if target.scales == source.scales and kinds == [np.uint8, np.int8]:  # as for pixels
        target.zero_point = source.zero_point - 128
    return network("QUANTIZE", [source], target)


def quantizing(chance: Chance) -> bytes:
    target = chance.activation((1, 400))
    return network("QUANTIZE", [Edge((1, 400), np.float32)], target)


def dequantizing(chance: Chance) -> bytes:
    source = chance.activation((1, 400))
    return network("DEQUANTIZE", [source], Edge((1, 400), np.float32))


def padding(chance: Chance) -> bytes:
    shape = (1, chance.size(1, 6), chance.size(1, 6), chance.size(1, 6))
    widths = np.array([[0, 0], *chance.random.integers(0, 4, (2, 2)), [0, 0]], np.int32)
    source = chance.activation(shape)
    larger = tuple(int(n) for n in shape + widths.sum(axis=1))
    target = dataclasses.replace(source, shape=larger)
    return network("PAD", [source, Edge((4, 2), np.int32, value=widths)], target, kind="PadOptions")


def concatenation(chance: Chance) -> bytes:
    axis = chance.one_of(1, 2, 3, -1)
    shape = [1, chance.size(1, 6), chance.size(1, 6), chance.size(1, 6)]
    first = chance.activation(tuple(shape))
    edges = [first]
    for _ in range(chance.size(1, 3)):
        shape[axis] = chance.size(1, 6)
        edges.append(dataclasses.replace(first, shape=tuple(shape)))
    shape[axis] = sum(edge.shape[axis] for edge in edges)
    target = dataclasses.replace(first, shape=tuple(shape))
    return network("CONCATENATION", edges, target, kind="ConcatenationOptions", axis=axis)


def reshaping(chance: Chance) -> bytes:
    source = chance.activation((1, 4, 3, chance.size(1, 6)))
    shape = np.array([1, 12 * source.shape[3]], np.int32)
    target = dataclasses.replace(source, shape=tuple(shape.tolist()))
    return network("RESHAPE", [source, Edge((2,), np.int32, value=shape)], target)


INT8 = {
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise_convolution,
    "FULLY_CONNECTED": fully_connected,
    "FULLY_CONNECTED halves": fully_connected_halves,
    "MAX_POOL_2D": pooling("MAX_POOL_2D"),
    "AVERAGE_POOL_2D": pooling("AVERAGE_POOL_2D"),
    "MEAN": mean,
    "ADD": elementwise("ADD", "AddOptions"),
    "SUB": elementwise("SUB", "SubOptions"),
    "MUL": elementwise("MUL", "MulOptions"),
    "RELU": alone("RELU"),
    "RELU6": alone("RELU6"),
    "QUANTIZE integers": requantizing,
    "QUANTIZE float": quantizing,
    "DEQUANTIZE": dequantizing,
    "PAD": padding,
    "CONCATENATION": concatenation,
    "RESHAPE": reshaping,
}


def litert(content: bytes) -> Any:
    interpreter = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    return interpreter


def answered(interpreter: Any, tensors: list[np.ndarray]) -> np.ndarray:
    for details, value in zip(interpreter.get_input_details(), tensors, strict=True):
        interpreter.set_tensor(details["index"], value)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def near_halves(chance: Chance, output: dict[str, Any]) -> np.ndarray:
    """Values that lie halfway between two steps of an output, or some last digits beside it."""
    shape, scale = tuple(output["shape"]), np.float32(output["quantization"][0])
    halves = (chance.random.integers(-130, 130, shape) + 0.5).astype(np.float32) * scale
    return (halves.view(np.int32) + chance.random.integers(-3, 4, shape, np.int32)).view(np.float32)


INT16 = [name for name in INT8 if name != "FULLY_CONNECTED halves"]


@pytest.mark.parametrize("name", INT8)
def test_an_int8_operator_answers_bit_for_bit_as_litert_reference_kernel(name):
    must_answer_alike(name, np.int8)


@pytest.mark.parametrize("name", INT16)
def test_an_int16_operator_answers_bit_for_bit_as_litert_reference_kernel(name):
    must_answer_alike(name, np.int16)


def must_answer_alike(name: str, dtype: Any) -> None:
    different, varied = set(), 0
    for seed, number in itertools.product(SEEDS, range(ROUNDS)):
        chance = Chance(seed, dtype)
        content = INT8[name](chance)
        reference, candidate = litert(content), NumpyInterpreter("net", content)
        chance.random = np.random.default_rng((seed, number))
        tensors = [
            chance.values(tuple(details["shape"]), details["dtype"])
            for details in reference.get_input_details()
        ]
        if name == "QUANTIZE float":
            tensors = [near_halves(chance, reference.get_output_details()[0])]
        wanted, (got,) = answered(reference, tensors), candidate.run(*tensors)
        assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
        varied += len(np.unique(wanted)) > 1
        if not np.array_equal(got, wanted):
            different.add((seed, int((got != wanted).sum()), wanted.size))
    assert not different
    assert varied > 0.6 * len(SEEDS) * ROUNDS  # the others are clipped to one value


def with_float_weights(content_of: Callable[[Chance], bytes]) -> Callable[[Chance], bytes]:
    """The same network with all of its int8 and int32 values as float32."""
    return lambda chance: as_float(content_of(chance), chance, weights=np.float32)


def with_int8_weights(content_of: Callable[[Chance], bytes]) -> Callable[[Chance], bytes]:
    """The same network with float32 activations and bias, and its int8 weights."""
    return lambda chance: as_float(content_of(chance), chance, weights=np.int8)


def as_float(content: bytes, chance: Chance, weights: Any) -> bytes:
    model = tflite_file.unpack(content)
    operator = model.subgraphs[0].operators[0]
    name = tflite_file.operator_name(model, operator)
    weighted = name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    if weights is np.int8:
        kernel = model.buffers[model.subgraphs[0].tensors[1].buffer]
        kernel.data = np.maximum(kernel.data.view(np.int8), -127).view(np.uint8)  # as specified
    for number, made in enumerate(model.subgraphs[0].tensors):
        if number == 1 and (weights is np.int8 or name in ("MEAN", "PAD", "RESHAPE")):
            continue
        made.type, made.quantization = schema.TensorType.FLOAT32, None
        buffer = model.buffers[made.buffer]
        if buffer.data is not None and weighted:
            value = chance.random.normal(0, 1, [int(n) for n in made.shape])
            buffer.data = np.frombuffer(value.astype(np.float32).tobytes(), np.uint8)
        elif buffer.data is not None:
            value = np.frombuffer(bytes(buffer.data), np.int8).astype(np.float32)
            buffer.data = np.frombuffer(value.tobytes(), np.uint8)
    return tflite_file.pack(model)


def softmax(chance: Chance) -> bytes:
    shape = (chance.size(1, 3), chance.size(1, 9))
    edges = [Edge(shape, np.float32)], Edge(shape, np.float32)
    return network("SOFTMAX", *edges, kind="SoftmaxOptions", beta=chance.one_of(1.0, 0.5, 3.0))


QUANTIZED_ONLY = ("FULLY_CONNECTED halves", "QUANTIZE integers", "QUANTIZE float", "DEQUANTIZE")
FLOAT = {
    **{name: with_float_weights(INT8[name]) for name in INT8 if name not in QUANTIZED_ONLY},
    "SOFTMAX": softmax,
}
HYBRID = {
    name: with_int8_weights(INT8[name])
    for name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
}


@pytest.mark.parametrize("name", FLOAT)
def test_a_float_operator_answers_as_litert_reference_kernel_but_for_the_order_of_sums(name):
    assert max(distances(FLOAT[name])) < 1e-5  # of 300 products, each is rounded to 6e-8


@pytest.mark.parametrize("name", HYBRID)
def test_an_operator_with_int8_weights_and_float_input_answers_as_litert_reference_kernel(name):
    """None of these random inputs lies halfway between two steps, where machines differ."""
    assert max(distances(HYBRID[name])) < 1e-6


def distances(content_of: Callable[[Chance], bytes]) -> list[float]:
    """Of each network: the greatest difference, as a share of the greatest value."""
    found = []
    for seed in SEEDS:
        chance = Chance(seed)
        content = content_of(chance)
        reference, candidate = litert(content), NumpyInterpreter("net", content)
        tensors = [
            chance.values(tuple(details["shape"]), np.float32)
            for details in reference.get_input_details()
        ]
        wanted, (got,) = answered(reference, tensors), candidate.run(*tensors)
        assert (got.dtype, got.shape) == (np.float32, wanted.shape)
        found.append(float(np.abs(got - wanted).max() / max(1.0, np.abs(wanted).max())))
    return found


def dense(**changes: Any) -> list[Any]:
    """Input, weights, bias and output of a FULLY_CONNECTED, with some of it changed."""
    edges = {
        "source": Edge((1, 4), np.int8, 0.1, 3),
        "weights": Edge((2, 4), np.int8, 0.01, value=np.ones((2, 4), np.int8)),
        "bias": Edge((2,), np.int32, value=np.zeros(2, np.int32)),
        "target": Edge((1, 2), np.int8, 0.2, -5),
    }
    edges |= {name: dataclasses.replace(edges[name], **change) for name, change in changes.items()}
    return [[edges["source"], edges["weights"], edges["bias"]], edges["target"]]


def one_to_one(name: str, dtype: Any = np.int8, zero_point: int = 0) -> bytes:
    edge = Edge((1, 4, 4, 2), dtype, 0.1, zero_point)
    return network(name, [edge], edge)


def joined(scale: float) -> bytes:
    edges = [Edge((1, 2), np.int8, 0.1), Edge((1, 2), np.int8, scale)]
    options = {"kind": "ConcatenationOptions", "axis": 1}
    return network("CONCATENATION", edges, Edge((1, 4), np.int8, 0.1), **options)


def pooled(**changes: Any) -> bytes:
    edges = [Edge((1, 4, 4, 2), np.int8, 0.1)], Edge((1, 2, 2, 2), np.int8, 0.1)
    options = dict.fromkeys(("strideH", "strideW", "filterHeight", "filterWidth"), 2)
    return network("MAX_POOL_2D", *edges, kind="Pool2DOptions", **options | changes)


FULLY = "FullyConnectedOptions"
REFUSED = {
    # an operator that classifiers seldom have
    "unknown": (lambda: one_to_one("TANH"), r"operator 0 \(TANH\) is not known to the NumPy"),
    # a known one in another type: Softmax belongs to the runtime, and not into int8
    "type": (lambda: one_to_one("SOFTMAX"), r"operator 0 \(SOFTMAX\) computes INT8 from INT8"),
    # the quantization of before 2019
    "uint8": (lambda: one_to_one("RELU", np.uint8), "computes UINT8 from UINT8"),
    # as in attention, where both are activations
    "computed": (
        lambda: network("FULLY_CONNECTED", *dense(weights={"value": None}), kind=FULLY),
        r"\(FULLY_CONNECTED\) takes tensor_1 as it is computed",
    ),
    "zero points": (
        lambda: network("FULLY_CONNECTED", *dense(weights={"zero_point": 2}), kind=FULLY),
        "weights with zero points",
    ),
    "no scale": (
        lambda: network("FULLY_CONNECTED", *dense(source={"scales": None}), kind=FULLY),
        "has tensor_0 without scale",
    ),
    "scale": (
        lambda: network("FULLY_CONNECTED", *dense(target={"scales": -0.2}), kind=FULLY),
        "a scale that cannot be meant",
    ),
    "scales": (
        lambda: network("FULLY_CONNECTED", *dense(weights={"scales": [1, 2, 3]}), kind=FULLY),
        "3 scales along axis 0 for 2 channels along axis 0",
    ),
    "output": (
        lambda: network("FULLY_CONNECTED", *dense(target={"shape": (1, 3)}), kind=FULLY),
        r"gives \(1, 2\), and the file says \(1, 3\)",
    ),
    "bias": (
        lambda: network(
            "FULLY_CONNECTED", *dense(bias={"value": np.full(2, 2**31 - 1, np.int32)}), kind=FULLY
        ),
        "sums that can leave 32 bits",
    ),
    "activation": (
        lambda: network("FULLY_CONNECTED", *dense(), kind=FULLY, fusedActivationFunction=4),
        "the fused activation 4",
    ),
    "options": (lambda: network("FULLY_CONNECTED", *dense()), "has no options"),
    "joined scales": (lambda: joined(0.2), r"\(CONCATENATION\) has another scale behind it"),
    "int16 zero point": (
        lambda: one_to_one("RELU", np.int16, zero_point=1),
        r"\(RELU\) has tensor_0 with a zero point",
    ),
    # summed by a kernel of its own, which files of today do not need
    "int16 powers of two": (
        lambda: network(
            "ADD", [Edge((1, 4), np.int16, 0.5)] * 2, Edge((1, 4), np.int16, 0.5), kind="AddOptions"
        ),
        r"\(ADD\) has scales that are powers of two",
    ),
    "stride": (lambda: pooled(strideH=0), "impossible windows"),
    "window": (lambda: pooled(filterHeight=2**30), "more than 65536 places"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_refused_with_the_operators_name_and_place(name):
    content, said = REFUSED[name]
    with pytest.raises(ModelError, match=said) as caught:
        NumpyInterpreter("net.tflite", content())
    assert caught.value.problem.startswith("net.tflite: operator 0 (")
    assert caught.value.hint


def test_the_networks_of_the_refusals_run_where_nothing_is_changed():
    for content in (network("FULLY_CONNECTED", *dense(), kind=FULLY), joined(0.1), pooled()):
        interpreter = NumpyInterpreter("net.tflite", content)
        interpreter.run(*(np.zeros(edge.shape, edge.dtype) for edge in interpreter.inputs))


def test_a_custom_operator_is_refused_by_its_own_name():
    model = tflite_file.unpack(one_to_one("CUSTOM"))
    model.operatorCodes[0].customCode = "RELU"  # the name of a builtin one does not make it one
    with pytest.raises(ModelError, match=r"operator 0 \(RELU\)") as caught:
        NumpyInterpreter("net.tflite", tflite_file.pack(model))
    assert "litert" in caught.value.hint
