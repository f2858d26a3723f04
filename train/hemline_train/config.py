"""What can be set about a training run, and what each architecture recommends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from hemline.card import InputSpec
from hemline.errors import UserError

ARGUMENTS = "arguments.json"  # in the folder of a run: its settings
MAX_SEED = 2**32 - 1  # what Keras takes

BestBy = Literal["validation_loss", "validation_accuracy"]
BEST_BY_TEXT: dict[BestBy, str] = {
    "validation_loss": "lowest validation loss",
    "validation_accuracy": "highest validation accuracy",
}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained by default.

    Attributes:
        summary: One line for the help text.
        input: What its input is, and how a picture becomes it.
        augment: Whether training images are mirrored and shifted.
        dropout: Share of the last hidden layer that is dropped in training; 0 for no such layer.
        epochs: At most so many.
        batch_size: Images per step.
        patience: Epochs without a better validation loss after which training ends and the best
            weights are restored; 0 trains all epochs and keeps the last weights.
    """

    summary: str
    input: InputSpec
    augment: bool
    dropout: float
    epochs: int
    batch_size: int
    patience: int


_PAPER_INPUT = InputSpec((28, 28), "gray", "pad", "light-on-dark")

RECIPES = {
    "initial": Recipe(
        "the paper's network with no measure against overfitting",
        _PAPER_INPUT,
        augment=False,
        dropout=0.0,
        epochs=20,
        batch_size=32,
        patience=0,
    ),
    "optimized": Recipe(
        "the same with augmentation, dropout and early stopping",
        _PAPER_INPUT,
        augment=True,
        dropout=0.4,
        epochs=60,
        batch_size=64,
        patience=8,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every run has.

    Attributes:
        data: `fashion-mnist`, or a folder that `hemline.datasets.open_dataset` takes.
        epochs: At most so many, from 1.
        batch_size: Images per step, from 1.
        patience: See `Recipe.patience`.
        learning_rate: Of Adam, above 0.
        seed: From 0 to 2**32 - 1. The same seed gives the same weights, bit by bit, on the same
            machine with the same versions.
        out: The folder that the run's own folder is made in.
        best_by: The figure that makes an epoch the best.

    Raises:
        UserError: A value is out of range.
    """

    best_by: ClassVar[BestBy] = "validation_loss"

    data: str
    epochs: int
    batch_size: int
    patience: int
    learning_rate: float = 0.001
    seed: int = 0
    out: Path = Path("runs")

    def __post_init__(self) -> None:
        if not self.data:
            raise UserError("no data set is named", "give --data fashion-mnist, or a folder")
        _whole("epochs", self.epochs, 1, 100_000)
        _whole("batch size", self.batch_size, 1, 65_536)
        _whole("patience", self.patience, 0, 100_000)
        _whole("seed", self.seed, 0, MAX_SEED)
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise UserError(
                f"the learning rate is {self.learning_rate}",
                "it must be above 0; 0.001 is the paper's",
            )
        object.__setattr__(self, "out", Path(self.out))

    @property
    def name(self) -> str:
        """Name of the model; the run's folder is NAME-1, or the next number that is free."""
        raise NotImplementedError

    @property
    def input(self) -> InputSpec:
        """What the network takes."""
        raise NotImplementedError

    @property
    def augment(self) -> bool:
        """Whether training images are mirrored and shifted."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Settings):
    """All that decides the outcome of a training, next to the images themselves.

    `TrainingConfig.recommended` fills in what the architecture recommends.

    Attributes:
        arch: A key of `RECIPES`.

    Raises:
        UserError: A value is out of range.
    """

    arch: str

    def __post_init__(self) -> None:
        if self.arch not in RECIPES:
            raise UserError(
                f"there is no architecture {self.arch!r}", f"choose one of: {', '.join(RECIPES)}"
            )
        super().__post_init__()

    @classmethod
    def recommended(
        cls,
        arch: str = "optimized",
        *,
        data: str = "fashion-mnist",
        epochs: int | None = None,
        batch_size: int | None = None,
        patience: int | None = None,
        learning_rate: float = 0.001,
        seed: int = 0,
        out: str | Path = "runs",
    ) -> TrainingConfig:
        """The configuration that `arch` recommends, with changes.

        Raises:
            UserError: As the class itself.
        """
        recipe = RECIPES.get(arch, RECIPES["optimized"])  # an unknown name is refused by the class
        return cls(
            arch=arch,
            data=data,
            epochs=recipe.epochs if epochs is None else epochs,
            batch_size=recipe.batch_size if batch_size is None else batch_size,
            patience=recipe.patience if patience is None else patience,
            learning_rate=learning_rate,
            seed=seed,
            out=Path(out),
        )

    @property
    def name(self) -> str:
        """The architecture's."""
        return self.arch

    @property
    def input(self) -> InputSpec:
        """As the architecture asks for."""
        return RECIPES[self.arch].input

    @property
    def augment(self) -> bool:
        """As the architecture asks for."""
        return RECIPES[self.arch].augment


def _whole(what: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UserError(
            f"{what} is {value!r}", f"it must be a whole number from {low:,} to {high:,}"
        )
