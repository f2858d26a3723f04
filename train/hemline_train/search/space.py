"""What is searched: sizes of networks, and recipes, drawn for one trial after the other."""

from __future__ import annotations

from typing import Protocol

from hemline_train.architecture_file import Architecture
from hemline_train.designs import DenseDesign, Design, ResidualDesign
from hemline_train.recipes import RECIPES, Augmentation, Optimization, Recipe
from hemline_train.search.settings import Family

_MODEL = RECIPES[
    "resnet"
]  # what is not searched is as there: the input, flips and shifts, schedule
_STAGES = {"residual": (2, 4), "dense": (2, 3)}

# The smallest network of each family: where that exceeds a limit, nothing fits.
SMALLEST: dict[str, tuple[Design, ...]] = {
    "residual": (ResidualDesign(4, (4, 4), (1, 1), 2),),
    "dense": (DenseDesign(4, 4, 1, (1, 1)),),
}
SMALLEST["both"] = SMALLEST["residual"] + SMALLEST["dense"]


class Draws(Protocol):
    """An Optuna trial, as far as it is needed here."""

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """A whole number."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number."""

    def suggest_categorical(self, name: str, choices: tuple[str, ...]) -> str:
        """One of some words."""


def draw_architecture(draws: Draws, family: Family, name: str, batch_size: int) -> Architecture:
    """The design and recipe of a trial.

    Args:
        draws: What is tried.
        family: Which networks.
        name: Of the architecture.
        batch_size: Images per step.
    """
    kind: str = family
    if family == "both":
        kind = draws.suggest_categorical("family", ("residual", "dense"))
    design = _residual(draws) if kind == "residual" else _dense(draws)
    augmentation = Augmentation(
        _MODEL.augmentation.flip,
        _MODEL.augmentation.max_shift_px,
        erased=round(draws.suggest_float("erased", 0.0, 0.5), 3),
        mixed=round(draws.suggest_float("mixed", 0.0, 0.5), 3),
    )
    optimization = Optimization(
        "sgd",
        learning_rate=_short(draws.suggest_float("learning_rate", 0.02, 0.4, log=True)),
        schedule="one-cycle",
        weight_decay=_short(draws.suggest_float("weight_decay", 1e-5, 2e-3, log=True)),
        averaging=float(draws.suggest_categorical("averaging", ("0.99", "0.995", "0.998"))),
    )
    recipe = Recipe(
        f"found by hemline search as {name}",
        _MODEL.input,
        augmentation,
        optimization,
        dropout=0.0,
        label_smoothing=round(draws.suggest_float("label_smoothing", 0.0, 0.15), 3),
        epochs=_MODEL.epochs,
        batch_size=batch_size,
        patience=0,
    )
    return Architecture(name, design, recipe)


def _residual(draws: Draws) -> ResidualDesign:
    stages = range(1, draws.suggest_int("residual_stages", *_STAGES["residual"]) + 1)
    return ResidualDesign(
        4 * draws.suggest_int("residual_stem", 1, 6),
        tuple(4 * draws.suggest_int(f"residual_width_{n}", 1, 20, log=True) for n in stages),
        tuple(draws.suggest_int(f"residual_blocks_{n}", 1, 3) for n in stages),
        draws.suggest_int("residual_stem_stride", 1, 2),
    )


def _dense(draws: Draws) -> DenseDesign:
    stages = range(1, draws.suggest_int("dense_stages", *_STAGES["dense"]) + 1)
    return DenseDesign(
        4 * draws.suggest_int("dense_stem", 1, 6),
        draws.suggest_int("dense_growth", 4, 16),
        draws.suggest_int("dense_bottleneck", 1, 4),
        tuple(draws.suggest_int(f"dense_blocks_{n}", 1, 10) for n in stages),
    )


def _short(value: float) -> float:
    """Of three digits: more mean nothing."""
    return float(f"{value:.3g}")
