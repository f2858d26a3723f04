"""Layer by layer, for `hemline parity`: finds the float network of a file, and compares the two."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hemline import models
from hemline.errors import UserError
from hemline.modelfile import load_model
from hemline.parity.layers.compare import compare_layers
from hemline.parity.layers.error import worst_first
from hemline.parity.layers.table import LayerTable
from hemline.parity.reference import Reference, spread

if TYPE_CHECKING:
    from hemline.modelfile import LoadedModel

_PICTURES = 32
_FLOAT_TFLITE = "_float32.tflite"
_QUANTIZED = ("int8", "int8_io", "w8a16", "mixed")


def compare_layers_of(
    candidate: LoadedModel, reference: Reference, float_model: Path | None = None
) -> LayerTable:
    """Compare the layers of a quantized file with those of its float network.

    Args:
        candidate: The quantized file.
        reference: Gives the pictures.
        float_model: A `NAME_float32.tflite` or `.keras` file; by default one is looked for beside the
            candidate.

    Returns:
        The table; it says why where they could not be compared.
    """
    name = candidate.file_name
    try:
        path = float_model or _float_model_of(candidate)
        _refuse_what_cannot_be_compared(candidate)
        float_network = _float_network(path, candidate)
        rows = spread(len(reference), _PICTURES)
        tensors = np.concatenate([reference.tensor(int(row)) for row in rows])
        found = compare_layers(
            float_network,
            Path(candidate.path).read_bytes(),
            tensors,
            normalization=candidate.card.normalization,
            names=(path.name, name),
        )
    except UserError as error:
        return LayerTable(name, problem=error.problem, hint=error.hint)
    return LayerTable(name, path.name, len(tensors), tuple(worst_first(found)))


def _refuse_what_cannot_be_compared(candidate: LoadedModel) -> None:
    quantization = candidate.card.quantization
    kind = quantization.get("kind")
    if kind == "mediapipe":
        raise UserError(
            f"{candidate.file_name} prepares the picture in its graph, which the float network does not",
            "the same quantized network is in NAME_int8.tflite: compare the layers of that",
        )
    if kind not in _QUANTIZED:
        raise UserError(
            f"{candidate.file_name} is {kind or 'of a kind that its card does not tell'}, and has no "
            "quantized activations to compare",
            "layers are compared of NAME_int8.tflite and NAME_int8.onnx",
        )
    if quantization.get("recipe", {}).get("equalized"):
        raise UserError(
            "its channels were equalized: they are scaled otherwise than in the float model, on purpose",
            "the report of hemline convert compares such a network with the equalized float one",
        )


def _float_model_of(candidate: LoadedModel) -> Path:
    """`NAME_float32.tflite` or the `.keras` source beside the file, or the shipped source."""
    folder, card = Path(candidate.path).parent, candidate.card
    beside = folder / f"{card.name}{_FLOAT_TFLITE}"
    if beside.is_file():
        return beside
    sources = sorted(folder.glob("*.keras"))
    shipped = models.source_path_of(card.name)
    if shipped is not None:
        sources.append(Path(shipped))
    for path in sources:
        if hashlib.sha256(path.read_bytes()).hexdigest() == card.source_sha256:
            return path
    raise UserError(
        f"there is no float network to compare its layers with: neither {beside.name} nor the .keras "
        f"file that it was made of is in {folder}",
        "write one with hemline convert --float32, or give --reference MODEL.keras or "
        f"NAME{_FLOAT_TFLITE}",
    )


def _float_network(path: Path, candidate: LoadedModel) -> bytes:
    """The float network as TFLite, from pixels to logits."""
    ours = candidate.card
    if path.suffix == ".onnx":
        raise UserError(
            f"{path.name} does not tell its layers", f"give NAME{_FLOAT_TFLITE} or MODEL.keras"
        )
    loaded = load_model(path, card=ours)
    source = (
        hashlib.sha256(path.read_bytes()).hexdigest()
        if path.suffix == ".keras"
        else loaded.card.source_sha256
    )
    if ours.source_sha256 and source and source != ours.source_sha256:
        raise UserError(
            f"{path.name} is another float model than {candidate.file_name} was made of",
            "give the float model that it was made of: --reference MODEL",
        )
    if path.suffix == ".keras":
        return loaded.backend.float_tflite(ours)
    return path.read_bytes()
