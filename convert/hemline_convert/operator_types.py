"""The types inside a TFLite file must be what its name claims.

A converter that leaves an operator in float writes a file that runs, is named int8, and is none. Here it
is refused, with the operator's name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hemline.card import ModelCard
from hemline.errors import ModelError
from hemline_convert import tflite_file
from hemline_convert.float_network import WEIGHTED

_WEIGHT_TYPES = {
    "float32": np.float32,
    "float16": np.float16,
    "dynamic_range": np.int8,
    "int8": np.int8,
    "mediapipe": np.int8,
    "int8_io": np.int8,
    "w8a16": np.int8,
    "mixed": np.int8,  # but for the layers that the card names
}
# Of all tensors of an operator that is not at an end: activations, weights, biases, shapes.
_INNER_TYPES = {
    "int8": (np.int8, np.int32, np.bool_),
    "mediapipe": (np.int8, np.int32, np.bool_),
    "int8_io": (np.int8, np.int32),
    "w8a16": (np.int16, np.int8, np.int64, np.int32, np.bool_),
}
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
_ENDS: dict[str, tuple[str, ...]] = {  # what may stand at an end, and knows other types there
    "int8": _CONVERSIONS,
    "mediapipe": (*_CONVERSIONS, "SOFTMAX"),
    "int8_io": (),
    "w8a16": _CONVERSIONS,
}


def must_have_types(name: str, model: Any, kind: str, card: ModelCard) -> None:
    """Check the weights of an unpacked model, and where all is integer its operators.

    Raises:
        ModelError: It is not what `kind` claims.
    """
    _check_weights(name, model, kind, _float_layers(name, kind, model, card))
    if kind in _INNER_TYPES:
        _check_operators(name, model, kind)
    if kind == "w8a16":
        _check_int16(name, model)


def not_as_claimed(name: str, claim: str, finding: str) -> ModelError:
    """The error that says why a file is not written."""
    return ModelError(
        f"{name} is refused, because it would not be {claim}: {finding}",
        "no file was written; a layer that cannot be converted is best replaced in the model",
    )


def _float_layers(name: str, kind: str, model: Any, card: ModelCard) -> tuple[str, ...]:
    """The layers that the card says are in float, all of which must be there."""
    stated = tuple(card.quantization.get("recipe", {}).get("float_layers", ()))
    there = {tflite_file.layer_name(model, operator) for operator in model.subgraphs[0].operators}
    if (kind == "mixed") != bool(stated) or not there.issuperset(stated):
        raise not_as_claimed(name, kind, f"its card says that in float are: {stated or 'none'}")
    return stated


def _check_weights(name: str, model: Any, kind: str, in_float: tuple[str, ...]) -> None:
    graph = model.subgraphs[0]
    usual = np.dtype(_WEIGHT_TYPES[kind])
    producers = {int(out): op for op in graph.operators for out in op.outputs}
    for operator in graph.operators:
        if tflite_file.operator_name(model, operator) not in WEIGHTED:
            continue
        index = int(operator.inputs[1])
        if kind == "float16" and index in producers:  # widened by a DEQUANTIZE
            index = int(producers[index].inputs[0])
        got = tflite_file.dtype_of(graph.tensors[index])
        stays = tflite_file.layer_name(model, operator) in in_float
        if got != (np.dtype(np.float32) if stays else usual):
            what = tflite_file.operator_and_layer(model, operator)
            raise not_as_claimed(name, kind, f"the weights of a {what}, are {got}")


def _check_operators(name: str, model: Any, kind: str) -> None:
    """Only the operators at the ends may know other types.

    An operator that is left in float stands between a DEQUANTIZE and a QUANTIZE; it is the one to be named.
    """
    graph, ends = model.subgraphs[0], _ENDS[kind]
    outer = _outer_tensors(model, kind)
    for operator in sorted(
        graph.operators, key=lambda o: tflite_file.operator_name(model, o) in _CONVERSIONS
    ):
        what = tflite_file.operator_name(model, operator)
        for index in [*operator.inputs, *operator.outputs]:
            if index < 0 or (what in ends and int(index) in outer):
                continue
            got = tflite_file.dtype_of(graph.tensors[index])
            if got not in _INNER_TYPES[kind]:
                what = tflite_file.operator_and_layer(model, operator)
                raise not_as_claimed(name, kind, f"a tensor of {what}, is {got}")


def _outer_tensors(model: Any, kind: str) -> set[int]:
    """Input, output, and what is float behind the one and in front of the other."""
    graph = model.subgraphs[0]
    outer = {int(index) for index in (*graph.inputs, *graph.outputs)}
    first, last = graph.operators[0], graph.operators[-1]
    if kind == "mediapipe" and tflite_file.operator_name(model, last) == "SOFTMAX":
        outer.add(int(last.inputs[0]))
    if kind == "w8a16" and tflite_file.operator_name(model, first) == "DEQUANTIZE":
        outer.add(int(first.outputs[0]))  # from uint8 to int16 the way goes through float32
    return outer


def _check_int16(name: str, model: Any) -> None:
    """Weighted operators must take and give int16."""
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if tflite_file.operator_name(model, operator) in WEIGHTED:
            ends = (operator.inputs[0], operator.outputs[0])
            types = {tflite_file.dtype_of(graph.tensors[index]) for index in ends}
            if types != {np.dtype(np.int16)}:
                what = tflite_file.operator_and_layer(model, operator)
                raise not_as_claimed(name, "w8a16", f"an activation of {what}, is not int16")
