"""The report of a conversion: one page that needs nothing else, and a JSON with the same numbers."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from hemline.backends import available
from hemline.modelfile import load_model
from hemline.parity.golden import GoldenPack
from hemline.parity.markup import bars
from hemline_convert.convert import convert
from hemline_convert.report import charts

pytestmark = pytest.mark.slow


class Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip().replace("\N{NO-BREAK SPACE}", " "))


@pytest.fixture(scope="module")
def converted(made, tmp_path_factory):
    config = dataclasses.replace(
        made.config, out=tmp_path_factory.mktemp("report"), report=True, golden_images=80
    )
    return config.out, convert(config)


@pytest.fixture(scope="module")
def page(converted) -> str:
    return (converted[0] / "paper.report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def numbers(converted) -> dict:
    return json.loads((converted[0] / "paper.report.json").read_text(encoding="utf-8"))


def test_both_are_among_the_files_of_the_conversion(converted):
    out, conversion = converted
    assert [path.name for path in conversion.files[-3:]] == [
        "paper.golden.npz",
        "paper.report.html",
        "paper.report.json",
    ]
    assert all(path.is_file() for path in conversion.files)
    assert conversion.verdict.startswith("PASS: all 7 candidates")
    assert out == conversion.files[0].parent


def test_the_calibration_set_is_told_and_a_sound_one_is_not_called_poor(converted, page, numbers):
    assert numbers["calibration_set"]["sound"]
    assert "100 pictures, 100 of them different, 10 classes" in page
    assert "poor" not in page
    assert not any("poor" in note for note in converted[1].notes)


def test_a_poor_calibration_set_is_told_in_the_notes_and_on_the_page(made, tmp_path):
    config = dataclasses.replace(
        made.config, out=tmp_path, tflite=("int8",), onnx=(), calibration_images=10, report=True
    )
    said = "they are 10 pictures; give more that differ"
    assert any(f"the calibration set is poor: {said}" in note for note in convert(config).notes)
    assert said in (tmp_path / "paper.report.html").read_text(encoding="utf-8")
    numbers = json.loads((tmp_path / "paper.report.json").read_text(encoding="utf-8"))
    assert [c["problem"] for c in numbers["calibration_set"]["complaints"]] == [
        "they are 10 pictures"
    ]


def test_the_page_fetches_nothing_and_runs_nothing(page):
    reader = Reader(page)
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in reader.tags}
    for tag, attributes in reader.tags:
        for name in ("src", "href", "xlink:href", "srcset", "action", "style"):
            value = attributes.get(name)
            assert value is None or value.startswith("data:"), (tag, name)
        assert not [name for name in attributes if name.startswith("on")]
    assert "url(" not in page
    assert "@import" not in page
    assert "//" not in re.sub(r'base64,[^"]*|<!DOCTYPE html>', "", page)


def test_the_verdict_is_the_first_line(page, numbers):
    body = page[page.index("<body>") :]
    assert Reader(body).texts[0] == "PASS: all 7 candidates are still the same model"
    assert next(iter(numbers)) == "verdict"
    assert numbers["verdict"].startswith("PASS")
    assert numbers["passed"] is True


def test_the_page_has_the_numbers_of_the_json(page, numbers):
    texts = Reader(page).texts
    assert len(numbers["candidates"]) == 7
    for candidate in numbers["candidates"]:
        same = candidate["agreement"]
        assert f"{same['count']} of {same['of']}" in " ".join(texts)
        assert f"{candidate['model_bytes']} bytes" in texts
    matrix = re.search(r'<table class="matrix">(.*?)</table>', page, re.DOTALL)
    assert matrix is not None
    shown = [int(n) for n in re.findall(r'<span class="\w+">(\d+)</span>', matrix[1])]
    counted = numbers["agreement"]["agreeing"]
    wanted = [n for i, row in enumerate(counted) for j, n in enumerate(row) if i != j]
    assert shown == wanted
    for runner in numbers["agreement"]["runners"]:
        assert runner["file"] in texts
        assert runner["runtime"] in texts
    for entry in numbers["calibration"]:
        assert f"{entry['chosen'][0]:.3g} to {entry['chosen'][1]:.3g}" in texts


def test_every_file_meets_every_installed_runtime_or_the_report_says_why_not(numbers):
    agreement = numbers["agreement"]
    runners = {(r["file"], r["runtime"].split()[0]) for r in agreement["runners"]}
    refused = {(r["file"], r["runtime"]) for r in agreement["refused"]}
    runtimes = {
        ".tflite": {"litert", "tflite-runtime", "numpy"},
        ".onnx": {"onnxruntime"},
    }
    for candidate in numbers["candidates"]:
        name = candidate["candidate"]
        for runtime in runtimes[name[name.rindex(".") :]] & set(available()):
            assert ((name, runtime) in runners) != ((name, runtime) in refused)
    assert ("float model", "Keras") in runners
    assert all(entry["problem"] for entry in agreement["refused"])


def test_the_matrix_counts_the_answers_that_the_files_give(converted, numbers):
    out, _ = converted
    pack = GoldenPack.load(out / "paper.golden.npz")
    model = load_model(out / "paper_int8.onnx")
    answers = [model.backend.logits(tensor[None]).argmax() for tensor in pack.tensors]
    agreeing = int((np.array(answers) == pack.scores.argmax(axis=1)).sum())
    runners = [r["file"] for r in numbers["agreement"]["runners"]]
    assert numbers["agreement"]["images"] == len(pack)
    assert (
        numbers["agreement"]["agreeing"][runners.index("float model")][
            runners.index("paper_int8.onnx")
        ]
        == agreeing
    )


def test_the_ranges_of_the_calibration_are_those_of_the_int8_file(converted, numbers):
    """Each hidden activation's range over 255 steps is the scale of a tensor in the file."""
    from hemline.inspection import inspect_model

    network = inspect_model(converted[0] / "paper_int8.tflite").network
    scales = [t.scales[0] for t in network.tensors.values() if len(t.scales) == 1]
    assert len(numbers["calibration"]) >= 9
    for entry in numbers["calibration"]:
        low, high = entry["chosen"]
        assert np.isclose((max(high, 0) - min(low, 0)) / 255, scales, rtol=1e-4).any(), entry[
            "name"
        ]
        assert sum(entry["counts"]) > 0


def test_the_layers_are_those_of_the_int8_file_and_the_worst_is_named(page, numbers):
    layers = numbers["layers"]
    assert layers["file"] == "paper_int8.tflite"
    named = [
        entry for entry in layers["errors"] if entry["operator"] in ("CONV_2D", "FULLY_CONNECTED")
    ]
    assert [entry["name"] for entry in named] == [
        "convolution_1", "convolution_2", "convolution_3", "hidden", "logits",
    ]  # fmt: skip
    texts = Reader(page).texts
    for entry in named:
        assert entry["name"] in texts
        assert f"{entry['sqnr_db']:.1f}" in texts
        assert f"{entry['local_sqnr_db']:.1f}" in texts
    worst = min(named, key=lambda entry: entry["local_sqnr_db"])
    assert any(f"Most arises in {worst['name']}." in text for text in texts)
    assert page.count('<svg class="bars"') == len(layers["errors"])


def test_names_from_outside_cannot_write_html(made, tmp_path):
    from hemline_convert.report import conversion_page

    config = dataclasses.replace(made.config, out=tmp_path, tflite=("int8",), onnx=())
    facts = _facts_of(convert(dataclasses.replace(config, report=False)), made)
    card = facts.card.replace(name="<script>alert(1)", version="<img src=x>")
    entry = dataclasses.replace(facts.ranges[0], name="A, of the layer <b>bold</b>")
    runner = dataclasses.replace(facts.runners[0], file="<i>x</i>")
    html = conversion_page(
        dataclasses.replace(facts, card=card, ranges=(entry,), runners=(runner, *facts.runners[1:]))
    )
    for raw in ("<script", "<img src=x", "<b>bold", "<i>x"):
        assert raw not in html
    assert "&lt;b&gt;bold" in html


def _facts_of(conversion, made):
    from hemline.datasets import open_dataset
    from hemline_convert.calibration import choose_calibration_images
    from hemline_convert.keras_source import StatedCard, open_keras
    from hemline_convert.recipe import QuantizationRecipe
    from hemline_convert.report import measure_conversion
    from hemline_convert.static_quantizer import StaticQuantizer

    source = open_keras(made.model, StatedCard(name="paper"))
    calibration = choose_calibration_images(open_dataset("drawn"), source.card.input, 20)
    *models, _, pack = conversion.files
    return measure_conversion(
        models,
        GoldenPack.load(pack),
        pack.name,
        StaticQuantizer(source, calibration),
        QuantizationRecipe(calibration="min-max"),
    )


def test_without_a_golden_pack_there_is_no_report(made, tmp_path):
    config = dataclasses.replace(
        made.config, out=tmp_path, tflite=("float32",), onnx=(), data=None, report=True
    )
    conversion = convert(config)
    assert [path.name for path in conversion.files] == ["paper_float32.tflite"]
    assert conversion.verdict == ""


def test_a_histogram_has_a_bar_for_each_bin_with_values_and_the_range_behind_them():
    svg = charts.histogram([1, 0, 3, 0], (0.0, 4.0), (1.0, 2.0))
    drawn = re.search(r'class="counts" d="([^"]*)"', svg)
    assert drawn is not None
    assert drawn[1].count("M") == 2
    assert 'class="range" x="25.00" width="25.00"' in svg


def test_bars_are_as_long_as_their_values_and_no_longer_than_the_largest():
    svg = bars(((30.0, "a"), (float("inf"), "b"), (-3.0, "c")), 60.0)
    assert re.findall(r'class="(\w)" y="\d+" width="([\d.]+)"', svg) == [
        ("a", "50.00"),
        ("b", "100.00"),
        ("c", "0.00"),
    ]


def test_a_histogram_of_nothing_and_one_of_a_single_value_can_be_drawn():
    assert "NaN" not in charts.histogram([0, 0], (0.0, 0.0), (0.0, 0.0))
    assert "inf" not in charts.histogram([5], (2.0, 2.0), (0.0, 2.0))


def test_layers_of_an_equalized_network_are_compared_with_the_equalized_float_one(made, tmp_path):
    recipe = dataclasses.replace(made.config.recipe, equalized=True)
    config = dataclasses.replace(
        made.config, out=tmp_path, tflite=("int8",), onnx=(), recipe=recipe, report=True
    )
    convert(config)
    numbers = json.loads((tmp_path / "paper.report.json").read_text(encoding="utf-8"))
    weighted = [
        row
        for row in numbers["layers"]["errors"]
        if row["operator"] in ("CONV_2D", "FULLY_CONNECTED")
    ]
    assert len(weighted) == 5
    assert min(row["sqnr_db"] for row in weighted) > 25
