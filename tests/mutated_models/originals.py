"""One sound file of every kind that hemline writes, made of one float model."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from hemline.card import CARD_PROPERTY, ModelCard
from hemline.onnxcard import properties_of
from hemline.protobuf import field, fields_of
from hemline.zipcard import CARD_MEMBER, read_zip_card


@dataclass(frozen=True)
class Sound:
    """A file to be damaged.

    Attributes:
        kind: `int8.tflite`, …
        path: The file.
        pack: The golden pack of its model.
        other_card: A file with the card of another file of the same model.
        stated_card: Where the file has no card, a file with what is stated instead.
    """

    kind: str
    path: Path
    pack: Path
    other_card: Path
    stated_card: Path | None = None


def originals(folder: Path, source: Path, data: str = "drawn") -> list[Sound]:
    """Convert a float model to every kind; two of them without a card too, as others' files are.

    Args:
        folder: For the files.
        source: A `.keras` file with a card.
        data: Calibrates, and gives the golden pack; what the model makes of it does not matter here.
    """
    paths = _converted(folder, source, data)
    pack = folder / "net.golden.npz"
    card = folder / "card.json"
    card.write_text(read_zip_card("", (folder / "net_int8.tflite").read_bytes()) or "")
    other = folder / "other_card.json"
    other.write_text(read_zip_card("", (folder / "net_float32.tflite").read_bytes()) or "")
    sound = [
        Sound(_kind(path, folder), path, pack, card if "float32" in path.name else other)
        for path in paths
    ]
    for kind in ("float32.tflite", "int8.tflite", "int8.onnx"):
        path = folder / f"bare_{kind}"
        path.write_bytes(without_card(kind, (folder / f"net_{kind}").read_bytes()))
        stated = folder / f"{kind}.stated.json"
        stated.write_text(
            ModelCard.from_json(card.read_text()).replace(network_sha256="").to_json()
        )
        sound.append(Sound(f"{kind}, no card", path, pack, other, stated))
    return sound


def _converted(folder: Path, source: Path, data: str) -> list[Path]:
    from hemline_convert.convert import ConversionConfig, convert
    from hemline_convert.keras_source import StatedCard, open_keras
    from hemline_convert.recipe import QuantizationRecipe
    from hemline_train.model_file import save_model

    last = [layer.name for layer in open_keras(source).network.layers if layer.weights][-1]
    kinds = ("float32", "float16", "dynamic_range", "int8", "w8a16", "mediapipe", "int8_io")
    per_tensor = QuantizationRecipe(granularity="tensor")
    mixed = QuantizationRecipe(float_layers=(last,))
    files = []
    for out, tflite, onnx, recipe in (
        (folder, kinds, ("float32", "int8"), QuantizationRecipe()),
        (folder, ("mixed",), (), mixed),
        (folder / "per tensor", ("int8",), ("int8",), per_tensor),
    ):
        made = convert(
            ConversionConfig(
                model=source,
                out=out,
                tflite=tflite,
                onnx=onnx,
                data=data,
                calibration_images=100,
                golden_images=60,
                recipe=recipe,
                stated=StatedCard(name="net"),
            )
        )
        files += [path for path in made.files if path.suffix in (".tflite", ".onnx")]
    opened = open_keras(source, StatedCard(name="net"))
    path = folder / "net_model.keras"
    save_model(path, opened.model, opened.card.replace(source_sha256=""))
    return [*files, path]


def _kind(path: Path, folder: Path) -> str:
    kind = path.name.removeprefix("net_")
    return kind if path.parent == folder else f"{kind}, {path.parent.name}"


def without_card(kind: str, content: bytes) -> bytes:
    """The same file without a card."""
    if kind.endswith("onnx"):
        described = {
            key for key in properties_of(content) if key.startswith(CARD_PROPERTY.encode())
        }
        return b"".join(
            field(number, value) for number, value in fields_of(memoryview(content))
            if number != 14 or bytes(dict(fields_of(value))[1]) not in described  # type: ignore[arg-type]
        )  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert CARD_MEMBER in archive.namelist()
        return content[: min(member.header_offset for member in archive.infolist())]
