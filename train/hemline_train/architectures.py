"""The networks, as Keras models that take pixels and answer logits."""

from __future__ import annotations

from typing import Any

from hemline_train._tensorflow import keras
from hemline_train.config import RECIPES


def build_network(arch: str, classes: int) -> Any:
    """Build the untrained network of an architecture.

    Both are the one of "Using CNNs to detect fashion images" (I. Venkatesh, 2025), with 98,442
    parameters for ten classes; dropout adds none. The initial weights depend on Keras' global seed.
    All layers are named, so that the second model of a process is the same file as the first.

    Args:
        arch: A key of `RECIPES`; it becomes the name of the model.
        classes: How many, from 2.

    Returns:
        `keras.Model`, (N, 28, 28, 1) pixels of 0–255 → (N, classes) logits, not compiled.
    """
    recipe = RECIPES[arch]
    _, height, width, channels = recipe.input.tensor_shape
    layers = keras.layers
    pixels = keras.Input((height, width, channels), name="pixels")
    x = layers.Rescaling(1 / 255, name="rescaling")(pixels)
    for number, filters in enumerate((16, 32, 64), start=1):
        x = layers.Conv2D(
            filters, 3, padding="same", activation="relu", name=f"convolution_{number}"
        )(x)
        x = layers.MaxPooling2D(2, name=f"pooling_{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(128, activation="relu", name="hidden")(x)
    if recipe.dropout:
        x = layers.Dropout(recipe.dropout, name="dropout")(x)
    logits = layers.Dense(classes, name="logits")(x)
    return keras.Model(pixels, logits, name=arch)
