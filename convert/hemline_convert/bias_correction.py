"""Bias correction: what the rounding of a layer's weights adds to its output on average, taken off its bias.

With the weights W of a layer, W̃ what they are as int8, and x what the layer takes, rounding adds
ε x to the output, ε = W̃ − W. Its mean over the pictures does not vanish, since x behind a ReLU is never
negative; but ε E[x] is known, so

    b ← b − ε E[x].

Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, section 4.2;
E[x] is measured on the calibration pictures (their appendix D) with the float network. The mean is over the
places of a picture too, as a convolution has one bias for all of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemline.card import Normalization
from hemline.numpy_interpreter import geometry
from hemline.numpy_interpreter.node import Node
from hemline.numpy_interpreter.windows import Windows
from hemline.tflite_reader import read_tflite
from hemline_convert.float_network import Array, FloatNetwork, Layer
from hemline_convert.float_run import observed
from hemline_convert.rounding import rounded_weights


def bias_corrected(
    content: bytes,
    quantized: bytes,
    tensors: NDArray[np.uint8],
    normalization: Normalization,
) -> bytes:
    """The float network with corrected biases, to be quantized anew with the same recipe.

    Args:
        content: The float network.
        quantized: The same network with int8 weights.
        tensors: uint8, (N, H, W, C): the calibration pictures.
        normalization: How they become what the network takes.
    """
    network = FloatNetwork(content)
    rounded = rounded_weights(network, quantized)
    inputs = _mean_inputs(network, tensors, normalization)
    nodes = _nodes(content)
    corrected: dict[int, Array] = {}
    for layer in network.layers:
        if layer.bias is None or layer.weights not in rounded:
            continue
        error = rounded[layer.weights] - network.constant(layer.weights)
        shift = _mean_output(nodes[layer.output], layer, error, inputs[layer.source])
        corrected[layer.bias] = np.asarray(network.constant(layer.bias) - shift, np.float32)
    return network.with_constants(corrected)


def _mean_inputs(
    network: FloatNetwork, tensors: NDArray[np.uint8], normalization: Normalization
) -> dict[int, Array]:
    """What each layer takes on average over the pictures, by tensor index."""
    indices = {layer.source for layer in network.layers}
    sums: dict[int, Array] = {}
    for values in observed(network.content, tensors, normalization, indices, "correcting biases"):
        for index, value in values.items():
            sums[index] = sums.get(index, 0) + value.astype(np.float64)
    return {index: value / len(tensors) for index, value in sums.items()}


def _nodes(content: bytes) -> dict[int, Node]:
    """The operators of a file, by the tensor that they give."""
    graph = read_tflite("the float network", content).graphs[0]
    nodes = {}
    for operator in graph.operators:
        inputs = tuple(graph.tensors[i] if i >= 0 else None for i in operator.inputs)
        output = operator.outputs[0]
        nodes[output] = Node("the float network", operator, inputs, graph.tensors[output], {})
    return nodes


def _mean_output(node: Node, layer: Layer, weights: Array, taken: Array) -> Array:
    """What weights alone make of an input, as the mean over all places: (channels,).

    The sum over the places of a window may be taken before the product, as both are linear.
    """
    if layer.kind == "FULLY_CONNECTED":
        mean: Array = weights @ taken.reshape(-1, weights.shape[1]).mean(axis=0)
        return mean
    if layer.kind == "DEPTHWISE_CONV_2D":
        windows, per_channel = geometry.depthwise(node, weights)
        seen = np.repeat(_seen(windows, taken), per_channel, axis=1)
        return np.asarray((weights.reshape(seen.shape) * seen).sum(axis=0))
    windows, groups = geometry.convolution(node, weights)
    seen = _seen(windows, taken)
    seen = seen.reshape(len(seen), groups, -1)
    grouped = weights.reshape(groups, -1, len(seen), weights.shape[3])
    return np.asarray(np.einsum("goti,tgi->go", grouped, seen).reshape(-1))


def _seen(windows: Windows, taken: Array) -> Array:
    """What each place of the windows sees, as the mean over all windows: (places, channels)."""
    return np.array([seen.mean(axis=(0, 1, 2)) for seen in windows.places(taken)])
