"""Networks of Keras Applications with ImageNet weights, to be trained on for pictures of one's own.

Keras downloads the weights once, and keeps them below `~/.keras/models`, or `KERAS_HOME`.
"""

from __future__ import annotations

from typing import Any

from hemline.card import InputSpec
from hemline.errors import UserError
from hemline_train._tensorflow import keras
from hemline_train.recipes import BACKBONE_ALPHAS

_MIDDLE = (
    127  # the weights want pixels around 0; a card holds a whole number, and the middle is 127.5
)
_HALF_RANGE = 127.5


def build_on_backbone(backbone: str, spec: InputSpec, classes: int, name: str) -> Any:
    """A network on a MobileNetV2 with ImageNet weights (Sandler et al., 2018, arXiv:1801.04381).

    Args:
        backbone: A key of `BACKBONE_ALPHAS`.
        spec: Its input; square, in RGB.
        classes: How many, from 2.
        name: Of the model.

    Returns:
        `keras.Model`, (N, height, width, 3) pixels of 0–255 → (N, classes) logits, not compiled.

    Raises:
        UserError: The weights cannot be downloaded or read.
    """
    layers = keras.layers
    pixels = keras.Input(spec.tensor_shape[1:], name="pixels")
    x = layers.Rescaling(1 / _HALF_RANGE, -_MIDDLE / _HALF_RANGE, name="rescaling")(pixels)
    try:
        features = keras.applications.MobileNetV2(
            input_shape=spec.tensor_shape[1:],
            alpha=BACKBONE_ALPHAS[backbone],
            include_top=False,
            weights="imagenet",
            input_tensor=x,
            pooling="avg",
        )
    except Exception as error:  # whatever Keras' download raises, a bare Exception among it
        raise UserError(
            f"the ImageNet weights of {backbone} cannot be had: {error}",
            "look at the network connection; or put the weights file, of the name that is in the message, "
            "into the folder models below ~/.keras, and start again",
        ) from error
    x = layers.Dropout(0.2, name="dropout")(features.output)
    return keras.Model(pixels, layers.Dense(classes, name="logits")(x), name=name)
