"""Examine, diagnose, try mends from the cheapest on, and keep the smallest file that passes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from hemline.errors import UserError
from hemline.parity.result import Gate
from hemline_convert.calibration_check import CalibrationCheck
from hemline_convert.doctor.diagnosis import Cause, Diagnosis, diagnose
from hemline_convert.doctor.patient import ExamSet, Outcome, Patient
from hemline_convert.doctor.preprocessing import better_preprocessing
from hemline_convert.float_network import FloatNetwork
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.static_quantizer import StaticQuantizer

_METHODS = ("percentile", "entropy", "mse", "min-max")
_MOST_FLOAT_LAYERS = 3
_GAIN_DB = 0.5  # of less noise, from which on a mend is kept and the next is tried on top of it


@dataclass(frozen=True)
class Trial:
    """One way to quantize the network, and what came of it.

    Attributes:
        mend: What was done beyond what was asked for, in words; else empty.
        recipe: How the network was quantized.
        size_bytes: Of the file without its card.
        outcome: On the doctor's pictures.
        passed: Whether the gate lets it through there, with no more noise than what was asked for: with more
            it passes by chance, and is not kept.
    """

    mend: str
    recipe: QuantizationRecipe
    size_bytes: int
    outcome: Outcome
    passed: bool

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`; rates are shares from 0 to 1."""
        return {
            "mend": self.mend,
            "kind": self.recipe.kind,
            "recipe": self.recipe.to_json(),
            "size_bytes": self.size_bytes,
            **self.outcome.to_json(),
            "passed": self.passed,
        }


@dataclass(frozen=True)
class Consultation:
    """What the doctor found, tried and chose; true when something passes.

    Attributes:
        gate: What was asked.
        data: Where the pictures are from that it was chosen on.
        trials: What was tried, in order; first what was asked for.
        impossible: Mends that this network or the runtime does not allow, and why.
        diagnosis: Why that fails; None where it passes.
        kept: What is to be written; None where nothing passes.
        model: The model in question, as `hemline train --qat` takes it.
        calibration: What the pictures that calibrated are like; None where none did.
    """

    gate: Gate
    data: str
    trials: tuple[Trial, ...]
    impossible: tuple[tuple[str, str], ...]
    diagnosis: Diagnosis | None
    kept: Trial | None
    model: str
    calibration: CalibrationCheck | None

    def __bool__(self) -> bool:
        return self.kept is not None

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return {
            "gate": asdict(self.gate),
            "data": self.data,
            "diagnosis": self.diagnosis.to_json() if self.diagnosis else None,
            "trials": [trial.to_json() for trial in self.trials],
            "impossible": [{"mend": mend, "problem": why} for mend, why in self.impossible],
            "kept": self.kept.to_json() if self.kept else None,
        }


def consult(
    quantizer: StaticQuantizer,
    recipe: QuantizationRecipe,
    pictures: ExamSet,
    gate: Gate,
    model: str,
) -> Consultation:
    """Examine the network as the recipe quantizes it, and mend it where it fails.

    Args:
        quantizer: Of the float model.
        recipe: What was asked for.
        pictures: To choose on; they neither calibrate nor are what parity reports on.
        gate: What is asked of the network.
        model: Path of the float model, for the command that trains it on.
    """
    patient = Patient(quantizer, pictures)
    recipe = recipe.for_card(quantizer.source.card)
    bench = _Bench(patient, recipe, gate)
    first = bench.trials[0]
    calibration = quantizer.calibration_check
    if first.passed and better_preprocessing(patient) is None and not patient.only_answer:
        return Consultation(gate, pictures.data, (first,), (), None, first, model, calibration)
    diagnosis = diagnose(patient, recipe)
    # No way to quantize mends these.
    if diagnosis.cause not in (Cause.PREPROCESSING, Cause.FLOAT_NETWORK):
        bench.mend(diagnosis.suspects)
    passing = [trial for trial in bench.trials[1:] if trial.passed]
    kept = min(passing, key=lambda trial: trial.size_bytes) if passing else None
    results = bench.results
    return Consultation(gate, pictures.data, *results, diagnosis, kept, model, calibration)


class _Bench:
    """Tries mends from the cheapest on, each on top of those before it that helped.

    Attributes:
        trials: What was tried; first what was asked for.
    """

    def __init__(self, patient: Patient, recipe: QuantizationRecipe, gate: Gate) -> None:
        self._patient = patient
        self._gate = gate
        self._asked = recipe
        self.trials: list[Trial] = []
        self._impossible: list[tuple[str, str]] = []
        self._best = self._tried(recipe)

    @property
    def results(self) -> tuple[tuple[Trial, ...], tuple[tuple[str, str], ...]]:
        """What was tried, and what is impossible."""
        return tuple(self.trials), tuple(self._impossible)

    def mend(self, suspects: tuple[str, ...]) -> None:
        """Try what stays int8 until it passes, else what does not.

        Args:
            suspects: Layers to leave in float, the noisiest first.
        """
        for change in _int8_mends(self._patient.quantizer.calibration is not None, self._asked):
            recipe = replace(self._best.recipe, **change)
            trial = self._try(recipe)
            if trial is None:
                continue
            if trial.passed:
                return
            if _gain_db(self._best, trial) >= _GAIN_DB:
                self._best = trial
        self._try(replace(self._best.recipe, activation_bits=16))
        names = [layer.name for layer in FloatNetwork(self._patient.quantizer.network).layers]
        single = [name for name in suspects if names.count(name) == 1]
        for count in range(1, min(_MOST_FLOAT_LAYERS, len(single) - 1) + 1):
            trial = self._try(replace(self._best.recipe, float_layers=tuple(single[:count])))
            if trial is not None and trial.passed:
                return

    def _try(self, recipe: QuantizationRecipe) -> Trial | None:
        """Try what was not tried yet; None where it was, or cannot be."""
        if any(trial.recipe == recipe for trial in self.trials):
            return None
        try:
            return self._tried(recipe)
        except UserError as error:  # LiteRT has no int16 kernel for some layers, for one
            self._impossible.append((_difference(self._asked, recipe), error.problem))
            return None

    def _tried(self, recipe: QuantizationRecipe) -> Trial:
        content = self._patient.quantizer.deployable(recipe)
        outcome = self._patient.outcome(content)
        mend = _difference(self._asked, recipe)
        trial = Trial(mend, recipe, len(content), outcome, outcome.passes(self._gate))
        if self.trials and _gain_db(self.trials[0], trial) < 0:
            trial = replace(trial, passed=False)
        self.trials.append(trial)
        return trial


def _int8_mends(has_pictures: bool, asked: QuantizationRecipe) -> list[dict[str, Any]]:
    """What may be changed of a recipe, from the cheapest on."""
    if not has_pictures:
        return []  # the ranges come with the model, and there is nothing to measure other ones on
    mends: list[dict[str, Any]] = [
        {"calibration": method} for method in _METHODS if method != asked.calibration
    ]
    if asked.granularity == "tensor":
        mends.append({"granularity": "channel"})
    mends.append({"bias_corrected": True})
    if asked.calibration != "trained":
        mends.append({"equalized": True})
    # A method that suited channels of very different size need not suit them when they are alike.
    mends.append({"equalized": True, "calibration": "min-max"})
    return mends


def _difference(asked: QuantizationRecipe, recipe: QuantizationRecipe) -> str:
    """What a recipe has that was not asked for, in words."""
    words = []
    if recipe.calibration != asked.calibration:
        words.append(f"{recipe.calibration} ranges")
    if recipe.granularity != asked.granularity:
        words.append("weights per channel")
    if recipe.bias_corrected and not asked.bias_corrected:
        words.append("bias correction")
    if recipe.equalized and not asked.equalized:
        words.append("equalization")
    if recipe.activation_bits != asked.activation_bits:
        words.append("int16 activations")
    if recipe.float_layers:
        words.append(f"{', '.join(recipe.float_layers)} in float")
    return " + ".join(words)


def _gain_db(before: Trial, after: Trial) -> float:
    return after.outcome.signal_to_noise_db - before.outcome.signal_to_noise_db
