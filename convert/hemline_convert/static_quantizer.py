"""One float network quantized after any recipe, in memory; what recipes share is made once.

quantizer = StaticQuantizer(open_keras(path), choose_calibration_images(dataset, card.input))
content = quantizer.deployable(QuantizationRecipe(calibration="mse"))  # a .tflite without card
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from hemline.errors import UserError
from hemline_convert import float_tflite, quantize, tflite_file
from hemline_convert.bias_correction import bias_corrected
from hemline_convert.calibration import CalibrationSet
from hemline_convert.calibration_check import CalibrationCheck, check_calibration
from hemline_convert.equalization import equalized
from hemline_convert.keras_source import KerasSource
from hemline_convert.observation import Observations, Ranges
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.trained_ranges import ranges_from_card


class StaticQuantizer:
    """Makes integer networks of one float model.

    Args:
        source: The float model.
        calibration: The pictures that its activations are measured on; None where recipes only take the
            ranges that were trained with it.
    """

    def __init__(self, source: KerasSource, calibration: CalibrationSet | None) -> None:
        self.source = source
        self.calibration = calibration
        self._made: dict[QuantizationRecipe, bytes] = {}

    @cached_property
    def network(self) -> bytes:
        """The float32 TFLite network: normalized float32 pixels in, float32 logits out."""
        return float_tflite.network_tflite_from_keras(self.source)

    @cached_property
    def observations(self) -> Observations:
        """What its activations do on the calibration pictures."""
        assert self.calibration is not None
        return Observations(self.network, self.calibration, self.source.normalization)

    @cached_property
    def calibration_check(self) -> CalibrationCheck | None:
        """Whether the calibration set is good; None without one."""
        if self.calibration is None:
            return None
        return check_calibration(self.network, self.observations, self.source.card)

    @cached_property
    def equalized(self) -> StaticQuantizer:
        """The same for the network with equalized channels."""
        other = StaticQuantizer(self.source, self.calibration)
        other.network = equalized(self.network)
        return other

    def ranges(self, recipe: QuantizationRecipe) -> Ranges:
        """The ranges that the recipe gives the activations."""
        if recipe.for_card(self.source.card).calibration == "trained":
            return ranges_from_card(self.network, self.source.card)
        if recipe.equalized:
            return self.equalized.ranges(replace(recipe, equalized=False))
        return self.observations.ranges(recipe)

    def integer_only(self, recipe: QuantizationRecipe) -> bytes:
        """The network with integers at its ends too: int8, or int16 with 16-bit activations.

        A layer at an end that the recipe keeps in float takes, or gives, float32.
        """
        if recipe not in self._made:
            self._made[recipe] = self._quantized(recipe)
        return self._made[recipe]

    def _quantized(self, recipe: QuantizationRecipe) -> bytes:
        if recipe.equalized:
            return self.equalized.integer_only(replace(recipe, equalized=False))
        ranges = self.ranges(recipe)
        content = quantize.static_tflite(self.network, ranges, recipe)
        if not recipe.bias_corrected:
            return content
        if self.calibration is None:
            raise UserError(
                "bias correction needs pictures that calibrate, and there are none",
                "leave it out where ranges were trained, or choose a method, such as --calibration min-max",
            )
        corrected = bias_corrected(
            self.network, content, self.calibration.tensors, self.source.normalization
        )
        return quantize.static_tflite(corrected, ranges, recipe)

    def deployable(self, recipe: QuantizationRecipe) -> bytes:
        """The network with uint8 pixels in and float32 logits out."""
        return tflite_file.with_uint8_input_and_float_output(
            self.integer_only(recipe), self.source.normalization
        )
