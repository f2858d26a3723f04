from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from hemline.datasets.arrays import ArraySplit
from hemline.parity.golden import GoldenPack
from hemline.parity.reference import Reference
from hemline.parity.report import MAX_FLIPS, page, write_report
from hemline.parity.run import CandidateError, measure


class _Text(HTMLParser):
    """The text of the body, and every tag."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts, self._inside = [], [], False

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = self._inside or tag == "body"

    def handle_data(self, data):
        if self._inside and data.strip():
            self.texts.append(data.strip())


def _read(html):
    reader = _Text()
    reader.feed(html)
    return reader


@pytest.fixture
def run_of(model, pack):
    """Measures matrices against a pack."""

    def run(*matrices, against=pack, card=None):
        names = [f"tiny_{k}.tflite" for k in range(len(matrices))]
        models = [model(m, n, card) for m, n in zip(matrices, names, strict=True)]
        return measure([(Reference.from_pack(against, "tiny.golden.npz"), models)])

    return run


def test_the_verdict_is_the_first_line(run_of, weights):
    assert _read(page(run_of(weights))).texts[0] == "PASS: the candidate is still the same model"
    both = run_of(weights, weights[:, [1, 2, 0]])
    assert _read(page(both)).texts[0] == "FAIL: 1 of 2 – tiny_1.tflite"


def test_the_page_needs_nothing_from_outside(run_of, weights):
    html = page(run_of(weights, weights[:, [1, 2, 0]]))
    reader = _read(html)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in reader.tags}
    assert all(a["src"].startswith("data:image/") for tag, a in reader.tags if tag == "img")
    assert not re.search(r"https?://|url\(|@import", html)


def test_labels_and_names_are_shown_and_never_run(model, weights):
    labels = ("<b>coat</b>", '"><img src=x onerror=alert(1)>', "shirt & tie")
    images = np.random.default_rng(2).integers(0, 256, (40, 8, 8), np.uint8)
    split = ArraySplit("test", labels, images, np.zeros(40, np.int64), "<script>evil</script>")
    card = model(weights).card.replace(labels=labels)
    tensors = split.tensors(card.input)
    scores = (tensors.reshape(40, -1).astype(np.float32) / 255) @ weights
    pack = GoldenPack.build(split, range(40), card, scores, tensors)
    candidate = model(weights[:, [1, 2, 0]], "a<i>&.tflite", card)
    run = measure([(Reference.from_pack(pack, "<u>.golden.npz"), [candidate])])
    html = page(run)
    for raw in ("<b>coat", "<img src=x", "<script", "a<i>", "<u>"):
        assert raw not in html
    assert "&lt;b&gt;coat&lt;/b&gt;" in html
    assert "shirt &amp; tie" in html
    assert all(set(a) <= {"class", "src", "alt"} for tag, a in _read(html).tags if tag == "img")


def test_each_flip_is_shown_with_its_picture_up_to_a_limit(run_of, weights):
    run = run_of(weights[:, [1, 2, 0]])
    flips = run.reports[0].flips
    assert len(flips) > MAX_FLIPS
    reader = _read(page(run))
    assert sum(tag == "img" for tag, _ in reader.tags) == MAX_FLIPS
    assert f"Other answers than the reference: {MAX_FLIPS} of {len(flips)}" in reader.texts


def test_each_stage_is_on_the_page_with_what_broke_it(run_of, weights, pack):
    healthy = _read(page(run_of(weights)))
    names = ["file to pixels", "pixels to tensor", "tensor to scores", "scores to label"]
    assert [text for text in healthy.texts if text in names] == names
    warm = pack.card.replace(temperature=3.0)
    texts = _read(page(run_of(weights, card=warm))).texts
    assert "temperature of the file's card is 3, the reference's is 1" in texts
    assert any(text.startswith("allowed: labels equal") for text in texts)


def test_layers_are_on_the_page_where_they_were_compared(run_of, weights):
    from hemline.parity.layers.error import LayerError
    from hemline.parity.layers.table import LayerTable

    run = run_of(weights)
    layer = LayerError(0, "<b>", "CONV", 20.0, 0.9, 0.1, 12.5, 0.0, None, 1.0, misfit="is & wrong")
    for found, said in (
        (LayerTable("t", "f", 3, (layer,)), ["<b>", "12.5", "10.00\xa0%", "is & wrong"]),
        (LayerTable("t", problem="no <float>", hint="make one"), ["no <float>; make one"]),
    ):
        report = dataclasses.replace(run.reports[0], layers=found)
        measurement = dataclasses.replace(run.measurements[0], reports=(report,))
        texts = _read(page(dataclasses.replace(run, measurements=(measurement,)))).texts
        for words in said:
            assert any(words in text for text in texts), words


def test_no_flips_no_gallery(run_of, weights):
    html = page(run_of(weights))
    assert "<img" not in html
    assert "Other answers" not in html


def test_what_could_not_be_measured_is_on_the_page(model, weights, pack):
    reference = Reference.from_pack(pack, "tiny.golden.npz")
    errors = [CandidateError("broken.onnx", "no model <at all>")]
    html = page(measure([(reference, [model(weights)])], errors=errors))
    assert "no model &lt;at all&gt;" in html
    assert _read(html).texts[0] == "FAIL: 1 of 2 – broken.onnx"


def test_scores_that_are_no_numbers_are_words_on_the_page(run_of, weights):
    html = page(run_of(weights * np.nan))
    assert "no score is a number" in html
    assert "nan" not in re.sub(r"base64,[^\"]*", "", html)


def test_unknown_truth_leaves_accuracy_out(run_of, weights, pack):
    blind = GoldenPack(
        pack.pictures, pack.names, pack.tensors, pack.scores, np.full(200, -1), pack.card
    )
    html = page(run_of(weights[:, [1, 2, 0]], against=blind))
    assert "true classes not known" in html
    assert "p-value" not in html
    assert "changed" in html


def test_candidates_are_compared_among_each_other(run_of, weights):
    run = run_of(weights, weights, weights[:, [1, 2, 0]])
    assert [pair.agreeing for pair in run.measurements[0].pairs][:1] == [200]
    assert "Agreement among the candidates" in page(run)


def test_large_photos_are_shrunk_on_the_page(model, weights, pack):
    photos = np.random.default_rng(4).integers(0, 256, (3, 900, 700, 3), np.uint8)
    split = ArraySplit("test", pack.card.labels, photos, np.zeros(3, np.int64), "photo")
    tensors = split.tensors(pack.card.input)
    scores = np.eye(3, dtype=np.float32)
    big = GoldenPack.build(split, range(3), pack.card, scores, tensors)
    run = measure([(Reference.from_pack(big, "big"), [model(weights[:, [1, 2, 0]])])])
    assert len(page(run)) < 400_000


def test_the_page_is_written_to_a_folder_that_is_made(run_of, weights, tmp_path):
    path = write_report(run_of(weights), tmp_path / "a" / "b")
    assert path == tmp_path / "a" / "b" / "parity.html"
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_run_without_candidates_does_not_pass():
    assert not measure([])
