"""Biases that an int32 can hold, where the weights of a channel are (nearly) zero.

A bias is kept as an int32 of scale (scale of the input) × (scale of the weights), by the TFLite quantization
specification. The scale of the weights follows from the largest of them. In a channel that was pruned, or
has died in training, that is next to nothing, and the bias then overflows: it becomes a small number of the
other sign. Such a channel gets a larger scale, from its bias: the weights that it rounds away are less than
a billionth of the bias each.
"""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from hemline_convert import tflite_file
from hemline_convert.float_network import Array, FloatNetwork, along, layers_of

_MOST = 2.0**30  # of a bias in its own steps: as much is left for the sum of the products


def with_room_for_biases(network: bytes, quantized: bytes) -> bytes:
    """The quantized network with larger scales for weights where a bias would overflow.

    Args:
        network: The float network.
        quantized: Made of it, with int8 weights; its layers stand in the same order.

    Returns:
        The very same bytes where every bias fits.
    """
    floats = FloatNetwork(network)
    model = tflite_file.unpack(quantized)
    tensors = model.subgraphs[0].tensors
    has_changed = False
    for ours, theirs in zip(floats.layers, layers_of(model), strict=True):
        if ours.bias is None or theirs.bias is None:
            continue
        weights, bias = tensors[theirs.weights], tensors[theirs.bias]
        if tflite_file.dtype_of(weights) != np.int8 or tflite_file.dtype_of(bias) != np.int32:
            continue  # it is float, or has biases of 64 bits
        value = floats.constant(ours.bias).astype(np.float64)
        input_scale = float(tensors[theirs.source].quantization.scale[0])
        scale = np.asarray(weights.quantization.scale, np.float64)
        needed = np.abs(value) / (input_scale * _MOST)
        if len(scale) == 1:
            needed = needed.max(keepdims=True)
        if (scale >= needed).all():
            continue
        scale = np.maximum(scale, needed)
        plain = floats.constant(ours.weights).astype(np.float64)
        steps = np.rint(plain / along(scale, theirs.axis, plain.ndim))
        _give(model, weights, scale, np.clip(steps, -127, 127).astype(np.int8))
        bias_scale = input_scale * scale
        _give(model, bias, bias_scale, np.rint(value / bias_scale).astype(np.int32))
        has_changed = True
    return tflite_file.pack(model) if has_changed else quantized


def _give(model: schema.ModelT, tensor: schema.TensorT, scale: Array, value: Array) -> None:
    """Other steps and values for a constant; equal constants may share a buffer, and then it gets its own."""
    tensor.quantization.scale = scale.astype(np.float32)
    if sum(other.buffer == tensor.buffer for other in model.subgraphs[0].tensors) > 1:
        tensor.buffer = len(model.buffers)
        model.buffers.append(schema.BufferT())
    data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
    model.buffers[tensor.buffer].data = data
