"""Shapes and types of what an ONNX graph computes, as far as the operators of image classifiers go.

The file need not say them, and the rules are those of onnx.ai/onnx/operators. What is not known here
stays unknown; nothing is guessed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from hemline.inspection.network import Shape
from hemline.onnx_reader import TYPE_NAMES, Node, OnnxModel

_SAME_SHAPE = set(
    "QuantizeLinear DequantizeLinear Relu LeakyRelu PRelu Clip Sigmoid HardSigmoid HardSwish Tanh Elu "
    "Softmax LogSoftmax Cast Identity Dropout BatchNormalization Abs Neg Exp Sqrt Erf Gelu "
    "Floor Ceil Round Sign".split()
)
_BROADCAST = {"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Sum", "Where"}
# Operators with weights: their place among the inputs, and that of the bias.
WEIGHTED = {
    "Conv": (1, 2),
    "ConvInteger": (1, None),
    "QLinearConv": (3, 8),
    "ConvTranspose": (1, 2),
    "Gemm": (1, 2),
    "MatMul": (1, None),
    "MatMulInteger": (1, None),
    "QLinearMatMul": (3, None),
}
_WINDOWS = {"Conv", "ConvInteger", "QLinearConv", "MaxPool", "AveragePool"}


class Shapes:
    """What is known of the values of a graph.

    Attributes:
        shapes: By name; what is not there is not known.
        types: By name.
    """

    def __init__(self, model: OnnxModel) -> None:
        self._model = model
        self.shapes: dict[str, Shape] = {}
        self.types: dict[str, str] = {}
        for initializer in model.initializers.values():
            self.shapes[initializer.name] = initializer.shape
            self.types[initializer.name] = initializer.type_name
        for value in (*model.inputs, *model.values.values(), *model.outputs):
            self.types[value.name] = value.type_name
            if value.shape is not None:
                self.shapes[value.name] = tuple(
                    n if isinstance(n, int) else None for n in value.shape
                )
        for node in model.nodes:
            self._visit(node)

    def _visit(self, node: Node) -> None:
        if not node.outputs or not node.inputs:
            return
        name = node.outputs[0]
        if name not in self.types and (type_name := self._type(node)):
            self.types[name] = type_name
        if name not in self.shapes and (shape := self._shape(node)) is not None:
            self.shapes[name] = shape

    def _type(self, node: Node) -> str | None:
        if node.op_type == "Cast":
            number = node.attributes.get("to", 0)
            return TYPE_NAMES[number] if 0 < number < len(TYPE_NAMES) else None
        if node.op_type in ("ConvInteger", "MatMulInteger"):
            return "INT32"
        if node.op_type == "DequantizeLinear":
            return self.types.get(node.inputs[1])
        last = {"QuantizeLinear": 2, "QLinearConv": 7, "QLinearMatMul": 7}.get(node.op_type)
        if last is not None:
            return self.types.get(node.inputs[last]) if last < len(node.inputs) else "UINT8"
        return self.types.get(node.inputs[0])

    def _shape(self, node: Node) -> Shape | None:
        first = self.shapes.get(node.inputs[0])
        if first is None or None in first:
            return None
        if node.op_type in _SAME_SHAPE:
            return first
        if node.op_type in _BROADCAST:
            return self._broadcast(node)
        sizes = tuple(n for n in first if n is not None)
        if node.op_type in _WINDOWS:
            return self._window(node, sizes)
        rule = _RULES.get(node.op_type)
        return None if rule is None else rule(self, node, sizes)

    def _broadcast(self, node: Node) -> Shape | None:
        shapes = [self.shapes.get(name) for name in node.inputs]
        known = [shape for shape in shapes if shape is not None and None not in shape]
        if len(known) < len(shapes):
            return None
        try:
            return tuple(np.broadcast_shapes(*known))  # type: ignore[arg-type]  # None is ruled out
        except ValueError:
            return None

    def _window(self, node: Node, sizes: tuple[int, ...]) -> Shape | None:
        channels, kernel = sizes[1], node.attributes.get("kernel_shape")
        if node.op_type not in ("MaxPool", "AveragePool"):
            place = WEIGHTED[node.op_type][0]
            weights = self.shapes.get(node.inputs[place]) if place < len(node.inputs) else None
            if weights is None or len(weights) != len(sizes) or None in weights:
                return None
            channels, kernel = weights[0] or 0, weights[2:]
        dimensions = len(sizes) - 2
        if not kernel or len(kernel) != dimensions:
            return None
        ones, zeros = (1,) * dimensions, (0,) * (2 * dimensions)
        strides = node.attributes.get("strides", ones)
        dilations = node.attributes.get("dilations", ones)
        pads = node.attributes.get("pads", zeros)
        if not len(strides) == len(dilations) == len(pads) / 2 == dimensions or 0 in strides:
            return None
        same = node.attributes.get("auto_pad", b"").startswith(b"SAME")
        rounding = math.ceil if node.attributes.get("ceil_mode") else math.floor
        found = []
        for i, size in enumerate(sizes[2:]):
            if same:
                found.append(math.ceil(size / strides[i]))
                continue
            reach = dilations[i] * (kernel[i] - 1) + 1
            padded = size + pads[i] + pads[i + dimensions]
            found.append(rounding((padded - reach) / strides[i]) + 1)
        return (sizes[0], channels, *found)

    def _constant(self, node: Node, place: int) -> list[int] | None:
        """The numbers of a constant input."""
        name = node.inputs[place] if place < len(node.inputs) else ""
        constant = self._model.initializers.get(name)
        return None if constant is None else [int(n) for n in constant.value().reshape(-1)]

    def _reshape(self, node: Node, sizes: tuple[int, ...]) -> Shape | None:
        wanted = self._constant(node, 1)
        if wanted is None:
            return None
        keep_zeros = node.attributes.get("allowzero", 0)
        shape = [
            sizes[i] if n == 0 and not keep_zeros and i < len(sizes) else n
            for i, n in enumerate(wanted)
        ]
        if -1 in shape:
            rest = math.prod(n for n in shape if n != -1)
            shape[shape.index(-1)] = math.prod(sizes) // rest if rest else 0
        return tuple(shape)

    def _flatten(self, node: Node, sizes: tuple[int, ...]) -> Shape:
        axis = node.attributes.get("axis", 1)
        return (math.prod(sizes[:axis]), math.prod(sizes[axis:]))

    def _transpose(self, node: Node, sizes: tuple[int, ...]) -> Shape | None:
        order = node.attributes.get("perm", tuple(reversed(range(len(sizes)))))
        return tuple(sizes[i] for i in order) if sorted(order) == list(range(len(sizes))) else None

    def _global_pool(self, node: Node, sizes: tuple[int, ...]) -> Shape:
        del node
        return (*sizes[:2], *(1 for _ in sizes[2:]))

    def _gemm(self, node: Node, sizes: tuple[int, ...]) -> Shape | None:
        weights = self.shapes.get(node.inputs[1])
        if weights is None or len(weights) != 2 or len(sizes) != 2:
            return None
        rows = sizes[1 if node.attributes.get("transA") else 0]
        return (rows, weights[0 if node.attributes.get("transB") else 1])

    def _matmul(self, node: Node, sizes: tuple[int, ...]) -> Shape | None:
        place = WEIGHTED[node.op_type][0]
        weights = self.shapes.get(node.inputs[place]) if place < len(node.inputs) else None
        if weights is None or len(weights) != 2 or len(sizes) < 2:
            return None
        return (*sizes[:-1], weights[1])

    def _concat(self, node: Node, sizes: tuple[int, ...]) -> Shape | None:
        axis = node.attributes.get("axis", 0) % len(sizes)
        parts = [self.shapes.get(name) for name in node.inputs]
        if any(part is None or len(part) != len(sizes) or part[axis] is None for part in parts):
            return None
        total = sum(part[axis] or 0 for part in parts if part is not None)
        return (*sizes[:axis], total, *sizes[axis + 1 :])

    def _pad(self, node: Node, sizes: tuple[int, ...]) -> Shape | None:
        pads = self._constant(node, 1)
        if pads is None or len(pads) != 2 * len(sizes) or len(node.inputs) > 3:
            return None
        return tuple(n + pads[i] + pads[i + len(sizes)] for i, n in enumerate(sizes))

    def _squeeze(self, node: Node, sizes: tuple[int, ...]) -> Shape | None:
        axes = node.attributes.get("axes") or self._constant(node, 1)
        if axes is None:
            return tuple(n for n in sizes if n != 1) if len(node.inputs) == 1 else None
        gone = {axis % len(sizes) for axis in axes}
        return tuple(n for i, n in enumerate(sizes) if i not in gone)

    def _mean(self, node: Node, sizes: tuple[int, ...]) -> Shape | None:
        axes = node.attributes.get("axes") or self._constant(node, 1)
        if axes is None:
            return None
        gone = {axis % len(sizes) for axis in axes}
        if node.attributes.get("keepdims", 1):
            return tuple(1 if i in gone else n for i, n in enumerate(sizes))
        return tuple(n for i, n in enumerate(sizes) if i not in gone)


_RULES: dict[str, Callable[[Shapes, Node, tuple[int, ...]], Shape | None]] = {
    "Reshape": Shapes._reshape,
    "Flatten": Shapes._flatten,
    "Transpose": Shapes._transpose,
    "GlobalAveragePool": Shapes._global_pool,
    "GlobalMaxPool": Shapes._global_pool,
    "Gemm": Shapes._gemm,
    "MatMul": Shapes._matmul,
    "MatMulInteger": Shapes._matmul,
    "QLinearMatMul": Shapes._matmul,
    "Concat": Shapes._concat,
    "Pad": Shapes._pad,
    "Squeeze": Shapes._squeeze,
    "ReduceMean": Shapes._mean,
}
