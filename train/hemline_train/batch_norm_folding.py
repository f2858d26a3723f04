"""Batch normalization folded into the layer before it, as the converter does it.

With its statistics fixed, a batch normalization is y = a·x + b for each channel, where
a = γ / √(variance + ε) and b = β − a·mean. Behind a linear layer W·x + c that makes (a·W)·x + (a·c + b):
the layer alone, with other weights. Jacob et al. 2018, "Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference", section 3.2. It is these weights that are quantized, so they
are what has to be trained.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline_train._tensorflow import keras

_LAYERS = keras.layers
# Layers whose output can take a factor and an offset per channel.
_FOLDABLE = (_LAYERS.Conv2D, _LAYERS.DepthwiseConv2D, _LAYERS.SeparableConv2D, _LAYERS.Dense)


def without_batch_norm(model: Any) -> Any:
    """A copy of the model without the batch normalizations that stand right behind a linear layer.

    The others, as in networks that normalize before they convolve, stay. Layers within a layer are left
    as they are.

    Args:
        model: A functional or sequential Keras model, with one input and one output.

    Returns:
        `keras.Model` with weights of its own; in inference mode it answers as `model` does, to rounding.
    """
    functional = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    folded = _folded(functional)
    carriers = set(folded.values())

    def clone(layer: Any) -> Any:
        settings = layer.get_config()
        if layer.name in carriers:
            settings["use_bias"] = True
        return type(layer).from_config(settings)

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        return inputs[0] if layer.name in folded else layer(*inputs, **options)

    pixels = keras.Input(model.inputs[0].shape[1:], name=model.inputs[0].name)
    copy = keras.models.clone_model(functional, pixels, clone, call)
    for layer in copy.layers:
        if layer.weights and layer.name not in carriers:
            layer.set_weights(functional.get_layer(layer.name).get_weights())
    for name, linear in folded.items():
        scale, offset = batch_norm_as_scale_and_offset(functional.get_layer(name))
        weights = _scaled(functional.get_layer(linear), np.array(scale), np.array(offset))
        copy.get_layer(linear).set_weights(weights)
    return copy


def batch_norm_as_scale_and_offset(layer: Any) -> tuple[Any, Any]:
    """The tensors a and b of y = a·x + b, (channels,) each."""
    scale = keras.ops.rsqrt(layer.moving_variance + layer.epsilon)
    if layer.gamma is not None:
        scale = scale * layer.gamma
    offset = -layer.moving_mean * scale
    return scale, offset if layer.beta is None else offset + layer.beta


def _folded(model: Any) -> dict[str, str]:
    """Each batch normalization that can be folded, and the layer that takes it, by name."""
    calls = [node for nodes in model._nodes_by_depth.values() for node in nodes]
    called = [node.operation.name for node in calls]
    sources = [parent.operation.name for node in calls for parent in node.parent_nodes]
    found = {}
    for node in calls:
        layer = node.operation
        if isinstance(layer, _LAYERS.BatchNormalization) and len(node.parent_nodes) == 1:
            before = node.parent_nodes[0].operation
            once = [called.count(layer.name), called.count(before.name), sources.count(before.name)]
            if once == [1, 1, 1] and _takes_a_scale(before, layer):
                found[layer.name] = before.name
    return found


def _takes_a_scale(layer: Any, batch_norm: Any) -> bool:
    axis = batch_norm.axis % len(layer.output.shape)
    return (
        isinstance(layer, _FOLDABLE)
        and not isinstance(layer, _LAYERS.Conv2DTranspose)
        and layer.activation is keras.activations.linear
        and axis == len(layer.output.shape) - 1
    )


def _scaled(layer: Any, scale: NDArray[Any], offset: NDArray[Any]) -> list[NDArray[Any]]:
    """Weights of the layer, bias last, with the factor and the offset in them."""
    *kernels, bias = layer.get_weights() if layer.use_bias else [*layer.get_weights(), 0.0]
    last = kernels[-1]
    if isinstance(layer, _LAYERS.DepthwiseConv2D):  # (height, width, channels, multiplier)
        last = last * scale.reshape(last.shape[2:])
    else:
        last = last * scale
    return [*kernels[:-1], last, np.asarray(bias * scale + offset, last.dtype)]
