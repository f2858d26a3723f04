"""What to do where a quantized network does not pass: the command that lets the int8 doctor see to it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from hemline.card import ModelCard
from hemline.modelfile import LoadedModel
from hemline.parity.result import ParityReport
from hemline.parity.stages.stage import SCORES

_QUANTIZED = ("int8", "mediapipe", "int8_io", "w8a16", "mixed")


def doctors_command(models: Iterable[LoadedModel], reports: Iterable[ParityReport]) -> str:
    """The command that finds out why int8 is worse, and mends it; empty where that is not what failed.

    Args:
        models: The candidates.
        reports: What was measured of them.
    """
    by_name = {model.file_name: model for model in models}
    for report in reports:
        model = by_name.get(report.candidate)
        fails = any(stage.name == SCORES and not stage for stage in report.stages)
        if model is None or not fails or model.card.quantization.get("kind") not in _QUANTIZED:
            continue
        gate = report.gate
        words = ["hemline", "convert", _source(model), "--int8", "--data", _data(model.card)]
        words += ["--max-drop", f"{gate.max_drop_points:g}"]
        words += ["--min-agreement", f"{gate.min_agreement:g}"]
        return shlex.join(words)
    return ""


def _source(model: LoadedModel) -> str:
    """The float model, where it lies beside the file; else words for it."""
    for path in sorted(Path(model.path).parent.glob("*.keras")):
        if sha256(path.read_bytes()).hexdigest() == model.card.source_sha256:
            return str(path)
    return "MODEL.keras"


def _data(card: ModelCard) -> str:
    """The data that calibrated, as the card names it: DATA/train."""
    calibration = card.quantization.get("calibration")
    name = calibration.get("data") if isinstance(calibration, dict) else None
    return name.rpartition("/")[0] or "DATA" if isinstance(name, str) else "DATA"
