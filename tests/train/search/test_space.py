from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from hemline_train.architecture_file import Architecture
from hemline_train.architectures import build_design, multiply_accumulates
from hemline_train.designs import DenseDesign, ResidualDesign
from hemline_train.search.space import SMALLEST, draw_architecture


class Chance:
    """Draws evenly, or where `at` says: the lowest or the highest."""

    def __init__(self, seed: int = 0, at: str = "") -> None:
        self._random = np.random.default_rng(seed)
        self._at = at

    def suggest_int(self, _: str, low: int, high: int, **__: Any) -> int:
        ends: Mapping[str, int] = {"low": low, "high": high}
        return ends.get(self._at, int(self._random.integers(low, high + 1)))

    def suggest_float(self, _: str, low: float, high: float, **__: Any) -> float:
        ends = {"low": low, "high": high}
        return ends.get(self._at, float(self._random.uniform(low, high)))

    def suggest_categorical(self, _: str, choices: tuple[str, ...]) -> str:
        return str(self._random.choice(choices))


@pytest.mark.parametrize("at", ["", "low", "high"])
@pytest.mark.parametrize("family", ["residual", "dense", "both"])
def test_what_is_drawn_is_an_architecture_that_can_be_kept(at: str, family: Any) -> None:
    types = {"residual": ResidualDesign, "dense": DenseDesign, "both": object}
    for seed in range(20):
        drawn = draw_architecture(Chance(seed, at), family, "a-1", 64)
        assert isinstance(drawn.design, types[family])
        assert Architecture.from_json(drawn.to_json()) == drawn
        assert drawn.recipe.batch_size == 64


@pytest.mark.parametrize("family", ["residual", "dense"])
def test_no_network_of_a_family_is_smaller_than_its_smallest(family: Any) -> None:
    def sizes(design: Any) -> tuple[int, int]:
        model = build_design(design, (28, 28, 1), 2, "m")
        return model.count_params(), multiply_accumulates(model)

    smallest = sizes(SMALLEST[family][0])
    drawn = [draw_architecture(Chance(seed), family, "a", 1).design for seed in range(5)]
    lowest = draw_architecture(Chance(at="low"), family, "a", 1).design
    for design in (*drawn, lowest):
        parameters, macs = sizes(design)
        assert parameters >= smallest[0]
        assert macs >= smallest[1]
