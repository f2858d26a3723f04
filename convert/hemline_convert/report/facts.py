"""What the report of a conversion says: numbers that are measured on the files as they were written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.backends import available
from hemline.card import ModelCard
from hemline.errors import UserError
from hemline.inspection import inspect_model
from hemline.modelfile import load_model
from hemline.parity.compare import DEFAULT_GATE, compare
from hemline.parity.golden import GoldenPack
from hemline.parity.layers import LayerError, compare_layers
from hemline.parity.metrics import top1_agreement
from hemline.parity.reference import Reference, spread
from hemline.parity.result import Gate, rate_json
from hemline.parity.run import CandidateError, ParityRun, measure
from hemline_convert.calibration_check import CalibrationCheck
from hemline_convert.doctor import Checked
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.static_quantizer import StaticQuantizer
from hemline_convert.trained_ranges import activation_names

MATRIX_IMAGES = 200  # that every file meets in every runtime
_LAYERED = ("int8", "int8_io", "w8a16")  # of the first that there is, layers are compared
_LAYER_IMAGES = 32  # on which layers are compared
_BINS = 64  # of a histogram in the report
# What the interpreter in NumPy computes in a reasonable time for so many pictures.
_MOST_MACS_IN_NUMPY = 30_000_000
_FLOAT = "float model"


@dataclass(frozen=True)
class Runner:
    """A file in a runtime, and what it answered.

    Attributes:
        file: Name of the file.
        runtime: Name and version.
        answers: int64, (N,): classes.
    """

    file: str
    runtime: str
    answers: NDArray[np.int64]


@dataclass(frozen=True)
class ActivationRange:
    """One activation of the float network on the calibration pictures.

    Attributes:
        name: What computes it.
        limits: Smallest and largest value.
        counts: How often values occur between them, in bins of equal width, zeros left out.
        chosen: The range that was chosen.
    """

    name: str
    limits: tuple[float, float]
    counts: tuple[int, ...]
    chosen: tuple[float, float]


@dataclass(frozen=True)
class ConversionFacts:
    """All that the report tells.

    Attributes:
        card: The card that the files share.
        quantization: How the int8 network was quantized, as its card has it; empty without one.
        run: Each file against the float model, in the runtime that is chosen for it by default.
        runners: The float model, then each file in each runtime that runs it.
        refused: Which runtime does not run which file, and why.
        ranges: The calibration; empty where ranges were trained, or nothing is int8.
        calibration_set: What its pictures are like; None where there is no calibration.
        checked: What the doctor found; None where it was not asked.
        layers_of: The file whose layers were compared with the float model's; empty where none is int8.
        layers: Their errors, in the order in which they run.
        layers_problem: Why they could not be compared; empty where they were.
    """

    card: ModelCard
    quantization: dict[str, Any]
    run: ParityRun
    runners: tuple[Runner, ...]
    refused: tuple[tuple[str, str, str], ...]
    ranges: tuple[ActivationRange, ...]
    calibration_set: CalibrationCheck | None = None
    checked: Checked | None = None
    layers_of: str = ""
    layers: tuple[LayerError, ...] = ()
    layers_problem: str = ""

    def agreeing(self, a: Runner, b: Runner) -> int:
        """On how many pictures two answer alike."""
        return top1_agreement(a.answers, b.answers)

    def to_json(self) -> dict[str, Any]:
        """Everything for machines."""
        images = len(self.runners[0].answers)
        return {
            "verdict": self.run.verdict,
            **self.run.to_json(),
            "model": {
                "name": self.card.name,
                "version": self.card.version,
                "labels": list(self.card.labels),
                "source_sha256": self.card.source_sha256,
                "golden_sha256": self.card.golden_sha256,
                "training": self.card.training,
            },
            "quantization": self.quantization,
            "agreement": {
                "images": images,
                "runners": [{"file": r.file, "runtime": r.runtime} for r in self.runners],
                "agreeing": [[self.agreeing(a, b) for b in self.runners] for a in self.runners],
                "refused": [
                    {"file": file, "runtime": runtime, "problem": problem}
                    for file, runtime, problem in self.refused
                ],
            },
            "float_accuracy": self._float_accuracy(),
            "layers": {
                "file": self.layers_of,
                "errors": [layer.to_json() for layer in self.layers],
                "problem": self.layers_problem,
            },
            "calibration": [asdict(entry) for entry in self.ranges],
            "calibration_set": (
                self.calibration_set.to_json() if self.calibration_set is not None else None
            ),
            "doctor": self.checked.to_json() if self.checked is not None else None,
        }

    def _float_accuracy(self) -> dict[str, Any] | None:
        reference = self.run.measurements[0].reference
        known = reference.targets >= 0
        right = int((reference.answers == reference.targets)[known].sum())
        return rate_json(right, int(known.sum()))


def measure_conversion(
    files: Sequence[Path],
    golden: GoldenPack,
    golden_name: str,
    quantizer: StaticQuantizer,
    recipe: QuantizationRecipe,
    gate: Gate = DEFAULT_GATE,
    checked: Checked | None = None,
) -> ConversionFacts:
    """Measure the files of one conversion.

    Args:
        files: The model files.
        golden: The pack that was written with them.
        golden_name: Name of its file.
        quantizer: That the int8 network came from.
        recipe: How it was quantized.
        gate: What is asked of each file.
        checked: What the doctor found.
    """
    loaded, errors = [], []
    for path in files:
        try:
            loaded.append(load_model(path))
        except UserError as error:
            errors.append(CandidateError(path.name, error.problem))
    run = measure([(Reference.from_pack(golden, golden_name), loaded)], gate, errors)
    runners, refused = _in_every_runtime(files, golden, run)
    quantizations = [model.card.quantization for model in loaded]
    integer = [entry for entry in quantizations if "calibration" in entry]
    layers_of, layers, layers_problem = _layers(
        files, golden, quantizer.equalized if recipe.equalized else quantizer
    )
    return ConversionFacts(
        card=quantizer.source.card.replace(golden_sha256=golden.content_sha256),
        quantization=integer[0] if integer else {},
        run=run,
        runners=runners,
        refused=refused,
        ranges=_calibration(quantizer, recipe) if integer else (),
        calibration_set=quantizer.calibration_check if integer else None,
        checked=checked,
        layers_of=layers_of,
        layers=layers,
        layers_problem=layers_problem,
    )


def _in_every_runtime(
    files: Sequence[Path], golden: GoldenPack, run: ParityRun
) -> tuple[tuple[Runner, ...], tuple[tuple[str, str, str], ...]]:
    chosen = spread(len(golden), MATRIX_IMAGES)
    reference = Reference.from_pack(golden, _FLOAT, MATRIX_IMAGES)
    runners = [Runner(_FLOAT, "Keras", reference.answers)]
    refused = []
    by_default = {report.candidate: report for report in run.reports}
    for path in files:
        report = by_default.get(path.name)
        if report is not None:
            runners.append(Runner(path.name, report.backend, report.answers[chosen]))
        used = report.backend.split()[0] if report is not None else ""
        for name in _others(path, used):
            try:
                _must_be_small_for(name, path)
                other = compare(load_model(path, backend=name), reference)
                runners.append(Runner(path.name, other.backend, other.answers))
            except UserError as error:
                refused.append((path.name, name, error.problem.replace(str(path), path.name)))
    return tuple(runners), tuple(refused)


def _others(path: Path, used: str) -> list[str]:
    """The other installed runtimes for a file; TensorFlow's is LiteRT's own kernels once more."""
    if path.suffix != ".tflite":
        return []
    names = ("litert", "tflite-runtime", "numpy")
    return [name for name in names if name in available() and name != used]


def _must_be_small_for(name: str, path: Path) -> None:
    macs = inspect_model(path).macs
    if name == "numpy" and (macs is None or macs > _MOST_MACS_IN_NUMPY):
        raise UserError(
            f"left out: NumPy would take long for {MATRIX_IMAGES} pictures of this size"
        )


def _layers(
    files: Sequence[Path], golden: GoldenPack, quantizer: StaticQuantizer
) -> tuple[str, tuple[LayerError, ...], str]:
    """The int8 file, TFLite if there is one, layer by layer beside its float network; or why not.

    Without one, a file with int8 ends or with int16 activations.
    """
    found = [path for kind in _LAYERED for path in files if f"_{kind}." in path.name]
    if not found:
        return "", (), ""
    name = found[0].name
    try:
        errors = compare_layers(
            quantizer.network,
            found[0].read_bytes(),
            golden.tensors[spread(len(golden), _LAYER_IMAGES)],
            normalization=quantizer.source.normalization,
            names=("the float network", name),
        )
    except UserError as error:  # an operator that the comparison does not know; the files are good
        return name, (), error.problem
    return name, errors, ""


def _calibration(
    quantizer: StaticQuantizer, recipe: QuantizationRecipe
) -> tuple[ActivationRange, ...]:
    if quantizer.calibration is None:  # the ranges were trained with the network
        return ()
    if recipe.equalized:
        return _calibration(quantizer.equalized, replace(recipe, equalized=False))
    chosen = quantizer.ranges(recipe)
    names = activation_names(quantizer.network)
    found = []
    for tensor, histogram in quantizer.observations.histograms.items():
        counts = np.add.reduceat(
            histogram.counts, np.arange(0, len(histogram.counts), len(histogram.counts) // _BINS)
        )
        found.append(
            ActivationRange(
                name=names[tensor],
                limits=(histogram.low, histogram.high),
                counts=tuple(counts.tolist()),
                chosen=(chosen.low[tensor], chosen.high[tensor]),
            )
        )
    return tuple(found)
