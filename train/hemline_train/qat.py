"""Quantization-aware training: a trained network is trained on, with the rounding of its int8 file.

Training from the start is done in float: ranges of an untrained network say nothing. Batch normalization
is folded first, with the statistics that the network has, and dropout is left out, since the int8 file has
neither.

What is minimized is the loss of the network with rounding plus that of the same weights without. With the
first alone, a network that int8 breaks ends as one that only works with rounding: its float model, to which
the int8 file is compared, means nothing then.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hemline.backends.litert import LiteRtBackend
from hemline.errors import ModelError, UserError
from hemline_convert import quantize, tflite_file
from hemline_convert.calibration import DEFAULT_IMAGES, CalibrationSet, balanced
from hemline_convert.float_tflite import pixels_to_logits
from hemline_convert.keras_source import KerasSource, open_keras
from hemline_convert.observation import Observations, Ranges
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.trained_ranges import card_entry
from hemline_train.batch_norm_folding import without_batch_norm
from hemline_train.evaluation import Forward
from hemline_train.fake_quantization import FakeQuantizedNetwork
from hemline_train.images import Images, TrainingImages
from hemline_train.int8_graph import read_int8_graph
from hemline_train.qat_config import QatConfig

RECIPE = QuantizationRecipe()  # what is trained for
_MOVING_EPOCHS = 2  # in which the ranges follow the activations
_CHECKED_IMAGES = 200
_LEAST_AGREEMENT = 0.98  # of answers; rounding differs for a logit in some hundred


class QatSubject:
    """What quantization-aware training trains.

    Attributes:
        model: The Keras model, batch normalization folded.
        network: The same with fake quantization, which trains the model's weights in place.
        float_network: The same without; both take pixels.

    Args:
        config: Names the trained model.
        images: What it is trained on.

    Raises:
        UserError: The images have other classes than the model.
        ModelError: The model cannot be read, or not be trained in this way; the layer is named.
    """

    def __init__(self, config: QatConfig, images: TrainingImages) -> None:
        source = open_keras(config.model)
        if source.card.labels != images.labels:
            raise UserError(
                f"the model knows {', '.join(source.card.labels)}; the data {images.name} has "
                f"{', '.join(images.labels)}",
                "give the data that the model was trained on: --data",
            )
        self._source = source.with_model(without_batch_norm(source.model))
        self._graph = read_int8_graph(self._source)
        train = images.splits["train"]
        self.model = self._source.model
        self.float_network = _FloatNetwork(self._source)
        self.network = FakeQuantizedNetwork(
            self._source,
            self._graph,
            _ranges_to_begin_with(self._graph.network, self._source, train),
            _MOVING_EPOCHS * math.ceil(len(train) / config.batch_size),
        )
        self._must_answer_as_converted(images.splits["validation"])

    def card_entry(self) -> tuple[dict[str, Any], ...]:
        """The trained ranges, for the card."""
        return card_entry(self._graph.network, self.network.ranges)

    def _must_answer_as_converted(self, images: Images) -> None:
        """Compare with the int8 file of the same weights and ranges, before anything is trained."""
        pixels = images.pixels[:_CHECKED_IMAGES]
        content = quantize.static_tflite(self._graph.network, self.network.ranges, RECIPE)
        content = tflite_file.with_uint8_input_and_float_output(content, self._source.normalization)
        file = LiteRtBackend("the int8 file", content, 1)
        answers = [int(file.logits(pixel[None]).argmax()) for pixel in pixels]
        agreement = float(np.mean(Forward(self.network)(pixels).argmax(axis=1) == answers))
        if agreement < _LEAST_AGREEMENT:
            raise ModelError(
                f"the int8 file of {self._source.card.name} answers as the fake-quantized network does on "
                f"{agreement:.1%} of {len(pixels)} pictures only",
                "training would be for another network; this is a limit of hemline, please report it "
                "with the model's layers",
            )


class _FloatNetwork:
    """The model without fake quantization, batch normalization as in inference."""

    def __init__(self, source: KerasSource) -> None:
        self.input_shape = source.model.input_shape
        self._logits = pixels_to_logits(source)

    def __call__(self, pixels: Any, training: bool = False) -> Any:
        """Pixels of 0–255, (N, H, W, C), to logits."""
        del training  # there is nothing in it that training changes
        return self._logits(pixels)


def _ranges_to_begin_with(network: bytes, source: KerasSource, images: Images) -> Ranges:
    """Measured on training pictures, of each class as many."""
    chosen = balanced(images.targets, DEFAULT_IMAGES)
    pictures = tuple(str(index) for index in chosen)
    calibration = CalibrationSet(images.pixels[chosen], images.targets[chosen], "train", pictures)
    return Observations(network, calibration, source.normalization).ranges(RECIPE)
