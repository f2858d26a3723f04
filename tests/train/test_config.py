from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hemline.errors import UserError
from hemline_train.config import TrainingConfig
from hemline_train.recipes import RECIPES, Augmentation


def test_the_initial_recipe_is_the_papers() -> None:
    config = TrainingConfig.recommended("initial")
    assert (config.epochs, config.batch_size, config.patience) == (20, 32, 0)
    assert config.learning_rate == 0.001
    assert config.augmentation == Augmentation()
    assert RECIPES["initial"].dropout == 0


def test_the_optimized_recipe_has_augmentation_dropout_and_early_stopping() -> None:
    config = TrainingConfig.recommended()
    assert config.arch == "optimized"
    assert config.augmentation.flip
    assert config.augmentation.max_shift_px == 2
    assert RECIPES["optimized"].dropout > 0
    assert config.patience > 0


def test_what_is_given_goes_before_what_is_recommended() -> None:
    config = TrainingConfig.recommended("initial", epochs=3, patience=2, seed=9, out="somewhere")
    assert (config.epochs, config.patience, config.seed) == (3, 2, 9)
    assert config.out == Path("somewhere")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arch": "huge"}, "'huge'.*\n.*initial, optimized"),
        ({"data": ""}, "no data set"),
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": 2.5}, "epochs is 2.5"),
        ({"epochs": True}, "epochs is True"),  # a bool is an int to Python
        ({"batch_size": 0}, "batch size is 0"),
        ({"patience": -1}, "patience is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "seed is 4294967296"),  # one more than Keras takes
        ({"learning_rate": 0.0}, "learning rate is 0.0"),
        ({"learning_rate": float("nan")}, "learning rate is nan"),
        ({"learning_rate": float("inf")}, "learning rate is inf"),
        ({"teachers": ["nowhere.keras"]}, r"no teacher nowhere\.keras"),
        ({"with_validation": True}, "patience of 8 goes with no training on the validation"),
    ],
)
def test_a_value_out_of_range_is_refused_in_words(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        TrainingConfig.recommended(**change)
    assert caught.match(f"(?s){said}")
    assert caught.value.hint
