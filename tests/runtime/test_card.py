from __future__ import annotations

import json
import math

import pytest

from hemline.card import InputSpec, ModelCard, Normalization
from hemline.classifier import Classifier
from hemline.errors import CardError

CARD = ModelCard(
    name="tiny",
    labels=("Mütze", "Schuh"),
    input=InputSpec((32, 24), "gray", "crop", "light-on-dark"),
    normalization=Normalization(1 / 255, 3),
    temperature=1.5,
    rejection_threshold=0.25,
    training={"data": "some", "images": {"train": 10}},
    source_sha256="ab" * 32,
)


def test_a_card_comes_back_from_json_as_it_was():
    assert ModelCard.from_json(CARD.to_json()) == CARD
    assert ModelCard.from_json(CARD.to_json().encode()) == CARD
    assert ModelCard.from_json(CARD.to_json()).to_json() == CARD.to_json()


def test_labels_are_readable_in_the_file_and_not_escaped():
    assert "Mütze" in CARD.to_json()


def test_a_later_field_does_not_make_a_card_unreadable():
    content = json.loads(CARD.to_json())
    content["author"] = "somebody"
    assert ModelCard.from_json(json.dumps(content)) == CARD


def test_the_tensor_shape_is_height_before_width():
    assert CARD.input.tensor_shape == (1, 24, 32, 1)
    assert InputSpec((32, 24), "rgb").tensor_shape == (1, 24, 32, 3)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("format", 2, "update hemline"),  # a newer card
        ("format", None, "format None"),  # no number at all
        ("name", "", "name"),  # files are named by it
        ("name", "a/b", "without slashes"),  # it would name another folder
        ("labels", ["one"], "at least two"),  # nothing to decide
        ("labels", ["a", ""], "empty"),  # an answer must have a name
        ("labels", ["a", "a"], "same"),  # which of the two?
        ("labels", [1, 2], "usable labels"),  # numbers are no names
        ("labels", None, "must be a list"),  # JSON null
        ("labels", "ab", "must be a list"),  # a text has letters, and no labels
        ("labels", ["a", "\ud800"], "cannot be read"),  # half a character
        ("network_sha256", None, "must be text"),  # JSON null is no checksum
        ("golden_sha256", True, "must be text"),  # its beginning is shown
        ("training", 5, "must be an object"),  # what is in it is looked up
        ("training", {"loss": math.inf}, "cannot be read"),  # no other JSON knows it
        ("activation_ranges", [1, 2], "each must be an object"),
        ("temperature", 0, "positive"),  # logits are divided by it
        ("temperature", math.nan, "cannot be read"),  # Python's JSON knows NaN
        ("rejection_threshold", 1.5, "from 0 to 1"),  # a probability
        ("rejection_threshold", "high", "cannot be read"),  # not a number
        ("normalization", {"scale": 0, "zero_point": 0}, "positive"),  # would blot out the picture
        ("normalization", {"scale": 1, "zero_point": 300}, "0 to 255"),  # no uint8
        ("normalization", {"scales": 1}, "cannot be read"),  # unknown field of a part
        ("input", {"size_wh": [0, 28]}, "1 to 4096"),  # empty
        ("input", {"size_wh": [28]}, "width and height"),  # one number
        ("input", {"size_wh": [28.5, 28]}, "1 to 4096"),  # half pixels
        ("input", {"size_wh": 28}, "cannot be read"),  # not a pair
        ("input", {"size_wh": [28, 28], "color": "grey"}, "gray, rgb"),  # British spelling
        ("input", {"size_wh": [28, 28], "resize": "fit"}, "pad, stretch, crop"),
        ("input", {"size_wh": [28, 28], "foreground": "dark"}, "as-is, light-on-dark, garment"),
    ],
)
def test_a_card_that_cannot_be_meant_is_refused_in_words(field, value, said):
    content = json.loads(CARD.to_json())
    content[field] = value
    with pytest.raises(CardError) as caught:
        ModelCard.from_json(json.dumps(content))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",  # nothing
        "{",  # cut off
        "[]",  # JSON, but a list
        '"card"',  # JSON, but a word
        "{}",  # without a format
        b"\xff\xfe",  # no UTF-8
        '{"format": 1}',  # without what it is about
    ],
)
def test_what_is_no_card_is_refused_in_words(text):
    with pytest.raises(CardError, match="cannot be read"):
        ModelCard.from_json(text)


def test_the_shipped_card_tells_what_it_was_trained_on():
    card = Classifier("paper").card
    assert card.training["metrics"]["test"]["images"] == 10_000
    assert card.source_sha256
    assert card.golden_sha256
    assert card.quantization["calibration"]["data"] == "fashion-mnist/train"


def test_a_card_that_is_nested_without_end_is_refused_in_words():
    with pytest.raises(CardError, match="nested too deeply"):
        ModelCard.from_json("[" * 100_000)
