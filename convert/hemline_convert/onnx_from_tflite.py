"""The int8 ONNX file, written from the int8 TFLite file: one quantized network, twice.

Every weight and scale is carried over as it stands. Between DequantizeLinear and QuantizeLinear stands
the float operator, which is how ONNX states int8 arithmetic (QDQ form); runtimes fuse the three into
one integer kernel. Pooling stands between them too, though it could do with the integers alone: ONNX
Runtime only fuses where QuantizeLinear and DequantizeLinear touch.

Activations are uint8 here and int8 there: value and zero point alike are 128 higher, so that every real
value is the same. The pixels are uint8 anyway, and ONNX Runtime's kernels on x86-64 take uint8
activations with int8 weights, so that it would rewrite an int8 graph at each start.

TFLite keeps images as NHWC and ONNX convolutions take NCHW. ONNX Runtime runs quantized convolutions and
pooling as NHWC, and puts a Transpose in front of and behind each; those of neighbours cancel. So this file
has a Transpose wherever the memory would lie as in TFLite: at the picture, behind its folded convolution
(`column_folding`), and before Flatten. They cancel too, and none is left when the network runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from hemline.errors import ModelError
from hemline_convert import tflite_file
from hemline_convert.column_folding import COLUMNS, fold_columns
from hemline_convert.tflite_file import INPUT_NAME, OUTPUT_NAME

# 13 is the first opset with per-channel DequantizeLinear; IR 8 is read by ONNX Runtime since 1.10.
_OPSET = 13
_IR_VERSION = 8
_INT8_MIN = -128
_TO_NCHW, _TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


def onnx_from_int8_tflite(content: bytes) -> Any:
    """Translate an all-int8 TFLite model with uint8 input and float32 output.

    Returns:
        `onnx.ModelProto`: `image` uint8 (1, H, W, C) to `logits` float32 (1, classes).

    Raises:
        ModelError: The model has an operator that this translation does not know.
    """
    model = _Translation(content).model()
    onnx.checker.check_model(model, full_check=True)
    return model


class _Translation:
    """One model on its way from TFLite to ONNX.

    Integer tensors are called `q<index>` after their TFLite index, their dequantized values `f<index>`.
    The picture is `image`, and `q<index>` where an operator wants it as NCHW.
    """

    def __init__(self, content: bytes) -> None:
        self._tflite = tflite_file.unpack(content)
        self._graph = self._tflite.subgraphs[0]
        self._tensors = self._graph.tensors
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._picture = -1  # the int8 tensor with the same values as the model's input

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
            "ADD": lambda operator: self._sum(operator, "Add"),
            "SUB": lambda operator: self._sum(operator, "Sub"),
            "MUL": self._product,
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
                raise self._refused(operator, f"known are {', '.join(handlers)}")
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

    def _refused(self, operator: Any, hint: str) -> ModelError:
        what = tflite_file.operator_and_layer(self._tflite, operator)
        return ModelError(
            f"the int8 ONNX file cannot be written: it has no rule for {what}",
            f"{hint}; without ONNX: --int8 --no-onnx",
        )

    # Edges of the graph

    def _quantize(self, operator: Any) -> None:
        source, target = int(operator.inputs[0]), int(operator.outputs[0])
        if source == int(self._graph.inputs[0]):  # uint8 to int8, which are one here
            self._picture = target
        else:
            self._requantize(source, target)

    def _requantize(self, source: int, target: int) -> None:
        """From one scale to another, as in front of a concatenation.

        XNNPACK takes the ratio of the scales in 256ths and rounds halves up
        (https://github.com/google/XNNPACK, src/qs8-vcvt). All values here are multiples of 1/256 and exact,
        so that a quarter of that more turns halves up and nothing else.
        """
        before, after = (self._quantization(index)[0] for index in (source, target))
        ratio = self._constant(f"ratio{target}", np.rint(256 * (before / after)) / np.float32(256))
        inputs = [self._integers(source), ratio, self._zero_point(source)]
        self._node("DequantizeLinear", inputs, f"scaled{target}")
        quarter = self._constant("quarter", np.float32(1 / 1024))
        self._node("Add", [f"scaled{target}", quarter], f"raised{target}")
        one = self._constant("one", np.float32(1))
        inputs = [f"raised{target}", one, self._zero_point(target)]
        self._node("QuantizeLinear", inputs, f"q{target}")

    def _dequantize(self, operator: Any) -> None:
        source = int(operator.inputs[0])
        parameters = self._activation_parameters(source)
        self._node("DequantizeLinear", [f"q{source}", *parameters], OUTPUT_NAME)

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
        if source == self._picture and self._folded(operator, kernel, strides, dilations, pads):
            return
        self._apply(
            operator,
            "Conv",
            [self._real(source), self._real_weights(weights, kernel), self._real_bias(bias)],
            options.fusedActivationFunction,
            strides=strides,
            dilations=dilations,
            pads=pads,
            group=groups,
        )

    def _folded(
        self,
        operator: Any,
        kernel: np.ndarray,
        strides: list[int],
        dilations: list[int],
        pads: list[int],
    ) -> bool:
        """The convolution of a grey picture as one of blocks of columns; False where it cannot be."""
        source, weights, bias = (int(i) for i in operator.inputs)
        target = int(operator.outputs[0])
        _, height, width, channels = self._shape(source)
        _, result_height, result_width, filters = self._shape(target)
        if channels != 1 or dilations[1] != 1:
            return False
        folded = fold_columns(kernel, width, result_width, strides[1], pads[1])
        if folded is None:
            return False
        if not self._has("blocks"):
            self._reshaped(INPUT_NAME, [1, height, width // COLUMNS, COLUMNS], "blocks")
            self._node("Transpose", ["blocks"], "blocks_nchw", perm=_TO_NCHW)
            parameters = self._activation_parameters(source)
            self._node("DequantizeLinear", ["blocks_nchw", *parameters], "blocks_real")
        inputs = [
            "blocks_real",
            self._real_weights(weights, folded.kernel, folded.columns),
            self._real_bias(bias, folded.columns),
        ]
        value = self._node(
            "Conv",
            inputs,
            f"conv{target}",
            strides=[strides[0], 1],
            dilations=[dilations[0], 1],
            pads=[pads[0], folded.pads[0], pads[2], folded.pads[1]],
        )
        value = self._activated(value, target, operator.builtinOptions.fusedActivationFunction)
        parameters = self._activation_parameters(target)
        self._node("QuantizeLinear", [value, *parameters], f"blocks{target}")
        self._node("Transpose", [f"blocks{target}"], f"blocks{target}_nhwc", perm=_TO_NHWC)
        shape = [1, result_height, folded.width * folded.columns, filters]
        columns = self._reshaped(f"blocks{target}_nhwc", shape, f"columns{target}")
        if shape[2] > result_width:
            limits = [
                self._constant(f"{columns}_{name}", np.array([number], np.int64))
                for name, number in (("start", 0), ("end", result_width), ("axis", 2))
            ]
            columns = self._node("Slice", [columns, *limits], f"{columns}_cut")
        self._node("Transpose", [columns], f"q{target}", perm=_TO_NCHW)
        return True

    def _fully_connected(self, operator: Any) -> None:
        source, weights, bias = (int(i) for i in operator.inputs)
        matrix = self._weights(weights)  # (out, in)
        inputs = [self._real_rows(source, matrix.shape[1]), self._real_weights(weights, matrix)]
        if bias >= 0:
            inputs.append(self._real_bias(bias))
        activation = operator.builtinOptions.fusedActivationFunction
        self._apply(operator, "Gemm", inputs, activation, transB=1)

    def _real_rows(self, index: int, length: int) -> str:
        """The value of an activation as a matrix; the converter drops a Flatten where TFLite needs none."""
        if len(self._shape(index)) == 2:
            return self._real(index)
        value = self._channels_last(index)
        value = self._reshaped(value, [-1, length], f"rows{index}")
        inputs = [value, *self._activation_parameters(index)]
        return self._node("DequantizeLinear", inputs, f"rows{index}_real")

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
        """Between scale and zero point of its own, so that halves, of which there are many, go as in TFLite.

        TFLite averages the int8 numbers themselves, zero point and all, and rounds halves away from zero
        (`AveragePool` in tflite/kernels/internal/reference/integer_ops/pooling.h). ONNX rounds to even;
        numbers greater by 2⁻¹⁴ of themselves have no halves, and nothing else changes for windows
        of up to 64 pixels.
        """
        source, target = int(operator.inputs[0]), int(operator.outputs[0])
        options = operator.builtinOptions
        kernel = [options.filterHeight, options.filterWidth]
        strides = [options.strideH, options.strideW]
        pads = self._pads(source, kernel, strides, [1, 1], options.padding)
        zero = self._constant("int8_zero", np.uint8(128))
        one_up = self._constant("one_up", np.float32(1 + 2**-14))
        self._node("DequantizeLinear", [self._integers(source), one_up, zero], f"numbers{target}")
        value = self._node(
            "AveragePool",
            [f"numbers{target}"],
            f"averagepool{target}",
            kernel_shape=kernel,
            strides=strides,
            pads=pads,
        )
        one = self._constant("one", np.float32(1))
        self._node("QuantizeLinear", [value, one, zero], f"q{target}")

    def _mean(self, operator: Any) -> None:
        """Global average pooling: the mean over height and width."""
        source, target = int(operator.inputs[0]), int(operator.outputs[0])
        axes = tflite_file.constant(self._tflite, self._tensors[operator.inputs[1]])
        if axes is None or sorted(axes.ravel().tolist()) != [1, 2]:
            raise self._refused(operator, "known is the mean over height and width")
        self._node("GlobalAveragePool", [self._real(source)], f"mean{target}")
        value = f"mean{target}"
        if len(self._shape(target)) == 2:
            value = self._reshaped(value, self._shape(target), f"flat{target}")
        self._quantized(value, target)

    def _sum(self, operator: Any, kind: str) -> None:
        """Addition and subtraction, in steps of the result, since XNNPACK adds multiples of 2⁻ⁿ of them.

        Its n makes the larger of the two factors one of 21 bits (https://github.com/google/XNNPACK,
        `xnn_init_qs8_add_minmax_params`), and it rounds halves up, ONNX to even. Where there are many halves
        a little is added; that keeps ONNX Runtime from fusing, so it is not done elsewhere.
        """
        target = int(operator.outputs[0])
        sources = [int(index) for index in operator.inputs]
        scale, _ = self._quantization(target)
        ratios = [self._quantization(index)[0] / scale for index in sources]
        unit = np.float32(2.0 ** (math.frexp(max(ratios))[1] - 21))
        factors = [np.rint(ratio / unit) for ratio in ratios]
        rank = len(self._shape(target))
        inputs = [
            self._operand(index, rank, factor * unit, f"{side}{target}")
            for index, factor, side in zip(sources, factors, ("left", "right"), strict=True)
        ]
        value = self._node(kind, inputs, f"{kind.lower()}{target}")
        zero_points = [int(self._quantization(index)[1]) for index in sources]
        if _has_many_halves(factors, zero_points, float(unit), -1 if kind == "Sub" else 1):
            little = self._constant("little", np.float32(2**-17))
            value = self._node("Add", [value, little], f"raised{target}")
        activation = operator.builtinOptions.fusedActivationFunction
        value = self._activated(value, target, activation, float(scale))
        one = self._constant("one", np.float32(1))
        self._node("QuantizeLinear", [value, one, self._zero_point(target)], f"q{target}")

    def _product(self, operator: Any) -> None:
        target = int(operator.outputs[0])
        rank = len(self._shape(target))
        inputs = [
            self._operand(int(index), rank, self._quantization(int(index))[0], f"{side}{target}")
            for index, side in zip(operator.inputs, ("left", "right"), strict=True)
        ]
        self._apply(operator, "Mul", inputs, operator.builtinOptions.fusedActivationFunction)

    def _operand(self, index: int, rank: int, scale: Any, name: str) -> str:
        """An input of an elementwise operator whose result has `rank` axes, dequantized with a scale.

        One with fewer axes is stretched along the others, channels last; here its channels go where NCHW
        has them.
        """
        value = tflite_file.constant(self._tflite, self._tensors[index])
        shape = self._shape(index)
        channels_only = rank == 4 and len(shape) < 4 and shape[:-1] == [1] * (len(shape) - 1)
        if value is None:
            stored = self._integers(index)
            if channels_only:
                stored = self._reshaped(stored, [1, shape[-1], 1, 1], f"{name}_wide")
        else:
            if channels_only and value.ndim:
                value = value.reshape(1, -1, 1, 1)
            elif value.ndim == 4:
                value = value.transpose(_TO_NCHW)
            shifted = (value.astype(np.int16) + 128).astype(np.uint8)
            stored = self._constant(f"{name}_constant", np.ascontiguousarray(shifted))
        inputs = [
            stored,
            self._constant(f"{name}_scale", np.float32(scale)),
            self._zero_point(index),
        ]
        return self._node("DequantizeLinear", inputs, f"{name}_real")

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
        """The order of the elements is TFLite's: what has four axes is NHWC while it is reshaped."""
        source, target = int(operator.inputs[0]), int(operator.outputs[0])
        shape = self._shape(target)
        value = self._channels_last(source)
        if len(shape) == 4:
            value = self._reshaped(value, shape, f"reshaped{target}")
            self._node("Transpose", [value], f"q{target}", perm=_TO_NCHW)
        else:
            self._reshaped(value, shape, f"q{target}")

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

    def _activated(self, value: str, target: int, activation: int, unit: float = 1.0) -> str:
        """Relu and Relu6 of a value in units, where the limits of int8 do not do their work already."""
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
                self._constant("zero", np.float32(0)),
                self._constant(f"six{target}", np.float32(6 / unit)),
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

    def _reshaped(self, value: str, shape: list[int], output: str) -> str:
        stored = self._constant(f"{output}_shape", np.array(shape, np.int64))
        return self._node("Reshape", [value, stored], output)

    def _integers(self, index: int) -> str:
        """The uint8 value of an activation, as NCHW if it has four axes."""
        if index == self._picture and not self._has(f"q{index}"):
            self._node("Transpose", [INPUT_NAME], f"q{index}", perm=_TO_NCHW)
        return f"q{index}"

    def _channels_last(self, index: int) -> str:
        """The uint8 value of an activation as TFLite has it."""
        if index == self._picture:
            return INPUT_NAME
        if len(self._shape(index)) < 4:
            return self._integers(index)
        name = f"q{index}_nhwc"
        if not self._has(name):
            self._node("Transpose", [f"q{index}"], name, perm=_TO_NHWC)
        return name

    def _real(self, index: int) -> str:
        """The float value of an activation."""
        if not self._has(f"f{index}"):
            inputs = [self._integers(index), *self._activation_parameters(index)]
            self._node("DequantizeLinear", inputs, f"f{index}")
        return f"f{index}"

    def _real_weights(self, index: int, value: np.ndarray, repeats: int = 1) -> str:
        stored = self._constant(f"q{index}", np.ascontiguousarray(value))
        scale, zero_point = self._quantization(index, repeats)
        inputs = [
            stored,
            self._constant(f"q{index}_scale", scale),
            self._constant(f"q{index}_zero_point", zero_point.astype(np.int8)),
        ]
        return self._node("DequantizeLinear", inputs, f"f{index}", **_axis_0(scale))

    def _real_bias(self, index: int, repeats: int = 1) -> str:
        """int32 with the scale of input × weights; DequantizeLinear takes no zero point for it."""
        stored = self._constant(f"q{index}", np.tile(self._weights(index), repeats))
        scale, _ = self._quantization(index, repeats)
        inputs = [stored, self._constant(f"q{index}_scale", scale)]
        return self._node("DequantizeLinear", inputs, f"f{index}", **_axis_0(scale))

    def _quantized(self, value: str, target: int) -> None:
        self._node("QuantizeLinear", [value, *self._activation_parameters(target)], f"q{target}")

    def _activation_parameters(self, index: int) -> list[str]:
        """Names of the scale and the zero point, the latter as uint8."""
        scale, _ = self._quantization(index)
        return [self._constant(f"q{index}_scale", scale), self._zero_point(index)]

    def _zero_point(self, index: int) -> str:
        _, zero_point = self._quantization(index)
        return self._constant(f"q{index}_zero_point", (zero_point + 128).astype(np.uint8))

    def _quantization(self, index: int, repeats: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Scale and zero point as TFLite has them: scalars, or one for each of the repeated channels."""
        quantization = self._tensors[index].quantization
        scale = np.array(quantization.scale, np.float32)
        zero_point = np.array(quantization.zeroPoint, np.int64)
        if len(scale) == 1:
            return scale.reshape(()), zero_point.reshape(())
        return np.tile(scale, repeats), np.tile(zero_point, repeats)

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

    def _has(self, name: str) -> bool:
        return any(node.name == name for node in self._nodes)

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def _has_many_halves(factors: list[Any], zero_points: list[int], unit: float, sign: int) -> bool:
    """Whether over one in a thousand pairs of int8 numbers has a sum so near a half that float32 errs."""
    left, right = (
        (np.arange(-128, 128) - zero_point) * int(factor)
        for factor, zero_point in zip(factors, zero_points, strict=True)
    )
    exact = (left[:, None] + sign * right[None, :]) * unit  # float64 holds it
    near = np.abs(exact - np.floor(exact) - 0.5) <= 2**-17
    return bool(near.mean() > 1e-3)


def _axis_0(scale: np.ndarray) -> dict[str, int]:
    return {"axis": 0} if scale.ndim else {}
