"""Scales that do not fit each other, and the layer whose scale is the wrong one.

The biases of an int8 layer are integers of the scale that its input and its weights have together, and
what only moves integers (pooling, reshaping) has the same scale in front and behind. Where an edit or a
flipped bit changes one scale, the error shows in the layer behind: this finds the one in front.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hemline.parity.layers.error import LayerError
from hemline.parity.layers.network import Network, Scale

_SAME = 0.01  # how far scales may be from each other; they are float32
_LEAST_DB = 30.0  # of a layer by itself: where it is better, no scale that matters is wrong


class _Wish(NamedTuple):
    """The scale that what comes behind an activation is made for.

    Attributes:
        scale: That scale.
        place: The layer where it shows if the activation has another one.
        weighted: The layer whose biases tell; None where only integers are moved.
    """

    scale: float
    place: int
    weighted: int | None


class Line(NamedTuple):
    """The values of a layer against those of the float one: made = slope · wanted + what a channel adds."""

    slope: float


class Span(NamedTuple):
    """Smallest and largest value that the float network has in an activation."""

    low: float
    high: float


def with_culprits(
    network: Network,
    errors: list[LayerError],
    line_of: Callable[[int], Line | None],
    span_of: Callable[[int], Span | None],
) -> tuple[LayerError, ...]:
    """The errors, where scales do not fit each other with the layer that is to be blamed.

    Args:
        network: The quantized network.
        errors: What was measured, for the compared layers in order.
        line_of: By the place of a layer, how its values lie to the float ones.
        span_of: By the tensor, what the float network has there.
    """
    by_place = {error.index: error for error in errors}
    bad = {place for place, error in by_place.items() if error.local_sqnr_db < _LEAST_DB}
    blamed: dict[int, str] = {}
    victims: dict[int, int] = {}
    weights_wrong = _with_wrong_weights(network, bad, line_of)
    for place, factor in weights_wrong.items():
        blamed[place] = (
            f"the scale of its weights is {factor:.3g} times what its biases are made for"
        )
    makers = {layer.output: place for place, layer in enumerate(network.layers)}
    for tensor, wish in _wishes(network, weights_wrong, span_of).items():
        scale = network.scales[tensor]
        if wish.place not in bad or not _differs(scale.scale, wish.scale):
            continue
        maker = makers.get(tensor)
        who = by_place[wish.place].name
        text = f"the scale of its output is {scale.scale / wish.scale:.3g} times what {who} is made for"
        if maker is None or maker not in by_place:
            blamed[wish.place] = text.replace("its output", "its input")
        else:
            blamed[maker], victims[wish.place] = text, maker
    for place, (maker, text) in _wrong_zero_points(network, bad, makers, span_of).items():
        if maker in by_place and place not in victims and maker not in blamed:
            blamed[maker] = text
            if maker != place:
                victims[place] = maker
    return tuple(
        replace(e, misfit=blamed.get(e.index, ""), made_wrong_by=victims.get(e.index))
        for e in errors
    )


def _differs(a: float, b: float) -> bool:
    return abs(a / b - 1) > _SAME


def _with_wrong_weights(
    network: Network, bad: Container[int], line_of: Callable[[int], Line | None]
) -> dict[int, float]:
    """Layers whose weights have a wrong scale: all of it is too large, and not only what biases add."""
    found = {}
    for place, (weights, biases) in network.bias_scales.items():
        tensor = network.layers[place].inputs[0]
        if place not in bad or tensor not in network.scales:
            continue
        factor = network.scales[tensor].scale / _input_scale(weights, biases)
        line = line_of(place)
        if line is None or not _differs(factor, 1.0):
            continue
        if abs(line.slope - factor) < abs(line.slope - 1):
            found[place] = factor
    return found


def _input_scale(weights: NDArray[np.float64], biases: NDArray[np.float64]) -> float:
    """The scale of the input that the biases are made for."""
    return float(np.median(biases / weights))


def _wishes(
    network: Network, distrusted: Container[int], span_of: Callable[[int], Span | None]
) -> dict[int, _Wish]:
    """For each activation the scale that what comes behind it is made for, where that can be told."""
    found: dict[int, _Wish] = {}
    for place in reversed(range(len(network.layers))):
        layer = network.layers[place]
        tensor = layer.inputs[0]
        if tensor not in network.scales:
            continue
        if place in network.bias_scales and place not in distrusted:
            found[tensor] = _Wish(_input_scale(*network.bias_scales[place]), place, place)
        elif layer.kind in network.moves_integers and layer.output in network.scales:
            behind = found.get(layer.output)
            if behind is not None:
                found.setdefault(tensor, behind._replace(place=place))
                continue
            front, back = network.scales[tensor], network.scales[layer.output]
            if not _differs(front.scale, back.scale):
                continue
            if _misses(front, span_of(tensor)) >= _misses(back, span_of(layer.output)):
                found.setdefault(tensor, _Wish(back.scale, place, None))
            else:
                found.setdefault(layer.output, _Wish(front.scale, place, None))
    return found


def _misses(scale: Scale, span: Span | None) -> float:
    """How badly the range of an activation fits what the float network has there, in steps."""
    if span is None:
        return 0.0
    low, high = ((end - scale.zero_point) * scale.scale for end in scale.ends)
    return (abs(low - min(span.low, 0.0)) + abs(high - max(span.high, 0.0))) / scale.scale


def _wrong_zero_points(
    network: Network,
    bad: Container[int],
    makers: dict[int, int],
    span_of: Callable[[int], Span | None],
) -> dict[int, tuple[int, str]]:
    """By the layer where it shows: which layer's output has another zero point than it must have."""
    found = {}
    for place, layer in enumerate(network.layers):
        tensor = layer.inputs[0]
        is_moved = layer.kind in network.moves_integers and tensor in network.scales
        if place not in bad or not is_moved or layer.output not in network.scales:
            continue
        front, back = network.scales[tensor], network.scales[layer.output]
        off = front.zero_point - back.zero_point
        if not off or _differs(front.scale, back.scale):
            continue
        front_is_wrong = _misses(front, span_of(tensor)) >= _misses(back, span_of(layer.output))
        maker = makers.get(tensor, place) if front_is_wrong else place
        text = f"the zero point of its output is off by {off if front_is_wrong else -off:+d}"
        found[place] = (maker, text)
    return found
