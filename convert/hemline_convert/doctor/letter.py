"""The doctor's letter: the verdict first, then why, what was tried, and what to do next."""

from __future__ import annotations

from hemline.parity.table import padded, percent, size_text
from hemline_convert.doctor.check import Checked
from hemline_convert.doctor.consultation import Consultation, Trial
from hemline_convert.doctor.diagnosis import Cause
from hemline_convert.doctor.patient import Outcome

_HEADER = ("tried", "kind", "size", "same answer", "drop", "95 % interval", "noise", "", "")


def letter(checked: Checked) -> str:
    """What the doctor found, as text."""
    consultation = checked.consultation
    parts = [_verdict(checked)]
    diagnosis = consultation.diagnosis
    if diagnosis is not None:
        parts.append(f"cause: {diagnosis.cause}. {_sentence(diagnosis.sentence)}")
    if consultation.calibration is not None and not consultation.calibration:
        sentences = consultation.calibration.sentences
        parts.append("\n".join(f"the calibration set is poor: {s}" for s in sentences))
    rows = [_row(trial, trial is consultation.kept) for trial in consultation.trials]
    images = consultation.trials[0].outcome.images
    parts.append("\n".join(padded([_HEADER, *rows])))
    parts.append(
        f"chosen on {images} pictures of {consultation.data} that neither calibrated nor are in the golden "
        "pack\n"
        "drop: points of accuracy lost to the float network. noise: dB below the signal of its logits; more "
        "is better, and what has more noise than what was asked for passes by chance only"
    )
    if consultation.impossible:
        parts.append("\n".join(f"impossible: {m}: {why}" for m, why in consultation.impossible))
    if checked.golden is not None:
        parts.append(f"on the golden pack, measured once: {_words(checked.golden)}")
    steps = _next(checked)
    if steps:
        parts.append("\n".join(f"next: {step}" for step in steps))
    return "\n\n".join(parts)


def _verdict(checked: Checked) -> str:
    """The verdict in one line."""
    consultation = checked.consultation
    kept, gate = consultation.kept, _gate(consultation)
    if kept is None and any(trial.passed for trial in consultation.trials):
        # As a network that answers everything alike: its int8 file agrees with it, and is of no use.
        assert consultation.diagnosis is not None
        return f"REFUSED: the float network itself is at fault: {consultation.diagnosis.cause}"
    if kept is None:
        return f"REFUSED: nothing that was tried passes the gate ({gate})"
    what = kept.mend or "int8 as asked for"
    if not checked:
        return (
            f"REFUSED: {what} passes on the doctor's pictures, but not on the golden pack ({gate})"
        )
    if not kept.mend:
        return f"SOUND: int8 passes the gate as it is ({gate})"
    done = {
        "int8": "all of it is int8",
        "w8a16": "its activations are int16, and it is not called int8",
        "mixed": "a part of it is float, and it is not called int8",
    }[kept.recipe.kind]
    return f"MENDED by {what}: {done} ({gate})"


def _words(outcome: Outcome) -> str:
    paired = outcome.paired
    same = (
        f"same answer on {outcome.agreeing} of {outcome.images} pictures "
        f"({percent(outcome.agreeing, outcome.images)})"
    )
    if not paired.images:
        return same
    low, high = paired.drop_interval_points
    return (
        f"{same}, drop {paired.drop_points:.2f} points (95 % interval {low:.2f} to {high:.2f}, "
        f"{paired.right_to_wrong} lost, {paired.wrong_to_right} won)"
    )


def _gate(consultation: Consultation) -> str:
    gate = consultation.gate
    return (
        f"agreement at least {100 * gate.min_agreement:.4g} %, accuracy drop at most "
        f"{gate.max_drop_points:g} points"
    )


def _row(trial: Trial, is_kept: bool) -> tuple[str, ...]:
    outcome, paired = trial.outcome, trial.outcome.paired
    low, high = paired.drop_interval_points
    return (
        trial.mend or "as asked",
        trial.recipe.kind,
        size_text(trial.size_bytes),
        percent(outcome.agreeing, outcome.images),
        f"{paired.drop_points:.2f}" if paired.images else "–",
        f"{low:.2f} to {high:.2f}" if paired.images else "–",
        f"{outcome.signal_to_noise_db:.1f} dB",
        "pass" if trial.passed else "FAIL",
        "kept" if is_kept else "",
    )


def _next(checked: Checked) -> list[str]:
    consultation = checked.consultation
    diagnosis = consultation.diagnosis
    if checked and diagnosis is None:
        return []
    if diagnosis is not None and diagnosis.cause == Cause.PREPROCESSING:
        return [
            "state the preprocessing that it was trained with (--input-scale, …), or train it again"
        ]
    if diagnosis is not None and diagnosis.cause == Cause.FLOAT_NETWORK:
        return [
            "train it again (hemline train), or state the preprocessing that it was trained with"
        ]
    steps = []
    if diagnosis is not None and diagnosis.cause == Cause.CALIBRATION_DATA:
        steps.append("calibrate with pictures such as the device will see: --data")
    if not checked or consultation.kept is None or consultation.kept.recipe.kind != "int8":
        steps.append(f"train it on for int8: hemline train --qat {consultation.model}")
    return steps


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
