"""Every file is opened again before it is written, and must be what its name claims."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from hemline.backends import Backend
from hemline.backends.litert import LiteRtBackend
from hemline.backends.onnxruntime import OnnxRuntimeBackend
from hemline.card import ModelCard
from hemline.errors import ModelError
from hemline.scores import softmax
from hemline_convert import tflite_file
from hemline_convert.float_network import WEIGHTED
from hemline_convert.operator_types import must_have_types, not_as_claimed

_ROUNDED_ONCE = {
    *WEIGHTED,
    "MAX_POOL_2D",
    "AVERAGE_POOL_2D",
    "RESHAPE",
    "CONCATENATION",
    "PAD",
    "QUANTIZE",
    "DEQUANTIZE",
}
# Largest difference to Keras in the logits that a float32 file may have: float arithmetic in another
# order differs by about 1e-5 of the largest logit.
_FLOAT_TOLERANCE = 1e-3
_PROBABILITY_TOLERANCE = 1e-5  # softmax in float32 beside one in float64
# TensorFlow Lite adds in steps of this share of twice the larger input's scale; a sum whose own scale is
# smaller ends the process.
_ADDING_STEP = {"int8": 2.0**-20, "int16": 2.0**-15}


def verify_tflite(name: str, content: bytes, kind: str, card: ModelCard) -> Backend:
    """Open a TFLite file and check its edges, its card and the types of its tensors.

    Raises:
        ModelError: It is not what `kind` claims; nothing must be written then.
    """
    model = tflite_file.unpack(content)
    _must_not_add_up_to_nothing(name, model)
    try:
        backend = LiteRtBackend(name, content, 1)
    except ModelError as error:  # whose hint is for a file that came from elsewhere
        raise ModelError(
            f"no {kind} file that runs can be made of this network: {error.problem}",
            "leave this kind out; the other kinds may be had",
        ) from error
    _verify_edges(name, backend, card, np.int8 if kind == "int8_io" else None)
    must_have_types(name, model, kind, card)
    return backend


def _must_not_add_up_to_nothing(name: str, model: Any) -> None:
    """A sum that is zero for all pictures, as behind ReLUs that never open, can be run by no interpreter."""
    tensors = model.subgraphs[0].tensors
    for operator in model.subgraphs[0].operators:
        if tflite_file.operator_name(model, operator) != "ADD":
            continue
        found = [tensors[index].quantization for index in (*operator.inputs, *operator.outputs)]
        scales = [each.scale for each in found if each is not None and each.scale is not None]
        if len(scales) < len(found) or not all(map(len, scales)):
            continue  # in float
        *added, total = (float(scale[0]) for scale in scales)
        step = _ADDING_STEP[tflite_file.dtype_of(tensors[operator.outputs[0]]).name]
        if total < 2 * max(added) * step:
            raise ModelError(
                f"{name} is refused: {tflite_file.operator_and_layer(model, operator)}, gives zero for all "
                "pictures that calibrate, so that the network behind it sees nothing of them",
                "it may be untrained, or was trained at too high a learning rate; or calibrate with pictures "
                "as it was trained on",
            )


def verify_onnx(name: str, content: bytes, kind: str, card: ModelCard) -> Backend:
    """Open an ONNX file; otherwise as `verify_tflite`."""
    model = onnx.load_from_string(content)
    backend = OnnxRuntimeBackend(name, content, 1)
    _verify_edges(name, backend, card)
    types = {i.name: numpy_helper.to_array(i).dtype for i in model.graph.initializer}
    producers = {output: node for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        if kind != "int8" or node.op_type not in ("Conv", "Gemm"):
            continue
        for value in node.input[:2]:
            source = producers.get(value)
            if source is None or source.op_type != "DequantizeLinear":
                raise not_as_claimed(name, kind, f"{value}, an input of {node.op_type}, is float")
            # The weights, or where it is an activation, its zero point: both must be int8.
            typed = source.input[0] if source.input[0] in types else source.input[2]
            if types[typed] not in (np.int8, np.uint8):
                raise not_as_claimed(name, kind, f"{source.input[0]} is {types[typed]}")
    return backend


def _verify_edges(name: str, backend: Backend, card: ModelCard, both: Any = None) -> None:
    """Check shapes, types and card; `both` is the type of both ends, if not uint8 in and float32 out."""
    edges = (backend.input.shape, backend.input.dtype, backend.output.shape, backend.output.dtype)
    wanted = (
        card.input.tensor_shape,
        np.dtype(both or np.uint8),
        (1, len(card.labels)),
        np.dtype(both or np.float32),
    )
    if edges != wanted:
        raise not_as_claimed(name, "deployable", f"its edges are {edges} instead of {wanted}")
    if both is not None:
        _verify_int8_pixels(name, backend, card)
    # That the checksum is right is what the backend looks at before it loads the file.
    written = None if backend.card_json is None else ModelCard.from_json(backend.card_json)
    if written is None or not written.network_sha256 or written.replace(network_sha256="") != card:
        raise not_as_claimed(name, "self-describing", "its card does not come back as written")


def _verify_int8_pixels(name: str, backend: Backend, card: ModelCard) -> None:
    """An int8 input must be pixel − 128 to the last bit, which is what clients put in."""
    got = (backend.input.scale, backend.input.zero_point)
    normalization = card.normalization
    if got != (float(np.float32(normalization.scale)), normalization.zero_point - 128):
        raise not_as_claimed(
            name,
            "int8_io",
            f"its input has the scale and zero point {got}, and not those of pixel − 128",
        )


def verify_same_as_float(
    name: str, backend: Backend, tensors: NDArray[np.uint8], reference: NDArray[np.float32]
) -> None:
    """Check a float32 file against the logits of the Keras model.

    Args:
        name: Of the file, for the message.
        backend: The file, opened.
        tensors: uint8, (N, H, W, C).
        reference: float32, (N, classes), of Keras on the same tensors.

    Raises:
        ModelError: They differ by more than rounding.
    """
    candidate = np.array([backend.logits(tensor[None]) for tensor in tensors])
    error = float(np.abs(candidate - reference).max())
    limit = _FLOAT_TOLERANCE * max(1.0, float(np.abs(reference).max()))
    if not error <= limit:  # also where it is not a number
        raise not_as_claimed(
            name, "float32", f"a logit differs from Keras' by {error:.3g}, more than {limit:.3g}"
        )


def verify_same_quantized_network(
    name: str, content: bytes, tflite: Backend, other: Backend, tensors: NDArray[np.uint8]
) -> None:
    """Check that the int8 ONNX answers as the int8 TFLite does, within `steps_apart`.

    Args:
        name: Of the ONNX file.
        content: The int8 TFLite file.
        tflite: That file, opened.
        other: The ONNX file, opened.
        tensors: uint8, (N, H, W, C).

    Raises:
        ModelError: They differ by more.
    """
    step, allowed = logit_step(content), steps_apart(content)
    for tensor in tensors:
        error = float(np.abs(tflite.logits(tensor[None]) - other.logits(tensor[None])).max())
        if not error <= (allowed + 0.01) * step:
            raise not_as_claimed(
                name,
                "int8",
                f"a logit is {error / step:.1f} steps away from the TFLite file's, and at most "
                f"{allowed} can be rounding",
            )


def verify_same_logits(
    name: str, backend: Backend, logits: NDArray[np.float32], tensors: NDArray[np.uint8]
) -> None:
    """Check the file with int8 ends against the logits of the int8 file: they are the same to the last bit.

    Args:
        name: Of the file.
        backend: The file, opened.
        logits: float32, (N, classes), of the int8 TFLite file on the same tensors.
        tensors: uint8, (N, H, W, C).

    Raises:
        ModelError: A logit differs.
    """
    candidate = np.array([backend.logits(tensor[None]) for tensor in tensors])
    if not np.array_equal(candidate, logits):
        error = float(np.abs(candidate - logits).max())
        raise not_as_claimed(
            name, "the int8 network", f"a logit differs from the int8 file's by {error:.3g}"
        )


def verify_same_probabilities(
    name: str,
    backend: Backend,
    logits: NDArray[np.float32],
    tensors: NDArray[np.uint8],
    temperature: float,
) -> None:
    """Check the file for MediaPipe against the logits of the int8 file.

    Args:
        name: Of the file.
        backend: The file, opened.
        logits: float32, (N, classes), of the int8 TFLite file on the same tensors.
        tensors: uint8, (N, H, W, 1 or 3); grey ones are given to the file as RGB.
        temperature: Of the card of the int8 file.

    Raises:
        ModelError: A probability differs by more than rounding.
    """
    shape = (len(tensors), *backend.input.shape[1:])
    pixels = np.ascontiguousarray(np.broadcast_to(tensors, shape))
    candidate = np.concatenate([backend.run(picture[None]) for picture in pixels])
    error = float(np.abs(candidate - softmax(logits, temperature)).max())
    if not error <= _PROBABILITY_TOLERANCE:
        raise not_as_claimed(
            name, "the int8 network", f"a probability differs from the int8 file's by {error:.3g}"
        )


def logit_step(content: bytes) -> float:
    """The scale of the quantized logits of an int8 TFLite file."""
    model = tflite_file.unpack(content)
    graph = model.subgraphs[0]
    last = graph.operators[-1]
    return float(graph.tensors[last.inputs[0]].quantization.scale[0])


def steps_apart(content: bytes) -> int:
    """How many steps the logits of LiteRT and ONNX Runtime may differ by, for an int8 TFLite file.

    Convolutions, matrix products, maxima and averages of windows are rounded by the same rules, so that
    one step in the end is all. Sums of activations are too, but ONNX Runtime adds them in float32, where
    some of 100,000 fall on the other side of a half; products and other functions are rounded by rules of
    their own. A step inside a network can become some at its end.
    """
    model = tflite_file.unpack(content)
    kinds = {tflite_file.operator_name(model, o) for o in model.subgraphs[0].operators}
    return 1 if kinds <= _ROUNDED_ONCE else 8
