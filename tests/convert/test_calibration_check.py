"""Sound calibration sets are accused of nothing, and poor ones of what is poor about them."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from hemline.card import InputSpec, ModelCard, Normalization
from hemline.datasets import FASHION_MNIST_LABELS
from hemline_convert.calibration import CalibrationSet
from hemline_convert.calibration_check import check_calibration
from hemline_convert.float_tflite import network_tflite_from_keras
from hemline_convert.keras_source import open_keras
from hemline_convert.observation import Observations
from hemline_convert.recipe import QuantizationRecipe

CARD = ModelCard("net", FASHION_MNIST_LABELS, InputSpec((28, 28), "gray"), Normalization(1 / 255))


def residual(keras, x):
    layers = keras.layers
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    y = layers.Conv2D(8, 3, padding="same")(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    x = layers.ReLU()(layers.Add()([y, layers.Conv2D(8, 3, padding="same")(x)]))
    return layers.Dense(10)(layers.GlobalAveragePooling2D()(x))


@pytest.fixture(scope="module")
def garments() -> CalibrationSet:
    """500 drawn garments, of the ten classes in turn."""
    from hemline_train.drawn_garments import LABELS, draw_garment

    random = np.random.default_rng(11)
    pictures = [draw_garment(LABELS[at % 10], random, 28) for at in range(500)]
    tensors, targets = np.array(pictures)[..., None], np.arange(500) % 10
    return CalibrationSet(tensors, targets, "drawn", ("",) * 500, LABELS)


def few(calibration, count, start=0):
    chosen = slice(start, start + count)
    return dataclasses.replace(
        calibration,
        tensors=calibration.tensors[chosen],
        targets=calibration.targets[chosen],
        pictures=calibration.pictures[chosen],
    )


def with_tensors(calibration, tensors):
    return dataclasses.replace(calibration, tensors=tensors)


@pytest.fixture(scope="module")
def paper(keras_model):
    """The shipped network and its card, which says how well it does on its training pictures."""
    source = open_keras(keras_model)
    return network_tflite_from_keras(source), source.card


@pytest.fixture(scope="module")
def check(paper):
    """Checks a set: `check(calibration)`, with the shipped network if none is given."""

    def make(calibration, network=paper[0], card=paper[1]):
        return check_calibration(
            network, Observations(network, calibration, card.normalization), card
        )

    return make


@pytest.mark.parametrize(("count", "start"), [(100, 0), (100, 130), (200, 260), (300, 0), (500, 0)])
def test_sound_sets_are_accused_of_nothing(check, garments, count, start):
    found = check(few(garments, count, start))
    assert found, found.sentences
    assert (found.images, found.different, found.classes) == (count, count, 10)
    assert found.right >= 0.9 * count
    assert 1 <= found.typical_ratio <= found.largest_ratio < 2


@pytest.mark.parametrize("build", ["plain", "mobile", residual])
def test_sound_sets_are_accused_of_nothing_whatever_the_network(check, network_of, garments, build):
    network = network_of(build, shape=(28, 28, 1))
    unnamed = dataclasses.replace(garments, labels=())  # it was never trained
    for count, start in ((50, 400), (100, 300), (300, 0)):
        found = check(few(unnamed, count, start), network, CARD)
        assert found, found.sentences
        assert found.largest_ratio < 2


def dim_but_for_one(sound):
    """All are dim but for the first, which is white."""
    return with_tensors(sound, np.concatenate((sound.tensors[:1] | 255, sound.tensors[1:] // 4)))


def one_class(sound):
    return dataclasses.replace(sound, targets=np.full_like(sound.targets, 3))


def two_classes(sound):
    return dataclasses.replace(sound, targets=sound.targets // 5)


CHANCE = np.random.default_rng(1)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda s: few(s, 10), "they are 10 pictures"),
        (lambda s: with_tensors(s, s.tensors * 0), "only 0 of them are different and not of one"),
        (lambda s: with_tensors(s, s.tensors[:1].repeat(100, 0)), "only 1 of them are different"),
        (lambda s: with_tensors(s, s.tensors[:, :1, :1].repeat(28, 1).repeat(28, 2)), "only 0 of"),
        (one_class, "they show 1 of the model's 10 classes"),
        (two_classes, "they show 2 of the model's 10 classes"),
        # Pictures of another kind: the network knows none of them.
        (lambda s: with_tensors(s, CHANCE.integers(0, 256, s.tensors.shape, np.uint8)), "rightly"),
        (lambda s: with_tensors(s, 255 - s.tensors), "93.6% of those that it was trained on"),
        (dim_but_for_one, "two halves of them give ranges that differ by a factor of 3."),
    ],
)
def test_poor_sets_are_accused_of_what_is_poor_about_them(check, garments, spoil, said):
    found = check(spoil(few(garments, 100)))
    assert not found
    assert any(said in sentence for sentence in found.sentences), found.sentences


def test_the_activation_whose_range_differs_most_is_named(check, garments):
    found = check(dim_but_for_one(few(garments, 100)))
    assert found.largest_ratio_at == "CONV_2D, of the layer convolution_1"
    assert any(found.largest_ratio_at in sentence for sentence in found.sentences)


def test_pictures_of_another_kind_are_told_without_figures_of_the_training_too(
    check, paper, garments
):
    noise = CHANCE.integers(0, 256, (100, 28, 28, 1), np.uint8)
    silent = paper[1].replace(training={})
    assert not check(with_tensors(few(garments, 100), noise), card=silent)
    assert check(few(garments, 100), card=silent)


def test_labels_in_another_order_are_told_as_such(check, paper, garments):
    card = paper[1].replace(labels=tuple(reversed(paper[1].labels)))
    found = check(garments, card=card)
    assert "fewer than by chance" in found.sentences[0]
    assert "order of the model's outputs" in found.sentences[0]


def test_a_set_whose_classes_the_model_does_not_have_is_judged_by_the_rest(check, garments):
    unnamed = dataclasses.replace(few(garments, 100), labels=())
    found = check(unnamed)
    assert found
    assert (found.classes, found.known) == (None, 0)
    assert "classes" not in found.summary


def test_the_two_halves_are_the_whole_and_hold_as_much_of_each_class(paper, garments):
    network, card = paper
    observations = Observations(network, few(garments, 100), card.normalization)
    one, other = observations.ranges_of_halves
    whole = observations.ranges(QuantizationRecipe("min-max"))
    for name in whole.low:
        assert whole.low[name] == min(one.low[name], other.low[name])
        assert whole.high[name] == max(one.high[name], other.high[name])
    halves = observations.calibration.halves
    counts = [np.bincount(observations.calibration.targets[halves == half]) for half in (0, 1)]
    assert (counts[0] == counts[1]).all()


def test_its_numbers_are_json(check, garments):
    poor = with_tensors(few(garments, 100), np.zeros((100, 28, 28, 1), np.uint8))
    for calibration in (few(garments, 100), poor):
        found = check(calibration)
        content = json.loads(json.dumps(found.to_json(), allow_nan=False))
        assert content["sound"] is bool(found)
        assert content["images"] == 100
        assert [c["problem"] for c in content["complaints"]] == [
            c.problem for c in found.complaints
        ]
