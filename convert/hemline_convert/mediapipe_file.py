"""The int8 network for MediaPipe's Image Classifier and other clients that know no model card.

They give the network RGB pixels and show what it answers as it is. So what `hemline.preprocess` does to
pixels goes in front of it, from colour to grey and from bright ground to dark, and the softmax behind it.
Between the two it is the network of the int8 file, untouched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from hemline.card import InputSpec, ModelCard
from hemline_convert import tflite_file
from hemline_convert.dark_ground import put_ground_on_black

# 0.299, 0.587 and 0.114, which OpenCV's BGR2GRAY has too (ITU-R BT.601), as whole numbers from −127 to 127
# over their sum: of all that fit none is nearer, and none is off by more than 0.00014.
GRAY_WEIGHTS_RGB = (55, 108, 21)


def card_for_mediapipe(card: ModelCard) -> ModelCard:
    """The card of the file: pictures in colour, stretched as MediaPipe does it; the rest is in the graph."""
    return card.replace(
        input=InputSpec(card.input.size_wh, "rgb", "stretch", "as-is"),
        output="probabilities",
        temperature=1.0,  # it is in the softmax
    )


def mediapipe_tflite(int8: bytes, card: ModelCard) -> bytes:
    """Put colour in front of a deployable int8 file and softmax behind it.

    Args:
        int8: uint8 pixels (1, H, W, 1 or 3) to float32 logits.
        card: Of that file; its temperature goes into the softmax.

    Returns:
        uint8 RGB pixels (1, H, W, 3) to float32 probabilities (1, classes).
    """
    model = tflite_file.unpack(int8)
    graph = model.subgraphs[0]
    if card.input.color == "gray":
        _put_gray_conversion_in_front(model)
    if card.input.foreground != "as-is":  # a garment is looked for in no graph
        put_ground_on_black(model, place=2 if card.input.color == "gray" else 1)
    logits = graph.outputs[0]
    shape = graph.tensors[logits].shape
    probabilities = tflite_file.add_tensor(graph, shape, schema.TensorType.FLOAT32, None)
    softmax = tflite_file.new_operator(
        model, schema.BuiltinOperator.SOFTMAX, [logits], [probabilities]
    )
    softmax.builtinOptionsType = schema.BuiltinOptions.SoftmaxOptions
    softmax.builtinOptions = schema.SoftmaxOptionsT()
    softmax.builtinOptions.beta = 1 / card.temperature
    graph.operators.append(softmax)
    graph.outputs = [probabilities]
    graph.tensors[logits].name = b"logits"
    return tflite_file.pack(model)


def _put_gray_conversion_in_front(model: Any) -> None:
    """Widen the input to RGB, and put a fixed 1×1 convolution behind its QUANTIZE.

    Grey has the scale of the pixels, so that a grey pixel (v, v, v) becomes v to the last bit.
    """
    graph = model.subgraphs[0]
    quantize, *rest = graph.operators
    pixels, gray = graph.tensors[quantize.inputs[0]], int(quantize.outputs[0])
    input_scale = float(pixels.quantization.scale[0])
    pixels.shape = [*pixels.shape[:3], 3]
    pixels.shapeSignature = None
    kinds = schema.TensorType
    rgb = tflite_file.add_tensor(graph, pixels.shape, kinds.INT8, graph.tensors[gray].quantization)
    weight_scale = 1 / sum(GRAY_WEIGHTS_RGB)
    weights = np.array(GRAY_WEIGHTS_RGB, np.int8).reshape(1, 1, 1, 3)
    bias, bias_scale = np.zeros(1, np.int32), input_scale * weight_scale
    sources = [
        rgb,
        tflite_file.add_constant(model, weights, kinds.INT8, _per_channel(weight_scale)),
        tflite_file.add_constant(model, bias, kinds.INT32, _per_channel(bias_scale)),
    ]
    conversion = tflite_file.new_operator(model, schema.BuiltinOperator.CONV_2D, sources, [gray])
    conversion.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    conversion.builtinOptions = schema.Conv2DOptionsT()
    conversion.builtinOptions.strideH = conversion.builtinOptions.strideW = 1
    quantize.outputs = [rgb]
    for index, name in ((rgb, b"rgb_int8"), (gray, b"gray_int8")):
        graph.tensors[index].name = name
    for index, name in zip(sources[1:], (b"gray_weights", b"gray_bias"), strict=True):
        graph.tensors[index].name = name
    graph.operators = [quantize, conversion, *rest]


def _per_channel(scale: float) -> Any:
    """The quantization of a filter's weights or bias: one filter, symmetric."""
    quantization = schema.QuantizationParametersT()
    quantization.scale, quantization.zeroPoint = [scale], [0]
    quantization.quantizedDimension = 0
    return quantization
