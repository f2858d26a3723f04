"""A network that computes in float what its int8 file computes: fake quantization, for training.

Weights and activations are rounded to the values that int8 can tell apart, where the int8 file rounds
them. Rounding has no gradient, so that of the identity stands in for it (the straight-through estimator:
Bengio et al. 2013, "Estimating or Propagating Gradients Through Stochastic Neurons"); an activation
outside its range passes none. Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline_convert.keras_source import KerasSource
from hemline_convert.observation import Ranges
from hemline_train._tensorflow import tf
from hemline_train.int8_graph import Constant, Int8Graph, Operation
from hemline_train.int8_operators import compute

RANGE_RATE = 0.01  # share of a batch's range in the moving average
_STEPS = 255  # from the lowest int8 value to the highest
_WEIGHT_LEVELS = 127  # weights are symmetric: -127 to 127
_SMALLEST_BOUND = 1e-9  # as in the LiteRT quantizer, against division by zero
# Axis of the output channels; None for one scale per tensor.
_CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": None}
# They hand values on as they are, or within the range of what they take, which stays as it is.
_KEEPING_RANGE = {"AVERAGE_POOL_2D", "CONCATENATION", "MAX_POOL_2D", "PAD", "RESHAPE"}


class FakeQuantizedNetwork:
    """Takes pixels and answers logits as the int8 file of the network does, but in float.

    It has the weights of the model, and those that say what activations are quantized from and to. These
    ranges follow the batches (moving averages of smallest and largest value; for the logits from the
    lowest runner-up upwards, as in calibration) for `moving_steps` steps of training, then stand still.

    Args:
        source: The model, whose variables are trained in place.
        graph: From `read_int8_graph(source)`.
        ranges: To begin with, by the names of `graph.network`.
        moving_steps: Steps of training in which ranges move.
    """

    def __init__(
        self,
        source: KerasSource,
        graph: Int8Graph,
        ranges: Ranges,
        moving_steps: int,
    ) -> None:
        self._model = source.model
        self._graph = graph
        self._normalization = source.normalization
        self._moving_steps = moving_steps
        self._names = list(dict.fromkeys(graph.ranges.values()))
        self._logits = graph.operations[-1].output
        self._range_of = {o.output: self._names.index(o.range) for o in graph.operations}
        self._range_of[graph.input] = 0
        table = np.array([[ranges.low[n], ranges.high[n]] for n in self._names], np.float32)
        self._table = tf.Variable(_with_zero(table), trainable=False)
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.trainable_variables = _variables(graph)

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """(None, height, width, channels)."""
        shape: tuple[int | None, ...] = self._model.input_shape
        return shape

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """(None, classes)."""
        shape: tuple[int | None, ...] = self._model.output_shape
        return shape

    @property
    def weights(self) -> list[Any]:
        """The variables of the model, and the ranges."""
        return [*self._model.weights, self._table, self._step]

    @property
    def layers(self) -> list[Any]:
        """The layers of the model."""
        layers: list[Any] = self._model.layers
        return layers

    @property
    def ranges(self) -> Ranges:
        """What each activation of `graph.network` is quantized from and to."""
        table = dict(zip(self._names, self._table.numpy().tolist(), strict=True))
        edges = {name: table[used] for name, used in self._graph.ranges.items()}
        return Ranges(
            {name: low for name, (low, _) in edges.items()},
            {name: high for name, (_, high) in edges.items()},
        )

    def get_weights(self) -> list[NDArray[Any]]:
        """Weights of the model, then the ranges and the number of steps done."""
        return [*self._model.get_weights(), self._table.numpy(), np.array(self._step.numpy())]

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Take what `get_weights` gave."""
        *of_model, table, step = weights
        self._model.set_weights(of_model)
        self._table.assign(table)
        self._step.assign(step)

    def __call__(self, pixels: Any, training: bool) -> Any:
        """Logits.

        Args:
            pixels: float32, (N, H, W, C), whole numbers of 0–255.
            training: Whether the ranges follow this batch.
        """
        table = tf.convert_to_tensor(self._table)  # read once: it moves at the end
        shifted = pixels - float(self._normalization.zero_point)
        values = {self._graph.input: shifted * self._normalization.scale}
        seen: list[tuple[int, Any, Any]] = []
        for operation in self._graph.operations:
            inputs = self._inputs(operation, values, table)
            result = compute(operation.operator, operation.options, inputs)
            number = self._range_of[operation.output]
            if operation.operator not in _KEEPING_RANGE:
                is_logits = operation.output == self._logits
                low = _lowest_runner_up(result) if is_logits else tf.reduce_min(result)
                seen.append((number, low, tf.reduce_max(result)))
            values[operation.output] = self._quantized(operation, result, table[number])
        if training:
            self._follow(seen)
        return values[self._logits]

    def _inputs(self, operation: Operation, values: dict[int, Any], table: Any) -> list[Any]:
        """Activations, and constants as the int8 file holds them."""
        inputs = [i.value() if isinstance(i, Constant) else values[i] for i in operation.inputs]
        if operation.operator in _CHANNEL_AXIS:
            first = operation.inputs[0]
            assert isinstance(first, int)
            edges = table[self._range_of[first]]
            axis = _CHANNEL_AXIS[operation.operator]
            inputs[1], step = quantized_weights(inputs[1], axis)
            if len(inputs) > 2:
                inputs[2] = _rounded(inputs[2], step * (edges[1] - edges[0]) / _STEPS)
        elif operation.operator in ("ADD", "MUL"):
            for position, given in enumerate(operation.inputs):
                if isinstance(given, Constant):
                    inputs[position] = _quantized_constant(inputs[position])
        return inputs

    def _quantized(self, operation: Operation, result: Any, edges: Any) -> Any:
        def on_grid(values: Any) -> Any:
            return _fake_quant(values, edges[0], edges[1])

        if operation.output == self._logits:
            # A logit that is cut off must still be pushed: it may be the right one.
            return tf.grad_pass_through(on_grid)(result)
        return on_grid(result)

    def _follow(self, seen: list[tuple[int, Any, Any]]) -> None:
        """Move the ranges towards those of this batch."""
        rows = []
        for number in range(len(self._names)):
            lows = [low for where, low, _ in seen if where == number]
            highs = [high for where, _, high in seen if where == number]
            if lows:
                rows.append(tf.stack([tf.reduce_min(lows), tf.reduce_max(highs)]))
            else:  # the input's, which is what the normalization makes of 0 and 255
                rows.append(self._table[number])
        rate = tf.where(self._step < self._moving_steps, RANGE_RATE, 0.0)
        self._table.assign_add(rate * (_with_zero(tf.stack(rows)) - self._table))
        self._step.assign_add(1)


def quantized_weights(weights: Any, axis: int | None) -> tuple[Any, Any]:
    """Weights on the grid of symmetric int8, with the gradient of the identity.

    Args:
        weights: In the arrangement of TFLite.
        axis: Of the output channels, each with a scale of its own; None for one scale.

    Returns:
        The weights, and their scale: (channels,), or one number.
    """
    others = [a for a in range(len(weights.shape)) if a != axis] if axis is not None else None
    bound = tf.maximum(tf.reduce_max(tf.abs(weights), axis=others), _SMALLEST_BOUND)
    bound = tf.stop_gradient(bound)
    if axis is None:
        function = tf.quantization.fake_quant_with_min_max_vars
    else:
        function = tf.quantization.fake_quant_with_min_max_vars_per_channel

    def on_grid(values: Any) -> Any:
        if axis in (None, len(values.shape) - 1):
            return function(values, -bound, bound, narrow_range=True)
        last = [*(a for a in range(len(values.shape)) if a != axis), axis]
        moved = function(tf.transpose(values, last), -bound, bound, narrow_range=True)
        return tf.transpose(moved, np.argsort(last))

    return tf.grad_pass_through(on_grid)(weights), bound / _WEIGHT_LEVELS


def _fake_quant(values: Any, low: Any, high: Any) -> Any:
    return tf.quantization.fake_quant_with_min_max_vars(values, low, high)


def _quantized_constant(values: Any) -> Any:
    """A constant that is added or multiplied: asymmetric, one scale."""
    low = tf.stop_gradient(tf.minimum(tf.reduce_min(values), 0.0))
    high = tf.stop_gradient(tf.maximum(tf.reduce_max(values), 0.0))
    return tf.grad_pass_through(lambda v: _fake_quant(v, low, high))(values)


def _rounded(values: Any, step: Any) -> Any:
    """A bias, which is int32 with the step of its products."""
    return tf.grad_pass_through(lambda v: tf.round(v / step) * step)(values)


def _with_zero(table: Any) -> Any:
    """Ranges, (N, 2), each widened to hold 0, which quantization must hit exactly."""
    return tf.stack([tf.minimum(table[:, 0], 0.0), tf.maximum(table[:, 1], 0.0)], axis=1)


def _lowest_runner_up(logits: Any) -> Any:
    return tf.reduce_min(tf.math.top_k(logits, 2).values[:, 1])


def _variables(graph: Int8Graph) -> list[Any]:
    """The variables that the graph depends on, each once, in the order of the operators."""
    found: dict[int, Any] = {}
    for operation in graph.operations:
        for given in operation.inputs:
            if isinstance(given, Constant):
                for variable in given.variables:
                    found.setdefault(id(variable), variable)
    return list(found.values())
