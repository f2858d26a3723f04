from __future__ import annotations

from typing import Any

import pytest

from hemline.measured_accuracy import measured_accuracies


def entry(correct: int, images: int = 100) -> dict[str, Any]:
    return {"accuracy": correct / images, "interval_95": [0.8, 0.95], "images": images}


TRAINING = {
    "metrics": {"validation": entry(99), "test": entry(90), "test, photos": entry(30, 40)},
    "int8_metrics": {"test": entry(89), "tests of mine": entry(1)},
}


def test_each_split_of_test_pictures_is_told_and_no_other() -> None:
    found, measured = measured_accuracies(TRAINING, int8=False)
    assert measured == "with the float model"
    assert [str(accuracy) for accuracy in found] == [
        "90.00 % of 100 test pictures, 95 % interval 80.00–95.00",
        "75.00 % of 40 test pictures (photos), 95 % interval 80.00–95.00",
    ]


def test_what_was_measured_as_int8_is_told_of_int8() -> None:
    (found,), measured = measured_accuracies(TRAINING, int8=True)
    assert (found.accuracy, measured) == (0.89, "with the int8 file that training made")


def test_where_nothing_was_measured_as_int8_the_float_model_is_named() -> None:
    found, measured = measured_accuracies({"metrics": TRAINING["metrics"]}, int8=True)
    assert (len(found), measured) == (2, "with the float model")


@pytest.mark.parametrize(
    "metrics",
    [
        None,
        [],
        "good",
        {"test": 0.9},
        {"test": {"accuracy": 0.9}},
        {"test": {**entry(1), "images": "x"}},
    ],
)
def test_a_card_that_tells_something_else_tells_nothing(metrics: Any) -> None:
    assert measured_accuracies({"metrics": metrics}, int8=False)[0] == ()
