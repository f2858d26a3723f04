"""Networks whose name says how large their int8 file is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hemline.card import ModelCard, Normalization
from hemline.datasets import open_dataset
from hemline_convert.convert import ConversionConfig, convert
from hemline_train._tensorflow import keras
from hemline_train.architectures import build_network
from hemline_train.model_file import save_model
from hemline_train.recipes import RECIPES

KILOBYTES = {arch: int(arch[7:-2]) for arch in RECIPES if arch.endswith("kb")}


@pytest.mark.slow
@pytest.mark.parametrize("arch", KILOBYTES)
def test_the_int8_file_keeps_within_what_the_name_says(arch: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = build_network(arch, 10)
    random = np.random.default_rng(1)
    for layer in model.layers:  # an untrained one has biases of zero, which take no room
        if isinstance(layer, keras.layers.BatchNormalization):
            for variable in (layer.beta, layer.moving_mean):
                variable.assign(random.normal(0, 0.5, variable.shape))
    card = ModelCard(
        arch,
        open_dataset("drawn").labels,
        RECIPES[arch].input,
        Normalization(scale=1 / 255, zero_point=0),
        training={"what a training run tells": random.bytes(700).hex()},
    )
    save_model(tmp_path / "model.keras", model, card)
    config = ConversionConfig(
        tmp_path / "model.keras", tmp_path, onnx=(), data="drawn", golden_images=20
    )
    convert(config)
    size = (tmp_path / f"{arch}_int8.tflite").stat().st_size
    assert 0.9 < size / (1000 * KILOBYTES[arch]) <= 1
