from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline_train._tensorflow import tf
from hemline_train.architecture_file import Architecture
from hemline_train.architectures import build_design
from hemline_train.config import TrainingConfig
from hemline_train.designs import ResidualDesign
from hemline_train.fitting import Fitting
from hemline_train.images import Images
from hemline_train.recipes import RECIPES, Augmentation

DESIGN = ResidualDesign(2, (2,), (1,), 2)


def test_what_trembles_for_the_network_is_at_rest_for_its_teacher() -> None:
    recipe = replace(RECIPES["resnet"], augmentation=Augmentation(trembling=0.1))
    config = TrainingConfig(
        arch="tiny",
        architecture=Architecture("tiny", DESIGN, recipe),
        data="fashion-mnist",
        epochs=1,
        batch_size=40,
        patience=0,
    )
    images = Images(np.full((40, 28, 28, 1), 100, np.uint8), np.arange(40) % 2)
    for_teacher: list[NDArray[np.float32]] = []

    def teacher(pixels: Any) -> Any:
        def look(values: NDArray[np.float32]) -> NDArray[np.float32]:
            for_teacher.append(values)
            return np.zeros((len(values), 2), np.float32)

        return tf.ensure_shape(tf.numpy_function(look, [pixels], tf.float32), (None, 2))

    network = build_design(DESIGN, (28, 28, 1), 2, "tiny")
    for_network: list[NDArray[np.float32]] = []
    called = network.call

    def watched(pixels: Any, *arguments: Any, **named: Any) -> Any:
        def look(values: NDArray[np.float32]) -> NDArray[np.float32]:
            for_network.append(values)
            return values

        seen = tf.ensure_shape(tf.numpy_function(look, [pixels], tf.float32), pixels.shape)
        return called(seen, *arguments, **named)

    network.call = watched
    fitting = Fitting(network, config, images, None, teacher=teacher)
    fitting.run(fitting.start(), lambda _: None)
    assert [np.unique(values).tolist() for values in for_teacher] == [[100]]
    (seen,) = for_network
    lights = np.unique(seen[:, 14, 14, 0])
    assert len(lights) > 5
    assert 90 <= lights.min() < 100 < lights.max() <= 110
