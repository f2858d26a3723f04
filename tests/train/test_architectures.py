from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hemline_train.architectures import build_design, build_network, multiply_accumulates
from hemline_train.designs import DenseDesign, ResidualDesign
from hemline_train.recipes import RECIPES

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


@pytest.mark.parametrize("arch", ["initial", "optimized"])
def test_the_papers_networks_have_98442_parameters(arch: str) -> None:
    assert build_network(arch, 10).count_params() == 98_442


@pytest.mark.parametrize("arch", ["resnet", "densenet"])
def test_residual_and_dense_network_keep_within_the_papers_parameters_and_20_million_products(
    arch: str,
) -> None:
    model = build_network(arch, 10)
    assert 80_000 < model.count_params() <= 98_442
    assert multiply_accumulates(model) <= 20_000_000


@pytest.mark.parametrize("arch", RECIPES)
def test_each_network_has_its_own_name_and_named_layers(arch: str) -> None:
    model = build_network(arch, 10)
    assert model.name == arch
    names = [layer.name for layer in model.layers]
    assert names == [layer.name for layer in build_network(arch, 10).layers]


def test_multiply_accumulates_of_the_papers_network_are_as_counted_by_hand() -> None:
    by_hand = 784 * 9 * 16 + 196 * 9 * 16 * 32 + 49 * 9 * 32 * 64 + 576 * 128 + 128 * 10
    assert multiply_accumulates(build_network("initial", 10)) == by_hand


def test_each_residual_stage_but_the_first_halves_the_picture() -> None:
    model = build_design(ResidualDesign(4, (4, 8, 16), (1, 2, 1)), (28, 28, 1), 5, "small")
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert shapes["stage_1_block_1"] == (28, 28, 4)
    assert shapes["stage_2_block_2"] == (14, 14, 8)
    assert shapes["stage_3_block_1"] == (7, 7, 16)
    assert model.output_shape == (None, 5)


def test_each_dense_block_adds_its_growth_and_each_transition_halves() -> None:
    model = build_design(DenseDesign(8, 4, 2, (2, 1)), (28, 28, 1), 5, "small")
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert shapes["stage_1_block_2"] == (28, 28, 16)
    assert shapes["transition_1_pooling"] == (14, 14, 8)
    assert shapes["stage_2_block_1"] == (14, 14, 12)


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


def test_the_page_on_training_tells_the_size_of_each_architecture() -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    rows = re.findall(
        r"^\| (`[^|]*`) \|[^|]*\| ([\d,]+) \| ([\d.]+) million \|$", page, re.MULTILINE
    )
    told = {
        arch: (parameters, macs)
        for archs, parameters, macs in rows
        for arch in re.findall(r"`([\w-]+)`", archs)
    }
    assert set(told) == set(RECIPES)
    for arch, figures in told.items():
        model = build_network(arch, 13 if RECIPES[arch].photos else 10)
        products = multiply_accumulates(model) / 1e6
        assert figures == (f"{model.count_params():,}", f"{products:.1f}")
