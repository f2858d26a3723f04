"""Experiments on a patient: one source of error at a time, the rest left in float."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hemline_convert import quantize
from hemline_convert.calibration import CalibrationSet
from hemline_convert.doctor.patient import Patient, file_logits, noise_share
from hemline_convert.float_network import Array, FloatNetwork, Layer
from hemline_convert.float_run import observed
from hemline_convert.observation import Observations, Ranges
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.rounding import (
    Steps,
    activation_steps,
    rounded_weights,
    with_rounded_activations,
)

_PICTURES = 200  # of an experiment on the whole network
_PICTURES_BY_LAYER = 50  # there are two experiments for each layer


@dataclass(frozen=True)
class LayerNoise:
    """What one layer alone adds to the logits, as shares of their signal.

    Attributes:
        layer: The layer.
        weights: By its rounded weights.
        activation: By its rounded output; 0 where that is not rounded.
    """

    layer: Layer
    weights: float
    activation: float


class Experiments:
    """What rounding does to a patient's logits; noise is a share of the signal's power.

    Args:
        patient: The network and the pictures.
        recipe: How it is quantized.
    """

    def __init__(self, patient: Patient, recipe: QuantizationRecipe) -> None:
        self.recipe = recipe
        self.quantizer = patient.quantizer
        self.network = FloatNetwork(patient.quantizer.network)
        self.whole = Patient(patient.quantizer, patient.pictures.few(_PICTURES))
        self._by_layer = Patient(patient.quantizer, patient.pictures.few(_PICTURES_BY_LAYER))
        self.integer_only = patient.quantizer.integer_only(recipe)
        self.weights = rounded_weights(self.network, self.integer_only)
        self.steps = activation_steps(self.network, self.integer_only)

    @cached_property
    def all_noise(self) -> float:
        """Of the quantized network."""
        content = self.quantizer.deployable(self.recipe)
        return noise_share(self.whole.reference, file_logits(content, self.whole.pictures.tensors))

    @cached_property
    def weight_noise(self) -> float:
        """Of rounded weights alone."""
        return self.whole.noise_of(self.network.with_constants(self.weights))

    @cached_property
    def activation_noise(self) -> float:
        """Of rounded activations alone."""
        return self.activation_noise_with(self.steps)

    @cached_property
    def activation_noise_with_own_ranges(self) -> float:
        """Of rounded activations alone, with the ranges that these very pictures would give."""
        content = quantize.static_tflite(self.network.content, self.exam_ranges, self.recipe)
        return self.activation_noise_with(activation_steps(self.network, content))

    def activation_noise_with(self, steps: Mapping[int, Steps]) -> float:
        """Of activations rounded to these steps, by tensor index."""
        return self.whole.noise_of(with_rounded_activations(self.network, steps))

    @cached_property
    def exam_ranges(self) -> Ranges:
        """Smallest and largest values on the pictures of the doctor."""
        pictures = self.whole.pictures
        names = ("",) * len(pictures)
        as_calibration = CalibrationSet(pictures.tensors, pictures.targets, pictures.data, names)
        recipe = QuantizationRecipe("min-max", activation_bits=self.recipe.activation_bits)
        observations = Observations(self.network.content, as_calibration, self.whole.normalization)
        return observations.ranges(recipe)

    @cached_property
    def layers(self) -> tuple[LayerNoise, ...]:
        """Each layer alone."""
        return tuple(
            LayerNoise(
                layer,
                self._weight_noise_of(layer, self._by_layer),
                self._activation_noise_of([layer], self._by_layer),
            )
            for layer in self.network.layers
        )

    def share_of_weights(self, layer: Layer) -> float:
        """What a layer's rounded weights alone make, over what those of all layers make, 0–1."""
        return min(1.0, self._weight_noise_of(layer, self.whole) / max(self.weight_noise, 1e-30))

    def share_of_activations(self, layers: Iterable[Layer]) -> float:
        """What the rounded outputs of some layers make, over what those of all layers make, 0–1."""
        noise = self._activation_noise_of(layers, self.whole)
        return min(1.0, noise / max(self.activation_noise, 1e-30))

    def _weight_noise_of(self, layer: Layer, patient: Patient) -> float:
        if layer.weights not in self.weights:
            return 0.0
        changed = self.network.with_constants({layer.weights: self.weights[layer.weights]})
        return patient.noise_of(changed)

    def _activation_noise_of(self, layers: Iterable[Layer], patient: Patient) -> float:
        outputs = [layer.output for layer in layers if layer.output in self.steps]
        if not outputs:
            return 0.0
        steps = {output: self.steps[output] for output in outputs}
        return patient.noise_of(with_rounded_activations(self.network, steps))

    def channel_maxima(self, layer: Layer) -> NDArray[np.float32]:
        """The greatest magnitude of each channel of a layer's output."""
        pictures = self.whole.pictures.tensors
        greatest: Array | None = None
        runs = observed(
            self.network.content, pictures, self.whole.normalization, [layer.output], "channels"
        )
        for values in runs:
            value = np.abs(values[layer.output])
            found = value.reshape(-1, value.shape[-1]).max(axis=0)
            greatest = found if greatest is None else np.maximum(greatest, found)
        assert greatest is not None
        return np.asarray(greatest, np.float32)
