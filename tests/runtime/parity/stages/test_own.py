"""hemline's own runtime, healthy and broken at one step: that stage is blamed, for the right reason."""

from __future__ import annotations

import dataclasses
import json
import re

import cv2
import numpy as np
import pytest

from hemline.backends import available
from hemline.card import InputSpec
from hemline.datasets.arrays import ArraySplit
from hemline.modelfile import load_model
from hemline.parity import golden, reference
from hemline.parity.compare import compare
from hemline.parity.reference import Reference
from hemline.parity.stages import own
from hemline.parity.stages.witness import Witness, multiplications, witness_for
from hemline.preprocess import Preprocessor
from hemline.tflite_reader import read_tflite

from .conftest import pack_of, run_runtime

PIXELS, TENSORS, SCORES, LABELS = range(4)


def blamed(report):
    """The stages that fail."""
    return [place for place, stage in enumerate(report.stages) if stage.state == "fail"]


@pytest.mark.parametrize(
    "backend",
    ["litert", "numpy", "onnxruntime", pytest.param("tensorflow", marks=pytest.mark.slow)],
)
def test_a_healthy_file_is_accused_of_nothing(backend, drawn, photo_pack):
    if backend not in available():
        pytest.skip(f"{backend} is not installed")
    model = load_model("paper", backend=backend)
    for pack in (drawn, photo_pack):
        report = compare(model, pack)
        assert [stage.state for stage in report.stages] == ["pass"] * 4, report.stages
        assert report
        json.dumps(report.to_json(), allow_nan=False)


def test_another_runtime_bears_a_file_out_where_there_is_one(paper, paper_onnx, tmp_path):
    witness = witness_for(paper)
    assert isinstance(witness, Witness)
    assert witness.name == "NumPy"
    onnx = witness_for(load_model("paper", backend="onnxruntime"))
    assert isinstance(onnx, Witness)
    assert onnx.name == "NumPy with paper_int8.tflite"
    assert "the witness itself" in witness_for(load_model("paper", backend="numpy"))
    alone = tmp_path / "paper_int8.onnx"
    alone.write_bytes(paper_onnx.read_bytes())
    assert "there is no paper_int8.tflite beside it" in witness_for(load_model(alone))


def test_the_work_of_a_network_is_counted(paper_tflite):
    graph = read_tflite("paper", paper_tflite.read_bytes()).graphs[0]
    layers = 28 * 28 * 16 * 9 + 14 * 14 * 32 * 9 * 16 + 7 * 7 * 64 * 9 * 32 + 576 * 128 + 128 * 10
    assert multiplications(graph) == layers


def test_a_pack_of_format_1_is_read_and_its_pixels_are_not_judged(paper, drawn, tmp_path):
    old = dataclasses.replace(drawn, decoded=None)
    old.save(tmp_path / "old.golden.npz")
    back = golden.GoldenPack.load(tmp_path / "old.golden.npz")
    assert back.decoded is None
    assert back.content_sha256 == old.content_sha256 != drawn.content_sha256
    report = compare(paper, back)
    assert report
    assert report.stages[PIXELS].state == "not judged"
    assert "of format 1" in report.stages[PIXELS].finding
    assert [stage.state for stage in report.stages[1:]] == ["pass"] * 3


def test_what_a_pack_of_format_2_takes_more_is_little(drawn, tmp_path):
    drawn.save(tmp_path / "new.npz")
    dataclasses.replace(drawn, decoded=None).save(tmp_path / "old.npz")
    new, old = ((tmp_path / name).stat().st_size for name in ("new.npz", "old.npz"))
    assert new - old < 100 * len(drawn)


def test_on_a_data_set_there_is_nothing_to_hold_pixels_and_tensors_against(paper):
    images = np.random.default_rng(1).integers(0, 256, (30, 28, 28), np.uint8)
    split = ArraySplit("test", paper.card.labels, images, np.zeros(30, np.int64), "noise")
    report = compare(paper, Reference.from_model(paper, split, "paper on noise"))
    assert report
    assert [stage.state for stage in report.stages] == ["not judged"] * 2 + ["pass"] * 2


def patched_decoder(monkeypatch, change):
    right = golden.decode_for

    def decode(content, name, spec):
        frame, picture_wh = right(content, name, spec)
        return np.ascontiguousarray(change(frame)), picture_wh

    monkeypatch.setattr(golden, "decode_for", decode)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame[..., ::-1], "red and blue were exchanged"),
        (lambda frame: 255 - frame, "inverted"),
        (lambda frame: frame[::-1], "turned or mirrored"),
    ],
)
def test_a_decoder_that_gives_other_pixels_is_blamed(paper, photo_pack, monkeypatch, change, said):
    patched_decoder(monkeypatch, change)
    report = compare(paper, photo_pack)
    assert report.stages[PIXELS].state == "fail"
    assert said in report.stages[PIXELS].cause
    assert report.stages[TENSORS].state == "not judged"
    assert report.stages[SCORES].state == "pass"
    assert report.failures[0].startswith("file to pixels: ")


def test_a_decoder_that_rounds_otherwise_is_not(paper, photo_pack, monkeypatch):
    noise = np.random.default_rng(3)

    def shaken(frame):
        moved = frame.astype(int) + noise.integers(-1, 2, frame.shape)
        return np.clip(moved, 0, 255).astype(np.uint8)

    patched_decoder(monkeypatch, shaken)
    report = compare(paper, photo_pack)
    assert report.stages[PIXELS].state == "pass"
    assert "within" in report.stages[PIXELS].finding


def test_a_decoder_that_breaks_some_pictures_leaves_the_others_to_be_judged(
    paper, photo_pack, monkeypatch
):
    patched_decoder(monkeypatch, lambda f: 255 - f if f.shape[0] > f.shape[1] else f)
    report = compare(paper, photo_pack)
    assert blamed(report) == [PIXELS]
    numbers = report.stages[TENSORS].numbers
    assert numbers["pictures"] == len(photo_pack) - report.stages[PIXELS].numbers["broken"] > 0


class Nearest(Preprocessor):
    def _resize(self, image, size_wh, _):
        return cv2.resize(image, size_wh, interpolation=cv2.INTER_NEAREST)

    def _shrunk_and_coloured(self, image, content_wh):
        return self._coloured(self._resize(image, content_wh, None))


class Bgr(Preprocessor):
    def _coloured(self, image):
        return image


def colour_model(paper, card):
    """A network that is nothing but the mean of each colour."""
    model = broken_backend(paper)._replace(card=card)
    model.backend.logits = lambda pixels: pixels.mean(axis=(0, 1, 2)).astype(np.float32)
    return model


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (Nearest, "resized in one step by INTER_NEAREST"),
        (Bgr, "red and blue exchanged (BGR for RGB)"),
    ],
)
def test_a_preprocessing_that_makes_other_tensors_is_told(
    paper, photos, colour_card, monkeypatch, broken, said
):
    small = [(name, content) for name, content in photos if "png" in name]
    model = colour_model(paper, colour_card)
    pack = pack_of(small, colour_card, model.backend.logits)
    assert blamed(compare(model, pack)) == []
    monkeypatch.setattr(reference, "Preprocessor", broken)
    report = compare(model, pack)
    assert blamed(report) == [TENSORS]
    assert said in report.stages[TENSORS].cause
    assert report.failures[0].startswith("preprocessing: ")


def test_a_pack_of_other_rules_is_told(paper, photos, colour_card):
    model = colour_model(paper, colour_card)
    pack = pack_of(photos, colour_card, model.backend.logits)
    turned = dataclasses.replace(pack, tensors=np.ascontiguousarray(pack.tensors[..., ::-1]))
    report = compare(model, turned)
    assert TENSORS in blamed(report)
    assert "hemline makes the same of these pictures" in report.stages[TENSORS].cause


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (InputSpec((28, 28), "gray", "stretch", "light-on-dark"), "resized by stretching"),
        (InputSpec((28, 28), "gray", "crop", "light-on-dark"), "resized by cropping"),
        (InputSpec((28, 28), "gray", "pad", "as-is"), "a bright ground left bright"),
        (InputSpec((28, 28), "gray", "pad", "garment"), "the garment cut out of a photo"),
    ],
)
def test_a_card_that_states_another_preprocessing_is_told(paper, photo_pack, spec, said):
    report = compare(paper._replace(card=paper.card.replace(input=spec)), photo_pack)
    assert blamed(report) == [TENSORS]
    assert said in report.stages[TENSORS].cause


def broken_backend(model, feed=None, give=None):
    """The model in a runtime that changes what it is fed, or what it gives."""

    class Broken:
        def __getattr__(self, name):
            return getattr(model.backend, name)

        def logits(self, pixels):
            scores = model.backend.logits(pixels if feed is None else feed(pixels))
            return scores if give is None else give(scores)

    return model._replace(backend=Broken())


@pytest.mark.parametrize(
    ("feed", "give", "said"),
    [
        (lambda t: t ^ 128, None, "int8 and uint8 confused"),
        (lambda t: t // 255, None, "nothing but zeros (normalized twice"),
        (lambda t: np.clip(t.astype(int) + 9, 0, 255).astype(np.uint8), None, "off by -9"),
        (None, lambda s: s[::-1].copy(), "outputs stood in another order"),
        (
            None,
            lambda s: np.where(np.arange(10) == s.argmax(), s - 2, s),
            "computes something else",
        ),
        (None, lambda s: s * np.float32(np.nan), ""),
    ],
)
@pytest.mark.parametrize("backend", ["litert", "onnxruntime"])
def test_wrong_arithmetic_is_told(drawn, feed, give, said, backend):
    report = compare(broken_backend(load_model("paper", backend=backend), feed, give), drawn)
    assert SCORES in blamed(report)
    assert set(blamed(report)) <= {SCORES, LABELS} - ({LABELS} if said else set())
    assert said in report.stages[SCORES].cause
    assert not report


def test_wrong_arithmetic_that_changes_no_label_fails_too(drawn, paper):
    report = compare(broken_backend(paper, give=lambda s: s * np.float32(1.5)), drawn)
    assert report.agreeing == len(drawn)
    assert blamed(report) == [SCORES]
    assert report.failures[0].startswith("tensor to scores: ")
    slope = re.search(r"scaled by ([\d.]+)", report.failures[0])
    assert slope is not None
    assert float(slope[1]) == pytest.approx(1.5, rel=0.01)


def test_a_stale_file_is_told(drawn, paper):
    other = np.random.default_rng(4).normal(0, 4, drawn.scores.shape).astype(np.float32)
    later = drawn.card.replace(source_sha256="ab" * 32)
    pack = dataclasses.replace(drawn, scores=other, card=later)
    report = compare(paper, pack)
    assert blamed(report) == [SCORES]
    assert report.stages[SCORES].cause.startswith(
        "the file is stale: it was made of the float model"
    )
    same_source = dataclasses.replace(drawn, scores=other)
    report = compare(paper, same_source)
    assert "the file is stale: it was written with the pack" in report.stages[SCORES].cause


def test_a_stale_file_that_answers_right_is_only_noted(drawn, paper):
    assert paper.card.golden_sha256 != drawn.content_sha256
    report = compare(paper, drawn)
    assert blamed(report) == []
    assert "not written with this model" in report.notes[0]


def test_an_input_whose_scale_or_zero_point_is_not_the_cards_is_told(drawn, paper):
    other = np.random.default_rng(4).normal(0, 4, drawn.scores.shape).astype(np.float32)
    pack = dataclasses.replace(drawn, scores=other)
    card = paper.card.replace(golden_sha256="")
    for change, said in (
        ({"zero_point": 4}, "zero point of the file's input is off by +4"),
        ({"scale": paper.backend.input.scale * 2}, "(another normalization)"),
    ):
        model = broken_backend(paper._replace(card=card))
        model.backend.input = paper.backend.input._replace(**change)
        report = compare(model, pack)
        assert blamed(report) == [SCORES]
        assert said in report.stages[SCORES].cause


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"temperature": 3.0}, "temperature of the file's card is 3, the reference's is 1"),
        ({"rejection_threshold": 0.999}, "threshold of the file's card is 0.999"),
        ({"labels": "turned"}, "the file's card has the labels in another order"),
    ],
)
def test_a_card_that_makes_other_labels_is_told(drawn, paper, change, said):
    if "labels" in change:
        change = {"labels": paper.card.labels[1:] + paper.card.labels[:1]}
    report = compare(paper._replace(card=paper.card.replace(**change)), drawn)
    assert blamed(report) == [LABELS]
    assert said in report.stages[LABELS].cause
    assert report.failures[0].startswith("scores to label: ")


def test_a_softmax_applied_twice_is_told(drawn, paper, monkeypatch):
    right = own.softmax
    monkeypatch.setattr(own, "softmax", lambda scores, t: right(right(scores, t)))
    report = compare(paper, drawn)
    assert blamed(report) == [LABELS]
    assert "softmax were applied twice" in report.stages[LABELS].cause


def test_runtimes_of_the_tests_are_whole(drawn, paper):
    made = run_runtime(drawn, paper)
    assert (made["tensors"] == drawn.tensors).all()


@pytest.mark.parametrize(("rule", "value"), [("foreground", "as-is"), ("resize", "stretch")])
def test_another_rule_in_the_card_fails_though_these_pictures_do_not_show_it(
    drawn, paper, rule, value
):
    spec = dataclasses.replace(paper.card.input, **{rule: value})
    report = compare(paper._replace(card=paper.card.replace(input=spec)), drawn)
    assert blamed(report) == [TENSORS]
    assert f"{rule} of the file's card is {value!r}" in report.stages[TENSORS].cause
    assert not report
