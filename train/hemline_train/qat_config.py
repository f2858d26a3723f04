"""What can be set about quantization-aware training, and the trained model that it begins with."""

from __future__ import annotations

import functools
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hemline.card import InputSpec, ModelCard
from hemline.errors import CardError, UserError
from hemline.zipcard import read_zip_card
from hemline_train.architecture_file import Architecture
from hemline_train.config import ARGUMENTS, BestBy, Settings
from hemline_train.recipes import RECIPES, Augmentation


@dataclass(frozen=True, kw_only=True)
class QatConfig(Settings):
    """All that decides the outcome of quantization-aware training, next to the images themselves.

    `QatConfig.recommended` fills in what has proved good. Images are augmented as the network's
    architecture recommends, where that is one of ours.

    Attributes:
        model: The `.keras` file of the trained network, with a card.

    Raises:
        UserError: A value is out of range, or the model cannot be read.
        CardError: The model has no card.
    """

    best_by: ClassVar[BestBy] = "validation_accuracy"

    model: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", Path(self.model))
        super().__post_init__()
        _ = self.card  # a model that cannot be used is refused now

    @classmethod
    def recommended(
        cls,
        trained: str | Path,
        *,
        data: str | None = None,
        epochs: int = 10,
        batch_size: int = 64,
        patience: int = 3,
        learning_rate: float = 0.0001,
        seed: int = 0,
        out: str | Path = "runs",
    ) -> QatConfig:
        """The recommended configuration, with changes.

        Args:
            trained: The folder of a finished run, or a `.keras` file.
            data: By default what the run was trained on, or fashion-mnist for another file.
            epochs: See the class; the others too.
            batch_size: Likewise.
            patience: Likewise.
            learning_rate: Likewise.
            seed: Likewise.
            out: Likewise.

        Raises:
            UserError: As the class itself; and there is no such run, or it is not finished.
        """
        model = _model_of(Path(trained))
        return cls(
            model=model,
            data=data or _data_of(model.parent) or "fashion-mnist",
            epochs=epochs,
            batch_size=batch_size,
            patience=patience,
            learning_rate=learning_rate,
            seed=seed,
            out=Path(out),
        )

    @functools.cached_property
    def card(self) -> ModelCard:
        """The card of the model."""
        if self.model.suffix != ".keras":
            raise UserError(
                f"{self.model} is not a .keras file",
                "quantization-aware training goes on from a float Keras model: give the folder of a "
                "run, or a .keras file",
            )
        try:
            content = self.model.read_bytes()
        except OSError as error:
            raise UserError(
                f"{self.model} cannot be read: {error.strerror or error}",
                "give the folder of a run, such as runs/optimized-1, or a .keras file",
            ) from error
        card = read_zip_card(str(self.model), content)
        if card is None:
            raise CardError(
                f"{self.model} carries no model card, so its labels and its input are unknown",
                "give a model from hemline train",
            )
        return ModelCard.from_json(card)

    @property
    def name(self) -> str:
        """The model's, with -qat behind it."""
        return self.card.name.removesuffix("-qat") + "-qat"

    @property
    def input(self) -> InputSpec:
        """As the card says."""
        return self.card.input

    @property
    def augmentation(self) -> Augmentation:
        """As the architecture that the card names asks for."""
        recipe = RECIPES.get(self.card.training.get("arch", ""))
        if "architecture" in self.card.training:
            recipe = Architecture.from_json(self.card.training["architecture"]).recipe
        return recipe.augmentation if recipe else Augmentation()


def _model_of(trained: Path) -> Path:
    """The file of a finished run, or the file itself."""
    if not trained.is_dir():
        return trained
    model = trained / "model.keras"
    if model.exists():
        return model
    if (trained / ARGUMENTS).exists():
        raise UserError(
            f"the run {trained} is not finished, it has no model yet",
            f"finish it first: hemline train --resume {shlex.quote(str(trained))}",
        )
    raise UserError(
        f"{trained} is not the folder of a training run: it has no {model.name}",
        "name a folder that hemline train made, such as runs/optimized-1, or a .keras file",
    )


def _data_of(folder: Path) -> str | None:
    """What a run was trained on; None where the folder is none of a run."""
    try:
        return str(json.loads((folder / ARGUMENTS).read_text())["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
