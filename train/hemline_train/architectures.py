"""The networks, as Keras models that take pixels and answer logits.

All layers are named, so that the second model of a process is the same file as the first. The initial
weights depend on Keras' global seed.

For the size of a residual or dense network, what counts is a convolution's width times the pixels it is
applied to: two fifths of the multiply-accumulates of `resnet` are spent where pictures still have 28×28
pixels, by a tenth of its parameters.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from hemline_train._tensorflow import keras
from hemline_train.designs import DESIGNS, DenseDesign, Design, ResidualDesign
from hemline_train.recipes import RECIPES, Recipe


def build_network(arch: str, classes: int) -> Any:
    """Build the untrained network of an architecture.

    Args:
        arch: A key of `RECIPES`; it becomes the name of the model.
        classes: How many, from 2.

    Returns:
        `keras.Model`, (N, height, width, channels) pixels of 0–255 → (N, classes) logits, not compiled.
    """
    recipe = RECIPES[arch]
    if arch in DESIGNS:
        return build_design(DESIGNS[arch], recipe.input.tensor_shape[1:], classes, arch)
    return _with_pixels(recipe.input.tensor_shape[1:], arch, lambda x: _paper(x, recipe, classes))


def build_design(design: Design, shape: tuple[int, ...], classes: int, name: str) -> Any:
    """Build an untrained residual or dense network.

    Args:
        design: Its size.
        shape: Height, width and channels of the input.
        classes: How many, from 2.
        name: Of the model.

    Returns:
        As `build_network`.
    """

    body = (
        functools.partial(_residual, design=design)
        if isinstance(design, ResidualDesign)
        else functools.partial(_dense, design=design)
    )

    def network(pixels: Any) -> Any:
        x = keras.layers.GlobalAveragePooling2D(name="pooling")(body(pixels))
        return keras.layers.Dense(classes, name="logits")(x)

    return _with_pixels(shape, name, network)


def multiply_accumulates(model: Any) -> int:
    """Multiplications of an input by a weight that one picture takes."""
    total = 0
    for layer in model.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            continue
        pixels = 1
        if len(layer.output.shape) == 4:
            pixels = layer.output.shape[1] * layer.output.shape[2]
        weights = 1
        for size in kernel.shape:
            weights *= size
        total += pixels * weights
    return total


def _with_pixels(shape: tuple[int, ...], name: str, network: Callable[[Any], Any]) -> Any:
    pixels = keras.Input(shape, name="pixels")
    return keras.Model(
        pixels, network(keras.layers.Rescaling(1 / 255, name="rescaling")(pixels)), name=name
    )


def _paper(x: Any, recipe: Recipe, classes: int) -> Any:
    """The network of "Using CNNs to detect fashion images" (I. Venkatesh, 2025).

    It has 98,442 parameters for ten classes; dropout adds none.
    """
    layers = keras.layers
    for number, filters in enumerate((16, 32, 64), start=1):
        x = layers.Conv2D(
            filters, 3, padding="same", activation="relu", name=f"convolution_{number}"
        )(x)
        x = layers.MaxPooling2D(2, name=f"pooling_{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(128, activation="relu", name="hidden")(x)
    if recipe.dropout:
        x = layers.Dropout(recipe.dropout, name="dropout")(x)
    return layers.Dense(classes, name="logits")(x)


def _residual(x: Any, design: ResidualDesign) -> Any:
    """He et al., 2015 (arXiv:1512.03385), with a 1×1 convolution where the size changes."""
    x = _convolved(x, design.stem, 3, "stem", design.stem_stride)
    for stage, (width, blocks) in enumerate(
        zip(design.widths, design.blocks, strict=True), start=1
    ):
        for block in range(1, blocks + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            x = _residual_block(x, width, stride, f"stage_{stage}_block_{block}")
    return x


def _residual_block(x: Any, width: int, stride: int, name: str) -> Any:
    y = _convolved(x, width, 3, f"{name}_first", stride)
    y = _convolved(y, width, 3, f"{name}_second", activated=False)
    if stride > 1 or x.shape[-1] != width:
        x = _convolved(x, width, 1, f"{name}_shortcut", stride, activated=False)
    x = keras.layers.Add(name=f"{name}_sum")([x, y])
    return keras.layers.ReLU(name=name)(x)


def _dense(x: Any, design: DenseDesign) -> Any:
    """Huang et al., 2016 (arXiv:1608.06993), but with batch normalization behind each convolution.

    There it is folded into the convolution; before the convolution it would stay, as a step of its own
    over all channels so far.
    """
    x = _convolved(x, design.stem, 3, "stem")
    for stage, blocks in enumerate(design.blocks, start=1):
        if stage > 1:
            name = f"transition_{stage - 1}"
            x = _convolved(x, x.shape[-1] // 2, 1, name)
            x = keras.layers.AveragePooling2D(2, name=f"{name}_pooling")(x)
        for block in range(1, blocks + 1):
            name = f"stage_{stage}_block_{block}"
            y = _convolved(x, design.bottleneck * design.growth, 1, f"{name}_bottleneck")
            y = _convolved(y, design.growth, 3, f"{name}_growth")
            x = keras.layers.Concatenate(name=name)([x, y])
    return x


def _convolved(
    x: Any, width: int, size: int, name: str, stride: int = 1, activated: bool = True
) -> Any:
    """A convolution with batch normalization, and ReLU behind it."""
    layers = keras.layers
    x = layers.Conv2D(
        width, size, stride, "same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)
    x = layers.BatchNormalization(name=f"{name}_normalization")(x)
    return layers.ReLU(name=f"{name}_activation")(x) if activated else x
