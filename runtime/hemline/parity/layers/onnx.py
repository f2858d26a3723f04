"""Every activation of an int8 `.onnx` file of hemline's, with ONNX Runtime.

`hemline convert` names the quantized activations `q<number>`, in the order of the TFLite operators that
they come from, and keeps images as (1, C, H, W). The graph is edited as protocol buffers, so that the package
`onnx` is not needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from hemline.errors import ModelError
from hemline.extras import require
from hemline.onnx_reader import TYPE_NAMES, Node, OnnxModel, read_onnx
from hemline.parity.layers.network import Array, Layer, Network, Scale, Use
from hemline.protobuf import field, fields_of

_QUANTIZED = re.compile(r"q(\d+)")
_PICTURE = -1
_TO_NCHW, _TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)
# What a layer does, by the first of these operators that it has.
_KINDS = {
    "Conv": "CONV_2D",
    "Gemm": "FULLY_CONNECTED",
    "MaxPool": "MAX_POOL_2D",
    "AveragePool": "AVERAGE_POOL_2D",
    "GlobalAveragePool": "MEAN",
    "Concat": "CONCATENATION",
    "Pad": "PAD",
    "HardSigmoid": "HARD_SWISH",
    "Sigmoid": "LOGISTIC",
    "Sub": "SUB",
    "Mul": "MUL",
    "Add": "ADD",
    "Relu": "RELU",
    "Clip": "RELU6",
    "Reshape": "RESHAPE",
}
_GRAPH, _NODES, _INPUTS, _OUTPUTS = 7, 1, 11, 12  # fields of ModelProto and GraphProto
_NODE_INPUTS = 1


def open_onnx(name: str, content: bytes) -> Network:
    """Open a model; `name` is for messages.

    Raises:
        ModelError: The file is damaged, or none that `hemline convert --int8` has written.
        UserError: ONNX Runtime is not installed.
    """
    model = read_onnx(name, content)
    require(("onnxruntime",), "onnx", "looking into the layers of an .onnx file")
    layers = tuple(_layers(model))
    if not layers:
        raise ModelError(
            f"{name} does not tell its layers: it has no activations named q1, q2, …",
            "hemline looks into int8 ONNX files that hemline convert has written; of others, into "
            ".tflite files",
        )
    return _OnnxNetwork(name, content, model, layers)


class _OnnxNetwork(Network):
    """ONNX Runtime, on a variant whose activations are all outputs, and one that is cut between them."""

    moves_integers = ("RESHAPE",)

    def __init__(
        self, name: str, content: bytes, model: OnnxModel, layers: tuple[Layer, ...]
    ) -> None:
        from hemline.backends.onnxruntime import open_session

        self.input = _PICTURE
        self.input_dtype = np.dtype(np.uint8)
        self._picture = model.inputs[0].name
        self._names = [f"q{layer.output}" for layer in layers]
        shown = _edited(content, {}, [], [_value(n) for n in self._names])
        self._whole, version = open_session(name, shown, 1)
        self.runs_on = f"ONNX Runtime {version}"
        shapes = {output.name: output.shape for output in self._whole.get_outputs()}
        self.layers = tuple(
            layer._replace(shape=_channels_last(shapes[f"q{layer.output}"])) for layer in layers
        )
        self.scales = _scales(model, self.layers)
        self.bias_scales = _bias_scales(model, self.layers)
        fed = {f"q{i}" for layer in layers for i in layer.inputs} - {f"q{_PICTURE}"}
        inputs = [_value(f"fed_{n}", shapes[n]) for n in sorted(fed)]
        apart = _edited(content, {n: f"fed_{n}" for n in fed}, inputs, map(_value, self._names))
        self._apart, _ = open_session(name, apart, 1)

    def run(self, picture: Array) -> dict[int, Array]:
        outputs = self._whole.run(self._names, {self._picture: picture})
        return {_PICTURE: picture, **self._by_number(outputs)}

    def run_apart(self, values: Mapping[Use, Array]) -> list[Array]:
        fed = {}
        for (_, index), value in values.items():
            if index == _PICTURE:
                fed[self._picture] = value
            else:
                nchw = value.transpose(_TO_NCHW) if value.ndim == 4 else value
                fed[f"fed_q{index}"] = np.ascontiguousarray(nchw)
        return list(self._by_number(self._apart.run(self._names, fed)).values())

    def _by_number(self, outputs: list[Array]) -> dict[int, Array]:
        return {
            layer.output: value.transpose(_TO_NHWC) if value.ndim == 4 else value
            for layer, value in zip(self.layers, outputs, strict=True)
        }


def _layers(model: OnnxModel) -> Iterator[Layer]:
    makers = {output: node for node in model.nodes for output in node.outputs}
    pictures = {model.inputs[0].name}
    for node in model.nodes:
        for output in node.outputs:
            if not _QUANTIZED.fullmatch(output):
                continue
            nodes, sources = _behind(model, makers, output, pictures)
            kinds = {n.op_type for n in nodes}
            if kinds == {"Transpose"}:  # the picture, with its channels first
                pictures.add(output)
                continue
            yield _layer(output, nodes, sources, pictures)


def _behind(
    model: OnnxModel, makers: dict[str, Node], output: str, pictures: set[str]
) -> tuple[list[Node], list[str]]:
    """The operators between an activation and those before it, and the latter, in order."""
    nodes: list[Node] = []
    sources: list[str] = []
    waiting = [output]
    while waiting:
        node = makers[waiting.pop(0)]
        nodes.append(node)
        for name in node.inputs:
            if not name or name in model.initializers:
                continue
            if name in pictures or _QUANTIZED.fullmatch(name):
                sources.append(name)
            else:
                waiting.append(name)
    return nodes, list(dict.fromkeys(sources))


def _layer(output: str, nodes: list[Node], sources: list[str], pictures: set[str]) -> Layer:
    found = {node.op_type for node in nodes}
    operator = next((name for name in _KINDS if name in found), "QuantizeLinear")
    if any(name == f"ratio{output[1:]}" for node in nodes for name in node.inputs):
        operator = "QuantizeLinear"  # from one scale to another; the Add rounds halves up
    return Layer(
        operator=operator,
        kind=_KINDS.get(operator, "QUANTIZE"),
        name=output,
        inputs=tuple(_PICTURE if name in pictures else int(name[1:]) for name in sources),
        output=int(output[1:]),
        shape=(),  # ONNX Runtime knows it
        takes_constants=operator in ("Conv", "Gemm") or len(sources) == 1,
    )


def _scales(model: OnnxModel, layers: tuple[Layer, ...]) -> dict[int, Scale]:
    """Scale and zero point of each activation; one that nothing dequantizes has those of its source."""
    found: dict[int, Scale] = {}
    for node in model.nodes:
        if node.op_type not in ("DequantizeLinear", "QuantizeLinear"):
            continue
        for name in (node.inputs[0], node.outputs[0]):
            if match := _QUANTIZED.fullmatch(name):
                constants = [model.initializers.get(f"{name}_{k}") for k in ("scale", "zero_point")]
                if name not in model.initializers and None not in constants:
                    scale, zero_point = (c.value().item() for c in constants if c is not None)
                    found[int(match[1])] = Scale(scale, zero_point, np.dtype(np.uint8))
    picture_scale = _picture_scale(model)
    if picture_scale is not None:
        found[_PICTURE] = picture_scale
    for layer in layers:
        if layer.output not in found and layer.inputs[0] in found:
            found[layer.output] = found[layer.inputs[0]]
    return found


def _bias_scales(model: OnnxModel, layers: tuple[Layer, ...]) -> dict[int, tuple[Array, Array]]:
    """By the place of a layer, the scales of its weights and biases."""
    makers = {output: node for node in model.nodes for output in node.outputs}
    pictures = {model.inputs[0].name}
    found = {}
    for place, layer in enumerate(layers):
        if layer.operator not in ("Conv", "Gemm"):
            continue
        nodes, _ = _behind(model, makers, f"q{layer.output}", pictures)
        weighted = next(node for node in nodes if node.op_type == layer.operator)
        constants = [makers.get(name) for name in weighted.inputs[1:3]]
        scales = [
            np.atleast_1d(model.initializers[node.inputs[1]].value()).astype(np.float64)
            for node in constants
            if node is not None and node.op_type == "DequantizeLinear"
        ]
        if len(scales) == 2:
            found[place] = (scales[0], scales[1])
    return found


def _picture_scale(model: OnnxModel) -> Scale | None:
    """That of the first DequantizeLinear behind the picture."""
    reached = {model.inputs[0].name}
    for node in model.nodes:
        if node.inputs[0] in reached:
            if node.op_type == "DequantizeLinear":
                scale, zero_point = (model.initializers[n].value().item() for n in node.inputs[1:])
                return Scale(scale, zero_point, np.dtype(np.uint8))
            reached.update(node.outputs)
    return None


def _channels_last(shape: list[int]) -> tuple[int, ...]:
    return tuple(shape[axis] for axis in _TO_NHWC) if len(shape) == 4 else tuple(shape)


def _edited(content: bytes, renamed: Mapping[str, str], inputs: list[bytes], outputs: Any) -> bytes:
    """The model with other inputs for some operators, more inputs, and other outputs."""
    graph = b""
    parts = []
    for number, value in fields_of(memoryview(content)):
        if number != _GRAPH or isinstance(value, int):
            parts.append(field(number, value))
            continue
        for inner, part in fields_of(value):
            if inner == _NODES and not isinstance(part, int):
                graph += field(_NODES, _rewired(part, renamed))
            elif inner != _OUTPUTS:
                graph += field(inner, part)
    graph += b"".join(field(_INPUTS, value) for value in inputs)
    graph += b"".join(field(_OUTPUTS, value) for value in outputs)
    return b"".join([*parts, field(_GRAPH, graph)])


def _rewired(node: memoryview, renamed: Mapping[str, str]) -> bytes:
    written = b""
    for number, value in fields_of(node):
        if number == _NODE_INPUTS and not isinstance(value, int):
            name = bytes(value).decode()
            written += field(number, renamed.get(name, name).encode())
        else:
            written += field(number, value)
    return written


def _value(name: str, shape: list[int] | None = None) -> bytes:
    """A `ValueInfoProto`; an output needs no type."""
    written = field(1, name.encode())
    if shape is None:
        return written
    dimensions = b"".join(field(1, field(1, size)) for size in shape)
    tensor = field(1, TYPE_NAMES.index("UINT8")) + field(2, dimensions)
    return written + field(2, field(1, tensor))
