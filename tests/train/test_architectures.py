from __future__ import annotations

import numpy as np
import pytest

from hemline_train.architectures import build_network
from hemline_train.config import RECIPES

PAPER = [
    # layer, output of one image, parameters (I. Venkatesh, 2025)
    ("InputLayer", (28, 28, 1), 0),
    ("Rescaling", (28, 28, 1), 0),
    ("Conv2D", (28, 28, 16), 160),
    ("MaxPooling2D", (14, 14, 16), 0),
    ("Conv2D", (14, 14, 32), 4640),
    ("MaxPooling2D", (7, 7, 32), 0),
    ("Conv2D", (7, 7, 64), 18496),
    ("MaxPooling2D", (3, 3, 64), 0),
    ("Flatten", (576,), 0),
    ("Dense", (128,), 73856),
    ("Dense", (10,), 1290),
]


def layers(arch: str) -> list[tuple[str, tuple[int, ...], int]]:
    model = build_network(arch, 10)
    found = []
    for layer in model.layers:
        shape = tuple(layer.output.shape[1:])
        found.append((type(layer).__name__, shape, layer.count_params()))
    return found


def test_the_initial_network_is_the_papers_layer_by_layer() -> None:
    assert layers("initial") == PAPER


def test_the_optimized_network_has_one_dropout_before_the_last_layer_and_is_else_the_same() -> None:
    assert layers("optimized") == [*PAPER[:-1], ("Dropout", (128,), 0), PAPER[-1]]


@pytest.mark.parametrize("arch", RECIPES)
def test_each_network_has_the_papers_98442_parameters_and_its_own_name(arch: str) -> None:
    model = build_network(arch, 10)
    assert model.count_params() == 98_442
    assert model.name == arch


def test_convolutions_are_three_by_three_with_relu_and_the_answer_is_logits() -> None:
    model = build_network("initial", 10)
    kinds = [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]
    assert {layer.kernel_size for layer in kinds} == {(3, 3)}
    assert {layer.activation.__name__ for layer in kinds} == {"relu"}
    assert model.get_layer("hidden").activation.__name__ == "relu"
    assert model.get_layer("logits").activation.__name__ == "linear"


def test_pixels_are_rescaled_to_one_inside_the_network() -> None:
    rescaling = build_network("initial", 10).get_layer("rescaling")
    np.testing.assert_allclose(np.array(rescaling(np.full((1, 1, 1, 1), 255.0))), 1.0)


def test_the_number_of_classes_comes_from_the_data() -> None:
    assert build_network("optimized", 3).output_shape == (None, 3)
