"""What the operators of an int8 graph compute, in float, on values that lie on the quantized grid.

Each function takes the options of an operator and its inputs, tensors in the arrangement of TFLite but with
any number of images, and gives what the operator makes before its output is quantized.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from hemline.errors import ModelError
from hemline_train._tensorflow import tf
from hemline_train.layer_kernels import picked

_PADDING = {schema.Padding.SAME: "SAME", schema.Padding.VALID: "VALID"}
_ACTIVATION: dict[int, Callable[[Any], Any]] = {
    schema.ActivationFunctionType.NONE: tf.identity,
    schema.ActivationFunctionType.RELU: tf.nn.relu,
    schema.ActivationFunctionType.RELU6: tf.nn.relu6,
}


def compute(operator: str, options: Any, inputs: Sequence[Any]) -> Any:
    """The output of an operator, its activation function included, not quantized.

    Args:
        operator: As the schema has it: `CONV_2D`.
        options: Of the operator, an object of the schema.
        inputs: As the operator takes them.
    """
    return _ACTIVATION[_fused(options)](_OPERATORS[operator](options, *inputs))


def must_be_known(operator: str, options: Any, text: str) -> None:
    """Refuse an operator that is not computed here.

    Args:
        operator: See `compute`.
        options: Likewise.
        text: Names the operator and its layer.

    Raises:
        ModelError: It is not known.
    """
    if operator not in _OPERATORS or _fused(options) not in _ACTIVATION:
        raise ModelError(
            f"quantization-aware training does not know {text}",
            f"it knows {', '.join(sorted(_OPERATORS))}, with ReLU, ReLU6 or no activation; replace the "
            "layer, or convert the model without this training",
        )


def _fused(options: Any) -> int:
    """The activation function within the operator."""
    none = schema.ActivationFunctionType.NONE
    return int(getattr(options, "fusedActivationFunction", none))


def _convolution(options: Any, x: Any, filters: Any, bias: Any = 0.0) -> Any:
    kernel = tf.transpose(filters, (1, 2, 3, 0))
    strides = (options.strideH, options.strideW)
    dilations = (options.dilationHFactor, options.dilationWFactor)
    if filters.shape[1:3] == (1, 1):  # oneDNN would write past its memory: see `picked`
        x, strides = picked(x, strides), (1, 1)
    return tf.nn.conv2d(x, kernel, strides, _PADDING[options.padding], dilations=dilations) + bias


def _depthwise(options: Any, x: Any, filters: Any, bias: Any = 0.0) -> Any:
    channels = x.shape[-1]
    kernel = tf.reshape(filters, (*filters.shape[1:3], channels, filters.shape[3] // channels))
    strides = (1, options.strideH, options.strideW, 1)
    dilations = (options.dilationHFactor, options.dilationWFactor)
    padding = _PADDING[options.padding]
    return tf.nn.depthwise_conv2d(x, kernel, strides, padding, dilations=dilations) + bias


def _fully_connected(_: Any, x: Any, weights: Any, bias: Any = 0.0) -> Any:
    return tf.matmul(tf.reshape(x, (-1, weights.shape[1])), weights, transpose_b=True) + bias


def _pool(pool: Callable[..., Any]) -> Callable[..., Any]:
    def run(options: Any, x: Any) -> Any:
        window = (options.filterHeight, options.filterWidth)
        return pool(x, window, (options.strideH, options.strideW), _PADDING[options.padding])

    return run


def _mean(options: Any, x: Any, axes: Any) -> Any:
    return tf.reduce_mean(x, axis=axes, keepdims=bool(options.keepDims))


def _reshape(_: Any, x: Any, shape: Any) -> Any:
    return tf.reshape(x, tf.concat([[-1], shape[1:]], axis=0))  # the first is the images


def _concatenation(options: Any, *inputs: Any) -> Any:
    return tf.concat(inputs, axis=options.axis)


_OPERATORS: dict[str, Callable[..., Any]] = {
    "ADD": lambda _, a, b: a + b,
    "AVERAGE_POOL_2D": _pool(tf.nn.avg_pool2d),
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _pool(tf.nn.max_pool2d),
    "MEAN": _mean,
    "MUL": lambda _, a, b: a * b,
    "PAD": lambda _, x, paddings: tf.pad(x, paddings),
    "QUANTIZE": lambda _, x: x,
    "RELU": lambda _, x: tf.nn.relu(x),
    "RELU6": lambda _, x: tf.nn.relu6(x),
    "RESHAPE": _reshape,
}
