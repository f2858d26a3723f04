"""The oldest runtime that runs a file, as far as its makers say.

For `.tflite` files TensorFlow says since which release each version of an operator is there
(`tflite/tools/versioning/runtime_version.cc` of google-ai-edge/LiteRT, read in November 2026); the table
below has the operators that image classifiers use. For `.onnx` files ONNX Runtime says which operator set
each of its releases knows (onnxruntime.ai/docs/reference/compatibility), and ONNX which version of
the format came with which operator set (onnx/docs/Versioning.md).

What is said here was tried with the files of the paper's network: tflite-runtime 2.7 to 2.14, LiteRT 1.0 to
2.3, TensorFlow 1.14, 2.2 and 2.4, and ONNX Runtime 0.1.4 to 1.32, on x86-64. From 1.2 on ONNX Runtime
refuses an operator set or format newer than its own, by this very table; from operator set 22 and format 11
on the table has what the releases 1.18 to 1.32 refused and ran.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hemline.inspection.network import Operator

# Release of TensorFlow Lite for version 1, 2, 3, … of an operator.
_TFLITE = {
    line.split()[0]: tuple(line.split()[1:])
    for line in """
ADD 1.5 1.14 2.4 2.6 2.13
ARG_MAX 1.9 1.14 2.9
AVERAGE_POOL_2D 1.5 1.14 2.3
BATCH_MATMUL 2.3 2.3 2.4 2.5
CAST 1.5 2.7 2.8 2.9 2.12 2.15 2.17
CONCATENATION 1.5 1.14 2.3 2.14
CONV_2D 1.5 1.14 1.14 2.3 2.4 2.9 2.11 2.15
DEPTHWISE_CONV_2D 1.5 1.12 1.14 2.2 2.3 2.3 2.11
DEPTH_TO_SPACE 2.1 2.5
DEQUANTIZE 1.13.1 1.14 1.15 2.2 2.7 2.18
DIV 1.6 2.3
ELU 1.14
EXPAND_DIMS 1.10
EXP 1.7 2.12
FLOOR_DIV 1.14 1.14
FULLY_CONNECTED 1.5 1.10 1.14 1.14 2.0 2.1 2.3 2.3 2.3 2.11 2.15 2.17 2.18
GATHER 1.6 1.14 1.15 2.4 2.5 2.13 2.15
GELU 2.9 2.9
GREATER 1.14 1.14
HARD_SWISH 1.15
L2_NORMALIZATION 1.5 1.14
LEAKY_RELU 1.13.1 2.3
LOGISTIC 1.14 1.14 2.3
LOG_SOFTMAX 1.14 1.14
MAXIMUM 1.14 1.14 2.3 2.3
MAX_POOL_2D 1.5 1.14 2.3
MEAN 1.6 1.14 2.4
MINIMUM 1.14 1.14 2.3 2.3
MIRROR_PAD 1.13.1 2.3 2.12
MUL 1.5 1.14 1.15 2.3 2.6 2.11 2.13
NEG 1.9
PACK 1.11 1.14 2.3 2.13
PAD 1.5 1.14 2.4 2.6
PADV2 1.9 1.14 2.4 2.6
PRELU 1.8
QUANTIZE 1.14 1.15 2.7
REDUCE_MAX 1.11 1.14 2.5
RELU 1.5 2.1 2.5
RELU6 1.5 1.14 2.5
RELU_0_TO_1 2.10
RELU_N1_TO_1 1.5
RESHAPE 1.5
RESIZE_BILINEAR 1.7 1.14 2.2 2.5
RESIZE_NEAREST_NEIGHBOR 1.13.1 1.14 2.3 2.4
RSQRT 1.10 2.5 2.15
SHAPE 1.10
SLICE 1.14 1.14 1.14 2.4 2.5 2.14
SOFTMAX 1.5 1.14 2.3
SPACE_TO_DEPTH 1.5 1.14
SPLIT 1.5 1.14 1.14 2.3
SQRT 1.10
SQUARED_DIFFERENCE 1.13.1 2.5
SQUEEZE 1.6 2.5
STRIDED_SLICE 1.6 1.14 2.1 2.2 2.5 2.6 2.14 2.14
SELECT_V2 2.2 2.12
SUB 1.6 1.14 2.3 2.4 2.4
SUM 1.10 1.15
TANH 1.14 1.14 2.3
TOPK_V2 1.7 1.14
TRANSPOSE 1.6 1.14 1.15 2.3 2.4 2.12 2.14.4
TRANSPOSE_CONV 1.9 2.2 2.3 2.13 2.15
UNPACK 1.11 1.14 2.2 2.3
""".split("\n")
    if line
}
# The version from which on an operator takes int16 activations (`op_version.cc` there).
_INT16_VERSIONS = {
    "ADD": 3, "AVERAGE_POOL_2D": 3, "BATCH_MATMUL": 3, "CONCATENATION": 3, "CONV_2D": 4,
    "DEPTHWISE_CONV_2D": 5, "DEQUANTIZE": 3, "FULLY_CONNECTED": 7, "GATHER": 4, "LEAKY_RELU": 2,
    "LOGISTIC": 3, "MAXIMUM": 4, "MAX_POOL_2D": 3, "MEAN": 3, "MINIMUM": 4, "MIRROR_PAD": 3, "MUL": 4,
    "PACK": 3, "PAD": 3, "PADV2": 3, "QUANTIZE": 2, "REDUCE_MAX": 3, "RELU": 3, "RELU6": 3,
    "RESIZE_BILINEAR": 4, "RESIZE_NEAREST_NEIGHBOR": 4, "RSQRT": 3, "SLICE": 4, "SOFTMAX": 3,
    "SPLIT": 4, "SUB": 5, "TANH": 3, "TRANSPOSE": 5, "UNPACK": 4,
}  # fmt: skip
_FIRST_INT8 = "1.15"  # the last of the int8 kernels: QUANTIZE from uint8 to int8
_FIRST_FLOAT16 = "1.15"  # DEQUANTIZE version 3
_FIRST_HYBRID_FILTERS = "2.4"  # CONV_2D version 5; 1.14 runs such a file and answers wrongly
_LAST_TFLITE_RUNTIME = "2.14"
_FIRST_LITERT = "2.17"  # the release of TensorFlow Lite that LiteRT began from

# First release of ONNX Runtime by operator set, and the operator set that came with each version of the
# format: a runtime that knows the one knows the other.
_ONNXRUNTIME = {
    8: "0.1.4", 9: "0.3", 10: "0.4", 11: "1.0", 12: "1.3", 13: "1.6", 14: "1.8", 15: "1.9",
    16: "1.11", 17: "1.12", 18: "1.14", 19: "1.15", 20: "1.17", 21: "1.18", 22: "1.21", 23: "1.23",
    24: "1.24", 25: "1.24", 26: "1.25", 27: "1.32",
}  # fmt: skip
_OPSET_OF_FORMAT = {
    3: 8,
    4: 9,
    5: 10,
    6: 11,
    7: 12,
    8: 15,
    9: 19,
    10: 21,
    11: 23,
    12: 24,
    13: 25,
    14: 27,
}


@dataclass(frozen=True)
class Need:
    """What a file needs of one runtime.

    Attributes:
        runtime: Its name.
        oldest: The oldest release that runs the file; None where there is none, or it is not known.
        note: Why, in words.
    """

    runtime: str
    oldest: str | None
    note: str


def needs_of_tflite(
    operators: Iterable[Operator],
    *,
    has_int8: bool,
    has_float16: bool = False,
    has_hybrid_filters: bool = False,
    int16_operators: frozenset[str] = frozenset(),
) -> list[Need]:
    """What the operators of a `.tflite` file need.

    The LiteRT quantizer leaves operators at version 1, so that their versions do not tell all.

    Args:
        operators: Of the main graph.
        has_int8: Whether a tensor is int8.
        has_float16: Whether weights are float16.
        has_hybrid_filters: Whether a convolution of float pictures has int8 filters.
        int16_operators: Names of those that take int16.
    """
    unknown, oldest, because = [], "1.5", "no operator needs more"
    for is_there, release, what in (
        (has_int8, _FIRST_INT8, "int8"),
        (has_float16, _FIRST_FLOAT16, "float16 weights"),
        (has_hybrid_filters, _FIRST_HYBRID_FILTERS, "int8 filters on float pictures"),
    ):
        if is_there:
            oldest, because = release, f"for {what}"
    for operator in operators:
        is_int16 = operator.name in int16_operators
        needed = _tflite_release(operator, _INT16_VERSIONS.get(operator.name, 0) * is_int16)
        if needed is None:
            unknown.append(f"{operator.name} version {operator.version}")
        elif _number(needed) > _number(oldest):
            what = "on int16" if is_int16 else f"version {operator.version}"
            oldest, because = needed, f"for {operator.name} {what}"
    if unknown:
        said = f"not known here: {', '.join(dict.fromkeys(unknown))}"
        names = ("TensorFlow Lite", "tflite-runtime", "LiteRT (ai-edge-litert)")
        return [Need(name, None, said) for name in names]
    needs = [Need("TensorFlow Lite", oldest, because)]
    if _number(oldest) <= _number(_LAST_TFLITE_RUNTIME):
        needs.append(Need("tflite-runtime", oldest, f"{_LAST_TFLITE_RUNTIME}.0 is the last"))
    else:
        said = f"{because} it would have to be {oldest}, and {_LAST_TFLITE_RUNTIME}.0 is the last"
        needs.append(Need("tflite-runtime", None, said))
    needs.append(_need_of_litert(oldest, because, has_float16=has_float16))
    return needs


def _need_of_litert(oldest: str, because: str, *, has_float16: bool) -> Need:
    name = "LiteRT (ai-edge-litert)"
    if _number(oldest) > _number(_FIRST_LITERT):
        return Need(name, None, f"a release that has TensorFlow Lite {oldest} in it, {because}")
    if has_float16:
        return Need(name, "1.4", "1.1 to 1.3 run float16 weights and answer wrongly")
    return Need(name, "1.0", f"it began from TensorFlow Lite {_FIRST_LITERT}; 1.0 wants NumPy 1")


def needs_of_onnx(opsets: dict[str, int], format_version: int) -> list[Need]:
    """What the operator sets and the format of an `.onnx` file need."""
    name = "ONNX Runtime"
    foreign = sorted(domain for domain in opsets if domain not in ("", "ai.onnx.ml"))
    if foreign:
        return [Need(name, None, f"not known here: the operator set {', '.join(foreign)}")]
    opset = max(opsets.get("", 0), 8)
    by_format = _OPSET_OF_FORMAT.get(max(format_version, 3))
    if opset not in _ONNXRUNTIME or by_format is None:
        return [Need(name, None, f"not known here: operator set {opset}, format {format_version}")]
    said = f"for operator set {opset} and format {format_version}, as documented"
    return [Need(name, _ONNXRUNTIME[max(opset, by_format)], said)]


def _tflite_release(operator: Operator, least_version: int) -> str | None:
    releases = () if operator.is_custom else _TFLITE.get(operator.name, ())
    place = max(operator.version or 0, least_version) - 1
    return releases[place] if 0 <= place < len(releases) else None


def _number(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))
