"""Cross-layer equalization: channels of very different size made alike, with the same float function.

Between two layers with nothing but ReLU in between, channel i may be divided by any s_i > 0 where it is
made and multiplied by it where it is used: ReLU(x / s) · s = ReLU(x). With r¹_i the greatest magnitude
of the weights that make channel i, and r²_i that of the weights that use it,

    s_i = √(r¹_i / r²_i),    W¹_i ← W¹_i / s_i,    b¹_i ← b¹_i / s_i,    W²_i ← W²_i · s_i

gives both the same range √(r¹_i · r²_i), so that no channel is lost on the common steps of int8. The pairs
of a network are gone through until nothing moves. Nagel et al., "Data-Free Quantization Through Weight
Equalization and Bias Correction", 2019, section 4.1.

ReLU6 is left alone: it does not scale. So is a channel that two operators use, and one that is made or used
by zeros only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline_convert import tflite_file
from hemline_convert.float_network import Array, FloatNetwork, Layer, along, greatest_by

_ROUNDS = 40
_STILL = 1e-3  # a round that moves no channel by more is the last
_NONE, _RELU = 0, 1  # `ActivationFunctionType` in the schema
_SCALES_ALONG = {  # operators through which a scaled channel goes as it is
    "MAX_POOL_2D",
    "AVERAGE_POOL_2D",
    "MEAN",
    "PAD",
    "RELU",
    "LEAKY_RELU",
}


@dataclass(frozen=True)
class Pair:
    """A layer that makes channels, and the only layer that uses them."""

    first: Layer
    second: Layer


def equalized(content: bytes) -> bytes:
    """The network with equalized channels; the float function is the same to rounding."""
    network = FloatNetwork(content)
    pairs = pairs_of(network)
    if not pairs:
        return content
    constants = {index: value.copy() for index, value in network.constants().items()}
    for _ in range(_ROUNDS):
        if max(_equalize(pair, constants) for pair in pairs) < _STILL:
            break
    return network.with_constants(constants)


def pairs_of(network: FloatNetwork) -> tuple[Pair, ...]:
    """The pairs of layers whose channels can be scaled between them, in the order of the network."""
    used = Counter(int(i) for operator in network.graph.operators for i in operator.inputs)
    by_weights = {layer.weights: layer for layer in network.layers if used[layer.weights] == 1}
    pairs = []
    for layer in by_weights.values():
        if layer.bias is not None and used[layer.bias] > 1:
            continue
        second = _only_user(network, layer, by_weights)
        if second is not None:
            pairs.append(Pair(layer, second))
    return tuple(pairs)


def _only_user(network: FloatNetwork, layer: Layer, by_weights: dict[int, Layer]) -> Layer | None:
    """The layer that the channels of `layer` go to, if they go there only and unchanged but for scale."""
    graph = network.graph
    operator = next(o for o in graph.operators if int(o.outputs[0]) == layer.output)
    channels = len(network.constant(layer.weights).swapaxes(0, layer.axis))
    while True:
        if getattr(operator.builtinOptions, "fusedActivationFunction", _NONE) not in (_NONE, _RELU):
            return None
        index = int(operator.outputs[0])
        users = network.consumers(index)
        if len(users) != 1 or index in graph.outputs:
            return None
        operator = users[0]
        kind = tflite_file.operator_name(network.model, operator)
        second = by_weights.get(int(operator.inputs[1])) if len(operator.inputs) > 1 else None
        if second is not None:
            taken = _taken_channels(network, second)
            fits = int(operator.inputs[0]) == index and taken and taken % channels == 0
            return second if fits else None
        if kind == "MEAN" and not _is_over_places(network, operator):
            return None
        shape = graph.tensors[operator.outputs[0]].shape
        if kind != "RESHAPE" and (kind not in _SCALES_ALONG or shape[-1] != channels):
            return None
        if (
            shape[-1] % channels
        ):  # channels come last and stay so: a flattened one is i mod channels
            return None


def _taken_channels(network: FloatNetwork, layer: Layer) -> int:
    """How many numbers a layer takes at each place; 0 where it takes them in groups."""
    shape = network.constant(layer.weights).shape
    taken = int(network.graph.tensors[layer.source].shape[-1])
    return taken if shape[-1] == taken else 0


def _is_over_places(network: FloatNetwork, operator: Any) -> bool:
    """Whether a MEAN is over height and width of a picture, and not over its channels."""
    axes = set(network.constant(int(operator.inputs[1])).reshape(-1).tolist())
    return len(network.graph.tensors[operator.inputs[0]].shape) == 4 and axes <= {1, 2, -2, -3}


def _equalize(pair: Pair, constants: dict[int, Array]) -> float:
    """Scale the channels of one pair, in place.

    Returns:
        The greatest |log s| of a channel.
    """
    first, axis = constants[pair.first.weights], pair.first.axis
    second = constants[pair.second.weights]
    made = greatest_by(first, axis)
    used = greatest_by(second.reshape(-1, len(made)), 1)
    scale = _scale(made, used)
    constants[pair.first.weights] = first / along(scale, axis, first.ndim)
    if pair.first.bias is not None:
        constants[pair.first.bias] = constants[pair.first.bias] / scale
    repeated = np.tile(scale, second.shape[-1] // len(scale))
    constants[pair.second.weights] = second * repeated
    return float(np.abs(np.log(scale)).max())


def _scale(made: NDArray[np.float32], used: NDArray[np.float32]) -> NDArray[np.float32]:
    """s = √(r¹ / r²), and 1 where either is zero: such a channel says nothing."""
    live = (made > 0) & (used > 0)
    ratio = np.divide(made, used, out=np.ones_like(made), where=live)
    return np.sqrt(ratio)
