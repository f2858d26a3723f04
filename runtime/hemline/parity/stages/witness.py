"""Does a runtime compute what is in the file? An independent one is asked on a few pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hemline.errors import UserError
from hemline.onnx_reader import read_onnx
from hemline.parity.stages.stage import Tolerances
from hemline.tflite_reader import Graph, read_tflite

if TYPE_CHECKING:
    from hemline.modelfile import LoadedModel

PICTURES = 8
_MOST_MULTIPLICATIONS = 30_000_000  # that NumPy does in a reasonable time for so many pictures

Logits = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class Witness(NamedTuple):
    """Another runtime of the same network.

    Attributes:
        name: What it is called in reports.
        logits: Of one picture: uint8, (1, H, W, C), to float32, (classes,).
    """

    name: str
    logits: Logits


def witness_for(candidate: LoadedModel) -> Witness | str:
    """hemline's own interpreter on the file, or on its TFLite twin; or why there is none."""
    if candidate.backend.name == "numpy":
        return "it runs on NumPy, which is the witness itself"
    path = Path(candidate.path)
    if path.suffix == ".onnx":
        twin = path.with_name(f"{path.stem}.tflite")
        if not twin.is_file() or candidate.card.quantization.get("kind") != "int8":
            return f"there is no {twin.name} beside it, the same network for another runtime"
        path = twin
    if path.suffix != ".tflite":
        return "only .tflite files have one"
    from hemline.modelfile import load_model

    try:
        content = path.read_bytes()
        if multiplications(read_tflite(path.name, content).graphs[0]) > _MOST_MULTIPLICATIONS:
            return "NumPy would take long for a network of this size"
        loaded = load_model(path, backend="numpy", card=candidate.card)
    except (UserError, OSError) as error:
        return str(getattr(error, "problem", error)).replace(str(path), path.name)
    theirs, ours = loaded.card, candidate.card
    if (theirs.source_sha256, theirs.quantization) != (ours.source_sha256, ours.quantization):
        return f"{path.name} beside it is of another conversion"
    name = "NumPy" if path.name == candidate.file_name else f"NumPy with {path.name}"
    return Witness(name, loaded.backend.logits)


def multiplications(graph: Graph) -> int:
    """How many the convolutions and dense layers of a network do for one picture, about."""
    total = 0
    for operator in graph.operators:
        if operator.name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            continue
        weights = graph.tensors[operator.inputs[1]].shape
        output = graph.tensors[operator.outputs[0]].shape
        each = weights[1] * weights[2] if operator.name[0] == "D" else np.prod(weights[1:])
        total += int(np.prod(output) * each)
    return total


def output_step(path: Path) -> float | None:
    """What one step of the int8 scores of a file is; None where they are float, or it does not tell."""
    try:
        content = path.read_bytes()
        if path.suffix == ".tflite":
            return _tflite_step(read_tflite(path.name, content).graphs[0])
        model = read_onnx(path.name, content)
    except (UserError, OSError):
        return None
    for node in model.nodes:
        if node.op_type == "DequantizeLinear" and node.outputs[0] == model.outputs[0].name:
            return float(model.initializers[node.inputs[1]].value())
    return None


def _tflite_step(graph: Graph) -> float | None:
    index = graph.outputs[0]
    for operator in reversed(graph.operators):  # softmax shifts all scores of a picture alike
        if operator.outputs[0] == index and operator.name in ("SOFTMAX", "MUL", "DEQUANTIZE"):
            index = operator.inputs[0]
    quantization = graph.tensors[index].quantization
    return None if quantization is None else float(quantization.scales[0])


class Deviation(NamedTuple):
    """How far scores are from what they must be.

    Attributes:
        worst: For each picture the greatest difference, in units of `unit`: float, (N,).
        limit: What is allowed, in the same.
        unit: `steps`, or `of the range`.
    """

    worst: NDArray[np.float64]
    limit: float
    unit: str

    @property
    def text(self) -> str:
        """The greatest difference in words."""
        most = float(self.worst.max())
        return (
            f"{most:.3g} {self.unit}" if self.unit == "steps" else f"{100 * most:.3g} % {self.unit}"
        )


def deviation(
    expected: NDArray[Any], made: NDArray[Any], step: float | None, tolerances: Tolerances
) -> Deviation:
    """Compare scores, both (N, classes), with what two runtimes of one file may differ by."""
    difference = np.abs(made.astype(np.float64) - expected).max(axis=1)
    difference = np.where(np.isfinite(difference), difference, np.inf)
    if step:
        return Deviation(difference / step, tolerances.score_steps, "steps")
    span = float(np.ptp(expected)) or 1.0
    return Deviation(difference / span, tolerances.score_share, "of the range")
