"""Ways to spoil a network that int8 does well. Where channels are scaled, the layer behind undoes it.

So the float network answers as before, but for the outlying weight, which hangs on a unit that is never on.
"""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from patients.networks import NORMALIZATION, copied, drawings, exam, quantizer_of, trained


class Patient(NamedTuple):
    """What the doctor examines: a quantizer, and pictures."""

    quantizer: Any
    pictures: Any


def outlying_weight(seed: int = 1) -> Patient:
    """One weight of the last layer is hundreds of times as large as the others."""
    return Patient(quantizer_of(with_outlying_weight(trained("plain", seed))), exam())


def with_outlying_weight(model: Any) -> Any:
    """A copy of a plain network whose layer `logits` has one in channel 2."""
    model = copied(model)
    weights, bias = model.get_layer("hidden").get_weights()
    weights[:, 3], bias[3] = 0, -1  # a unit that is never above zero
    model.get_layer("hidden").set_weights([weights, bias])
    weights, bias = model.get_layer("logits").get_weights()
    weights[3, 2] = 300
    model.get_layer("logits").set_weights([weights, bias])
    return model


def one_large_channel(seed: int = 1) -> Patient:
    """A channel of `convolution_16` is 400 times as large as the others."""
    model = copied(trained("plain", seed))
    factors = np.ones(16, np.float32)
    factors[5] = 400
    scale_channels(model, "convolution_16", "hidden", factors)
    return Patient(quantizer_of(model), exam())


def wild_channels(seed: int = 1) -> Patient:
    """The channels between all layers of a mobile network differ by factors of up to 4,096."""
    model = copied(trained("mobile", seed))
    random = np.random.default_rng(0)
    names = ("stem", "depthwise_0", "pointwise_0", "depthwise_1", "pointwise_1")
    for first, second in pairwise(names):
        channels = model.get_layer(first).output.shape[-1]
        factors = np.float32(2.0 ** random.uniform(-6, 6, channels))
        scale_channels(model, first, second, factors)
    return Patient(quantizer_of(model), exam())


def large_channel_beside_a_shortcut(seed: int = 1) -> Patient:
    """A channel is 100 times as large as the others wherever two operators use it, so nothing equalizes it.

    Five layers make such channels, so leaving three in float does not help either.
    """
    return Patient(
        quantizer_of(with_large_channel_beside_a_shortcut(trained("residual", seed))), exam()
    )


def with_large_channel_beside_a_shortcut(model: Any) -> Any:
    """A copy of a residual network."""
    model = copied(model)
    stem, first, second, beside, first_2, second_2, beside_2 = (
        layer for layer in model.layers if type(layer).__name__ == "Conv2D"
    )
    logits = model.get_layer("logits")
    for makers, users in (
        ((stem,), (first, beside)),
        ((second, beside), (first_2, beside_2)),
        ((second_2, beside_2), (logits,)),
    ):
        for layer in makers:
            weights, bias = layer.get_weights()
            weights[..., 5] *= 100
            bias[5] *= 100
            layer.set_weights([weights, bias])
        for layer in users:
            weights, bias = layer.get_weights()
            weights[..., 5, :] /= 100
            layer.set_weights([weights, bias])
    return model


def black_calibration(seed: int = 1) -> Patient:
    """Calibrated on black pictures."""
    return Patient(quantizer_of(trained("plain", seed), drawings()[0][:150] * 0), exam())


def dim_calibration(seed: int = 1) -> Patient:
    """Calibrated on pictures of a fifth of the brightness."""
    return Patient(quantizer_of(trained("plain", seed), drawings()[0][:150] // 5), exam())


def dirt_in_calibration(seed: int = 1) -> Patient:
    """A white pixel in one picture, and a channel of `convolution_8` that only such pixels move, and far."""
    model = copied(trained("plain", seed))
    weights, bias = model.get_layer("convolution_8").get_weights()
    weights[..., 3] = -2000
    weights[1, 1, 0, 3], bias[3] = 8000, -7000
    model.get_layer("convolution_8").set_weights([weights, bias])
    weights, bias = model.get_layer("convolution_16").get_weights()
    weights[:, :, 3] = 0  # nobody listens to it
    model.get_layer("convolution_16").set_weights([weights, bias])
    pictures = drawings()[0]
    calibration, examined = _with_dirt(pictures[:150]), _with_dirt(pictures[300:])
    return Patient(quantizer_of(model, calibration), exam(examined))


def _with_dirt(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    pictures = pictures.copy()
    pictures[0] = 0
    pictures[0, 14, 14] = 255
    return pictures


def cut_range(seed: int = 1) -> Patient:
    """The range of `convolution_16` ends at an eighth of what it does."""
    from hemline_convert.float_network import FloatNetwork
    from hemline_convert.recipe import QuantizationRecipe
    from hemline_convert.trained_ranges import card_entry

    model = trained("plain", seed)
    quantizer = quantizer_of(model)
    ranges = quantizer.ranges(QuantizationRecipe("min-max"))
    layers = FloatNetwork(quantizer.network).layers
    name = next(layer.output_name for layer in layers if layer.name == "convolution_16")
    cut = dataclasses.replace(ranges, high={**ranges.high, name: ranges.high[name] / 8})
    entry = card_entry(quantizer.network, cut)
    return Patient(quantizer_of(model, ranges=tuple(entry)), exam())


def other_preprocessing(seed: int = 1) -> Patient:
    """The card states (pixel − 128) / 127.5, and it was trained with pixel / 255."""
    normalization = dataclasses.replace(NORMALIZATION, scale=1 / 127.5, zero_point=128)
    return Patient(quantizer_of(trained("plain", seed), normalization=normalization), exam())


SPOILT = {
    make.__name__.replace("_", " "): make
    for make in (
        outlying_weight, one_large_channel, wild_channels, large_channel_beside_a_shortcut, black_calibration,
        dim_calibration,
        dirt_in_calibration, cut_range, other_preprocessing,
    )
}  # fmt: skip


def scale_channels(model: Any, first: str, second: str, factors: NDArray[np.float32]) -> None:
    """Multiply the outputs of a layer, and divide where the next one takes them: nothing else changes."""
    made, taken = model.get_layer(first), model.get_layer(second)
    weights, bias = made.get_weights()
    along = factors[:, None] if weights.shape[-1] != len(factors) else factors
    made.set_weights([weights * along, bias * factors])
    weights, bias = taken.get_weights()
    if weights.ndim == 2:  # behind Flatten: channels come last
        split = weights.reshape(-1, len(factors), weights.shape[1]) / factors[:, None]
        taken.set_weights([split.reshape(weights.shape), bias])
    else:
        taken.set_weights([weights / factors[:, None], bias])
