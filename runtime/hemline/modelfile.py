"""Opening a model: a file or a shipped name becomes a card and a backend that fit each other."""

from __future__ import annotations

import os
from typing import NamedTuple

from hemline import models
from hemline.backends import Backend, open_backend
from hemline.card import ModelCard
from hemline.errors import CardError, ModelError

MODEL_SUFFIXES = (".tflite", ".onnx", ".keras")


class LoadedModel(NamedTuple):
    """A model that is ready to run."""

    path: str
    card: ModelCard
    backend: Backend

    @property
    def file_name(self) -> str:
        """The last part of the path."""
        return os.path.basename(self.path)


def load_model(
    model: str | os.PathLike[str],
    *,
    backend: str | None = None,
    num_threads: int = 1,
    card: ModelCard | None = None,
) -> LoadedModel:
    """Open a model file, or a shipped model by name.

    Args:
        model: Path of a `.tflite`, `.onnx` or `.keras` file, or the name of a shipped model.
        backend: Name of the backend; by default the first installed one that runs such files.
        num_threads: Threads of one inference.
        card: Used when the file has none of its own.

    Raises:
        ModelError: No such file, no model, damaged, or no backend for it is installed.
        CardError: The card is missing or does not fit the model.
    """
    path = find_model(model, backend)
    opened = open_backend(path, backend=backend, num_threads=num_threads)
    is_stated = opened.card_json is None
    if opened.card_json is not None:
        card = ModelCard.from_json(opened.card_json)
    if card is None:
        raise CardError(
            f"{path} carries no model card, so labels and preprocessing are unknown",
            "convert it with hemline convert, or state what it was trained with: --labels FILE "
            "--input-color gray|rgb, and where it is not the default, --input-resize, "
            "--input-foreground, --input-scale, --input-zero-point",
        )
    check_fit(path, card, opened, is_stated=is_stated)
    opened.feed(card.normalization)
    opened.gives_probabilities = card.output == "probabilities"
    return LoadedModel(path, card, opened)


def find_model(model: str | os.PathLike[str], backend: str | None = None) -> str:
    """The path of a model file, or of the best file of a shipped model.

    Raises:
        ModelError: It is neither.
    """
    if not isinstance(model, str | os.PathLike):
        raise ModelError(
            f"the model is {model!r}, which is no name and no path",
            f"give a model file, or a shipped model: {', '.join(models.names())}",
        )
    path = os.fspath(model)
    if not path:
        raise ModelError(
            "the name of the model is empty", f"shipped are: {', '.join(models.names())}"
        )
    if path.endswith(MODEL_SUFFIXES) and os.path.isfile(path):
        return path
    shipped = models.path_of(path, backend)
    if shipped is not None:
        return shipped
    names = ", ".join(models.names())
    if os.path.isdir(path):
        raise ModelError(
            f"{path} is a folder, not a model", "name one .tflite, .onnx or .keras file in it"
        )
    if os.path.exists(path):
        raise ModelError(
            f"{path} is not named like a model",
            f"a model file ends in {', '.join(MODEL_SUFFIXES)}; shipped models are: {names}",
        )
    raise ModelError(
        f"there is no model file {path}, and no shipped model of that name",
        f"shipped models are: {names}",
    )


def check_fit(path: str, card: ModelCard, backend: Backend, *, is_stated: bool = False) -> None:
    """Refuse a card that speaks of another network than the file holds.

    Args:
        path: Of the file, for messages.
        card: The card.
        backend: The file, opened.
        is_stated: The card is what the user says, not what the file holds.

    Raises:
        CardError: Shape or number of classes differ.
    """
    if backend.input.shape != card.input.tensor_shape:
        raise CardError(
            f"{path}: the card says input {card.input.tensor_shape}, the model takes "
            f"{backend.input.shape}",
            "the card belongs to another model, or the model's batch is not 1: convert it again",
        )
    classes = backend.output.shape[-1] if backend.output.shape else 0
    if classes != len(card.labels) and is_stated:
        raise CardError(
            f"{path}: {len(card.labels)} labels are stated, the model has {classes} outputs",
            "give one label for each output, in their order, a label a line: --labels FILE",
        )
    if classes != len(card.labels):
        raise CardError(
            f"{path}: the card has {len(card.labels)} labels, the model has {classes} outputs",
            "the card belongs to another model: convert it again",
        )
