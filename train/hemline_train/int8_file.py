"""The int8 file that `hemline convert --int8` would make of a network in training, in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.backends import Backend
from hemline.card import ModelCard
from hemline_convert.calibration import DEFAULT_IMAGES, CalibrationSet, balanced
from hemline_convert.keras_source import KerasSource, without_rescaling
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.static_quantizer import StaticQuantizer
from hemline_train.images import TrainingImages


def int8_network(model: Any, card: ModelCard, images: TrainingImages) -> bytes:
    """Quantize a Keras model, calibrated on training images.

    Args:
        model: Takes pixels of 0–255, and answers logits.
        card: Its card.
        images: What it is trained on.

    Returns:
        A TFLite model without a card; uint8 pixels in, float32 logits out.
    """
    network, normalization = without_rescaling(model)
    source = KerasSource(model, network, normalization or card.normalization, card, "")
    shown = images.train.of_epoch(1)
    chosen = balanced(shown.targets, DEFAULT_IMAGES)
    calibration = CalibrationSet(
        shown.pixels[chosen], shown.targets[chosen], images.name, tuple(map(str, chosen))
    )
    recipe = QuantizationRecipe().for_card(card)  # bias correction and all, as convert decides it
    return StaticQuantizer(source, calibration).deployable(recipe)


def answers_of(file: Backend, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits of many images.

    Args:
        file: The int8 file, in a backend.
        pixels: uint8, (N, H, W, C), N at least 1.

    Returns:
        float32, (N, classes).
    """
    return np.stack([np.array(file.logits(picture[None])).ravel() for picture in pixels])
