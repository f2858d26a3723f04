"""Quantized TFLite models from the float one, with the LiteRT quantizer."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
from ai_edge_quantizer import qtyping, quantizer

from hemline.errors import UserError
from hemline.quiet import holding_back_stderr
from hemline_convert import tflite_file
from hemline_convert.bias_room import with_room_for_biases
from hemline_convert.float_network import FloatNetwork
from hemline_convert.observation import Ranges, activations
from hemline_convert.recipe import QuantizationRecipe

# Named as the LiteRT quantizer names its recipes.
DYNAMIC_RANGE_RECIPE = {
    "name": "dynamic_wi8_afp32",
    "weights": "int8, symmetric; per channel in convolutions, per tensor in FULLY_CONNECTED, since "
    "runtimes before LiteRT refuse the latter per channel",
}
FLOAT16_RECIPE = {"name": "float_casting", "weights": "float16"}

_EVERY_OPERATOR = "*"
_EVERY_LAYER = ".*"
_PER_CHANNEL = qtyping.QuantGranularity.CHANNELWISE
_PER_TENSOR = qtyping.QuantGranularity.TENSORWISE


def static_tflite(network: bytes, ranges: Ranges, recipe: QuantizationRecipe) -> bytes:
    """Quantize the network: int8 weights, and int8 or int16 from the input to the logits.

    Args:
        network: Float32 TFLite model.
        ranges: Of its activations, by the names of their tensors.
        recipe: Its granularity, number of bits and layers in float count; its calibration method is in the
            ranges.

    Raises:
        UserError: A layer that shall stay in float is not there.
    """
    work = quantizer.Quantizer(network)
    bits = recipe.activation_bits
    by_channel = recipe.granularity == "channel"
    granularity = _PER_CHANNEL if by_channel else _PER_TENSOR
    work.add_static_config(_EVERY_LAYER, _EVERY_OPERATOR, bits, 8, granularity)
    if by_channel:
        work.add_static_config(
            _EVERY_LAYER, qtyping.TFLOperationName.FULLY_CONNECTED, bits, 8, _PER_TENSOR
        )
    for output_name in _outputs_of(network, recipe.float_layers):
        work.update_quantization_recipe(
            f"^{re.escape(output_name)}", _EVERY_OPERATOR, algorithm_key="no_quantize"
        )
    return with_room_for_biases(network, _quantized(work, _as_statistics(network, ranges)))


def _outputs_of(network: bytes, layers: tuple[str, ...]) -> list[str]:
    """Names of the tensors that Keras layers with weights give."""
    if not layers:
        return []
    known = FloatNetwork(network).layers
    for name in layers:
        if name not in {layer.name for layer in known}:
            raise UserError(
                f"the network has no layer with weights called {name}",
                f"it has: {', '.join(layer.name for layer in known)}",
            )
    return [layer.output_name for layer in known if layer.name in layers]


def dynamic_range_tflite(float_model: bytes) -> bytes:
    """Int8 weights; activations are float32, and quantized on the fly where kernels do so."""
    work = quantizer.Quantizer(float_model)
    work.add_dynamic_config(_EVERY_LAYER, _EVERY_OPERATOR, 8)
    work.add_dynamic_config(_EVERY_LAYER, qtyping.TFLOperationName.FULLY_CONNECTED, 8, _PER_TENSOR)
    return _quantized(work)


def float16_tflite(float_model: bytes) -> bytes:
    """Float16 weights, widened to float32 when the model is loaded."""
    work = quantizer.Quantizer(float_model)
    for operator in (
        qtyping.TFLOperationName.CONV_2D,
        qtyping.TFLOperationName.DEPTHWISE_CONV_2D,
        qtyping.TFLOperationName.FULLY_CONNECTED,
    ):
        work.update_quantization_recipe(
            _EVERY_LAYER,
            operator,
            qtyping.OpQuantizationConfig(
                weight_tensor_config=qtyping.TensorQuantizationConfig(
                    num_bits=16, dtype=qtyping.TensorDataType.FLOAT
                ),
                compute_precision=qtyping.ComputePrecision.FLOAT,
                explicit_dequantize=True,
            ),
            "float_casting",
        )
    return _quantized(work)


def _as_statistics(network: bytes, ranges: Ranges) -> dict[str, Any]:
    """Ranges in the quantizer's form: arrays of size 1 and the tensor's rank."""
    tensors = tflite_file.unpack(network).subgraphs[0].tensors
    shapes = {name: (1,) * len(tensors[i].shape) for name, i in activations(network).items()}
    return {
        name: {
            "min": np.full(shape, ranges.low[name], np.float32),
            "max": np.full(shape, ranges.high[name], np.float32),
        }
        for name, shape in shapes.items()
    }


def _quantized(work: Any, statistics: dict[str, Any] | None = None) -> bytes:
    with warnings.catch_warnings(), holding_back_stderr():
        warnings.simplefilter("ignore")
        result = work.quantize(statistics, enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)
