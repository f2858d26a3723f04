"""Float and quantized activations side by side, layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.card import Normalization
from hemline.errors import UserError
from hemline.parity.layers.consistency import Line, Span, with_culprits
from hemline.parity.layers.error import LayerError
from hemline.parity.layers.matching import Counterparts
from hemline.parity.layers.network import Array, Network, Scale, Use
from hemline.parity.layers.onnx import open_onnx
from hemline.parity.layers.tflite import open_tflite

Real = NDArray[np.float64]

_EXACT = ("DEQUANTIZE", "CAST")  # they only turn integers into the numbers that they stand for
_FLOAT32_ROUNDING = 1e-12  # of the power of a signal: what floats fed to both sides are wrong by


def compare_layers(
    float_network: bytes,
    quantized_model: bytes,
    tensors: NDArray[np.uint8],
    *,
    normalization: Normalization | None = None,
    names: tuple[str, str] = ("the float network", "the quantized model"),
) -> tuple[LayerError, ...]:
    """Where in a quantized network do errors arise?

    Each picture runs through both networks, which gives the error that has piled up in each layer. Then each
    quantized layer is fed with what the float network has at this place, quantized, and compared with
    the float layer that is fed with the same: so only its own weights and the steps of its own
    output count. LiteRT does it, or NumPy where that is not installed; ONNX Runtime for `.onnx`.

    Args:
        float_network: A float32 `.tflite` file that takes pixels (`NAME_float32.tflite`), or one that takes
            normalized pictures (`StaticQuantizer.network`).
        quantized_model: X
        tensors: uint8, (N, H, W, C), 0–255; some tens are enough.
        normalization: What pixels mean to the network (the card's); by default what the input's
            quantization says.
        names: Of the two files, for messages.

    Returns:
        One entry for each layer of the quantized network, in the order in which they run;
        `worst_first` sorts them.

    Raises:
        ModelError: A file is damaged, or has what the interpreter does not know, or the networks are not the
            same.
        UserError: There are no pictures, or ONNX Runtime is not installed.
    """
    if len(tensors) == 0:
        raise UserError("there are no pictures to compare layers on", "give at least one")
    reference = open_tflite(names[0], float_network)
    is_tflite = quantized_model[4:8] == b"TFL3"
    candidate = (open_tflite if is_tflite else open_onnx)(names[1], quantized_model)
    comparison = _Comparison(reference, candidate, normalization)
    for pixels in tensors:
        comparison.add(pixels[None])
    return comparison.errors()


class _Comparison:
    """Sums over pictures."""

    def __init__(
        self, reference: Network, candidate: Network, normalization: Normalization | None
    ) -> None:
        self._reference, self._candidate = reference, candidate
        self._same = Counterparts(reference, candidate)
        self._scale = _input_scale(candidate, normalization)
        self._compared = [
            place for place, layer in enumerate(candidate.layers) if layer.kind not in _EXACT
        ]
        self._piled = {place: _Sums.empty() for place in self._compared}
        self._local = {place: _Sums.empty() for place in self._compared}

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Compare on one picture: uint8, (1, H, W, C)."""
        reference, candidate, same = self._reference, self._candidate, self._same
        picture = self._scale.real(pixels)
        is_float = reference.input_dtype.kind == "f"
        known = reference.run(picture.astype(np.float32) if is_float else pixels)
        takes_pixels = candidate.input_dtype == np.uint8
        own_input = pixels if takes_pixels else candidate.stored(candidate.input, picture)
        found = candidate.run(own_input)
        fed = self._fed(known, picture, own_input)
        expected = reference.run_apart(self._fed_to_reference(known, fed))
        apart = candidate.run_apart(fed)
        last = self._compared[-1]
        for place in self._compared:
            layer = candidate.layers[place]
            scale = candidate.scales.get(layer.output)
            wanted = self._wanted(layer.output, known, picture)
            got = candidate.real(layer.output, found[layer.output])
            counterpart = same.layers[place]
            if counterpart is not None:
                local_wanted = expected[counterpart].astype(np.float64)
            elif layer.inputs[0] == candidate.input:
                local_wanted = picture
            else:
                local_wanted = candidate.real(layer.inputs[0], fed[place, layer.inputs[0]])
            local_got = candidate.real(layer.output, apart[place])
            pairs = ((self._piled, wanted, got), (self._local, local_wanted, local_got))
            for sums, a, b in pairs:
                a, b = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
                if place == last and scale is not None:
                    a, b = _without_idle_logits(a, b, scale)
                sums[place].add(a, b, scale)

    def errors(self) -> tuple[LayerError, ...]:
        """What was found so far."""
        found = [self._error(place) for place in self._compared]
        return with_culprits(self._candidate, found, self._line, self._span)

    def _line(self, place: int) -> Line | None:
        sums = self._local.get(place)
        return None if sums is None else sums.line

    def _span(self, tensor: int) -> Span | None:
        places = [k for k in self._compared if self._candidate.layers[k].output == tensor]
        return Span(self._piled[places[0]].low, self._piled[places[0]].high) if places else None

    def _error(self, place: int) -> LayerError:
        layer = self._candidate.layers[place]
        counterpart = self._same.layers[place]
        piled, local = self._piled[place], self._local[place]
        name = layer.name if counterpart is None else self._reference.layers[counterpart].name
        channel, channel_db = local.worst_channel()
        return LayerError(
            index=place,
            name=name,
            operator=layer.operator,
            sqnr_db=_db(piled.signal.sum(), piled.noise.sum()),
            cosine=piled.cosine,
            saturated_share=piled.saturated / piled.count,
            local_sqnr_db=_db(local.signal.sum(), local.noise.sum()),
            local_saturated_share=local.saturated / local.count,
            worst_channel=channel,
            worst_channel_sqnr_db=channel_db,
        )

    def _wanted(self, tensor: int, known: dict[int, Array], picture: Real) -> Real:
        counterpart = self._same.tensors[tensor]
        if counterpart == self._reference.input:
            return picture
        return known[counterpart].astype(np.float64)

    def _fed(self, known: dict[int, Array], picture: Real, own_input: Array) -> dict[Use, Array]:
        """What each layer of the candidate is fed: the float activations as it would hold them."""
        fed = {}
        for place, layer in enumerate(self._candidate.layers):
            for tensor in layer.inputs:
                fed[place, tensor] = (
                    own_input
                    if tensor == self._candidate.input
                    else self._candidate.stored(tensor, self._wanted(tensor, known, picture))
                )
        return fed

    def _fed_to_reference(self, known: dict[int, Array], fed: dict[Use, Array]) -> dict[Use, Array]:
        """The same for the float network; pictures are exact, and stay as they are."""
        reference, same = self._reference, self._same
        values = {
            (p, i): known[i] for p, layer in enumerate(reference.layers) for i in layer.inputs
        }
        for place, layer in enumerate(self._candidate.layers):
            counterpart = same.layers[place]
            if counterpart is None:
                continue
            for tensor in layer.inputs:
                source = same.tensors[tensor]
                if not same.is_picture(source):
                    real = self._candidate.real(tensor, fed[place, tensor])
                    values[counterpart, source] = real.astype(np.float32)
        return values


@dataclass
class _Sums:
    """Sums over values, by channel."""

    signal: Any
    noise: Any
    squares: float = 0.0
    products: float = 0.0
    saturated: int = 0
    count: int = 0
    low: float = 0.0
    high: float = 0.0
    inside: Any = None  # of values that are cut nowhere, by channel: count, sums, sums of products

    @classmethod
    def empty(cls) -> _Sums:
        return cls(np.zeros(1), np.zeros(1))

    def add(self, reference: Real, candidate: Real, scale: Scale | None) -> None:
        """Both (values, channels)."""
        self.signal = self.signal + (reference**2).sum(axis=0)
        self.noise = self.noise + ((candidate - reference) ** 2).sum(axis=0)
        self.squares += float((candidate**2).sum())
        self.products += float((candidate * reference).sum())
        self.count += reference.size
        if scale is not None:
            got, wanted = scale.steps(candidate), scale.steps(reference)
            at_an_end = (got == scale.ends[0]) | (got == scale.ends[1])
            self.saturated += int((at_an_end & (got != wanted)).sum())
            self._add_inside(reference, candidate, ~at_an_end & (reference != 0))
        self.low = min(self.low, float(reference.min()))
        self.high = max(self.high, float(reference.max()))

    def _add_inside(self, reference: Real, candidate: Real, is_inside: NDArray[np.bool_]) -> None:
        a, b = np.where(is_inside, reference, 0.0), np.where(is_inside, candidate, 0.0)
        sums = np.array([x.sum(axis=0) for x in (is_inside, a, b, a * a, a * b)])
        self.inside = sums if self.inside is None else self.inside + sums

    @property
    def line(self) -> Line | None:
        """How candidate values rise with those of the reference, leaving out what each channel adds."""
        if self.inside is None:
            return None
        count, a, b, aa, ab = self.inside
        count = np.maximum(count, 1)
        power = float((aa - a * a / count).sum())
        return Line(float((ab - a * b / count).sum()) / power) if power > 0 else None

    @property
    def cosine(self) -> float:
        length = math.sqrt(float(self.signal.sum()) * self.squares)
        if length == 0:
            return 1.0 if self.noise.sum() == 0 else 0.0
        return self.products / length

    def worst_channel(self) -> tuple[int | None, float]:
        """The channel with the lowest signal-to-noise, and that."""
        if len(self.noise) < 2 or not self.noise.any():
            return None, math.inf
        ratios = [_db(s, n) for s, n in zip(self.signal, self.noise, strict=True)]
        worst = int(np.argmin(ratios))
        return worst, ratios[worst]


def _db(signal: float, noise: float) -> float:
    if noise <= _FLOAT32_ROUNDING * signal:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def _without_idle_logits(reference: Real, candidate: Real, scale: Scale) -> tuple[Real, Real]:
    """Raise what is below both the runner-up of its picture and the least that the layer can hold."""
    if reference.shape[1] < 2:
        return reference, candidate
    runner_up = np.sort(reference, axis=1)[:, -2:-1]
    lowest = np.minimum(runner_up, (scale.ends[0] - scale.zero_point) * scale.scale)
    return np.maximum(reference, lowest), np.maximum(candidate, lowest)


def _input_scale(candidate: Network, normalization: Normalization | None) -> Scale:
    """What uint8 pixels mean to the network."""
    if normalization is not None:
        return Scale(normalization.scale, normalization.zero_point, np.dtype(np.uint8))
    stated = candidate.scales.get(candidate.input)
    if stated is not None and candidate.input_dtype.itemsize == 1:
        shift = 128 if candidate.input_dtype == np.int8 else 0
        return Scale(stated.scale, stated.zero_point + shift, np.dtype(np.uint8))
    if candidate.input_dtype == np.uint8:  # it goes on in float, from the pixels as they are
        return Scale(1.0, 0, np.dtype(np.uint8))
    raise UserError(
        f"the quantized model takes {candidate.input_dtype} pictures, and does not say what pixels are "
        "in them",
        "state the normalization of the network",
    )
