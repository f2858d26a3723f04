from __future__ import annotations

import cv2
import numpy as np
import pytest

from hemline.annotate import Annotator, _Hershey
from hemline.classifier import Classification, Latency

NO_TIME = Latency(0, 0, 0)
TRUE_TYPE = pytest.mark.skipif(not hasattr(cv2, "FontFace"), reason="OpenCV before 5 has no font")


def answer(label: str, confidence: float = 0.5, likeliest: str | None = None) -> Classification:
    return Classification(label, confidence, [(likeliest or label, confidence)], NO_TIME)


def drawn(label: str, size_wh=(640, 480), confidence=0.5, annotator=None) -> np.ndarray:
    width, height = size_wh
    frame = np.full((height, width, 3), 128, np.uint8)
    return (annotator or Annotator()).draw(frame, answer(label, confidence)).copy()


def letters_of(picture: np.ndarray, height: int) -> np.ndarray:
    """Where the band below the picture, without its bar, has bright letters."""
    band = picture[height:]
    return band[len(band) // 5 :].min(axis=2) > 150


@pytest.mark.parametrize("size_wh", [(640, 480), (641, 481), (320, 240), (1920, 1080), (240, 1000)])
def test_nothing_of_the_frame_is_hidden_and_both_sides_are_even(size_wh):
    width, height = size_wh
    frame = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    picture = Annotator().draw(frame, answer("Bag"))
    assert np.array_equal(picture[:height, :width], frame)
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
    assert letters_of(picture, height + height % 2).any()


def test_a_tiny_picture_is_enlarged_so_that_the_label_can_be_read():
    frame = np.zeros((28, 28, 3), np.uint8)
    frame[0, 0] = 255
    picture = Annotator().draw(frame, answer("Ankle boot"))
    assert picture.shape[1] >= 320
    assert (picture[:12, :12] == 255).all()  # its pixels are as they were, only larger


def test_the_bar_is_as_long_as_the_confidence():
    for confidence in (0.0, 0.25, 1.0):
        row = drawn("Bag", confidence=confidence)[480].astype(int)
        length = (row[:, 2] - row[:, 1] > 60).sum()
        assert length == round(640 * confidence)


@pytest.mark.parametrize("letters", [pytest.param(None, marks=TRUE_TYPE), _Hershey])
@pytest.mark.parametrize("length", [1, 10, 40, 80, 300, 5000])
@pytest.mark.parametrize("size_wh", [(640, 480), (320, 240), (240, 320)])
def test_a_label_of_any_length_stays_clear_of_the_confidence_and_inside(letters, length, size_wh):
    annotator = Annotator()
    if letters is not None:
        annotator._letters = letters()
    width, height = size_wh
    written = letters_of(drawn("W" * length, size_wh, annotator=annotator), height).any(axis=0)
    alone = letters_of(drawn("", size_wh, annotator=annotator), height).any(axis=0)
    start = int(np.flatnonzero(alone)[0])  # where the confidence begins
    assert written[:start].any()
    assert not written[start - 4 : start].any()
    assert np.array_equal(written[start:], alone[start:])
    assert not written[:2].any()
    assert not written[width - 2 :].any()


@TRUE_TYPE
def test_labels_of_other_scripts_are_drawn_and_not_replaced():
    question = letters_of(drawn("??"), 480)
    seen = [letters_of(drawn(label), 480) for label in ("上衣", "ЖД", "Ωμ", "ßé", "シャ")]
    for first in range(len(seen)):
        assert not np.array_equal(seen[first], question)
        for second in range(first):
            assert not np.array_equal(seen[first], seen[second])
    assert Annotator().undrawable(("Größe", "上衣", "😀")) == ["😀"]


def test_older_opencv_says_which_labels_it_cannot_draw():
    annotator = Annotator()
    annotator._letters = _Hershey()
    assert annotator.undrawable(("T-shirt/top", "Größe", "上衣")) == ["Größe", "上衣"]
    plain = letters_of(drawn("Hemd e", annotator=annotator), 480)
    assert np.array_equal(plain, letters_of(drawn("Hemd é", annotator=annotator), 480))


@TRUE_TYPE
def test_an_unknown_says_what_it_might_be_and_control_characters_do_no_harm():
    frame = np.zeros((480, 640, 3), np.uint8)
    annotator = Annotator()
    unknown = annotator.draw(frame, answer("unknown", 0.4, "Bag")).copy()
    assert not np.array_equal(unknown, annotator.draw(frame, answer("unknown", 0.4)))
    annotator.draw(frame, answer("\x1b[2J\n\0 paint"))
