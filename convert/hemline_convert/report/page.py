"""The page of a conversion: the page of parity, with what only the conversion knows in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from html import escape

from hemline.parity.markup import facts_table, table
from hemline.parity.report import page
from hemline.parity.sections import layers_table
from hemline_convert.doctor import letter
from hemline_convert.report import charts
from hemline_convert.report.facts import ActivationRange, ConversionFacts, Runner


def conversion_page(facts: ConversionFacts) -> str:
    """The whole page as HTML; its numbers are those of `facts.to_json()`."""
    # Agreement among the files is in the larger table here.
    measurements = tuple(dataclasses.replace(m, pairs=()) for m in facts.run.measurements)
    run = dataclasses.replace(facts.run, measurements=measurements)
    sections = [_origin(facts), _agreement(facts)]
    if facts.checked is not None:
        sections.append(
            f'<h2>What the int8 doctor says</h2><pre class="wide">{escape(letter(facts.checked))}</pre>'
        )
    if facts.layers_of:
        sections.append(_layers(facts))
    if facts.ranges:
        sections.append(_calibration(facts))
    return page(run, title=f"conversion of {facts.card.name}", sections=sections)


def _origin(facts: ConversionFacts) -> str:
    card = facts.card
    rows = [
        ("Model", f"{escape(card.name)} <small>version {escape(card.version)}</small>"),
        ("Made of", f"<small>SHA-256 {escape(card.source_sha256)}</small>"),
        ("Classes", f"{len(card.labels)}: {escape(', '.join(card.labels))}"),
    ]
    test = card.training.get("metrics", {}).get("test")
    if test:
        accuracy = f"{100 * test['accuracy']:.2f} % of {test['images']:,} pictures"
        rows.append(("Float accuracy", escape(accuracy)))
    recipe = facts.quantization.get("recipe", {})
    if recipe:
        words = ", ".join(_choice(key, value) for key, value in recipe.items() if value)
        rows.append(("Quantized", escape(words)))
    calibration = facts.quantization.get("calibration", {})
    if calibration.get("images"):
        words = f"{calibration['images']} pictures of {calibration['data']}"
        rows.append(("Calibrated on", escape(words)))
    versions = facts.quantization.get("versions", {})
    if versions:
        words = ", ".join(f"{name} {number}" for name, number in versions.items())
        rows.append(("Made with", escape(words)))
    return f"<h2>What was converted</h2>{facts_table(rows)}"


def _choice(key: str, value: object) -> str:
    """One choice of a recipe: `activation bits 8`, `equalized`."""
    name = key.replace("_", " ")
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    return name if value is True else f"{name} {value}"


def _agreement(facts: ConversionFacts) -> str:
    images = len(facts.runners[0].answers)
    legend = "".join(f"<li>{_runner(runner)}</li>" for runner in facts.runners)
    rows = []
    for number, a in enumerate(facts.runners, 1):
        cells = [f"<b>{number}</b>"]
        for b in facts.runners:
            same = facts.agreeing(a, b)
            cells.append("–" if a is b else _shaded(same, images))
        rows.append(cells)
    head = ["", *(str(number) for number in range(1, len(facts.runners) + 1))]
    parts = [
        "<h2>Every file in every runtime</h2>",
        f'<p class="soft">On how many of {images} pictures two give the same answer.</p>',
        f'<ol class="runners">{legend}</ol>',
        table("matrix", rows, head),
    ]
    if facts.refused:
        parts.append(
            _list(
                f"{escape(file)} on {escape(runtime)}: {escape(problem)}"
                for file, runtime, problem in facts.refused
            )
        )
    return "\n".join(parts)


def _runner(runner: Runner) -> str:
    return f"{escape(runner.file)} <small>{escape(runner.runtime)}</small>"


def _shaded(same: int, images: int) -> str:
    kind = "same" if same == images else "near" if same >= 0.985 * images else "far"
    return f'<span class="{kind}">{same}</span>'


def _layers(facts: ConversionFacts) -> str:
    title = "<h2>Layer by layer</h2>"
    if facts.layers_problem:
        return f"{title}<p>Not compared: {escape(facts.layers_problem)}</p>"
    return title + layers_table(facts.layers, f"{facts.layers_of} against the float network")


def _calibration(facts: ConversionFacts) -> str:
    figures = "\n".join(_activation(entry) for entry in facts.ranges)
    return (
        "<h2>Calibration</h2>"
        '<p class="soft">What the activations of the float network did on the calibration pictures, on a '
        "logarithmic scale and without zeros. Shaded: the range that 8 bits were given. Logits below the "
        "lowest runner-up decide no label, and are cut on purpose.</p>"
        f"{_calibration_set(facts)}"
        f'<div class="ranges">{figures}</div>'
    )


def _calibration_set(facts: ConversionFacts) -> str:
    check = facts.calibration_set
    if check is None:
        return ""
    text = f"<p>The pictures: {escape(check.summary)}.</p>"
    if check:
        return text
    return f"{text}<p><b>The set is poor:</b></p>{_list(map(escape, check.sentences))}"


def _activation(entry: ActivationRange) -> str:
    chosen, limits = _interval(entry.chosen), _interval(entry.limits)
    seen = "" if chosen == limits else f"<small>seen were {limits}</small>"
    operator, _, layer = entry.name.partition(", of the layer ")
    name = f"{escape(layer)} <small>{escape(operator)}</small>" if layer else escape(operator)
    return (
        f"<figure>{charts.histogram(entry.counts, entry.limits, entry.chosen)}"
        f"<figcaption>{name}<br><b>{chosen}</b> {seen}</figcaption></figure>"
    )


def _interval(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.3g} to {ends[1]:.3g}"


def _list(items: Iterable[str]) -> str:
    return f'<ul class="soft">{"".join(f"<li>{item}</li>" for item in items)}</ul>'
