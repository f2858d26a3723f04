"""The float Keras model that everything is made from: opened, checked, and cut at its two ends.

At the front a `Rescaling` layer is the normalization, which becomes the quantization of the input, so
that the files take the pixels as they are. At the back a softmax is left out: files end in logits, since
int8 softmax has gone wrong in runtimes; softmax is the runtime's.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hemline.card import InputSpec, ModelCard, Normalization
from hemline.errors import CardError, ModelError, UserError
from hemline.integrity import must_be_unaltered
from hemline.zipcard import read_zip_card
from hemline_convert._tensorflow import keras


@dataclass(frozen=True)
class KerasSource:
    """A float model ready to be converted.

    Attributes:
        model: The Keras model as it is, but for a softmax at its end.
        network: Takes float32 (N, H, W, C) that is already normalized; answers with logits (N, classes).
        normalization: How pixels become what `network` takes.
        card: The model's card; its normalization is the one here.
        sha256: Of the file.
    """

    model: Any
    network: Any
    normalization: Normalization
    card: ModelCard
    sha256: str

    def with_model(self, model: Any) -> KerasSource:
        """The same with another Keras model that takes and answers the same."""
        network, found = without_rescaling(model)
        return replace(
            self, model=model, network=network, normalization=found or self.normalization
        )


@dataclass(frozen=True)
class StatedCard:
    """What the user says of a model that has no card; None where nothing is said.

    Only `name` is taken for a model with a card too.
    """

    name: str | None = None
    labels: tuple[str, ...] | None = None
    input_resize: str | None = None
    input_foreground: str | None = None
    input_scale: float | None = None
    input_zero_point: int | None = None


def open_keras(path: Path, stated: StatedCard | None = None) -> KerasSource:
    """Open a `.keras` model for conversion.

    Raises:
        ModelError: The file is missing, damaged, or not an image classifier.
        CardError: It has no card, and labels are not stated either, or the card does not fit.
    """
    stated = stated or StatedCard()
    content = _content(path)
    card_json = read_zip_card(str(path), content)
    must_be_unaltered(str(path), content, card_json)
    model = load_keras(path)
    shape = _input_shape(path, model)
    model = without_softmax(model)
    network, found = without_rescaling(model)
    if card_json is None:
        card = _card_from(path, stated, shape)
    else:
        _refuse_stated(path, stated)
        card = ModelCard.from_json(card_json)
        card = card.replace(name=stated.name or card.name)
    if card.input.tensor_shape[1:] != shape:
        raise CardError(
            f"{path}: the card says input {card.input.tensor_shape[1:]}, the model takes {shape}",
            "the card belongs to another model",
        )
    classes = int(network.outputs[0].shape[-1])
    if classes != len(card.labels):
        raise CardError(
            f"{path}: {len(card.labels)} labels for {classes} outputs",
            "give one label for each output, in their order: --labels FILE",
        )
    normalization = found or _stated_normalization(path, stated, card, card_json is not None)
    sha256 = hashlib.sha256(content).hexdigest()
    # The checksum in the card is that of the .keras file; what is made of it gets its own.
    card = card.replace(normalization=normalization, source_sha256=sha256, network_sha256="")
    return KerasSource(model, network, normalization, card, sha256)


def _refuse_stated(path: Path, stated: StatedCard) -> None:
    """What the card says already must not be said again, and otherwise."""
    given = [
        f"--{name.replace('_', '-')}"
        for name, value in vars(stated).items()
        if name != "name" and value is not None
    ]
    if given:
        raise CardError(
            f"{path} carries its own model card, which says what {', '.join(given)} would",
            "leave that out",
        )


def _content(path: Path) -> bytes:
    if path.is_dir():
        inside = path / "model.keras"
        raise ModelError(
            f"{path} is a folder",
            f"give the model in it: {inside}" if inside.is_file() else "give a .keras file",
        )
    if not path.exists():
        raise ModelError(
            f"there is no {path}", "give a .keras file, or the name of a shipped model"
        )
    if path.suffix != ".keras":
        raise ModelError(
            f"{path} is not a .keras file",
            "save the model with model.save('NAME.keras'); .h5 and SavedModel can be loaded and "
            "saved again with Keras",
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise ModelError(
            f"{path} is no Keras model: it is empty, cut off, or another kind of file",
            "a .keras file is a zip archive that model.save('NAME.keras') writes; save it again",
        )
    return content


def load_keras(path: Path) -> Any:
    """Load a `.keras` model for inference.

    Raises:
        ModelError: Keras cannot load it.
    """
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds for a damaged or foreign archive
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{path} cannot be loaded by Keras {keras.__version__}: {reason}",
            "save it again with a Keras of this version or older; custom layers are not supported",
        ) from error


def _input_shape(path: Path, model: Any) -> tuple[int, int, int]:
    shapes = [tensor.shape for tensor in getattr(model, "inputs", None) or []]
    outputs = [tensor.shape for tensor in getattr(model, "outputs", None) or []]
    good = len(shapes) == len(outputs) == 1 and len(shapes[0]) == 4 and len(outputs[0]) == 2
    if not good or None in shapes[0][1:] or shapes[0][3] not in (1, 3):
        raise ModelError(
            f"{path} takes {shapes} and gives {outputs}",
            "an image classifier takes one (batch, height, width, 1 or 3) and gives one "
            "(batch, classes), all sizes fixed but the batch",
        )
    return tuple(shapes[0][1:])


def starts_with_rescaling(model: Any) -> bool:
    """Whether the model normalizes its input itself."""
    layers = _layers(model)
    return bool(layers) and isinstance(layers[0], keras.layers.Rescaling)


def _layers(model: Any) -> list[Any]:
    return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def without_rescaling(model: Any) -> tuple[Any, Normalization | None]:
    """The model behind its leading `Rescaling`, and what that did; None if there is none."""
    if not starts_with_rescaling(model):
        return model, None
    layers = _layers(model)
    first = layers[0]
    try:
        scale, offset = float(first.scale), float(first.offset)
    except TypeError:  # one scale per channel: it stays in the network
        return model, Normalization()
    # The zero point of a quantized input is a whole number: −1 + x/127.5 gets 128 for 127.5, as every
    # TFLite model with that normalization does.
    zero_point = round(-offset / scale)
    if not 0 <= zero_point <= 255:
        return model, Normalization()
    if isinstance(model, keras.Sequential):
        shape = model.inputs[0].shape[1:]
        rest = keras.Sequential([keras.Input(shape), *layers[1:]])
    else:
        rest = keras.Model(first.output, model.outputs[0])
    return rest, Normalization(scale, zero_point)


def without_softmax(model: Any) -> Any:
    """The model up to its logits. A model at its end, such as of keras.applications, is looked into."""
    last = model.layers[-1]
    if isinstance(last, keras.Model):
        inner = without_softmax(last)
        if inner is last:  # what was to be left out was an activation, or there is nothing
            return model
        if isinstance(model, keras.Sequential):
            shape = model.inputs[0].shape[1:]
            return keras.Sequential([keras.Input(shape), *model.layers[:-1], inner])
        return keras.Model(model.inputs[0], inner(model.layers[-2].output))
    if isinstance(last, keras.layers.Softmax):
        if isinstance(model, keras.Sequential):
            return keras.Sequential([keras.Input(model.inputs[0].shape[1:]), *model.layers[:-1]])
        return keras.Model(model.inputs[0], last.input)
    if getattr(last, "activation", None) is keras.activations.softmax:
        last.activation = keras.activations.linear  # read anew whenever the model is traced
    return model


def _card_from(path: Path, stated: StatedCard, shape: tuple[int, int, int]) -> ModelCard:
    if stated.labels is None:
        raise CardError(
            f"{path} carries no model card, so its labels are unknown",
            "state them: --labels FILE, one label a line in the order of the outputs; a model from "
            "hemline train has its card inside",
        )
    spec = InputSpec(
        (shape[1], shape[0]),
        "gray" if shape[2] == 1 else "rgb",
        stated.input_resize or "pad",  # type: ignore[arg-type]  # InputSpec checks it
        stated.input_foreground or "as-is",  # type: ignore[arg-type]
    )
    return ModelCard(stated.name or path.stem, stated.labels, spec)


def _stated_normalization(
    path: Path, stated: StatedCard, card: ModelCard, has_card: bool
) -> Normalization:
    if has_card:
        return card.normalization
    if stated.input_scale is None:
        raise UserError(
            f"{path} does not begin with a Rescaling layer, so what it takes is unknown",
            "state it: --input-scale 1 for pixels 0–255, 0.00392157 for 0–1, or 0.00784314 with "
            "--input-zero-point 128 for −1 to 1",
        )
    return Normalization(stated.input_scale, stated.input_zero_point or 0)
