"""From experiments to one cause, in one sentence with its numbers.

In the order in which causes hide each other: preprocessing, a float network that knows nothing, then whether
anything is broken at all, then weights or activations, whichever adds more noise; of activations, the
pictures that calibrated and the ranges, and then the layer.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from hemline_convert.doctor import findings
from hemline_convert.doctor.experiments import Experiments
from hemline_convert.doctor.patient import Patient
from hemline_convert.doctor.preprocessing import better_preprocessing
from hemline_convert.float_network import Layer
from hemline_convert.recipe import QuantizationRecipe

# Measured by `python -m patients` (tests/patients): the noise of int8 is 26 to 42 dB below the signal in
# sound networks of four kinds, and less than 4 dB in those that are spoilt.
_SOUND_DB = 25.0  # nothing is at fault
# Above it one layer, a range or the calibration may be at fault, but not the whole: in deep networks the
# noise of many layers adds up. A MobileNetV2 with random weights has 14 to 22 dB, and no layer makes most.
_BROKEN_DB = 15.0
_MOST = 0.5  # share of the noise from which on a layer, or those with wild channels, are at fault


class Cause(StrEnum):
    """What makes an int8 network worse than the float one."""

    PREPROCESSING = "preprocessing"
    FLOAT_NETWORK = "the float network"
    CALIBRATION_DATA = "calibration data"
    RANGE = "range"
    ONE_LAYER = "one layer"
    WEIGHTS = "weights"
    ACTIVATIONS = "activations"
    NONE = "none"


@dataclass(frozen=True)
class Diagnosis:
    """Why an int8 network is worse than its float one.

    Attributes:
        cause: The cause.
        sentence: The cause with its numbers.
        part: `weights` or `activations`, where the cause lies in one of them; else empty.
        layer: The Keras layer, where one is at fault; else empty.
        channel: Its channel, where one is at fault; else None.
        noise_db: Noise below the signal of the float logits, of the int8 network, of its rounded weights
            alone, and of its rounded activations alone; empty where it was not measured.
        suspects: Keras layers, the noisiest first.
    """

    cause: Cause
    sentence: str
    part: str = ""
    layer: str = ""
    channel: int | None = None
    noise_db: dict[str, float] | None = None
    suspects: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return {**asdict(self), "cause": self.cause.value}


def diagnose(patient: Patient, recipe: QuantizationRecipe) -> Diagnosis:
    """Find out what an int8 network suffers from.

    Args:
        patient: The float network, and pictures that it was not calibrated on.
        recipe: How it is quantized; its biases are left as they are, so that each error has one source.
    """
    other = better_preprocessing(patient)
    if other is not None:
        return Diagnosis(
            Cause.PREPROCESSING,
            f"the float network itself is right on {other.stated_accuracy:.1%} of the pictures only, and "
            f"with {other.how} on {other.accuracy:.1%}: it was trained with another preprocessing than its "
            "card states",
        )
    answer = patient.only_answer
    if answer:
        return Diagnosis(
            Cause.FLOAT_NETWORK,
            f"the float network itself answers {answer!r} to all {len(patient.pictures)} pictures, though "
            "they are of several classes: it has learnt nothing, or its input is not what it was trained on",
        )
    experiments = Experiments(patient, replace(recipe, bias_corrected=False))
    noise_db = {
        "int8": _db(experiments.all_noise),
        "weights": _db(experiments.weight_noise),
        "activations": _db(experiments.activation_noise),
    }
    suspects = tuple(
        noise.layer.name
        for noise in sorted(experiments.layers, key=lambda n: -(n.weights + n.activation))
    )
    found = _found(experiments, noise_db)
    return Diagnosis(**{**vars(found), "noise_db": noise_db, "suspects": suspects})


def _found(experiments: Experiments, noise_db: dict[str, float]) -> Diagnosis:
    sound = Diagnosis(
        Cause.NONE,
        f"nothing is broken: the noise of int8 is {noise_db['int8']:.0f} dB below the signal "
        f"({noise_db['weights']:.0f} dB by rounded weights, {noise_db['activations']:.0f} dB by rounded "
        "activations), as in sound networks; the answers that change are those where float itself wavers",
    )
    if noise_db["int8"] >= _SOUND_DB:
        return sound
    if experiments.activation_noise >= experiments.weight_noise:
        found = _calibration(experiments) or _range(experiments) or _activations(experiments)
    else:
        found = _weights(experiments)
    in_general = found.cause in (Cause.ACTIVATIONS, Cause.WEIGHTS)
    return sound if in_general and noise_db["int8"] >= _BROKEN_DB else found


def _calibration(experiments: Experiments) -> Diagnosis | None:
    """The pictures that calibrated do not do what others do."""
    if not _own_ranges_help(experiments) or experiments.quantizer.calibration is None:
        return None
    reach = findings.reach_of_calibration(experiments)
    typical = float(np.median(list(reach.values())))
    if 1 / findings.FAR_OFF < typical < findings.FAR_OFF:
        return None
    layer, worst = max(reach.items(), key=lambda item: abs(math.log(item[1])))
    return Diagnosis(
        Cause.CALIBRATION_DATA,
        f"the pictures that calibrated are unlike the others: their activations span {typical:.0%} of what "
        f"others make in a typical layer, and {worst:.0%} in {layer}; with ranges from other pictures the "
        f"noise of rounded activations falls from {_power(experiments.activation_noise)} to "
        f"{_power(experiments.activation_noise_with_own_ranges)} of the signal",
        part="activations",
    )


def _range(experiments: Experiments) -> Diagnosis | None:
    """The range of an activation is too narrow or too wide for what it does."""
    bad = findings.worst_range(experiments)
    if bad is None:
        return None
    return Diagnosis(Cause.RANGE, bad.sentence, part="activations", layer=bad.layer)


def _activations(experiments: Experiments) -> Diagnosis:
    noise = (
        f"rounded activations make {_power(experiments.activation_noise)} of noise, rounded weights "
        f"{_power(experiments.weight_noise)}"
    )
    layer = max(experiments.layers, key=lambda noise: noise.activation).layer
    channels = findings.channels_of_activation(experiments, layer)
    wild = findings.layers_with_wild_channels(experiments)
    if len(wild) > 1 and experiments.share_of_activations(wild) >= _MOST:
        return Diagnosis(
            Cause.ACTIVATIONS,
            f"channels are of very different size in {len(wild)} layers ({_some(wild)}), and in "
            f"{layer.name}{channels.text}; {noise}",
            part="activations",
        )
    share = experiments.share_of_activations([layer])
    if share >= _MOST:
        return Diagnosis(
            Cause.ONE_LAYER,
            f"the layer {layer.name} alone makes {share:.0%} of the noise of rounded activations"
            f"{channels.text}",
            part="activations",
            layer=layer.name,
            channel=channels.channel,
        )
    return Diagnosis(
        Cause.ACTIVATIONS,
        f"{noise}; it adds up over {len(experiments.layers)} layers, and none makes most of it: the first is "
        f"{layer.name} with {share:.0%}",
        part="activations",
    )


def _weights(experiments: Experiments) -> Diagnosis:
    layer = max(experiments.layers, key=lambda noise: noise.weights).layer
    share = experiments.share_of_weights(layer)
    text, channel = findings.weights_of(experiments, layer)
    if share >= _MOST:
        return Diagnosis(
            Cause.ONE_LAYER,
            f"the layer {layer.name} alone makes {share:.0%} of the noise of rounded weights{text}",
            part="weights",
            layer=layer.name,
            channel=channel,
        )
    return Diagnosis(
        Cause.WEIGHTS,
        f"rounded weights make {_power(experiments.weight_noise)} of noise, rounded activations "
        f"{_power(experiments.activation_noise)}; it adds up over {len(experiments.layers)} layers, and none "
        f"makes most of it: the first is {layer.name} with {share:.0%}{text}",
        part="weights",
    )


def _own_ranges_help(experiments: Experiments) -> bool:
    own, theirs = experiments.activation_noise_with_own_ranges, experiments.activation_noise
    return own < theirs / 4


def _some(layers: list[Layer]) -> str:
    names = [layer.name for layer in layers]
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")


def _db(noise: float) -> float:
    return -10 * math.log10(max(noise, 1e-12))


def _power(noise: float) -> str:
    return f"{noise:.2%}" if noise < 1 else f"{noise:.1f} times"
