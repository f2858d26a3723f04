"""The result of a parity check as text, for people who see one for the first time."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence

from hemline.parity.layers.error import LayerError
from hemline.parity.layers.table import DEFAULT_SHOWN, LayerTable
from hemline.parity.metrics import PairedCounts, wilson_interval
from hemline.parity.reference import Reference
from hemline.parity.result import ParityReport
from hemline.parity.run import CandidateError, Measurement, PairAgreement, ParityRun
from hemline.parity.stages.others import ObservedRun
from hemline.parity.stages.stage import Stage

_HEADER = (
    "model",
    "runs on",
    "size",
    "same answer",
    "",
    "right answer",
    "",
    "95 % interval",
    "drop",
    "lost",
    "won",
    "p",
    "tensors",
    "",
)
_LEGEND = (
    "same answer: as the reference gives. drop: points of accuracy lost to the reference, and the 95 %",
    "interval of that. lost, won: pictures that only the reference, or only this model, has right. p: how",
    "likely so uneven flips are by chance if both are equally good.",
    "tensors: what this machine's preprocessing makes of the pictures, beside the reference's.",
)

_MOST_SENTENCES = 3  # about pairs: of three files


def table(run: ParityRun, layers_shown: int = DEFAULT_SHOWN) -> str:
    """The whole result as text, without the verdict line.

    One table per reference, what failed and what to note below it, and how far the candidates
    agree with each other.
    """
    parts = ["\n".join(_measurement_lines(found)) for found in run.measurements if found.reports]
    if parts:
        parts.append("\n".join(_LEGEND))
    tables = [report.layers for report in run.reports if report.layers is not None]
    parts += ["\n".join(layer_lines(found, layers_shown)) for found in tables]
    if any(found.layers for found in tables):
        parts.append("\n".join(_LAYER_LEGEND))
    if run.left_out:
        parts.append(
            "\n".join(f"note: {e.candidate} was left out: {e.problem}" for e in run.left_out)
        )
    if run.errors:
        parts.append("\n".join(_error(error) for error in run.errors))
    return "\n\n".join(parts)


def layer_lines(found: LayerTable, shown: int = DEFAULT_SHOWN) -> list[str]:
    """The layers of one file, the worst first; or why they were not compared."""
    if found.problem:
        why = f"layers of {found.candidate} were not compared: {found.problem}"
        return [why, f"  {found.hint}"] if found.hint else [why]
    of = "" if len(found.layers) <= shown else f", the worst {shown} of {len(found.layers)}"
    pictures = count_of(found.images, "picture")
    title = f"layers of {found.candidate} beside {found.float_network} on {pictures}{of}"
    rows = [_LAYER_HEADER, *(_layer_row(layer) for layer in found.layers[:shown])]
    return [title, "", *padded(rows, to_left=(len(_LAYER_HEADER) - 1,))]


_LAYER_HEADER = ("layer", "operator", "own", "piled up", "cosine", "saturated", "worst channel", "")
_LAYER_LEGEND = (
    "own: signal-to-noise of what arises in the layer itself, in dB: the higher the better, 6 are one bit.",
    "piled up: with what the layers before did wrong. saturated: values at an end of their type that are",
    "not there in the float network.",
)


def _layer_row(layer: LayerError) -> tuple[str, ...]:
    channel = "–" if layer.worst_channel is None else str(layer.worst_channel)
    if layer.worst_channel is not None and math.isfinite(layer.worst_channel_sqnr_db):
        channel += f": {decibel(layer.worst_channel_sqnr_db)}"
    return (
        layer.name,
        layer.operator,
        decibel(layer.local_sqnr_db),
        decibel(layer.sqnr_db),
        f"{layer.cosine:.4f}",
        f"{100 * layer.saturated_share:.2f} %",
        channel,
        remark_on(layer),
    )


def decibel(ratio: float) -> str:
    """`41.2`, or `exact` where nothing differs."""
    return f"{ratio:.1f}" if math.isfinite(ratio) else "exact" if ratio > 0 else "–"


def remark_on(layer: LayerError) -> str:
    """What is wrong with a layer beyond its numbers, as far as that is known."""
    if layer.misfit:
        return layer.misfit
    return "" if layer.made_wrong_by is None else "made wrong by the layer in front"


def observed_table(run: ObservedRun) -> str:
    """What was found of a runtime that is not ours, as text, without the verdict line."""
    lines = [
        f"{run.observed}: a runtime that runs {run.candidate}, on {count_of(run.images, 'picture')} "
        f"of {run.reference}"
    ]
    if run.agreeing is not None:
        share = percent(run.agreeing, run.images)
        lines.append(f"same answer as the float model: {run.agreeing} of {run.images}, {share}")
    return "\n".join([*lines, "", *stage_lines([(run.observed, run.stages)])])


def _error(error: CandidateError) -> str:
    text = f"error: {error.candidate}: {error.problem}"
    return f"{text}\n  {error.hint}" if error.hint else text


def _measurement_lines(found: Measurement) -> list[str]:
    lines = [f"reference: {found.reference.name}, {reference_accuracy(found.reference)}", ""]
    lines += padded([_HEADER, *(_row(report) for report in found.reports)])
    remarks = [
        f"{report.candidate}: {kind}: {sentence}"
        for report in found.reports
        for kind, sentences in (("failed", report.failures), ("note", report.notes))
        for sentence in sentences
    ]
    if remarks:
        lines += ["", *remarks]
    lines += ["", *stage_lines([(report.candidate, report.stages) for report in found.reports])]
    if found.pairs:
        lines += ["", *pair_lines(found.pairs)]
    return lines


def pair_lines(pairs: Sequence[PairAgreement]) -> list[str]:
    """How far the candidates agree with each other: sentences for up to three files, else a triangle."""
    if len(pairs) <= _MOST_SENTENCES:
        return [str(pair) for pair in pairs]
    agreeing = {(pair.first, pair.second): pair.agreeing for pair in pairs}
    names = list(dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second)))
    header = ["", *(str(number + 1) for number in range(len(names) - 1))]
    rows = [
        [
            f"{number + 1} {name}",
            *(str(agreeing[earlier, name]) for earlier in names[:number]),
            *[""] * (len(names) - 1 - number),
        ]
        for number, name in enumerate(names)
    ]
    widths = [max(len(row[k]) for row in (header, *rows)) for k in range(len(header))]
    lines = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in (header, *rows)
    ]
    title = f"same answers of each two of them, of {count_of(pairs[0].images, 'picture')}"
    return [title, *(line.rstrip() for line in lines)]


def reference_accuracy(reference: Reference) -> str:
    """How many pictures there are, and how many of known truth the reference has right."""
    known = reference.targets >= 0
    total = int(known.sum())
    pictures = count_of(len(reference), "picture")
    if total == 0:
        return f"{pictures}, true classes not known"
    right = int((reference.answers == reference.targets)[known].sum())
    rate = f"{percent(right, total)} (95 % interval {interval(right, total)})"
    return f"{pictures}, {right} of {total} right: {rate}"


def percent(count: int, total: int) -> str:
    """`98.50 %`, or a dash if there is nothing to count."""
    return f"{100 * count / total:.2f} %" if total else "–"


def interval(count: int, total: int) -> str:
    """`95.68–99.49`: the 95 % Wilson interval in percent, or a dash."""
    if not total:
        return "–"
    low, high = wilson_interval(count, total)
    return f"{100 * low:.2f}–{100 * high:.2f}"


def drop_text(paired: PairedCounts) -> str:
    """`0.09 (-0.03 to 0.21)`: points of accuracy lost, and the 95 % interval."""
    low, high = paired.drop_interval_points
    return f"{paired.drop_points:.2f} ({low:.2f} to {high:.2f})"


def size_text(size_bytes: int) -> str:
    """`57.1 kB`."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.1f} kB"


def p_text(p: float) -> str:
    """Two digits, and no more than `< 0.0001` for tiny ones."""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def count_of(count: int, thing: str) -> str:
    """`1 picture`, `2 pictures`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def tensors_text(report: ParityReport) -> str:
    """How the tensors made here compare to the reference's."""
    if report.tensors_equal == report.images:
        return "all equal"
    return f"{report.tensors_equal} of {report.images} equal, ≤ {report.max_tensor_steps} steps"


def stage_lines(stages_of: Sequence[tuple[str, Sequence[Stage]]]) -> list[str]:
    """Each stage of each candidate, what broke and why, and why some could not be judged."""
    names = [stage.name for stage in stages_of[0][1]]
    rows = [
        ("stages", *names),
        *((who, *(_WORDS[stage.state] for stage in stages)) for who, stages in stages_of),
    ]
    lines = padded(rows, to_left=range(len(rows[0])))
    lines += [
        f"{who}: {stage.name}: {stage.sentence}"
        for who, stages in stages_of
        for stage in stages
        if not stage
    ]
    unjudged: dict[str, list[str]] = {}
    for who, stages in stages_of:
        for stage in stages:
            if stage.state == "not judged":
                unjudged.setdefault(f"{stage.name}: {stage.finding}", []).append(who)
    for reason, whose in unjudged.items():
        of = f" ({', '.join(whose)})" if len(whose) < len(stages_of) else ""
        lines.append(f"not judged{of}: {reason}")
    return lines


_WORDS = {"pass": "pass", "fail": "FAIL", "not judged": "not judged"}


def _row(report: ParityReport) -> tuple[str, ...]:
    paired = report.paired
    known = paired.images > 0
    return (
        report.candidate,
        report.backend,
        size_text(report.model_bytes),
        f"{report.agreeing} of {report.images}",
        percent(report.agreeing, report.images),
        f"{paired.candidate_correct} of {paired.images}" if known else "–",
        percent(paired.candidate_correct, paired.images) if known else "",
        interval(paired.candidate_correct, paired.images),
        drop_text(paired) if known else "–",
        str(paired.right_to_wrong) if known else "–",
        str(paired.wrong_to_right) if known else "–",
        p_text(paired.p_value) if known else "–",
        tensors_text(report),
        "pass" if report else "FAIL",
    )


def padded(rows: Sequence[Sequence[str]], to_left: Container[int] = ()) -> list[str]:
    """Columns of equal width: the first two flush left, and words and `to_left` too; numbers flush right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = []
        for k, (cell, width) in enumerate(zip(row, widths, strict=True)):
            is_word = k < 2 or k >= len(row) - 2 or (number == 0 and k in (3, 5)) or k in to_left
            cells.append(cell.ljust(width) if is_word else cell.rjust(width))
        lines.append("  ".join(cells).rstrip())
    return lines
