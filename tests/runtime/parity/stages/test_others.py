"""Runtimes that are not hemline's, each broken at one step: that stage is blamed, for the right reason."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hemline.backends._base import TensorSpec
from hemline.card import Normalization
from hemline.images import decode_image
from hemline.parity.reference import Reference
from hemline.parity.stages.observed import load_observed
from hemline.parity.stages.others import judge_observed
from hemline.parity.stages.witness import output_step
from hemline.preprocess import Preprocessor
from hemline.scores import softmax

from .conftest import run_runtime

PIXELS, TENSORS, SCORES, LABELS = range(4)


@pytest.fixture
def judged(tmp_path):
    """Writes down what a runtime made, and judges that."""

    def judge(pack, model, made):
        path = tmp_path / "observed.npz"
        np.savez(path, **made)
        reference = Reference.from_pack(pack, "paper.golden.npz")
        return judge_observed(model, reference, load_observed(path, pack))

    return judge


def blamed(run):
    """The stages that fail."""
    return [place for place, stage in enumerate(run.stages) if stage.state == "fail"]


def test_a_healthy_runtime_is_accused_of_nothing(judged, drawn, photo_pack, paper):
    for pack in (drawn, photo_pack):
        run = judged(pack, paper, run_runtime(pack, paper))
        assert [stage.state for stage in run.stages] == ["pass"] * 4, run.verdict
        assert run
        assert run.agreeing == run.images == len(pack)


def without_exif(content, _):
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.imdecode(np.frombuffer(content, np.uint8), flags)


def without_alpha(content, _):
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize(
    ("decode", "said"),
    [
        (lambda c, n: decode_image(c, n)[..., ::-1], "red and blue were exchanged"),
        (lambda c, n: decode_image(c, n)[:, ::-1], "mirrored"),
        (without_exif, "orientation in the EXIF data"),
        (without_alpha, "transparency were dropped"),
        (lambda c, n: 255 - decode_image(c, n), "inverted"),
        (lambda c, n: cv2.cvtColor(decode_image(c, n), cv2.COLOR_BGR2GRAY), "decoded to grey"),
        (
            lambda c, n: np.rint(decode_image(c, n) * (219 / 255) + 16).astype(np.uint8),
            "16–235 stood for black to white",
        ),
        (lambda c, n: cv2.resize(decode_image(c, n), (160, 120)), "were resized"),
    ],
)
def test_a_decoder_that_gives_other_pixels_is_blamed_and_what_follows_is_not(
    judged, photo_pack, paper, decode, said
):
    run = judged(photo_pack, paper, run_runtime(photo_pack, paper, decode=decode))
    assert blamed(run) == [PIXELS], run.verdict
    assert said in run.stages[PIXELS].cause


def resized(interpolation, spec):
    """One plain resize to the input, without keeping the aspect."""

    def preprocess(frame):
        small = cv2.resize(frame, spec.size_wh, interpolation=interpolation)
        if spec.color == "rgb":
            return cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
        return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)[..., None]

    return preprocess


def changed(change, **spec):
    """hemline's preprocessing with another rule, and its tensors changed."""

    def make(own):
        preprocessor = Preprocessor(type(own)(**{**vars(own), **spec}))
        return lambda frame: change(preprocessor(frame)[0].copy())

    return make


def same(tensor):
    return tensor


GREY_ONLY, COLOUR_ONLY = ("gray",), ("rgb",)
BOTH = GREY_ONLY + COLOUR_ONLY


@pytest.mark.parametrize(
    ("make", "said", "inputs"),
    [
        (changed(same, resize="stretch"), "resized by stretching", BOTH),
        (changed(same, resize="crop"), "resized by cropping", BOTH),
        (
            lambda spec: resized(cv2.INTER_NEAREST, spec),
            "INTER_NEAREST with stretching",
            COLOUR_ONLY,
        ),
        (lambda spec: resized(cv2.INTER_LINEAR, spec), "INTER_LINEAR with stretching", COLOUR_ONLY),
        (changed(lambda t: t[..., ::-1]), "red and blue exchanged (BGR for RGB)", COLOUR_ONLY),
        (changed(lambda t: 255 - t), "inverted (255 − pixel)", BOTH),
        (changed(lambda t: t.transpose(1, 0, 2)), "rows and columns exchanged", BOTH),
        (changed(lambda t: t[:, ::-1]), "mirrored", BOTH),
        (changed(lambda t: t ^ 128), "int8 and uint8 confused", BOTH),
        (changed(lambda t: t.view(np.int8)), "uint8 read as int8", BOTH),
        (changed(lambda t: t.astype(np.int16) - 128), "shifted by 128 (int8 for uint8)", BOTH),
        (changed(lambda t: t / 255), "normalized to 0 to 1", BOTH),
        (changed(lambda t: t // 255), "divided by 255 and cut", BOTH),
        (changed(lambda t: np.clip(t.astype(int) + 7, 0, 255)), "shifted by +7 steps", BOTH),
        (
            changed(lambda t: t[..., ::-1], resize="stretch"),
            "resized by stretching ('stretch' for 'pad') and red and blue exchanged",
            COLOUR_ONLY,
        ),
        (
            changed(lambda t: np.ascontiguousarray(t.transpose(2, 0, 1)).reshape(t.shape)),
            "CHW read as HWC",
            COLOUR_ONLY,
        ),
        (changed(same, foreground="as-is"), "left bright", GREY_ONLY),
    ],
)
def test_a_wrong_way_from_pixels_to_the_tensor_is_told(
    judged, paper, photo_pack, colour_pack, make, said, inputs
):
    for pack in (photo_pack, colour_pack):
        if pack.card.input.color not in inputs:
            continue
        made = run_runtime(
            pack, paper, preprocess=make(pack.card.input), scores=lambda t: np.zeros((len(t), 3))
        )
        run = judged(pack, paper, {k: v for k, v in made.items() if k[0] in "pt"})
        assert blamed(run) == [TENSORS], run.verdict
        assert said in run.stages[TENSORS].cause, (pack.card.name, run.stages[TENSORS])


def test_a_whole_decode_and_one_that_reduces_are_both_right(judged, photo_pack, paper):
    made = {"tensors": photo_pack.tensors}
    assert judged(photo_pack, paper, made)
    whole = {"tensors": run_runtime(photo_pack, paper)["tensors"]}
    assert (whole["tensors"] != photo_pack.tensors).any()
    assert judged(photo_pack, paper, whole)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (lambda p: p / 255 * 2 - 1, ""),  # as the card says
        (lambda p: p / 255, "normalized to 0 to 1 (pixel / 255)"),
        (lambda p: p * 1.0, "not normalized (pixels 0 to 255)"),
        (lambda p: (p / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225], "ImageNet"),
        (lambda p: p / 255 * 4 - 2, "scaled by 2"),
        (lambda p: p / 255 * 2 - 1.5, "another zero point"),
    ],
)
def test_a_missing_or_other_normalization_of_a_float_input_is_told(
    judged, paper, colour_pack, values, said
):
    spec = TensorSpec((1, 64, 64, 3), np.dtype(np.float32))
    backend = object.__new__(type(paper.backend))
    backend.input, backend.output = spec, paper.backend.output
    card = colour_pack.card.replace(normalization=Normalization(2 / 255, 127))
    model = paper._replace(backend=backend, card=card)
    tensors = values(colour_pack.tensors.astype(np.float64)).astype(np.float32)
    run = judged(colour_pack, model, {"tensors": tensors})
    assert blamed(run) == ([TENSORS] if said else [])
    assert said in run.stages[TENSORS].cause


def test_tensors_of_another_shape_are_told(judged, colour_pack, paper):
    turned = colour_pack.tensors.transpose(0, 3, 1, 2)
    run = judged(colour_pack, paper, {"tensors": turned})
    assert blamed(run) == [TENSORS]
    assert "3×64×64, they must be 64×64×3" in run.stages[TENSORS].finding
    assert "channels stood in front" in run.stages[TENSORS].cause


def fed(change):
    """A backend that changes what it is fed."""

    def scores(tensors, model):
        return [model.backend.logits(np.ascontiguousarray(change(t))[None]) for t in tensors]

    return scores


def given(change):
    """A backend that changes what it gives."""
    return lambda tensors, model: change(
        np.array([model.backend.logits(tensor[None]) for tensor in tensors])
    )


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (fed(lambda t: t ^ 128), "int8 and uint8 confused"),
        (fed(lambda t: t // 255), "normalized twice"),
        (fed(lambda t: 255 - t), "inverted"),
        (fed(lambda t: t.transpose(1, 0, 2)), "rows and columns exchanged"),
        (fed(np.zeros_like), "nothing but zeros"),
        (fed(lambda t: t * 0 + 99), "each picture were the same"),
        (
            fed(lambda t: np.clip(t.astype(int) - 5, 0, 255).astype(np.uint8)),
            "zero point of the input were off by +5",
        ),
        (fed(lambda t: t // 2), "half as bright"),
        (given(lambda s: s[:, [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]]), "outputs stood in another order"),
        (given(lambda s: s * 7.5), "scaled by 7.5"),
        (given(lambda s: s + 3), "shifted by +3"),
        (given(softmax), "softmax were in them already"),
        (given(lambda s: np.roll(s, 1, axis=0)), "the scores of the one before"),
        (given(lambda s: s * np.nan), ""),
        (
            given(lambda s: s + np.random.default_rng(1).normal(0, 3, s.shape)),
            "perhaps it runs another file",
        ),
    ],
)
def test_a_wrong_way_from_the_tensor_to_scores_is_told(judged, drawn, paper, scores, said):
    made = run_runtime(drawn, paper, scores=lambda tensors: scores(tensors, paper))
    run = judged(drawn, paper, made)
    assert blamed(run) == [SCORES], run.verdict
    assert said in run.stages[SCORES].cause


def test_rounding_of_another_kernel_is_no_fault(judged, drawn, paper):

    step = output_step(
        paper.path if hasattr(paper.path, "suffix") else __import__("pathlib").Path(paper.path)
    )
    assert step is not None
    noise = np.random.default_rng(2).integers(-1, 2, (len(drawn), 10)) * step
    made = run_runtime(drawn, paper)
    assert judged(drawn, paper, {"scores": made["scores"] + noise})


def with_labels(order):
    return lambda row, card: (
        card.labels[order[int(row.argmax())]],
        float(softmax(row, card.temperature).max()),
    )


def with_confidence(confidence):
    return lambda row, card: (card.labels[int(row.argmax())], float(confidence(row, card)))


def unknown_below(threshold):
    def label(row, card):
        confidence = float(softmax(row, card.temperature).max())
        name = card.labels[int(row.argmax())] if confidence >= threshold else "unknown"
        return name, confidence

    return label


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (with_labels([1, 2, 3, 4, 5, 6, 7, 8, 9, 0]), "labels were shifted by +1"),
        (
            with_labels([0, 1, 2, 3, 7, 5, 6, 4, 8, 9]),
            "labels stood in another order ('Sneaker' for",
        ),
        (with_confidence(lambda r, _: softmax(r, 2.0).max()), "the temperature were 2;"),
        (with_confidence(lambda r, _: r.max()), "softmax were missing"),
        (with_confidence(lambda r, _: softmax(softmax(r)).max()), "softmax were applied twice"),
        (with_confidence(lambda r, _: 1 / (1 + np.exp(-r.max()))), "a sigmoid stood for softmax"),
        (with_confidence(lambda r, _: 100 * softmax(r).max()), "in percent"),
        (unknown_below(0.999), "the threshold were between 0."),
        (lambda r, card: (card.labels[int(r.argmin())], float(softmax(r).max())), "least likely"),
        (
            lambda r, card: (card.labels[int(r.argmax())].upper(), float(softmax(r).max())),
            "is none of the card's labels",
        ),
    ],
)
def test_a_wrong_way_from_scores_to_the_label_is_told(judged, drawn, paper, label, said):
    made = run_runtime(drawn, paper, label=lambda row: label(row, paper.card))
    run = judged(drawn, paper, made)
    assert blamed(run) == [LABELS], run.verdict
    assert said in run.stages[LABELS].cause


def test_only_what_was_written_down_is_judged(judged, drawn, paper):
    made = run_runtime(drawn, paper)
    run = judged(drawn, paper, {"labels": made["labels"]})
    assert [stage.state for stage in run.stages] == ["not judged"] * 3 + ["pass"]
    assert run.stages[0].finding == "no pixels were observed"
    some = {"rows": [3, 40], "scores": made["scores"][[3, 40]], "pixels_40": made["pixels_40"]}
    run = judged(drawn, paper, some)
    assert [stage.state for stage in run.stages] == ["pass", "not judged", "pass", "not judged"]
    assert run.images == 2


def test_scores_are_judged_by_the_tensors_that_went_in(judged, drawn, paper):
    """Wrong tensors make other scores, and the network is not blamed for that."""
    made = run_runtime(drawn, paper, preprocess=lambda frame: 255 - frame[..., :1])
    run = judged(drawn, paper, made)
    assert blamed(run) == [TENSORS]
    assert run.agreeing < len(drawn)
    del made["tensors"]  # now nothing tells where it began, but what explains it
    run = judged(drawn, paper, made)
    assert blamed(run) == [SCORES]
    assert "inverted" in run.stages[SCORES].cause
