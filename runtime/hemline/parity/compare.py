"""Is it still the same model? One candidate against one reference, from pixel to label.

Stage by stage, so that a failure names its place: first the tensors that this machine makes from
the pictures, then the scores that the candidate gives to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hemline.card import ModelCard
from hemline.errors import UserError
from hemline.parity.golden import GoldenPack
from hemline.parity.metrics import (
    UNKNOWN,
    answers_of,
    finite_rows,
    max_abs_error,
    mean_abs_error,
    mean_abs_error_by_class,
    paired_counts,
    top1_agreement,
)
from hemline.parity.reference import BLOCK, Reference, Tensors
from hemline.parity.result import Flip, Gate, ParityReport, ScoreErrors
from hemline.parity.stages.own import OwnStages
from hemline.parity.verdict import Measured, failures_of, notes_of
from hemline.progress import progress
from hemline.scores import log_probabilities, softmax

if TYPE_CHECKING:
    from hemline.modelfile import LoadedModel

DEFAULT_GATE = Gate()


def compare(
    candidate: LoadedModel, reference: GoldenPack | Reference, gate: Gate = DEFAULT_GATE
) -> ParityReport:
    """Measure a candidate against a golden pack, or against a model on a data set.

    Returns:
        The report; it is true when the candidate passes the gate.

    Raises:
        UserError: The candidate has other classes than the reference, or a picture cannot be read.
    """
    if isinstance(reference, GoldenPack):
        reference = Reference.from_pack(reference, f"golden pack of {reference.card.name}")
    refuse_other_labels(candidate, reference)
    candidate, remarks = given_the_tensors_of(reference.card, candidate)
    stages = OwnStages(candidate, reference, gate, has_own_pictures=bool(remarks))
    found = _scan(candidate, reference, stages)
    answers = answers_of(found.scores)
    own_tensors = answers_of(found.scores_on_expected)
    paired = paired_counts(reference.answers, answers, reference.targets)
    logit_errors, probability_errors, probabilities = _score_errors(candidate, reference, found)
    measured = Measured(
        images=len(reference),
        tensor_shapes=found.shapes,
        tensors_equal=found.tensors_equal,
        max_tensor_steps=found.max_steps,
        agreeing=top1_agreement(reference.answers, answers),
        agreeing_on_reference_tensors=(
            top1_agreement(reference.answers, own_tensors) if found.shapes_fit else None
        ),
        paired=paired,
        answers=answers,
        reference_answers=reference.answers,
        labels=candidate.card.labels,
    )
    judged = stages.judge(found.scores, found.scores_on_expected)
    path = Path(candidate.path)
    return ParityReport(
        candidate=candidate.file_name,
        backend=f"{candidate.backend.name} {candidate.backend.version}".rstrip(),
        model_bytes=path.stat().st_size if path.is_file() else 0,
        reference=reference.name,
        labels=candidate.card.labels,
        images=len(reference),
        tensors_equal=found.tensors_equal,
        max_tensor_steps=found.max_steps,
        agreeing=measured.agreeing,
        agreeing_on_reference_tensors=measured.agreeing_on_reference_tensors,
        paired=paired,
        unanswered=measured.unanswered,
        logit_errors=logit_errors,
        probability_errors=probability_errors,
        flips=_flips(candidate.card, reference, answers, probabilities),
        notes=(*remarks, *notes_of(measured, candidate.card, reference)),
        failures=failures_of(measured, gate, judged),
        stages=judged,
        gate=gate,
        answers=answers,
    )


def given_the_tensors_of(
    card: ModelCard, candidate: LoadedModel
) -> tuple[LoadedModel, tuple[str, ...]]:
    """A file for a client with a preprocessing of its own, as if its pictures were prepared for `card`.

    The client's preprocessing is not ours to check; the network behind it is.

    Returns:
        The candidate, and what the reader should know; any other candidate as it is.
    """
    own = candidate.card.input
    if own == card.input or own.size_wh != card.input.size_wh or candidate.card.output == "logits":
        return candidate, ()
    remark = (
        "it was given the reference's tensors, since its client prepares pictures in a way of its own: "
        f"resized by the rule {own.resize!r} and not {card.input.resize!r}"
    )
    own_card = candidate.card.replace(input=card.input)
    return candidate._replace(card=own_card), (remark,)


def refuse_other_labels(candidate: LoadedModel, reference: Reference) -> None:
    """Make sure that both know the same classes; their order is judged with the labels.

    Raises:
        UserError: The classes differ.
    """
    theirs, ours = reference.card.labels, candidate.card.labels
    if sorted(ours) == sorted(theirs):
        return
    if len(ours) != len(theirs):
        problem = f"has {len(ours)} classes, the reference has {len(theirs)}"
    else:
        k = next(k for k in range(len(ours)) if ours[k] not in theirs)
        problem = f"has other classes: number {k} is {ours[k]!r}, which the reference does not know"
    raise UserError(
        f"{candidate.file_name} {problem} ({reference.name})",
        "they are not the same network; give the reference that belongs to the candidate",
    )


@dataclass(frozen=True)
class _Scan:
    """What came out of all pictures; `scores_on_expected` are those on the reference's tensors."""

    scores: NDArray[np.float32]
    scores_on_expected: NDArray[np.float32]
    tensors_equal: int
    max_steps: int
    shapes: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def shapes_fit(self) -> bool:
        return self.shapes[0] == self.shapes[1]


def _scan(candidate: LoadedModel, reference: Reference, stages: OwnStages) -> _Scan:
    scores = np.empty((len(reference), len(candidate.card.labels)), np.float32)
    on_expected = np.empty_like(scores)
    shapes = (candidate.card.input.tensor_shape[1:], reference.card.input.tensor_shape[1:])
    logits = candidate.backend.logits
    equal = 0
    max_steps = 0 if shapes[0] == shapes[1] else 255
    blocks = reference.blocks(candidate.card.input)
    count = -(-len(reference) // BLOCK)
    for start, made, expected in progress(
        blocks, f"comparing {candidate.file_name}", count, "block"
    ):
        stop = start + len(made)
        for k in range(len(made)):
            scores[start + k] = logits(made[k : k + 1])
        on_expected[start:stop] = scores[start:stop]
        if shapes[0] != shapes[1]:
            continue
        steps = tensor_steps(expected, made)
        stages.see(start, made, expected, steps)
        equal += len(steps) - int(np.count_nonzero(steps))
        max_steps = max(max_steps, int(steps.max()))
        for k in np.flatnonzero(steps).tolist():
            on_expected[start + k] = logits(np.ascontiguousarray(expected[k : k + 1]))
    return _Scan(scores, on_expected, equal, max_steps, shapes)


def tensor_steps(reference: Tensors, candidate: Tensors) -> NDArray[np.uint8]:
    """For each tensor the greatest difference of a pixel, in steps.

    Args:
        reference: uint8, (N, H, W, C), 0–255.
        candidate: uint8, (N, H, W, C), 0–255.

    Returns:
        uint8, (N,), 0–255.
    """
    if candidate is reference:
        return np.zeros(len(reference), np.uint8)
    larger, smaller = np.maximum(reference, candidate), np.minimum(reference, candidate)
    difference: Tensors = larger - smaller
    return np.asarray(difference.reshape(len(difference), -1).max(axis=1), np.uint8)


def _score_errors(
    candidate: LoadedModel, reference: Reference, found: _Scan
) -> tuple[ScoreErrors, ScoreErrors, NDArray[np.float64]]:
    """Errors of logits and of probabilities where scores are numbers; and the probabilities."""
    fine = finite_rows(found.scores)
    probabilities = np.full(found.scores.shape, np.nan)
    if fine.any():
        probabilities[fine] = softmax(found.scores[fine], candidate.card.temperature)
    expected = softmax(reference.scores, reference.card.temperature)
    logits: NDArray[np.floating] = reference.scores
    if candidate.card.output == "probabilities":
        logits = log_probabilities(expected)
    return (
        _errors(logits[fine], found.scores[fine]),
        _errors(expected[fine], probabilities[fine]),
        probabilities,
    )


def _errors(reference: NDArray[np.floating], candidate: NDArray[np.floating]) -> ScoreErrors:
    if not len(reference):
        nothing = float("nan")
        return ScoreErrors(nothing, nothing, (nothing,) * reference.shape[1])
    return ScoreErrors(
        max_abs_error(reference, candidate),
        mean_abs_error(reference, candidate),
        tuple(mean_abs_error_by_class(reference, candidate)),
    )


def _flips(
    card: ModelCard,
    reference: Reference,
    answers: NDArray[np.int64],
    probabilities: NDArray[np.float64],
) -> tuple[Flip, ...]:
    theirs = reference.card.labels
    rows = np.flatnonzero(answers != reference.answers)
    expected = softmax(reference.scores[rows], reference.card.temperature)
    flips = []
    for k, row in enumerate(rows.tolist()):
        answer, truth = int(answers[row]), int(reference.targets[row])
        flips.append(
            Flip(
                row=row,
                name=reference.source(row),
                truth="" if truth == UNKNOWN else theirs[truth],
                reference=theirs[int(reference.answers[row])],
                reference_confidence=float(expected[k].max()),
                candidate="" if answer == UNKNOWN else card.labels[answer],
                candidate_confidence=float(probabilities[row].max()),
            )
        )
    order = ("right to wrong", "changed", "both wrong", "wrong to right")
    return tuple(sorted(flips, key=lambda f: (order.index(f.kind), -f.reference_confidence)))
