"""The network of an `.onnx` file."""

from __future__ import annotations

import math
from collections import Counter

from hemline.errors import ModelError
from hemline.inspection.network import (
    BIASES,
    COMPUTED,
    CONSTANT,
    WEIGHTS,
    Network,
    Operator,
    Tensor,
)
from hemline.inspection.onnx_shapes import WEIGHTED, Shapes
from hemline.onnx_reader import Initializer, Node, OnnxModel

_NOT_TRAINED = {"INT32", "INT64", "BOOL", "STRING"}


def network_of_onnx(path: str, model: OnnxModel) -> Network:
    """The graph of a file.

    Raises:
        ModelError: An operator has not the inputs and attributes that its kind has.
    """
    try:
        return _network(model)
    except (TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        # The graph of a damaged file can hold anything, and each operator has rules of its own.
        raise ModelError(
            f"{path} is damaged: an operator has not the inputs or attributes that it must have",
            "copy or convert the model again",
        ) from error


def _network(model: OnnxModel) -> Network:
    known = Shapes(model)
    stands_for = _stand_ins(model)
    network = Network({}, (), (), (), stands_for)  # only to follow stand-ins
    roles = _roles(model, network)
    scales = _quantization(model)
    tensors: dict[str, Tensor] = {}
    names = [value.name for value in model.inputs]
    names += [name for node in model.nodes for name in (*node.inputs, *node.outputs) if name]
    names += [value.name for value in model.outputs]
    for name in dict.fromkeys(names):
        constant = model.initializers.get(name)
        scale, zero_point, axis = scales.get(name, ((), (), None))
        tensors[name] = Tensor(
            name=name,
            type_name=known.types.get(name, ""),
            shape=known.shapes.get(name),
            scales=scale,
            zero_points=zero_point,
            axis=axis,
            role=COMPUTED if constant is None else roles.get(name, _role(constant)),
            stored_bytes=0 if constant is None else constant.size_bytes,
        )
    return Network(
        tensors=tensors,
        operators=tuple(_operator(model, node, known) for node in model.nodes),
        inputs=tuple(value.name for value in model.inputs),
        outputs=tuple(value.name for value in model.outputs),
        stands_for=stands_for,
    )


def _stand_ins(model: OnnxModel) -> dict[str, str]:
    """Floats that are never in memory, since runtimes fuse the conversions with their operators."""
    outputs = {value.name for value in model.outputs}
    readers = Counter(name for node in model.nodes for name in node.inputs)
    makers = {name: node.op_type for node in model.nodes for name in node.outputs}
    found: dict[str, str] = {}
    for node in model.nodes:
        if node.op_type == "DequantizeLinear" and node.outputs[0] not in outputs:
            _add(found, node.outputs[0], node.inputs[0])
        if node.op_type == "QuantizeLinear" and node.inputs[0] not in outputs:
            made_by = makers.get(node.inputs[0])
            if made_by not in (None, "DequantizeLinear") and readers[node.inputs[0]] == 1:
                _add(found, node.inputs[0], node.outputs[0])
    return found


def _add(stand_ins: dict[str, str], name: str, stand_in: str) -> None:
    at = stand_in
    while at in stand_ins and at != name:
        at = stand_ins[at]
    if at != name:  # a damaged graph can go round in circles
        stand_ins[name] = stand_in


def _roles(model: OnnxModel, network: Network) -> dict[str, str]:
    roles = {}
    for node in model.nodes:
        for place, role in zip(WEIGHTED.get(node.op_type, ()), (WEIGHTS, BIASES), strict=False):
            if place is not None and place < len(node.inputs):
                roles[network.in_memory(node.inputs[place])] = role
        for name in _scales_of(node):
            roles[name] = CONSTANT
    return roles


def _scales_of(node: Node) -> tuple[str, ...]:
    """The inputs of an operator that are scales or zero points."""
    if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        return node.inputs[1:3]
    if node.op_type in ("QLinearConv", "QLinearMatMul"):
        return (*node.inputs[1:3], *node.inputs[4:8])
    if node.op_type in ("ConvInteger", "MatMulInteger"):
        return node.inputs[2:4]
    return ()


def _role(constant: Initializer) -> str:
    trained = constant.type_name not in _NOT_TRAINED and math.prod(constant.shape) > 1
    return WEIGHTS if trained else CONSTANT


def _quantization(
    model: OnnxModel,
) -> dict[str, tuple[tuple[float, ...], tuple[int, ...], int | None]]:
    """Scales, zero points and axis of quantized values, by name, from the operators around them."""
    found = {}
    for node in model.nodes:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear") or len(node.inputs) < 2:
            continue
        scale = model.initializers.get(node.inputs[1])
        if scale is None:
            continue
        zero_point = model.initializers.get(node.inputs[2]) if len(node.inputs) > 2 else None
        scales = tuple(float(n) for n in scale.value().reshape(-1))
        zero_points = (
            (0,) if zero_point is None else tuple(map(int, zero_point.value().reshape(-1)))
        )
        axis = node.attributes.get("axis", 1) if len(scales) > 1 else None
        quantized = node.outputs[0] if node.op_type == "QuantizeLinear" else node.inputs[0]
        found[quantized] = (scales, zero_points, axis)
    return found


def _operator(model: OnnxModel, node: Node, known: Shapes) -> Operator:
    return Operator(
        name=node.op_type,
        version=model.opsets.get(node.domain),
        inputs=tuple(name for name in node.inputs if name),
        outputs=tuple(name for name in node.outputs if name),
        macs=_macs(node, known),
        is_custom=node.domain != "",
    )


def _macs(node: Node, known: Shapes) -> int | None:
    """Multiply-accumulates: for each number of the output, one for each weight that it sums over."""
    if node.op_type not in WEIGHTED:
        return 0
    place = WEIGHTED[node.op_type][0]
    if place is None or place >= len(node.inputs):
        return None
    weights, source = known.shapes.get(node.inputs[place]), known.shapes.get(node.inputs[0])
    output = known.shapes.get(node.outputs[0])
    if any(shape is None or None in shape for shape in (weights, source, output)):
        return None
    count = math.prod(n or 0 for n in output or ())
    if node.op_type in ("Conv", "ConvInteger", "QLinearConv"):  # weights (out, in / groups, …)
        return count * math.prod(n or 0 for n in (weights or ())[1:])
    if node.op_type == "ConvTranspose":  # weights (in, out / groups, …)
        return math.prod(n or 0 for n in source or ()) * math.prod(
            n or 0 for n in (weights or ())[1:]
        )
    sums = (source or (0,))[-2 if node.attributes.get("transA") else -1]
    return count * (sums or 0)
