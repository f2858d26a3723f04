from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from hemline.card import InputSpec, ModelCard
from hemline.datasets.arrays import ArraySplit
from hemline.errors import DataError, UserError
from hemline.parity import reference as reference_module
from hemline.parity.compare import compare, tensor_steps
from hemline.parity.reference import Reference, classes_in_card, spread
from hemline.parity.result import Gate


def test_the_same_network_passes_without_a_difference(model, weights, pack):
    report = compare(model(weights), pack)
    assert report
    assert report.passed
    assert report.failures == ()
    assert (report.agreeing, report.images, report.tensors_equal) == (200, 200, 200)
    assert report.max_tensor_steps == 0
    assert report.logit_errors.max < 1e-5
    assert report.probability_errors.max < 1e-5
    assert report.flips == ()
    assert report.paired.candidate_correct == report.paired.reference_correct == 180
    assert report.paired.p_value == 1.0
    assert report.backend == "matrix 1.0"
    assert report.model_bytes == 1234


def test_classes_in_another_order_of_outputs_fail_and_are_told(model, weights, pack):
    report = compare(model(weights[:, [1, 2, 0]]), pack)
    assert not report
    assert report.agreeing < 100
    assert any(text.startswith("agreement: ") for text in report.failures)
    assert any(text.startswith("accuracy: ") for text in report.failures)
    assert len(report.flips) == 200 - report.agreeing
    assert report.paired.p_value < 1e-6


def test_one_answer_to_everything_is_called_a_collapse(model, weights, pack):
    collapsed = weights * 0
    collapsed[:, 1] = 1
    report = compare(model(collapsed), pack)
    sentence = next(text for text in report.failures if text.startswith("collapse"))
    assert "'dress' to all 200 pictures" in sentence
    assert "3 different answers" in sentence


def test_scores_that_are_no_numbers_fail_in_words(model, weights, pack):
    broken = weights.copy()
    broken[0, 0] = np.nan
    report = compare(model(broken), pack)
    assert report.unanswered == 200
    assert any("200 of 200 pictures got scores that are no numbers" in f for f in report.failures)
    assert not any(text.startswith("collapse") for text in report.failures)
    assert report.flips[0].candidate == ""
    json.dumps(report.to_json(), allow_nan=False)


def test_infinite_scores_of_some_pictures_fail_and_the_rest_is_measured(model, weights, pack):
    with np.errstate(over="ignore", invalid="ignore"):
        huge = weights * np.float32(2e38)  # overflows where a sum is large
        report = compare(model(huge), pack)
    assert not report
    assert report.unanswered > 0


def test_other_preprocessing_is_blamed_and_the_network_is_not(model, weights, split, pack):
    wide = np.random.default_rng(3).integers(0, 256, (200, 8, 24), np.uint8)
    stretched = InputSpec((8, 8), "gray", "stretch")
    squeezed = ArraySplit("test", split.labels, wide, split.targets, "wide")
    tensors = squeezed.tensors(stretched)
    scores = (tensors.reshape(200, -1).astype(np.float32) / 255) @ weights
    made = type(pack).build(squeezed, range(200), pack.card, scores, tensors)
    assert compare(model(weights), made)
    cropping = pack.card.replace(input=InputSpec((8, 8), "gray", "crop"))
    report = compare(model(weights, card=cropping), made)
    assert not report
    assert report.failures[0].startswith("preprocessing: ")
    assert "only preprocessing is at fault" in report.failures[0]
    assert report.agreeing_on_reference_tensors == 200
    assert report.agreeing < 200


def test_an_input_of_another_size_is_blamed_on_preprocessing(model, pack):
    larger = pack.card.replace(input=InputSpec((9, 9), "gray", "stretch"))
    other = np.random.default_rng(5).normal(size=(81, 3)).astype(np.float32)
    report = compare(model(other, card=larger), pack)
    assert report.failures[0].startswith("preprocessing: the candidate's tensors are 9×9×1")
    assert report.agreeing_on_reference_tensors is None
    assert report.max_tensor_steps == 255


@pytest.mark.parametrize(
    ("steps", "passes"),
    [
        (0, True),  # the same
        (2, True),  # another decoder's rounding
        (3, False),  # more than rounding
    ],
)
def test_tensors_may_differ_by_the_steps_of_the_gate(model, weights, pack, steps, passes):
    shifted = pack.tensors.copy()
    pixel = int(shifted[5, 0, 0, 0])
    shifted[5, 0, 0, 0] = pixel + steps if pixel < 128 else pixel - steps
    report = compare(model(weights), dataclasses.replace(pack, tensors=shifted))
    assert report.max_tensor_steps == steps
    assert report.tensors_equal == (200 if steps == 0 else 199)
    assert report.passed is passes


def test_steps_are_not_fooled_by_the_wrap_of_uint8():
    black, white = np.zeros((1, 2, 2, 1), np.uint8), np.full((1, 2, 2, 1), 255, np.uint8)
    assert tensor_steps(black, white).tolist() == [255]
    assert tensor_steps(white, black).tolist() == [255]


def _answering(pack, wrong):
    """The pack with scores by which the first `wrong` pictures were answered otherwise."""
    scores = pack.scores.copy()
    scores[:wrong] = np.roll(scores[:wrong], 1, axis=1)
    return dataclasses.replace(pack, scores=scores, targets=np.full(len(pack), -1))


@pytest.mark.parametrize(
    ("wrong", "least", "passes"),
    [
        (3, 0.985, True),  # 197 of 200 is 98.5 %, just enough
        (4, 0.985, False),  # 98.0 %
        (0, 1.0, True),  # all is enough for all
        (1, 1.0, False),
        (200, 0.0, True),  # a gate that asks nothing
    ],
)
def test_the_gate_of_agreement_is_met_at_its_very_edge(model, weights, pack, wrong, least, passes):
    report = compare(model(weights), _answering(pack, wrong), Gate(min_agreement=least))
    assert report.agreeing == 200 - wrong
    assert report.passed is passes


@pytest.mark.parametrize(
    ("lost", "most", "passes"),
    [
        (1, 0.5, True),  # one of 200 is half a point, just allowed
        (2, 0.5, False),  # one point
        (0, 0.0, True),  # no loss at all
        (2, 1.0, True),  # the edge elsewhere
    ],
)
def test_the_gate_of_accuracy_is_met_at_its_very_edge(model, weights, pack, lost, most, passes):
    mine = pack.scores.argmax(axis=1)
    shifted = _answering(pack, lost).scores
    truth = mine.copy()
    truth[:lost] = shifted[:lost].argmax(axis=1)  # where they differ, the reference is right
    judged = dataclasses.replace(pack, scores=shifted, targets=truth)
    report = compare(model(weights), judged, Gate(min_agreement=0, max_drop_points=most))
    assert report.paired.drop_points == lost / 2
    assert report.passed is passes


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"min_agreement": 98.5}, "share from 0 to 1"),  # percent instead of a share
        ({"min_agreement": float("nan")}, "share from 0 to 1"),  # would let everything pass
        ({"max_drop_points": -1}, "from 0 to 100"),  # a gain cannot be demanded
        ({"max_drop_points": float("nan")}, "from 0 to 100"),
        ({"max_tensor_steps": 256}, "from 0 to 255"),  # more than a pixel has
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(values, said):
    with pytest.raises(UserError, match=said):
        Gate(**values)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("coat", "dress", "sock"), "number 2 is 'sock'"),  # another class
        (("coat", "dress"), "has 2 classes, the reference has 3"),  # fewer
    ],
)
def test_other_classes_are_refused(model, weights, pack, labels, said):
    card = pack.card.replace(labels=labels)
    with pytest.raises(UserError, match=said):
        compare(model(weights[:, : len(labels)], card=card), pack)


def test_a_pack_of_another_model_is_noted(model, weights, pack):
    foreign = pack.card.replace(golden_sha256="ab" * 32)
    report = compare(model(weights, card=foreign), pack)
    assert report
    assert "not written with this model" in report.notes[0]
    own = pack.card.replace(golden_sha256=pack.content_sha256)
    assert compare(model(weights, card=own), pack).notes == ()


def test_pictures_of_unknown_truth_are_left_out_of_accuracy(model, weights, pack):
    targets = pack.targets.copy()
    targets[:50] = -1
    report = compare(model(weights), dataclasses.replace(pack, targets=targets))
    assert report.paired.images == 150
    assert report.agreeing == 200
    assert "50 of 200 pictures" in report.notes[0]
    nothing = compare(model(weights), _answering(pack, 0)).to_json()
    assert nothing["accuracy"] is None
    assert nothing["mcnemar_p"] is None


def test_the_worst_flips_come_first(model, weights, pack):
    report = compare(model(weights[:, [1, 2, 0]]), pack)
    kinds = [flip.kind for flip in report.flips]
    assert kinds == sorted(
        kinds, key=["right to wrong", "changed", "both wrong", "wrong to right"].index
    )
    lost = [flip for flip in report.flips if flip.kind == "right to wrong"]
    assert len(lost) == report.paired.right_to_wrong
    assert lost[0].reference_confidence == max(flip.reference_confidence for flip in lost)
    assert lost[0].truth == lost[0].reference != lost[0].candidate


def test_a_model_on_a_data_set_can_be_the_reference(model, weights, split):
    float_model = model(weights, "tiny_float32.tflite")
    reference = Reference.from_model(float_model, split, "tiny on noise")
    rounded = model(np.round(weights * 64).astype(np.float32) / 64)
    report = compare(rounded, reference)
    assert report
    assert 0 < report.logit_errors.max < 0.5
    assert report.tensors_equal == 200
    assert compare(float_model, reference).agreeing == 200


def test_limits_of_memory_change_no_number(model, weights, split, monkeypatch):
    monkeypatch.setattr(reference_module, "CACHE_BYTES", 1000)
    monkeypatch.setattr(reference_module, "BLOCK", 7)
    reference = Reference.from_model(model(weights), split, "tiny on noise")
    assert compare(model(weights), reference).agreeing == 200


def test_data_in_another_order_of_classes_is_put_in_the_order_of_the_card(split, pack):
    order = [2, 0, 1]
    names = [split.labels[k] for k in order]
    back = np.argsort(order)
    images = np.zeros((200, 8, 8), np.uint8)
    shuffled = ArraySplit("test", names, images, back[split.targets], "noise")
    assert (classes_in_card(shuffled, pack.card) == split.targets).all()


def test_data_with_a_class_that_the_model_does_not_know_are_refused(model, weights, split):
    split.labels = ("coat", "hat", "shirt")
    with pytest.raises(DataError, match="does not know: hat"):
        Reference.from_model(model(weights), split, "tiny on noise")


def test_of_a_class_that_stands_for_several_of_the_card_the_truth_is_not_known():
    shoes = ("sandal", "sneaker", "ankle boot")
    images, targets = np.zeros((3, 8, 8), np.uint8), np.array([0, 1, 1], np.int64)
    split = ArraySplit("test", ("sandal", "shoes"), images, targets, "photos")
    card = ModelCard("m", ("hat", *shoes), InputSpec((8, 8), "gray"))
    assert classes_in_card(split, card).tolist() == [1, -1, -1]
    with pytest.raises(DataError, match="does not know: shoes"):
        classes_in_card(split, ModelCard("m", ("hat", "sandal"), InputSpec((8, 8), "gray")))


def test_a_reference_without_numbers_is_refused(model, weights, split):
    with pytest.raises(UserError, match="the reference's own scores are NaN"):
        Reference.from_model(model(weights * np.nan), split, "broken")


def test_data_without_a_picture_are_refused(model, weights, split):
    with pytest.raises(DataError, match="has no pictures"):
        Reference.from_model(model(weights), split.subset([]), "nothing")


@pytest.mark.parametrize(
    ("count", "limit", "expected"),
    [
        (5, None, [0, 1, 2, 3, 4]),  # no limit
        (5, 9, [0, 1, 2, 3, 4]),  # more than there are
        (10, 5, [0, 2, 4, 6, 8]),  # evenly: data sorted by class keep all classes
        (10, 3, [0, 3, 6]),  # as even as can be
        (10, 1, [0]),
    ],
)
def test_a_limit_takes_pictures_from_everywhere(count, limit, expected):
    assert spread(count, limit).tolist() == expected


def test_a_limited_pack_is_measured_on_its_rows(model, weights, pack):
    reference = Reference.from_pack(pack, "tiny.golden.npz", limit=20)
    report = compare(model(weights), reference)
    assert (report.images, report.agreeing, report.tensors_equal) == (20, 20, 20)
    assert reference.source(1) == "noise/test/10"
