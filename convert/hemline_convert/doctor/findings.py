"""What is wrong with a layer, as numbers and words: ranges, channels, outlying weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hemline_convert import quantize
from hemline_convert.doctor.experiments import Experiments
from hemline_convert.float_network import Layer, greatest_by
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.rounding import activation_steps

FAR_OFF = 2.0  # ranges of sound networks differ by less from picture set to picture set
_RARE_GAIN = (
    8.0  # how many times as wide as without rare values a range is that they are to blame for
)
_WILD = 8.0  # channels that are so many times as large as the typical one take its steps away
_OUTLIER_SHARE = 0.02


class Channels(NamedTuple):
    """What is to be said of a layer's channels; the channel where one is to blame."""

    text: str
    channel: int | None


@dataclass(frozen=True)
class BadRange:
    """A range that does not fit."""

    layer: str
    sentence: str


def reach_of_calibration(experiments: Experiments) -> dict[str, float]:
    """The span of each layer's output on the calibration pictures, over that on others."""
    quantizer = experiments.quantizer
    bits = experiments.recipe.activation_bits
    seen = quantizer.ranges(QuantizationRecipe("min-max", activation_bits=bits))
    others = experiments.exam_ranges
    return {
        layer.name: _span(seen.low[name], seen.high[name])
        / _span(others.low[name], others.high[name])
        for layer in experiments.network.layers[:-1]
        for name in [layer.output_name]
    }


def worst_range(experiments: Experiments) -> BadRange | None:
    """The layer whose range is too narrow or too wide, if one lowers the noise much when it is put right."""
    others = experiments.exam_ranges
    found: list[tuple[float, BadRange]] = []
    for layer in experiments.network.layers[:-1]:
        steps = experiments.steps.get(layer.output)
        if steps is None:
            continue
        low, high = others.low[layer.output_name], others.high[layer.output_name]
        used, needed = _span(steps.low, steps.high), _span(low, high)
        if used < needed / FAR_OFF:
            text = (
                f"the range of {layer.name} is cut: int8 holds {steps.low:.3g} to {steps.high:.3g}, and "
                f"pictures make {low:.3g} to {high:.3g}"
            )
        elif used > needed * FAR_OFF:
            text = (
                f"the range of {layer.name} is {used / needed:.0f} times too wide: int8 holds "
                f"{steps.low:.3g} to {steps.high:.3g}, pictures make {low:.3g} to {high:.3g}, and the steps "
                "are as much coarser"
            )
        else:
            continue
        found.append((abs(float(np.log(used / needed))), BadRange(layer.name, text)))
    if not found:
        return _rare(experiments)
    own = experiments.activation_noise_with_own_ranges
    if own >= experiments.activation_noise / 4:
        return None
    return max(found, key=lambda item: item[0])[1]


def _rare(experiments: Experiments) -> BadRange | None:
    """A range that a few rare values stretch, so that all others share a few steps."""
    quantizer = experiments.quantizer
    if quantizer.calibration is None or experiments.recipe.calibration == "percentile":
        return None
    bits = experiments.recipe.activation_bits
    inner = quantizer.ranges(QuantizationRecipe("percentile", activation_bits=bits))
    ratios = {}
    for layer in experiments.network.layers[:-1]:
        steps = experiments.steps.get(layer.output)
        if steps is not None:
            low, high = inner.low[layer.output_name], inner.high[layer.output_name]
            ratios[layer.name] = (_span(steps.low, steps.high) / _span(low, high), low, high, steps)
    if not ratios:
        return None
    name, (ratio, low, high, steps) = max(ratios.items(), key=lambda item: item[1][0])
    if ratio < _RARE_GAIN:
        return None
    content = quantize.static_tflite(experiments.network.content, inner, experiments.recipe)
    without = activation_steps(experiments.network, content)
    if experiments.activation_noise_with(without) > experiments.activation_noise / 2:
        return None
    return BadRange(
        name,
        f"rare values stretch the range of {name}: 99.99 % of its values lie in {low:.3g} to {high:.3g}, and "
        f"int8 holds {steps.low:.3g} to {steps.high:.3g}, with steps {ratio:.0f} times as coarse",
    )


def layers_with_wild_channels(experiments: Experiments) -> list[Layer]:
    """The layers but for the last with a channel far larger than the typical one."""
    layers = experiments.network.layers[:-1]
    return [layer for layer in layers if channels_of_activation(experiments, layer).text]


def channels_of_activation(experiments: Experiments, layer: Layer) -> Channels:
    """Whether a channel, or many, are far larger than the typical one."""
    return _channels(experiments.channel_maxima(layer), "values")


def weights_of(experiments: Experiments, layer: Layer) -> tuple[str, int | None]:
    """Whether a few weights, or channels of very different size, take the steps away."""
    weights = experiments.network.constant(layer.weights)
    magnitudes = np.abs(weights).reshape(-1)
    greatest = float(magnitudes.max())
    # Groups that share a scale: filters of a convolution per channel, else the whole tensor.
    typical = float(np.median(magnitudes[magnitudes > 0])) if greatest else 0.0
    outliers = int((magnitudes > greatest / 4).sum())
    if greatest > 4 * _WILD * typical and outliers <= max(1, _OUTLIER_SHARE * len(magnitudes)):
        place = np.unravel_index(int(magnitudes.argmax()), weights.shape)
        return (
            f": {outliers} of its {len(magnitudes)} weights are above {greatest / 4:.3g}, the greatest is "
            f"{greatest:.3g} (output channel {place[layer.axis]}), and half are below {typical:.3g}, less "
            f"than {max(1.0, typical / (greatest / 127)):.0f} of 127 steps",
            int(place[layer.axis]),
        )
    made = _channels(greatest_by(weights, layer.axis), "weights")
    taken_axis = 2 if layer.kind == "DEPTHWISE_CONV_2D" else weights.ndim - 1
    taken = _channels(greatest_by(weights, taken_axis), "weights of inputs")
    chosen = made if made.text else taken
    return chosen.text, chosen.channel


def _channels(maxima: NDArray[np.float32], what: str) -> Channels:
    live = maxima[maxima > 0]
    if len(live) < 2:
        return Channels("", None)
    typical = float(np.median(live))
    wild = np.flatnonzero(maxima > _WILD * typical)
    if not len(wild):
        return Channels("", None)
    greatest = int(maxima.argmax())
    if len(wild) == 1:
        return Channels(
            f": the {what} of channel {greatest} reach {maxima[greatest]:.3g}, those of a typical channel "
            f"{typical:.3g}",
            greatest,
        )
    return Channels(
        f": its channels are of very different size, {what} reach {live.min():.2g} to {live.max():.2g}, and "
        f"{typical:.2g} in a typical one",
        None,
    )


def _span(low: float, high: float) -> float:
    """Of a range with zero in it, which every quantized range has."""
    return max(high, 0.0) - min(low, 0.0) or 1e-12
