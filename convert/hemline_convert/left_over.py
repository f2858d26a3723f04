"""Files of an earlier conversion that lie beside the new ones, and that somebody could deploy by mistake."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path

from hemline.card import ModelCard
from hemline.errors import UserError
from hemline.onnxcard import read_onnx_card
from hemline.zipcard import read_zip_card
from hemline_convert.file_factory import INTEGER_KINDS

_SUFFIXES = (".tflite", ".onnx")


def note_of_left_over(
    out: Path, card: ModelCard, written: Collection[Path], *, has_gate: bool
) -> list[str]:
    """What is to be said of the model's other files in the folder; nothing is removed.

    Args:
        out: Folder of the conversion.
        card: Of the float model now.
        written: The files of this conversion.
        has_gate: Whether the doctor was asked. Then each file with integer activations that lies there from
            before is one that he did not let through.
    """
    candidates = [
        path
        for suffix in _SUFFIXES
        for path in sorted(out.glob(f"*{suffix}"))
        if path not in written and path.name.startswith(f"{card.name}_")
    ]
    notes = []
    refused = [path for path in candidates if has_gate and _kind_of(path, card) in INTEGER_KINDS]
    if refused:
        notes.append(f"made before and not let through by this gate: {_listed(refused)}")
    others = [path for path in candidates if path not in refused and not _is_of(path, card)]
    if others:
        notes.append(f"made of another float model, or damaged: {_listed(others)}")
    return notes


def _listed(paths: list[Path]) -> str:
    names = ", ".join(path.name for path in paths)
    return f"{names}; to remove: rm {' '.join(shlex.quote(str(path)) for path in paths)}"


def _kind_of(path: Path, card: ModelCard) -> str:
    return path.stem.removeprefix(f"{card.name}_")


def _is_of(path: Path, card: ModelCard) -> bool:
    """Whether a file was made of the float model that the card is of."""
    read = read_onnx_card if path.suffix == ".onnx" else read_zip_card
    try:
        text = read(str(path), path.read_bytes())
        found = ModelCard.from_json(text) if text is not None else None
    except (UserError, OSError):
        return False
    if found is None or found.name != card.name:  # another model's, whose name only begins alike
        return True
    return found.source_sha256 == card.source_sha256
