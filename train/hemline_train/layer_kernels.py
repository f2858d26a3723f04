"""How layers compute while a network is trained: as Keras has it but for rounding, in less time.

Keras makes batch normalization of a dozen operations over all pixels, which on processors take longer than
the convolutions between them; TensorFlow has one operation for it. And processors with AMX multiply bfloat16
numbers (8 bits for the fraction, in place of 24) several times as fast as float32.

One thing is done otherwise for safety: oneDNN, which TensorFlow takes by itself on processors with AVX-512,
writes past its memory when it goes back through a convolution of 1×1 with strides and fewer than 16 channels
(uxlfoundation/oneDNN, issue 6035): wrong gradients, or a process that is gone. So the pixels that strides
lead to are picked before.
"""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hemline.errors import UserError
from hemline_train._tensorflow import keras, tf

_LAYERS = keras.layers
_BFLOAT16 = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
# These have most of the work. What is before and behind them, pixels, means and logits, stays float32.
_IN_BFLOAT16 = (
    _LAYERS.Conv2D,
    _LAYERS.DepthwiseConv2D,
    _LAYERS.BatchNormalization,
    _LAYERS.ReLU,
    _LAYERS.Add,
    _LAYERS.Concatenate,
    _LAYERS.AveragePooling2D,
    _LAYERS.MaxPooling2D,
)
_LEAST_EPSILON = 1.001e-5  # what the operation takes
# Convolutions to fewer channels take longer in bfloat16 than in float32: AMX works on sixteen at once.
_LEAST_CHANNELS = 16
_PROCESSOR = Path("/proc/cpuinfo")


@contextlib.contextmanager
def training_kernels(
    layers: Sequence[Any], *, fused: bool = False, bfloat16: bool = False
) -> Iterator[None]:
    """While it lasts, layers compute faster, and convolutions of 1×1 with strides safely.

    What was traced inside (`tf.function`) stays so; what is traced behind is as Keras has it.

    Args:
        layers: Of a network; of other kinds than it knows, none is changed.
        fused: Batch normalization in training is one operation. Not for statistics over several processes.
        bfloat16: Convolutions and what is between them take and give bfloat16, in a network where that is
            quicker; weights, their gradients and the statistics of batch normalization stay float32.
    """
    policies = [(layer, layer.dtype_policy) for layer in layers]
    calls = {layer: _fused_call(layer) for layer in layers if fused and _can_be_fused(layer)}
    calls |= {layer: _picking_call(layer) for layer in layers if _picks_pixels(layer)}
    try:
        for layer, call in calls.items():
            layer.call = call
        if bfloat16:
            compute_in_bfloat16(layers)
        yield
    finally:
        for layer in calls:
            del layer.call  # the class's own is found again
        for layer, policy in policies:
            layer.dtype_policy = policy


def gains_from_bfloat16(layers: Sequence[Any]) -> bool:
    """Whether a network with these layers is computed in bfloat16 where that is asked for."""
    channels = [layer.filters for layer in layers if isinstance(layer, _LAYERS.Conv2D)]
    return bool(channels) and min(channels) >= _LEAST_CHANNELS


def compute_in_bfloat16(layers: Sequence[Any]) -> None:
    """Have layers of a network compute as `training_kernels` says, for good."""
    if not gains_from_bfloat16(layers):
        return
    for layer in layers:
        if isinstance(layer, _IN_BFLOAT16):
            layer.dtype_policy = _BFLOAT16


def require_bfloat16(processor: Path = _PROCESSOR) -> None:
    """Make sure that bfloat16 gains something here.

    Args:
        processor: What Linux tells of it.

    Raises:
        UserError: TensorFlow would compute it one number at a time.
    """
    try:
        flags = processor.read_text().split()
    except OSError:
        flags = []
    if not {"amx_bf16", "avx512_bf16"} & set(flags):
        raise UserError(
            f"this processor ({platform.machine()}) does not multiply bfloat16, or does not tell",
            "it takes an x86-64 one with AMX or AVX512-BF16, under Linux; leave --bfloat16 out",
        )


def _can_be_fused(layer: Any) -> bool:
    return (
        isinstance(layer, _LAYERS.BatchNormalization)
        and len(layer.input.shape) == 4
        and layer.axis in (-1, 3)
        and layer.scale
        and layer.center
        and not layer.renorm
        and layer.trainable
        and layer.epsilon >= _LEAST_EPSILON
    )


def picked(pixels: Any, strides: Sequence[int]) -> Any:
    """The pixels that a convolution of 1×1 looks at.

    Args:
        pixels: (N, H, W, C).
        strides: Vertical and horizontal.
    """
    rows, columns = strides
    return pixels[:, ::rows, ::columns]


def _picks_pixels(layer: Any) -> bool:
    return (
        type(layer) is _LAYERS.Conv2D
        and layer.kernel_size == (1, 1)
        and max(layer.strides) > 1
        and layer.data_format == "channels_last"
    )


def _picking_call(layer: Any) -> Any:
    def call(inputs: Any) -> Any:
        outputs = keras.ops.conv(picked(inputs, layer.strides), layer.kernel, padding="valid")
        if layer.use_bias:
            outputs += layer.bias
        return layer.activation(outputs)

    return call


def _fused_call(layer: Any) -> Any:
    as_keras_has_it = layer.call

    def call(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not training or mask is not None:
            return as_keras_has_it(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, layer.gamma.value, layer.beta.value, epsilon=layer.epsilon, is_training=True
        )[:3]
        # It estimates the variance of all pictures from the batch, Keras keeps that of the batch.
        pixels = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
        variance *= 1 - 1 / pixels
        for variable, value in (layer.moving_mean, mean), (layer.moving_variance, variance):
            variable.assign(variable * layer.momentum + value * (1 - layer.momentum))
        return outputs

    return call
