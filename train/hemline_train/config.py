"""What can be set about a training run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from hemline import models
from hemline.card import InputSpec
from hemline.errors import UserError
from hemline_train.architecture_file import (
    ARCHITECTURE_SUFFIX,
    Architecture,
    read_architecture,
)
from hemline_train.recipes import (
    BACKBONE_ALPHAS,
    BACKBONE_EPOCHS,
    BACKBONE_INPUT,
    BACKBONE_LEARNING_RATE,
    RECIPES,
    Augmentation,
    Optimization,
    Recipe,
)

ARGUMENTS = "arguments.json"  # in the folder of a run: its settings
MAX_SEED = 2**32 - 1  # what Keras takes

BestBy = Literal["validation_loss", "validation_accuracy"]
BEST_BY_TEXT: dict[BestBy, str] = {
    "validation_loss": "lowest validation loss",
    "validation_accuracy": "highest validation accuracy",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every run has.

    Attributes:
        data: `fashion-mnist`, or a folder that `hemline.datasets.open_dataset` takes.
        epochs: At most so many, from 1.
        batch_size: Images per step, from 1.
        patience: See `Recipe.patience`.
        learning_rate: The highest of the schedule, above 0.
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
    def augmentation(self) -> Augmentation:
        """What is done to training images."""
        raise NotImplementedError

    @property
    def optimization(self) -> Optimization:
        """How the weights are changed, at the run's own learning rate."""
        return Optimization(learning_rate=self.learning_rate)

    @property
    def label_smoothing(self) -> float:
        """Share of the target that is spread over all classes."""
        return 0.0

    @property
    def all_images(self) -> bool:
        """Whether the images of the validation split are trained on too."""
        return False

    @property
    def in_bfloat16(self) -> bool:
        """Whether convolutions are computed in bfloat16."""
        return False

    @property
    def photos(self) -> bool:
        """Whether the images of an epoch are made anew of photos."""
        return False

    @property
    def worn(self) -> float:
        """Share of the images that are made to look like garments cut out of photos."""
        return 0.0


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Settings):
    """All that decides the outcome of a training, next to the images themselves.

    `TrainingConfig.recommended` fills in what the architecture recommends.

    Attributes:
        arch: A key of `RECIPES`, or the name of `architecture`.
        architecture: A design and recipe that are not among `RECIPES`.
        teachers: `.keras` files of trained networks with the same classes and the same input, or names
            of shipped ones, from whose answers the network learns (`hemline_train.distillation`).
        with_validation: Train on the images of the validation split too: for the last run, when
            nothing is to be chosen any more. There is no early stopping then.
        backbone: A key of `BACKBONE_ALPHAS`: what is trained on, in place of a new network. Only with
            an architecture for photos.
        nothing: Folders of pictures that show none of the classes, to be answered with `unknown`. Only
            with an architecture for photos.
        bfloat16: Compute convolutions in bfloat16 (`hemline_train.layer_kernels`).

    Raises:
        UserError: A value is out of range.
    """

    arch: str
    architecture: Architecture | None = None
    teachers: tuple[str, ...] = ()
    with_validation: bool = False
    backbone: str = ""
    nothing: tuple[str, ...] = ()
    bfloat16: bool = False

    def __post_init__(self) -> None:
        known = (self.architecture.name,) if self.architecture else tuple(RECIPES)
        if self.arch not in known:
            raise UserError(
                f"there is no architecture {self.arch!r}",
                f"choose one of: {', '.join(known)}; or a file of hemline search, which ends in "
                f"{ARCHITECTURE_SUFFIX}",
            )
        super().__post_init__()
        object.__setattr__(self, "teachers", tuple(_teacher_path(str(p)) for p in self.teachers))
        object.__setattr__(self, "nothing", tuple(str(path) for path in self.nothing))
        missing = [path for path in self.teachers if not Path(path).is_file()]
        if missing:  # told before data sets are read
            is_folder = Path(missing[0]).is_dir()
            raise UserError(
                f"the teacher {missing[0]} is a folder"
                if is_folder
                else f"there is no teacher {missing[0]}",
                "give the .keras file of a finished run, such as runs/teacher-1/model.keras, or one of "
                f"{', '.join(models.names())}, which are shipped",
            )
        if self.with_validation and self.patience:
            raise UserError(
                f"a patience of {self.patience} goes with no training on the validation images",
                "without them nothing says when to stop: give --patience 0, and the number of "
                "--epochs that proved good",
            )

        if self.backbone and self.backbone not in BACKBONE_ALPHAS:
            raise UserError(
                f"there is no backbone {self.backbone!r}",
                f"choose one of: {', '.join(BACKBONE_ALPHAS)}",
            )
        if self.backbone and not self.photos:
            raise UserError(
                f"the architecture {self.arch} is a whole network and takes no backbone",
                "give --arch wardrobe with --backbone",
            )
        if self.nothing and not self.photos:
            raise UserError(
                f"the architecture {self.arch} does not learn what is none of its classes",
                "--nothing goes with --arch wardrobe; leave it out, or take that",
            )

    @classmethod
    def recommended(
        cls,
        arch: str = "optimized",
        *,
        data: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        patience: int | None = None,
        learning_rate: float | None = None,
        seed: int = 0,
        out: str | Path = "runs",
        teachers: Iterable[str | Path] = (),
        with_validation: bool = False,
        backbone: str = "",
        nothing: Iterable[str | Path] = (),
        bfloat16: bool = False,
    ) -> TrainingConfig:
        """The configuration that `arch` recommends, with changes.

        `arch` is a key of `RECIPES`, or the path of an architecture file.

        Raises:
            UserError: As the class itself; and the architecture file cannot be read.
        """
        own = read_architecture(Path(arch)) if arch.endswith(ARCHITECTURE_SUFFIX) else None
        # An unknown name is refused by the class.
        recipe = own.recipe if own else RECIPES.get(arch, RECIPES["optimized"])
        if backbone:
            rate = replace(recipe.optimization, learning_rate=BACKBONE_LEARNING_RATE)
            recipe = replace(recipe, epochs=BACKBONE_EPOCHS, optimization=rate)
        return cls(
            arch=own.name if own else arch,
            architecture=own,
            data=recipe.data if data is None else data,
            epochs=recipe.epochs if epochs is None else epochs,
            batch_size=recipe.batch_size if batch_size is None else batch_size,
            patience=recipe.patience if patience is None else patience,
            learning_rate=(
                recipe.optimization.learning_rate if learning_rate is None else learning_rate
            ),
            seed=seed,
            out=Path(out),
            teachers=tuple(str(path) for path in teachers),
            with_validation=with_validation,
            backbone=backbone,
            nothing=tuple(str(path) for path in nothing),
            bfloat16=bfloat16,
        )

    @property
    def name(self) -> str:
        """The architecture's, or that of the backbone."""
        return self.backbone or self.arch

    @property
    def recipe(self) -> Recipe:
        """The architecture's."""
        return self.architecture.recipe if self.architecture else RECIPES[self.arch]

    @property
    def input(self) -> InputSpec:
        """As the architecture or the backbone asks for."""
        return BACKBONE_INPUT if self.backbone else self.recipe.input

    @property
    def augmentation(self) -> Augmentation:
        """As the architecture asks for."""
        return self.recipe.augmentation

    @property
    def optimization(self) -> Optimization:
        """As the architecture asks for."""
        return replace(self.recipe.optimization, learning_rate=self.learning_rate)

    @property
    def label_smoothing(self) -> float:
        """As the architecture asks for."""
        return self.recipe.label_smoothing

    @property
    def in_bfloat16(self) -> bool:
        """See `bfloat16`."""
        return self.bfloat16

    @property
    def photos(self) -> bool:
        """As the architecture asks for."""
        return self.recipe.photos

    @property
    def worn(self) -> float:
        """As the architecture asks for."""
        return self.recipe.worn

    @property
    def all_images(self) -> bool:
        """See `with_validation`."""
        return self.with_validation


def _teacher_path(given: str) -> str:
    """A file as it is; what is none may be the name of a shipped model."""
    return given if Path(given).exists() else models.source_path_of(given) or given


def _whole(what: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UserError(
            f"{what} is {value!r}", f"it must be a whole number from {low:,} to {high:,}"
        )
