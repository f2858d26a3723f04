"""Activation ranges that were trained with the network and travel in its card.

`hemline train --qat` fixes what each activation is quantized from and to. Names of tensors change with the
process and with the converter, so the card tells the ranges in the order of the operators, each with its
operator and the shape of what it makes, and a network where these are others is refused. The layer is told
for people.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hemline.card import ModelCard
from hemline.errors import CardError
from hemline_convert import tflite_file
from hemline_convert.observation import Ranges

_INPUT = "the input"


def activation_names(network: bytes) -> dict[str, str]:
    """What makes each activation, by the name of its tensor: the input, then operator by operator."""
    model = tflite_file.unpack(network)
    graph = model.subgraphs[0]
    names = {graph.tensors[graph.inputs[0]].name.decode(): _INPUT}
    for operator in graph.operators:
        for index in operator.outputs:
            name = graph.tensors[index].name.decode()
            names[name] = tflite_file.operator_and_layer(model, operator)
    return names


def card_entry(network: bytes, ranges: Ranges) -> tuple[dict[str, Any], ...]:
    """The ranges as `ModelCard.activation_ranges` holds them.

    Args:
        network: Float32 TFLite model, from `network_tflite_from_keras`.
        ranges: By the names of its tensors.
    """
    return tuple(
        {
            "after": maker,
            "operator": operator,
            "shape": shape,
            "low": float(np.float32(ranges.low[name])),
            "high": float(np.float32(ranges.high[name])),
        }
        for (name, maker), (operator, shape) in zip(
            activation_names(network).items(), _structure(network), strict=True
        )
    )


def ranges_from_card(network: bytes, card: ModelCard) -> Ranges:
    """The ranges of the card, by the names of the tensors of `network`.

    Raises:
        CardError: They are those of another network, or no ranges.
    """
    if not card.activation_ranges:
        raise CardError(f"the card of {card.name} has no activation ranges", _HINT)
    names = list(activation_names(network))
    found = [_text(operator, shape) for operator, shape in _structure(network)]
    try:
        trained = [_text(e["operator"], list(e["shape"])) for e in card.activation_ranges]
        edges = [(float(e["low"]), float(e["high"])) for e in card.activation_ranges]
    except (KeyError, TypeError, ValueError) as error:
        raise CardError(
            f"the activation ranges in the card of {card.name} cannot be read: {error!r}", _HINT
        ) from error
    if not all(np.isfinite(low) and np.isfinite(high) and low <= high for low, high in edges):
        raise CardError(f"the activation ranges in the card of {card.name} are no ranges", _HINT)
    if trained != found:
        pairs = zip([*trained, "nothing"], [*found, "nothing"], strict=False)
        one, other = next(pair for pair in pairs if pair[0] != pair[1])
        raise CardError(
            f"the card of {card.name} has activation ranges of another network: {one} stands there "
            f"where the converter makes {other}",
            _HINT,
        )
    return Ranges(
        {name: low for name, (low, _) in zip(names, edges, strict=True)},
        {name: high for name, (_, high) in zip(names, edges, strict=True)},
    )


def _structure(network: bytes) -> list[tuple[str, list[int]]]:
    """What is the same in every conversion: operator and shape of each activation, in their order."""
    model = tflite_file.unpack(network)
    graph = model.subgraphs[0]
    made = [(_INPUT, graph.inputs[0])]
    for operator in graph.operators:
        name = tflite_file.operator_name(model, operator)
        made += [(name, index) for index in operator.outputs]
    return [(name, [int(n) for n in graph.tensors[index].shape[1:]]) for name, index in made]


def _text(operator: str, shape: list[int]) -> str:
    return f"{operator} of shape {shape}"


_HINT = (
    "train it on for int8 with the versions that are installed (hemline train --qat MODEL.keras), or "
    "calibrate with pictures (--data, and --calibration min-max)"
)


def recipe_entry() -> dict[str, Any]:
    """What the card keeps where the ranges were trained, in the place of a calibration."""
    return {"data": "none: the ranges were trained with the network (hemline train --qat)"}
