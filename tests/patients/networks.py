"""Small networks of four kinds, trained for seconds on drawn garments, and what they are examined on."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.card import InputSpec, ModelCard, Normalization
from hemline.datasets import FASHION_MNIST_LABELS

NORMALIZATION = Normalization(1 / 255)
SIDE = 28
EPOCHS = {"plain": 20, "mobile": 60, "residual": 30, "dense": 30}


@cache
def drawings() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Drawn garments: uint8 (600, 28, 28, 1), and their classes; the first half is to train on."""
    from hemline_train.drawn_garments import LABELS, draw_garment

    random = np.random.default_rng(7)
    pictures = [draw_garment(label, random, SIDE) for label in LABELS for _ in range(60)]
    order = random.permutation(len(pictures))
    return np.array(pictures)[order][..., None], np.repeat(np.arange(10), 60)[order]


@cache
def trained(kind: str, seed: int = 1) -> Any:
    """A network of a kind, trained; the same seed gives the same one. Copy it before you change it."""
    from hemline_convert._tensorflow import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((SIDE, SIDE, 1))
    model = keras.Model(inputs, _BUILDERS[kind](keras.layers, inputs))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    pictures, classes = drawings()
    model.fit(pictures[:300] / 255.0, classes[:300], 32, EPOCHS[kind], verbose=0)
    answers = model.predict(pictures[300:] / 255.0, verbose=0).argmax(1)
    accuracy = (answers == classes[300:]).mean()
    if accuracy <= 0.8:
        raise AssertionError(f"{kind} with seed {seed} has learnt nothing: {accuracy:.2f}")
    return model


def copied(model: Any) -> Any:
    """The same network once more."""
    from hemline_convert._tensorflow import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def quantizer_of(
    model: Any,
    calibration: NDArray[np.uint8] | None = None,
    normalization: Normalization = NORMALIZATION,
    ranges: tuple[dict[str, Any], ...] = (),
) -> Any:
    """Quantizes a network; it is calibrated on drawings that it was trained on, or on those given.

    Args:
        model: Takes (N, 28, 28, 1).
        calibration: uint8, (N, 28, 28, 1).
        normalization: What the card states.
        ranges: Of the activations, which take the place of calibration.
    """
    from hemline_convert.calibration import CalibrationSet
    from hemline_convert.keras_source import KerasSource
    from hemline_convert.static_quantizer import StaticQuantizer

    pictures = drawings()[0][:150] if calibration is None else calibration
    unknown = np.zeros(len(pictures), np.int64)
    calibrating = CalibrationSet(pictures, unknown, "drawn/train", ("",) * len(pictures))
    spec = InputSpec((SIDE, SIDE), "gray")
    card = ModelCard("net", FASHION_MNIST_LABELS, spec, normalization, activation_ranges=ranges)
    source = KerasSource(model, model, normalization, card, "")
    return StaticQuantizer(source, None if ranges else calibrating)


def exam(pictures: NDArray[np.uint8] | None = None) -> Any:
    """The other half of the drawings, to examine on; or other pictures of them."""
    from hemline_convert.doctor import ExamSet

    drawn, classes = drawings()
    return ExamSet(drawn[300:] if pictures is None else pictures, classes[300:], "drawn/validation")


def _plain(layers: Any, x: Any) -> Any:
    for filters in (8, 16):
        name = f"convolution_{filters}"
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(32, activation="relu", name="hidden")(layers.Flatten()(x))
    return layers.Dense(10, name="logits")(x)


def _mobile(layers: Any, x: Any) -> Any:
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="stem")(x)
    for number, filters in enumerate((16, 24)):
        x = layers.DepthwiseConv2D(
            3, 1 + number, padding="same", activation="relu", name=f"depthwise_{number}"
        )(x)
        x = layers.Conv2D(filters, 1, activation="relu", name=f"pointwise_{number}")(x)
    return layers.Dense(10, name="logits")(layers.GlobalAveragePooling2D()(x))


def _residual(layers: Any, x: Any) -> Any:
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    for filters in (16, 32):
        y = layers.Conv2D(filters, 3, padding="same", strides=2)(x)
        y = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(y))
        y = layers.Conv2D(filters, 3, padding="same")(y)
        x = layers.ReLU()(layers.Add()([y, layers.Conv2D(filters, 1, strides=2)(x)]))
    return layers.Dense(10, name="logits")(layers.GlobalAveragePooling2D()(x))


def _dense(layers: Any, x: Any) -> Any:
    """Densely connected: each layer sees all before it."""
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    for _ in range(2):
        for _ in range(3):
            y = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
            x = layers.Concatenate()([x, y])
        x = layers.AveragePooling2D(2)(layers.Conv2D(16, 1, activation="relu")(x))
    return layers.Dense(10, name="logits")(layers.GlobalAveragePooling2D()(x))


_BUILDERS = {"plain": _plain, "mobile": _mobile, "residual": _residual, "dense": _dense}
