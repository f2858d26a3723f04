"""One float network quantized after any recipe, in memory; what recipes share is made once.

quantizer = StaticQuantizer(open_keras(path), choose_calibration_images(dataset, card.input))
content = quantizer.deployable(QuantizationRecipe(calibration="mse"))  # a .tflite without card
"""

from __future__ import annotations

from functools import cached_property

from hemline_convert import float_tflite, quantize, tflite_file
from hemline_convert.calibration import CalibrationSet
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

    def ranges(self, recipe: QuantizationRecipe) -> Ranges:
        """The ranges that the recipe gives the activations."""
        if recipe.for_card(self.source.card).calibration == "trained":
            return ranges_from_card(self.network, self.source.card)
        return self.observations.ranges(recipe)

    def integer_only(self, recipe: QuantizationRecipe) -> bytes:
        """The network with integers at its ends too: int8, or int16 with 16-bit activations."""
        if recipe not in self._made:
            self._made[recipe] = quantize.static_tflite(self.network, self.ranges(recipe), recipe)
        return self._made[recipe]

    def deployable(self, recipe: QuantizationRecipe) -> bytes:
        """The network with uint8 pixels in and float32 logits out."""
        return tflite_file.with_uint8_input_and_float_output(self.integer_only(recipe))
