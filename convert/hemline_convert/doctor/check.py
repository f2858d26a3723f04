"""What the doctor keeps, measured once on pictures that it was not chosen on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hemline.datasets import Dataset
from hemline.parity.golden import GoldenPack
from hemline.parity.result import Gate
from hemline_convert.doctor.consultation import Consultation, consult
from hemline_convert.doctor.patient import Outcome, choose_exam_pictures, file_logits, outcome_of
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.static_quantizer import StaticQuantizer


@dataclass(frozen=True)
class Checked:
    """What the doctor chose, and how the golden pack bears it out; true if it passes there too.

    Attributes:
        consultation: What was found, tried and chosen.
        golden: What is kept, on the golden pack; None where nothing is.
    """

    consultation: Consultation
    golden: Outcome | None

    def __bool__(self) -> bool:
        return self.golden is not None and self.golden.passes(self.consultation.gate)

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        golden = self.golden.to_json() if self.golden is not None else None
        return {"passed": bool(self), **self.consultation.to_json(), "golden_pack": golden}


def check(
    quantizer: StaticQuantizer,
    recipe: QuantizationRecipe,
    dataset: Dataset,
    golden: GoldenPack,
    gate: Gate,
    model: str,
) -> Checked:
    """Consult the doctor, and measure what is kept on the golden pack.

    Args:
        quantizer: Of the float model.
        recipe: What was asked for.
        dataset: The data that calibrates; it gives the doctor's pictures too.
        golden: What parity reports on.
        gate: What is asked of the network.
        model: Path of the float model, for the command that trains it on.
    """
    seen = golden.tensors
    if quantizer.calibration is not None:
        seen = np.concatenate((seen, quantizer.calibration.tensors))
    pictures = choose_exam_pictures(dataset, quantizer.source.card, seen)
    consultation = consult(quantizer, recipe, pictures, gate, model)
    if consultation.kept is None:
        return Checked(consultation, None)
    logits = file_logits(quantizer.deployable(consultation.kept.recipe), golden.tensors)
    return Checked(consultation, outcome_of(golden.scores, logits, golden.targets))
