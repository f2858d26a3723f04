"""Does the float network see what it was trained on? If not, no quantization mends it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hemline.card import Normalization
from hemline.parity.metrics import UNKNOWN, answers_of, wilson_interval
from hemline_convert.doctor.patient import ExamSet, Patient
from hemline_convert.float_run import float_logits

_PICTURES = 300
_LEAST_GAIN = (
    0.15  # of accuracy: trained networks lose by every other preprocessing, and so much at once
)


@dataclass(frozen=True)
class OtherPreprocessing:
    """A preprocessing with which the float network is right far more often than with its own.

    Attributes:
        how: What it does to the pixels.
        accuracy: Share of right answers with it, 0–1.
        stated_accuracy: The same with the preprocessing that the card states.
    """

    how: str
    accuracy: float
    stated_accuracy: float


def better_preprocessing(patient: Patient) -> OtherPreprocessing | None:
    """Try the usual mistakes on pictures whose class is known.

    Returns:
        The best of them, if it is better than the stated one by far more than chance; else None.
    """
    known = np.flatnonzero(patient.pictures.targets != UNKNOWN)
    pictures = ExamSet(
        patient.pictures.tensors[known], patient.pictures.targets[known], patient.pictures.data
    ).few(_PICTURES)
    if not len(pictures):
        return None
    stated = patient.normalization
    right = _right(patient, pictures, stated)
    tried = {
        f"input = {text}": _right(patient, pictures, normalization)
        for text, normalization in _NORMALIZATIONS.items()
        if normalization != stated
    }
    inverted = ExamSet(255 - pictures.tensors, pictures.targets, pictures.data)
    tried["pixels inverted (255 − pixel)"] = _right(patient, inverted, stated)
    if pictures.tensors.shape[3] == 3:
        swapped = np.ascontiguousarray(pictures.tensors[..., ::-1])
        tried["red and blue exchanged"] = _right(
            patient, ExamSet(swapped, pictures.targets, pictures.data), stated
        )
    how, most = max(tried.items(), key=lambda item: item[1])
    count = len(pictures)
    surely = wilson_interval(most, count)[0] > wilson_interval(right, count)[1]
    if not surely or most - right < _LEAST_GAIN * count:
        return None
    return OtherPreprocessing(how, most / count, right / count)


_NORMALIZATIONS = {
    "pixel (0 to 255)": Normalization(1.0, 0),
    "pixel / 255": Normalization(1 / 255, 0),
    "(pixel − 128) / 127.5": Normalization(1 / 127.5, 128),
    "pixel − 128": Normalization(1.0, 128),
}


def _right(patient: Patient, pictures: ExamSet, normalization: Normalization) -> int:
    logits = float_logits(patient.quantizer.network, pictures.tensors, normalization)
    return int((answers_of(logits) == pictures.targets).sum())
