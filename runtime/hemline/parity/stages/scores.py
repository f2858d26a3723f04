"""From the tensor to scores: is it this network, and does the runtime compute it right?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hemline.card import ModelCard
from hemline.parity.metrics import UNKNOWN, Answers, answers_of, paired_counts, top1_agreement
from hemline.parity.reference import Reference, spread
from hemline.parity.result import Gate
from hemline.parity.stages import score_mistakes
from hemline.parity.stages.stage import SCORES, Stage, Tolerances
from hemline.parity.stages.witness import (
    PICTURES,
    Deviation,
    Witness,
    deviation,
    output_step,
    witness_for,
)

if TYPE_CHECKING:
    from hemline.modelfile import LoadedModel

_Scores = NDArray[np.float32]


def judge_network(
    candidate: LoadedModel,
    reference: Reference,
    scores: _Scores,
    gate: Gate,
    tolerances: Tolerances,
) -> Stage:
    """Judge a file in the runtime that it was run in.

    Args:
        candidate: The file.
        reference: What it is measured against.
        scores: Its scores on the reference's tensors.
        gate: What is asked of the network.
        tolerances: What two runtimes of one file may differ by.
    """
    answers = answers_of(scores)
    agreeing = top1_agreement(reference.answers, answers)
    numbers: dict[str, object] = {"pictures": len(scores), "agreeing": agreeing}
    problem = _network_problem(reference, answers, agreeing, gate)
    witness = witness_for(candidate)
    finding = f"{agreeing} of {len(scores)} pictures get the reference's answer from its tensors"
    allowed = f"agreement at least {100 * gate.min_agreement:.4g} %"
    cause, difference = "", None
    if isinstance(witness, Witness):
        rows = spread(len(scores), PICTURES)
        tensors = np.concatenate([reference.tensor(int(row)) for row in rows])
        expected = np.array([witness.logits(tensor[None]) for tensor in tensors], np.float64)
        step = output_step(Path(candidate.path))
        difference = deviation(expected, scores[rows], step, tolerances)
        numbers["witness"] = {
            "name": witness.name,
            "pictures": len(rows),
            "difference": float(min(difference.worst.max(), 1e9)),
            "unit": difference.unit,
        }
        allowed += f", at most {_limit(difference)} from {witness.name}"
        if (difference.worst > difference.limit).any():
            cause = score_mistakes.explanation(
                tensors,
                expected,
                scores[rows].astype(np.float64),
                witness.logits,
                step,
                tolerances,
            )
            cause = cause or "the runtime computes something else than what is in the file"
            problem = f"{problem}; " if problem else ""
            problem += (
                f"the scores are up to {difference.text} away from what {witness.name} computes "
                f"with the same file on {len(rows)} pictures"
            )
        else:
            finding += (
                f"; {witness.name} computes the same on {len(rows)} ({difference.text} apart)"
            )
    else:
        numbers["witness"] = None
    if not problem:
        return Stage(SCORES, "pass", finding, allowed, numbers=numbers)
    return Stage(
        SCORES, "fail", problem, allowed, cause or _of_the_file(candidate, reference), numbers
    )


def judge_scores(
    tensors: NDArray[np.uint8],
    made: NDArray[np.floating],
    candidate: LoadedModel,
    reference_answers: Answers,
    tolerances: Tolerances,
) -> Stage:
    """Judge the scores of a runtime that is not ours by what the file gives here for the same tensors.

    Args:
        tensors: uint8, (N, H, W, C): what that runtime was fed.
        made: float, (N, classes): its scores.
        candidate: The file, opened here.
        reference_answers: int64, (N,): the float model's.
        tolerances: What two runtimes of one file may differ by.
    """
    expected = np.array([candidate.backend.logits(tensor[None]) for tensor in tensors], np.float64)
    step = output_step(Path(candidate.path))
    found = deviation(expected, made, step, tolerances)
    bad = int((found.worst > found.limit).sum())
    agreeing = top1_agreement(reference_answers, answers_of(made))
    here = f"{candidate.backend.name} {candidate.backend.version}"
    numbers = {
        "pictures": len(made),
        "agreeing": agreeing,
        "broken": bad,
        "difference": float(min(found.worst.max(), 1e9)),
        "unit": found.unit,
    }
    allowed = f"at most {_limit(found)} from {here}"
    if not bad:
        finding = f"{len(made)} pictures get the scores that {here} gives, {found.text} apart"
        return Stage(SCORES, "pass", finding, allowed, numbers=numbers)
    if not np.isfinite(made).all():
        finding, cause = "scores are no numbers (NaN or infinite)", ""
    else:
        finding = (
            f"{bad} of {len(made)} pictures get other scores than {here} gives for the same "
            f"tensors, by up to {found.text}"
        )
        # Some in a row, since a runtime may be one picture late.
        start = max(0, min(int(found.worst.argmax()) - PICTURES // 2, len(made) - PICTURES))
        rows = slice(start, start + PICTURES)
        cause = score_mistakes.explanation(
            tensors[rows],
            expected[rows],
            made[rows].astype(np.float64),
            candidate.backend.logits,
            step,
            tolerances,
        )
    cause = cause or "none of the usual mistakes explains it: perhaps it runs another file"
    return Stage(SCORES, "fail", finding, allowed, cause, numbers)


def _limit(found: Deviation) -> str:
    if found.unit == "steps":
        return f"{found.limit:g} steps"
    return f"{100 * found.limit:g} % {found.unit}"


def _network_problem(reference: Reference, answers: Answers, agreeing: int, gate: Gate) -> str:
    """Why the network itself does not pass the gate, when it is fed with the reference's tensors."""
    total = len(answers)
    if unanswered := int((answers == UNKNOWN).sum()):
        return f"{unanswered} of {total} pictures got scores that are NaN or infinite"
    if agreeing / total < gate.min_agreement:
        return (
            f"{agreeing} of {total} pictures ({100 * agreeing / total:.2f} %) get the reference's "
            f"answer from its tensors, at least {100 * gate.min_agreement:.4g} % must"
        )
    paired = paired_counts(reference.answers, answers, reference.targets)
    if paired.drop_points > gate.max_drop_points:
        return (
            f"accuracy drops by {paired.drop_points:.2f} points on the reference's tensors, "
            f"{gate.max_drop_points:g} are allowed"
        )
    return ""


def _of_the_file(candidate: LoadedModel, reference: Reference) -> str:
    """What in the file itself explains other answers, as far as cards tell."""
    stale = staleness(candidate.card, reference)
    if stale:
        return f"the file is stale: {stale}"
    return wrong_input(candidate)


def staleness(card: ModelCard, reference: Reference) -> str:
    """What tells that a file and the reference were not made of the same network; empty if nothing does."""
    ours, theirs = card.source_sha256, reference.card.source_sha256
    if ours and theirs and ours != theirs:
        return f"it was made of the float model {ours[:12]}…, the reference is {theirs[:12]}…"
    pack = reference.pack
    if pack is not None and card.golden_sha256 and card.golden_sha256 != pack.content_sha256:
        return (
            f"it was written with the pack {card.golden_sha256[:12]}…, "
            f"this one is {pack.content_sha256[:12]}…"
        )
    return ""


def wrong_input(candidate: LoadedModel) -> str:
    """Whether the file itself understands pixels otherwise than its card says; empty if not."""
    stated, spec = candidate.card.normalization, candidate.backend.input
    if not spec.scale or spec.dtype.itemsize != 1:
        return ""
    zero_point = spec.zero_point + (128 if spec.dtype == np.int8 else 0)
    off = zero_point - stated.zero_point
    if off:
        return (
            f"the zero point of the file's input is off by {off:+d}: it is {zero_point}, "
            f"the card says {stated.zero_point}"
        )
    if abs(spec.scale / stated.scale - 1) > 1e-3:
        return (
            f"the scale of the file's input is {spec.scale:.6g}, the card says {stated.scale:.6g} "
            "(another normalization)"
        )
    return ""
