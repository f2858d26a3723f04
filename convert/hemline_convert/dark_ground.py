"""The foreground rule `light-on-dark` as operators in the graph, for clients that have no such rule.

A picture with a bright border is inverted so that its border becomes black: `hemline.preprocess` says how.
Here the same is done in int32, to the last bit: the median of the border is the last of the largest half of
its pixels, and the table of `hemline.preprocess` is computed pixel by pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from hemline.preprocess import BRIGHT_BORDER
from hemline_convert import tflite_file

_BUILTIN = schema.BuiltinOperator
_INT32, _INT8, _BOOL = schema.TensorType.INT32, schema.TensorType.INT8, schema.TensorType.BOOL
_INT8_CAST_VERSION = 3  # the first that knows int8
_OFFSET = 128  # int8 pixels are 0–255 less this


def put_ground_on_black(model: Any, place: int) -> None:
    """Insert the rule into the main graph.

    Args:
        model: As `tflite_file.unpack` gives it; changed.
        place: Number of the operator that the rule goes in front of, the first of the network. It reads
            int8 pixels, (1, height, width, channels).
    """
    graph = model.subgraphs[0]
    pixels = int(graph.operators[place].inputs[0])
    rule = _Rule(model)
    result = rule.apply(pixels)
    for operator in graph.operators[place:]:
        operator.inputs = [result if int(i) == pixels else int(i) for i in operator.inputs]
    graph.operators = [*graph.operators[:place], *rule.operators, *graph.operators[place:]]


class _Rule:
    """Writes operators one after the other; each method gives the index of its result."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._graph = model.subgraphs[0]
        self.operators: list[Any] = []

    def apply(self, pixels: int) -> int:
        tensor = self._graph.tensors[pixels]
        shape = [int(n) for n in tensor.shape]
        wide = self._emit(_BUILTIN.CAST, [pixels], shape, options=_cast(_INT8, _INT32))
        image = self._with(_BUILTIN.ADD, wide, _OFFSET, shape, schema.AddOptionsT())
        level = self._level(image, shape)
        inverted = self._inverted(image, level, shape)
        one = [1, 1]
        bright = self._with(_BUILTIN.GREATER, level, BRIGHT_BORDER, one, tensor_type=_BOOL)
        chosen = self._emit(_BUILTIN.SELECT_V2, [bright, inverted, image], shape)
        narrow = self._with(_BUILTIN.SUB, chosen, _OFFSET, shape, schema.SubOptionsT())
        result = self._emit(
            _BUILTIN.CAST, [narrow], shape, options=_cast(_INT32, _INT8), tensor_type=_INT8
        )
        self._graph.tensors[result].quantization = tensor.quantization
        return result

    def _level(self, image: int, shape: list[int]) -> int:
        """Brightness of the border: (1, 1), the mean of the channels' medians, rounded down."""
        _, height, width, channels = shape
        rows = self._emit(
            _BUILTIN.RESHAPE,
            [image, self._constant([height * width, channels])],
            [height * width, channels],
        )
        border = _border(height, width)
        count, upper = len(border), len(border) - len(border) // 2
        edge = self._gather(rows, border, 0, [count, channels])
        by_channel = self._emit(
            _BUILTIN.TRANSPOSE, [edge, self._constant([1, 0])], [channels, count]
        )
        largest = self._emit(
            _BUILTIN.TOPK_V2, [by_channel, self._constant(upper)], [channels, upper]
        )
        places = tflite_file.add_tensor(self._graph, [channels, upper], _INT32, None)
        self.operators[-1].outputs.append(places)
        medians = self._gather(largest, [upper - 1], 1, [channels, 1])
        if channels == 1:
            return medians
        options = schema.ReducerOptionsT()
        options.keepDims = True
        total = self._emit(_BUILTIN.SUM, [medians, self._constant([0])], [1, 1], options=options)
        return self._with(_BUILTIN.FLOOR_DIV, total, channels, [1, 1])

    def _inverted(self, image: int, level: int, shape: list[int]) -> int:
        """(level − pixel) · 255 / level, rounded down, and not below 0."""
        darker = self._emit(_BUILTIN.SUB, [level, image], shape, options=schema.SubOptionsT())
        scaled = self._with(_BUILTIN.MUL, darker, 255, shape, schema.MulOptionsT())
        divisor = self._with(_BUILTIN.MAXIMUM, level, 1, [1, 1])  # black is not divided by
        divided = self._emit(_BUILTIN.FLOOR_DIV, [scaled, divisor], shape)
        return self._with(_BUILTIN.MAXIMUM, divided, 0, shape)

    def _gather(self, source: int, indices: list[int], axis: int, shape: list[int]) -> int:
        options = schema.GatherOptionsT()
        options.axis = axis
        return self._emit(
            _BUILTIN.GATHER, [source, self._constant(indices)], shape, options=options
        )

    def _with(
        self,
        builtin: int,
        source: int,
        number: int,
        shape: list[int],
        options: Any = None,
        tensor_type: int = _INT32,
    ) -> int:
        """An operator between a tensor and a number."""
        sources = [source, self._constant(number)]
        return self._emit(builtin, sources, shape, options=options, tensor_type=tensor_type)

    def _emit(
        self,
        builtin: int,
        sources: list[int],
        shape: list[int],
        *,
        options: Any = None,
        tensor_type: int = _INT32,
    ) -> int:
        target = tflite_file.add_tensor(self._graph, shape, tensor_type, None)
        self._graph.tensors[target].name = f"dark_ground_{len(self.operators)}".encode()
        version = _INT8_CAST_VERSION if builtin == _BUILTIN.CAST else 1
        operator = tflite_file.new_operator(self._model, builtin, sources, [target], version)
        if options is not None:
            name = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            operator.builtinOptions = options
        self.operators.append(operator)
        return target

    def _constant(self, value: int | list[int]) -> int:
        index = tflite_file.add_constant(self._model, np.array(value, np.int32), _INT32, None)
        self._graph.tensors[index].name = f"dark_ground_constant_{index}".encode()
        return index


def _border(height: int, width: int) -> list[int]:
    """Places of the outermost pixels among all, as `preprocess.border_median` takes them."""
    places = np.arange(height * width).reshape(height, width)
    edge = (places[0], places[-1], places[1:-1, 0], places[1:-1, -1])
    return [int(place) for place in np.concatenate(edge)]


def _cast(source: int, target: int) -> Any:
    options = schema.CastOptionsT()
    options.inDataType, options.outDataType = source, target
    return options
