"""One small trained-like network and one full conversion, made once: TensorFlow takes seconds to start."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemline.card import InputSpec, ModelCard, Normalization
from hemline.datasets import FASHION_MNIST_LABELS
from hemline.zipcard import CARD_MEMBER

if TYPE_CHECKING:
    from hemline_convert.convert import ConversionConfig


@dataclasses.dataclass(frozen=True)
class Made:
    model: Path
    out: Path
    card: ModelCard
    config: ConversionConfig


@pytest.fixture(scope="session")
def keras_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped float model's file, copied: tests must not write beside the shipped one."""
    from hemline import models

    shipped = models.source_path_of("paper")
    assert shipped is not None
    path = tmp_path_factory.mktemp("model") / "paper.keras"
    path.write_bytes(Path(shipped).read_bytes())
    return path


@pytest.fixture(scope="session")
def made(keras_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Every kind of file, converted with the drawn garments."""
    from hemline_convert.convert import ConversionConfig, convert
    from hemline_convert.keras_source import StatedCard

    out = tmp_path_factory.mktemp("converted")
    config = ConversionConfig(
        model=keras_model,
        out=out,
        tflite=("float32", "float16", "dynamic_range", "int8", "mediapipe"),
        onnx=("float32", "int8"),
        data="drawn",
        calibration_images=100,
        golden_images=60,
        stated=StatedCard(name="paper"),
    )
    return Made(keras_model, out, convert(config).card, config)


@pytest.fixture
def untrained(tmp_path: Path):
    """Saves a Keras model with a card for it, and gives the path."""

    def save(model, classes: int = 10, with_card: bool = True) -> Path:
        path = tmp_path / "net.keras"
        model.save(path)
        if with_card:
            _, height, width, channels = model.inputs[0].shape
            card = ModelCard(
                name="net",
                labels=(*FASHION_MNIST_LABELS, *map(str, range(classes)))[:classes],
                input=InputSpec((width, height), "gray" if channels == 1 else "rgb"),
                normalization=Normalization(1 / 255),
            )
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr(CARD_MEMBER, card.to_json())
        return path

    return save


def plain(keras, x):
    """Convolutions with ReLU, both poolings, Flatten of several places, two dense layers."""
    layers = keras.layers
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(6, 3, activation="relu")(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Dense(16, activation="relu")(layers.Flatten()(x))
    return layers.Dense(5)(x)


def mobile(keras, x):
    """Depthwise convolutions behind batch normalization, ReLU that scales, padding, a global mean."""
    layers = keras.layers
    for filters in (8, 12):
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.ZeroPadding2D(1)(x)
        x = layers.DepthwiseConv2D(3, strides=2, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return layers.Dense(5)(layers.GlobalAveragePooling2D()(x))


_COMMON = {"plain": plain, "mobile": mobile}


@pytest.fixture(scope="session")
def network_of():
    """Makes a float TFLite network: `network_of(build)`, where `build(keras, x)` stands behind the input.

    `build` may be the name of one of those above. Weights are random, and biases and statistics are not zero.
    """

    def make(build, seed: int = 0, shape: tuple[int, int, int] = (12, 12, 3)) -> bytes:
        from hemline_convert._tensorflow import keras
        from hemline_convert.float_tflite import network_tflite_from_keras
        from hemline_convert.keras_source import KerasSource

        keras.utils.set_random_seed(seed)
        inputs = keras.Input(shape)
        model = keras.Model(inputs, _COMMON.get(build, build)(keras, inputs))
        random = np.random.default_rng(seed)
        for layer in model.layers:
            for variable in layer.weights:
                if variable.name in ("bias", "beta", "moving_mean"):
                    variable.assign(random.normal(0, 0.2, variable.shape))
                elif variable.name in ("gamma", "moving_variance"):
                    variable.assign(random.uniform(0.5, 2, variable.shape))
        labels = tuple(map(str, range(model.outputs[0].shape[-1])))
        spec = InputSpec((shape[1], shape[0]), "gray" if shape[2] == 1 else "rgb")
        card = ModelCard("net", labels, spec, Normalization(1 / 255))
        return network_tflite_from_keras(KerasSource(model, model, card.normalization, card, ""))

    return make


@pytest.fixture(scope="session")
def noise():
    """Random pictures that fit `network_of`."""
    return np.random.default_rng(1).integers(0, 256, (100, 12, 12, 3), dtype=np.uint8)
