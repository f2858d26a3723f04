"""The int8 ONNX file, written from the int8 TFLite file: one quantized network, twice.

Every weight, scale and zero point is carried over as it stands. Between DequantizeLinear and
QuantizeLinear stands the float operator, which is how ONNX states int8 arithmetic (QDQ form); runtimes
fuse the three into one integer kernel. Pooling and Flatten stand between them too, though they could do
with the integers alone: ONNX Runtime only fuses where QuantizeLinear and DequantizeLinear touch.

TFLite keeps images as NHWC and ONNX convolutions take NCHW. The picture is turned once, at the
input, and a layer behind Flatten gets its weights reordered, so that no transpose remains inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from hemline.errors import ModelError
from hemline_convert import tflite_file
from hemline_convert.tflite_file import INPUT_NAME, OUTPUT_NAME

# 13 is the first opset with per-channel DequantizeLinear; IR 8 is read by ONNX Runtime since 1.10.
_OPSET = 13
_IR_VERSION = 8
_INT8_MIN = -128


def onnx_from_int8_tflite(content: bytes) -> Any:
    """Translate an all-int8 TFLite model with uint8 input and float32 output.

    Returns:
        `onnx.ModelProto`: `image` uint8 (1, H, W, C) to `logits` float32 (1, classes).

    Raises:
        ModelError: The model has an operator that this translation does not know.
    """
    return _without_unused(_Translation(content).model())


class _Translation:
    """One model on its way from TFLite to ONNX.

    Integer tensors are called `q<index>` after their TFLite index, their dequantized values `f<index>`.
    """

    def __init__(self, content: bytes) -> None:
        self._tflite = tflite_file.unpack(content)
        self._graph = self._tflite.subgraphs[0]
        self._tensors = self._graph.tensors
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._dequantized: set[int] = set()
        # Flattened tensors whose elements lie in the order C, H, W, with what they were as (H, W, C).
        self._flattened_from: dict[int, tuple[int, int, int]] = {}

    def model(self) -> Any:
        """Translate all operators, in order."""
        handlers: dict[str, Callable[[Any], None]] = {
            "QUANTIZE": self._quantize,
            "DEQUANTIZE": self._dequantize,
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._depthwise_convolution,
            "FULLY_CONNECTED": self._fully_connected,
            "MAX_POOL_2D": self._max_pool,
            "AVERAGE_POOL_2D": self._average_pool,
            "MEAN": self._mean,
            "ADD": lambda operator: self._elementwise(operator, "Add"),
            "SUB": lambda operator: self._elementwise(operator, "Sub"),
            "MUL": lambda operator: self._elementwise(operator, "Mul"),
            "CONCATENATION": self._concatenation,
            "PAD": self._pad,
            "RESHAPE": self._reshape,
            "RELU": lambda operator: self._unary(operator, "Relu"),
            "RELU6": lambda operator: self._unary(operator, None),
            "LOGISTIC": lambda operator: self._unary(operator, "Sigmoid"),
            "HARD_SWISH": lambda operator: self._unary(operator, "HardSwish"),
        }
        for operator in self._graph.operators:
            name = tflite_file.operator_name(self._tflite, operator)
            if name not in handlers:
                raise ModelError(
                    f"the int8 ONNX file cannot be written: it has no rule for the operator {name}",
                    f"known are {', '.join(handlers)}; without ONNX: --int8 --no-onnx",
                )
            handlers[name](operator)
        return self._assembled()

    def _assembled(self) -> Any:
        source, target = int(self._graph.inputs[0]), int(self._graph.outputs[0])
        graph = helper.make_graph(
            self._nodes,
            "hemline",
            [helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, self._shape(source))],
            [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, self._shape(target))],
            self._constants,
        )
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="hemline",
        )

    # Edges of the graph

    def _quantize(self, operator: Any) -> None:
        source, target = int(operator.inputs[0]), int(operator.outputs[0])
        if source == int(self._graph.inputs[0]):
            self._quantize_image(source, target)
        else:  # from one scale to another, as in front of a concatenation
            self._quantized(self._real(source), target)

    def _quantize_image(self, source: int, target: int) -> None:
        """uint8 pixels, NHWC, to int8, NCHW. The two differ by 128 in value and zero point alike."""
        _, height, width, channels = self._shape(source)
        if channels == 1:  # then NHWC and NCHW lie alike in memory
            shape = self._constant("image_shape", np.array([1, 1, height, width], np.int64))
            self._node("Reshape", [INPUT_NAME, shape], "image_nchw")
        else:
            self._node("Transpose", [INPUT_NAME], "image_nchw", perm=[0, 3, 1, 2])
        parameters = self._parameters(source, "image", np.uint8)
        self._node("DequantizeLinear", ["image_nchw", *parameters], "image_real")
        self._quantized("image_real", target)

    def _dequantize(self, operator: Any) -> None:
        source = int(operator.inputs[0])
        self._node("DequantizeLinear", [f"q{source}", *self._parameters(source)], OUTPUT_NAME)

    # Operators with weights

    def _convolution(self, operator: Any) -> None:
        kernel = self._weights(operator.inputs[1])  # (out, height, width, in)
        self._convolve(operator, kernel.transpose(0, 3, 1, 2), groups=1)

    def _depthwise_convolution(self, operator: Any) -> None:
        kernel = self._weights(operator.inputs[1])  # (1, height, width, in × multiplier)
        groups = self._shape(operator.inputs[0])[3]
        self._convolve(operator, kernel.transpose(3, 0, 1, 2), groups)

    def _convolve(self, operator: Any, kernel: np.ndarray, groups: int) -> None:
        source, weights, bias = (int(i) for i in operator.inputs)
        options = operator.builtinOptions
        strides = [options.strideH, options.strideW]
        dilations = [options.dilationHFactor, options.dilationWFactor]
        pads = self._pads(source, kernel.shape[2:], strides, dilations, options.padding)
        self._apply(
            operator,
            "Conv",
            [self._real(source), self._real_weights(weights, kernel, 0), self._real_bias(bias)],
            options.fusedActivationFunction,
            strides=strides,
            dilations=dilations,
            pads=pads,
            group=groups,
        )

    def _fully_connected(self, operator: Any) -> None:
        source, weights, bias = (int(i) for i in operator.inputs)
        matrix = self._weights(weights)  # (out, in)
        if source in self._flattened_from:
            height, width, channels = self._flattened_from[source]
            by_place = matrix.reshape(len(matrix), height, width, channels)
            matrix = by_place.transpose(0, 3, 1, 2).reshape(matrix.shape)
        inputs = [self._real(source), self._real_weights(weights, matrix, 0)]
        if bias >= 0:
            inputs.append(self._real_bias(bias))
        activation = operator.builtinOptions.fusedActivationFunction
        self._apply(operator, "Gemm", inputs, activation, transB=1)

    # Operators without weights

    def _max_pool(self, operator: Any) -> None:
        source = int(operator.inputs[0])
        options = operator.builtinOptions
        kernel = [options.filterHeight, options.filterWidth]
        strides = [options.strideH, options.strideW]
        pads = self._pads(source, kernel, strides, [1, 1], options.padding)
        self._apply(
            operator,
            "MaxPool",
            [self._real(source)],
            options.fusedActivationFunction,
            kernel_shape=kernel,
            strides=strides,
            pads=pads,
        )

    def _average_pool(self, operator: Any) -> None:
        source = int(operator.inputs[0])
        options = operator.builtinOptions
        kernel = [options.filterHeight, options.filterWidth]
        strides = [options.strideH, options.strideW]
        pads = self._pads(source, kernel, strides, [1, 1], options.padding)
        self._apply(
            operator,
            "AveragePool",
            [self._real(source)],
            options.fusedActivationFunction,
            kernel_shape=kernel,
            strides=strides,
            pads=pads,
        )

    def _mean(self, operator: Any) -> None:
        """Global average pooling: the mean over height and width."""
        source, target = int(operator.inputs[0]), int(operator.outputs[0])
        axes = tflite_file.constant(self._tflite, self._tensors[operator.inputs[1]])
        if axes is None or sorted(axes.ravel().tolist()) != [1, 2]:
            raise ModelError(
                "the int8 ONNX file cannot be written: MEAN over other axes than height and width",
                "use GlobalAveragePooling2D; without ONNX: --int8 --no-onnx",
            )
        self._node("GlobalAveragePool", [self._real(source)], f"mean{target}")
        value = f"mean{target}"
        if len(self._shape(target)) == 2:
            shape = np.array(self._shape(target), np.int64)
            value = f"flat{target}"
            self._node("Reshape", [f"mean{target}", self._constant(f"shape{target}", shape)], value)
        self._quantized(value, target)

    def _elementwise(self, operator: Any, kind: str) -> None:
        inputs = [self._operand(int(index)) for index in operator.inputs]
        self._apply(operator, kind, inputs, operator.builtinOptions.fusedActivationFunction)

    def _operand(self, index: int) -> str:
        """An input of an elementwise operator; a constant one is turned to NCHW if it must be."""
        value = tflite_file.constant(self._tflite, self._tensors[index])
        if value is None:
            return self._real(index)
        if value.ndim == 4:
            value = value.transpose(0, 3, 1, 2)
        elif value.ndim == 1 and len(value) > 1:
            value = value.reshape(1, -1, 1, 1)
        stored = self._constant(f"q{index}", np.ascontiguousarray(value))
        self._node("DequantizeLinear", [stored, *self._parameters(index)], f"f{index}")
        return f"f{index}"

    def _concatenation(self, operator: Any) -> None:
        axis = operator.builtinOptions.axis
        rank = len(self._shape(operator.outputs[0]))
        nchw = {0: 0, 1: 2, 2: 3, 3: 1}[axis % 4] if rank == 4 else axis
        inputs = [self._real(int(index)) for index in operator.inputs]
        activation = operator.builtinOptions.fusedActivationFunction
        self._apply(operator, "Concat", inputs, activation, axis=nchw)

    def _pad(self, operator: Any) -> None:
        """Zeros around the picture."""
        source, target = int(operator.inputs[0]), int(operator.outputs[0])
        amounts = tflite_file.constant(self._tflite, self._tensors[operator.inputs[1]])
        assert amounts is not None
        nchw = amounts[[0, 3, 1, 2]] if len(amounts) == 4 else amounts
        pads = self._constant(f"pads{target}", nchw.T.ravel().astype(np.int64))
        self._apply(operator, "Pad", [self._real(source), pads], schema.ActivationFunctionType.NONE)

    def _reshape(self, operator: Any) -> None:
        source, target = int(operator.inputs[0]), int(operator.outputs[0])
        before, after = self._shape(source), self._shape(target)
        if len(before) == 4 and len(after) == 2:
            self._flattened_from[target] = (before[1], before[2], before[3])
        elif len(before) == 4 or len(after) == 4:
            raise ModelError(
                f"the int8 ONNX file cannot be written: a reshape from {before} to {after}",
                "only Flatten is known; without ONNX: --int8 --no-onnx",
            )
        shape = self._constant(f"shape{target}", np.array(after, np.int64))
        self._node("Reshape", [self._real(source), shape], f"reshape{target}")
        self._quantized(f"reshape{target}", target)

    def _unary(self, operator: Any, kind: str | None) -> None:
        source = int(operator.inputs[0])
        if kind is None:
            self._apply_value(operator, self._real(source), schema.ActivationFunctionType.RELU6)
        elif kind == "HardSwish":  # HardSwish came with opset 14: x · clip(x/6 + 1/2, 0, 1)
            target = int(operator.outputs[0])
            value = self._real(source)
            self._node("HardSigmoid", [value], f"gate{target}", alpha=1 / 6, beta=0.5)
            self._node("Mul", [value, f"gate{target}"], f"swish{target}")
            self._quantized(f"swish{target}", target)
        else:
            none = schema.ActivationFunctionType.NONE
            self._apply(operator, kind, [self._real(source)], none)

    # Building blocks

    def _apply(
        self, operator: Any, kind: str, inputs: list[str], activation: int, **attributes: Any
    ) -> None:
        """A float operator, the activation fused into it, and the quantization of its output."""
        value = f"{kind.lower()}{int(operator.outputs[0])}"
        self._node(kind, inputs, value, **attributes)
        self._apply_value(operator, value, activation)

    def _apply_value(self, operator: Any, value: str, activation: int) -> None:
        target = int(operator.outputs[0])
        self._quantized(self._activated(value, target, activation), target)

    def _activated(self, value: str, target: int, activation: int) -> str:
        """Relu and Relu6, where the limits of int8 do not do their work already."""
        types = schema.ActivationFunctionType
        if activation == types.NONE:
            return value
        quantization = self._tensors[target].quantization
        zero_point, scale = int(quantization.zeroPoint[0]), float(quantization.scale[0])
        cuts_below = zero_point == _INT8_MIN
        if activation == types.RELU:
            if cuts_below:
                return value
            self._node("Relu", [value], f"relu{target}")
            return f"relu{target}"
        if activation == types.RELU6:
            if cuts_below and (127 - zero_point) * scale <= 6 + scale / 2:
                return value
            limits = [
                self._constant("relu6_low", np.float32(0)),
                self._constant("relu6_high", np.float32(6)),
            ]
            self._node("Clip", [value, *limits], f"relu6_{target}")
            return f"relu6_{target}"
        raise ModelError(
            f"the int8 ONNX file cannot be written: fused activation number {activation}",
            "known are ReLU and ReLU6; without ONNX: --int8 --no-onnx",
        )

    def _pads(
        self, source: int, kernel: Any, strides: list[int], dilations: list[int], padding: int
    ) -> list[int]:
        """Explicit padding: top, left, bottom, right. TensorFlow puts the odd pixel at the end."""
        if padding == schema.Padding.VALID:
            return [0, 0, 0, 0]
        before, after = [], []
        for size, k, stride, dilation in zip(
            self._shape(source)[1:3], kernel, strides, dilations, strict=True
        ):
            reach = (k - 1) * dilation + 1
            total = max((-(-size // stride) - 1) * stride + reach - size, 0)
            before.append(total // 2)
            after.append(total - total // 2)
        return [int(n) for n in before + after]

    def _real(self, index: int) -> str:
        """The float value of an int8 tensor."""
        if index not in self._dequantized:
            self._dequantized.add(index)
            self._node("DequantizeLinear", [f"q{index}", *self._parameters(index)], f"f{index}")
        return f"f{index}"

    def _real_weights(self, index: int, value: np.ndarray, axis: int) -> str:
        stored = self._constant(f"q{index}", np.ascontiguousarray(value))
        parameters = self._parameters(index)
        per_channel = len(self._tensors[index].quantization.scale) > 1
        attributes = {"axis": axis} if per_channel else {}
        self._node("DequantizeLinear", [stored, *parameters], f"f{index}", **attributes)
        return f"f{index}"

    def _real_bias(self, index: int) -> str:
        """int32 with the scale of input × weights; DequantizeLinear takes no zero point for it."""
        stored = self._constant(f"q{index}", self._weights(index))
        scale, _ = self._parameters(index)
        per_channel = len(self._tensors[index].quantization.scale) > 1
        attributes = {"axis": 0} if per_channel else {}
        self._node("DequantizeLinear", [stored, scale], f"f{index}", **attributes)
        return f"f{index}"

    def _quantized(self, value: str, target: int) -> None:
        self._node("QuantizeLinear", [value, *self._parameters(target)], f"q{target}")

    def _parameters(self, index: int, name: str = "", dtype: Any = np.int8) -> list[str]:
        """Names of the scale and the zero point of a tensor."""
        quantization = self._tensors[index].quantization
        scale = np.array(quantization.scale, np.float32)
        zero_point = np.array(quantization.zeroPoint, np.int64).astype(dtype)
        if len(scale) == 1:
            scale, zero_point = scale[0], zero_point[0]
        stem = name or f"q{index}"
        return [
            self._constant(f"{stem}_scale", scale),
            self._constant(f"{stem}_zero_point", zero_point),
        ]

    def _weights(self, index: Any) -> np.ndarray:
        value = tflite_file.constant(self._tflite, self._tensors[int(index)])
        if value is None:
            raise ModelError("the int8 ONNX file cannot be written: weights that are computed")
        return value

    def _shape(self, index: Any) -> list[int]:
        return [int(n) for n in self._tensors[int(index)].shape]

    def _constant(self, name: str, value: Any) -> str:
        if all(known.name != name for known in self._constants):
            self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))


def _without_unused(model: Any) -> Any:
    """Drop constants that no node takes (the zero points of biases)."""
    used = {name for node in model.graph.node for name in node.input}
    kept = [constant for constant in model.graph.initializer if constant.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    onnx.checker.check_model(model, full_check=True)
    return model
