"""The result of a parity check as one page: no network, no scripts, readable on a phone."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from hemline import atomic
from hemline._opencv import cv2
from hemline.parity.markup import bullets, document, facts_table, table
from hemline.parity.reference import Reference
from hemline.parity.result import Flip, ParityReport, ScoreErrors
from hemline.parity.run import Measurement, PairAgreement, ParityRun, all_candidates
from hemline.parity.sections import layers_html, stages_html
from hemline.parity.stages.others import ObservedRun
from hemline.parity.table import (
    drop_text,
    interval,
    p_text,
    percent,
    reference_accuracy,
    size_text,
)

PAGE_NAME = "parity.html"
MAX_FLIPS = 60  # pictures shown for each candidate
_THUMBNAIL = 256  # pixels; larger pictures are shrunk, so that the page stays small
_PIXEL_ART = 64  # up to this size a picture is enlarged with sharp pixels
_KINDS = {  # the kind of a flip: its words on the page, and its colour
    "right to wrong": ("lost", "lost"),
    "wrong to right": ("won", "won"),
    "both wrong": ("both wrong", "other"),
    "changed": ("changed", "other"),
}


def write_report(run: ParityRun | ObservedRun, folder: Path) -> Path:
    """Write the page into `folder`, which is made if it is missing.

    Returns:
        The page's path.

    Raises:
        UserError: It cannot be written; an existing page is unchanged.
    """
    path = folder / PAGE_NAME
    atomic.write_text(path, page(run) if isinstance(run, ParityRun) else observed_page(run))
    return path


def page(run: ParityRun, title: str = "hemline parity", sections: Sequence[str] = ()) -> str:
    """The whole page as HTML.

    Args:
        run: What was found.
        title: Of the page, behind the verdict.
        sections: More HTML, which goes between the overview and the single candidates.
    """
    state = "pass" if run else "fail"
    body = [f'<h1 class="{state}">{escape(_headline(run))}</h1>']
    body.append(f'<p class="soft">The gate: {escape(str(run.gate))}.</p>')
    body += [_measurement(found, sections) for found in run.measurements if found.reports]
    if run.left_out:
        left_out = [f"<b>{escape(e.candidate)}</b>: {escape(e.problem)}" for e in run.left_out]
        body.append(f"<h2>Left out</h2>{bullets(left_out)}")
    if run.errors:
        errors = [f"<b>{escape(e.candidate)}</b>: {escape(e.problem)}" for e in run.errors]
        body.append(f"<h2>Could not be measured</h2>{bullets(errors)}")
    return document(state, title, body)


def observed_page(run: ObservedRun) -> str:
    """What was found of a runtime that is not ours, as HTML."""
    state = "pass" if run else "fail"
    rows = [("Model file", escape(run.candidate)), ("Pictures of", escape(run.reference))]
    if run.agreeing is not None:
        rows.append(("Answers as the float model", _rate(run.agreeing, run.images)))
    body = (
        f'<h1 class="{state}">{escape(run.verdict)}</h1>',
        stages_html(run.stages),
        facts_table(rows),
    )
    return document(state, f"hemline parity of {run.observed}", body)


def _headline(run: ParityRun) -> str:
    """The verdict without the details, which follow below."""
    total = len(run.reports) + len(run.errors)
    if run:
        return f"PASS: {all_candidates(total)} still the same model"
    failed = [report.candidate for report in run.reports if not report]
    failed += [error.candidate for error in run.errors]
    return f"FAIL: {len(failed)} of {total} – {', '.join(failed)}"


def _measurement(found: Measurement, sections: Sequence[str]) -> str:
    reference = f"{found.reference.name}: {reference_accuracy(found.reference)}"
    parts = [f'<p class="soft">Reference: {escape(reference)}</p>', _overview(found.reports)]
    if found.pairs:
        parts += ["<h2>Agreement among the candidates</h2>", _matrix(found.reports, found.pairs)]
    parts += sections
    parts += [_candidate(report, found.reference) for report in found.reports]
    return "\n".join(parts)


def _overview(reports: Sequence[ParityReport]) -> str:
    rows = []
    for report in reports:
        paired = report.paired
        accuracy = percent(paired.candidate_correct, paired.images)
        rows.append(
            (
                _state(report),
                f"<b>{escape(report.candidate)}</b> <small>{escape(report.backend)}</small>",
                f"{percent(report.agreeing, report.images)} "
                f"<small>{report.agreeing} of {report.images}</small>",
                f"{accuracy} <small>{interval(paired.candidate_correct, paired.images)}</small>",
                drop_text(paired) if paired.images else "–",
                f"{paired.right_to_wrong} <small>won {paired.wrong_to_right}</small>",
                size_text(report.model_bytes),
            )
        )
    head = ("", "Model", "Same answer", "Accuracy, 95 %", "Drop, 95 %", "Lost", "Size")
    return table("overview", rows, head)


def _matrix(reports: Sequence[ParityReport], pairs: Iterable[PairAgreement]) -> str:
    shared = {frozenset((pair.first, pair.second)): pair for pair in pairs}
    rows = []
    for a in reports:
        cells = [f"<b>{escape(a.candidate)}</b>"]
        for b in reports:
            pair = shared.get(frozenset((a.candidate, b.candidate)))
            text = "–" if a is b or pair is None else f"{pair.agreeing} of {pair.images}"
            cells.append(text)
        rows.append(cells)
    return table("overview", rows, ["", *(escape(report.candidate) for report in reports)])


def _candidate(report: ParityReport, reference: Reference) -> str:
    parts = [f"<h2>{escape(report.candidate)} {_state(report)}</h2>"]
    if report.failures:
        parts.append(
            bullets(f'<span class="fail">{escape(text)}</span>' for text in report.failures)
        )
    if report.notes:
        parts.append(bullets(f"Note: {escape(text)}" for text in report.notes))
    parts += [stages_html(report.stages), _facts(report)]
    if report.layers is not None:
        parts.append(layers_html(report.layers))
    if report.flips:
        parts.append(_flips(report.flips, reference))
    return "\n".join(parts)


def _facts(report: ParityReport) -> str:
    paired = report.paired
    rows = [
        ("Runs on", escape(report.backend)),
        ("Size", f"{size_text(report.model_bytes)} <small>{report.model_bytes} bytes</small>"),
        ("Same answer", _rate(report.agreeing, report.images)),
    ]
    if paired.images:
        rows += [
            ("Right answer", _rate(paired.candidate_correct, paired.images)),
            ("Reference right", _rate(paired.reference_correct, paired.images)),
            (
                "Flips",
                f"{paired.right_to_wrong} lost, {paired.wrong_to_right} won, "
                f"{paired.both_wrong_differently} wrong in another way",
            ),
            (
                "p-value",
                f"{escape(p_text(paired.p_value))} <small>how likely so uneven flips are by chance "
                "(McNemar, exact)</small>",
            ),
        ]
    rows += [
        ("Error of logits", _errors(report.logit_errors)),
        ("Error of probabilities", _errors(report.probability_errors)),
    ]
    return facts_table(rows)


def _flips(flips: Sequence[Flip], reference: Reference) -> str:
    shown = flips[:MAX_FLIPS]
    count = f"{len(flips)}" if len(shown) == len(flips) else f"{len(shown)} of {len(flips)}"
    figures = "\n".join(_figure(flip, reference) for flip in shown)
    return (
        f"<h3>Other answers than the reference: {count}</h3>"
        '<p class="soft">lost: only the reference is right; won: only this model is right</p>'
        f'<div class="flips">{figures}</div>'
    )


def _figure(flip: Flip, reference: Reference) -> str:
    words, color = _KINDS[flip.kind]
    lines = [("truth", flip.truth)] if flip.truth else []
    lines += [
        ("reference", f"{flip.reference} {_confidence(flip.reference_confidence)}"),
        (
            "this model",
            f"{flip.candidate} {_confidence(flip.candidate_confidence)}"
            if flip.candidate
            else "no number",
        ),
    ]
    facts = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in lines)
    return (
        f"<figure>{_image(flip, reference)}<figcaption>"
        f'<span class="kind {color}">{words}</span><dl>{facts}</dl>'
        f"<small>{escape(flip.name)}</small></figcaption></figure>"
    )


def _image(flip: Flip, reference: Reference) -> str:
    frame = reference.frame(flip.row)
    side = max(frame.shape[:2])
    if side > _THUMBNAIL:
        width = max(1, round(frame.shape[1] * _THUMBNAIL / side))
        height = max(1, round(frame.shape[0] * _THUMBNAIL / side))
        small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        kind, (_, content) = "jpeg", cv2.imencode(".jpg", small)
    else:
        kind, (_, content) = "png", cv2.imencode(".png", frame)
    data = base64.b64encode(content.tobytes()).decode()
    sharp = ' class="small"' if side <= _PIXEL_ART else ""
    return f'<img{sharp} src="data:image/{kind};base64,{data}" alt="{escape(flip.name)}">'


def _state(report: ParityReport) -> str:
    return '<b class="pass">✓ pass</b>' if report else '<b class="fail">✗ FAIL</b>'


def _rate(count: int, total: int) -> str:
    return (
        f"{count} of {total}: {percent(count, total)} "
        f"<small>95 % interval {interval(count, total)}</small>"
    )


def _errors(errors: ScoreErrors) -> str:
    if not math.isfinite(errors.max):
        return "no score is a number"
    return f"mean {errors.mean:.2g}, largest {errors.max:.2g}"


def _confidence(probability: float) -> str:
    return f"{100 * probability:.0f} %"
