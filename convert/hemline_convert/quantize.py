"""Quantized TFLite models from the float one, with the LiteRT quantizer."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from ai_edge_quantizer import qtyping, quantizer

from hemline.quiet import holding_back_stderr
from hemline_convert.calibration import Ranges, ranks
from hemline_convert.tflite_file import with_uint8_input_and_float_output

# Named as the LiteRT quantizer names its recipes.
_INT8_WEIGHTS = (
    "int8, symmetric; per channel in convolutions, per tensor in FULLY_CONNECTED, since runtimes before "
    "LiteRT refuse the latter per channel"
)
INT8_RECIPE = {
    "name": "static_wi8_ai8",
    "weights": _INT8_WEIGHTS,
    "activations": "int8, asymmetric, per tensor",
}
DYNAMIC_RANGE_RECIPE = {"name": "dynamic_wi8_afp32", "weights": _INT8_WEIGHTS}
FLOAT16_RECIPE = {"name": "float_casting", "weights": "float16"}

_EVERY_OPERATOR = "*"
_EVERY_LAYER = ".*"
_PER_TENSOR = qtyping.QuantGranularity.TENSORWISE


def int8_tflite(network: bytes, ranges: Ranges) -> bytes:
    """Quantize the network: int8 weights and activations, uint8 pixels in, float32 logits out."""
    work = quantizer.Quantizer(network)
    work.add_static_config(_EVERY_LAYER, _EVERY_OPERATOR, 8, 8)
    work.add_static_config(
        _EVERY_LAYER,
        qtyping.TFLOperationName.FULLY_CONNECTED,
        8,
        8,
        weight_granularity=_PER_TENSOR,
    )
    return with_uint8_input_and_float_output(_quantized(work, _as_statistics(network, ranges)))


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
    return {
        name: {
            "min": np.full((1,) * rank, ranges.low[name], np.float32),
            "max": np.full((1,) * rank, ranges.high[name], np.float32),
        }
        for name, rank in ranks(network).items()
    }


def _quantized(work: Any, statistics: dict[str, Any] | None = None) -> bytes:
    with warnings.catch_warnings(), holding_back_stderr():
        warnings.simplefilter("ignore")
        result = work.quantize(statistics, enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)
