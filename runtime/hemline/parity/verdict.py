"""From numbers to sentences: does the candidate pass, and if not, what is at fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemline.card import ModelCard
from hemline.parity.metrics import UNKNOWN, PairedCounts, is_collapsed
from hemline.parity.reference import Reference
from hemline.parity.result import Gate
from hemline.parity.stages.stage import LABELS, PIXELS, SCORES, TENSORS, Stage


@dataclass(frozen=True, eq=False)
class Measured:
    """The numbers that the verdict is made from; named as in `ParityReport`.

    Attributes:
        tensor_shapes: (H, W, C) of the candidate, and of the reference.
    """

    images: int
    tensor_shapes: tuple[tuple[int, ...], tuple[int, ...]]
    tensors_equal: int
    max_tensor_steps: int
    agreeing: int
    agreeing_on_reference_tensors: int | None
    paired: PairedCounts
    answers: NDArray[np.int64]
    reference_answers: NDArray[np.int64]
    labels: tuple[str, ...]

    @property
    def unanswered(self) -> int:
        """Pictures with scores that are NaN or infinite."""
        return int((self.answers == UNKNOWN).sum())


def failures_of(measured: Measured, gate: Gate, stages: Sequence[Stage]) -> tuple[str, ...]:
    """Why the candidate does not pass, in the order of the stages; empty if it passes."""
    broken = {stage.name: f"{stage.name}: {stage.sentence}" for stage in stages if not stage}
    network = (
        _no_numbers(measured),
        _collapse(measured),
        _agreement(measured, gate),
        _accuracy(measured, gate),
    )
    found = (
        broken.get(PIXELS, ""),
        _preprocessing(measured, gate) or broken.get(TENSORS, ""),
        *(network if any(network) else (broken.get(SCORES, ""),)),
        broken.get(LABELS, ""),
    )
    return tuple(sentence for sentence in found if sentence)


def _preprocessing(measured: Measured, gate: Gate) -> str:
    ours, theirs = measured.tensor_shapes
    if ours != theirs:
        return (
            f"preprocessing: the candidate's tensors are {_shape(ours)}, "
            f"those of the reference {_shape(theirs)}"
        )
    if measured.max_tensor_steps <= gate.max_tensor_steps:
        return ""
    different = measured.images - measured.tensors_equal
    sentence = (
        f"preprocessing: {different} of {measured.images} tensors differ from the reference's, "
        f"by up to {measured.max_tensor_steps} steps of 255, allowed are {gate.max_tensor_steps}"
    )
    alone = measured.agreeing_on_reference_tensors
    if alone is not None and alone / measured.images >= gate.min_agreement:
        sentence += (
            f"; fed with the reference's tensors the network agrees on {alone} of "
            f"{measured.images}, so only preprocessing is at fault"
        )
    return sentence


def _no_numbers(measured: Measured) -> str:
    if not measured.unanswered:
        return ""
    return (
        f"scores: {measured.unanswered} of {measured.images} pictures got scores that are no "
        "numbers (NaN or infinite)"
    )


def _collapse(measured: Measured) -> str:
    if measured.unanswered or not is_collapsed(measured.reference_answers, measured.answers):
        return ""
    return (
        f"collapse: the candidate answers {measured.labels[int(measured.answers[0])]!r} to all "
        f"{measured.images} pictures, the reference gives "
        f"{len(np.unique(measured.reference_answers))} different answers"
    )


def _agreement(measured: Measured, gate: Gate) -> str:
    agreement = measured.agreeing / measured.images
    if agreement >= gate.min_agreement:
        return ""
    return (
        f"agreement: {measured.agreeing} of {measured.images} pictures ({100 * agreement:.2f} %) "
        f"get the reference's answer, at least {100 * gate.min_agreement:.4g} % must"
    )


def _accuracy(measured: Measured, gate: Gate) -> str:
    paired = measured.paired
    if paired.drop_points <= gate.max_drop_points:
        return ""
    return (
        f"accuracy: {paired.candidate_correct} of {paired.images} pictures are right where the "
        f"reference has {paired.reference_correct}, a drop of {paired.drop_points:.2f} points; "
        f"{gate.max_drop_points:g} are allowed ({paired.right_to_wrong} lost, "
        f"{paired.wrong_to_right} won, p = {paired.p_value:.2g})"
    )


def notes_of(measured: Measured, card: ModelCard, reference: Reference) -> tuple[str, ...]:
    """What the reader should know beside the verdict."""
    notes = []
    pack = reference.pack.content_sha256 if reference.pack is not None else ""
    stated = card.golden_sha256
    if pack and stated and pack != stated:
        notes.append(
            f"this pack was not written with this model: the model's card names pack "
            f"{stated[:12]}…, this one is {pack[:12]}…"
        )
    without = measured.images - measured.paired.images
    if without:
        which = "all" if without == measured.images else f"{without} of {measured.images}"
        notes.append(
            f"the true class of {which} pictures is not known, so accuracy leaves them out"
        )
    return tuple(notes)


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(str(n) for n in shape)
