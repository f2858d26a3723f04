from __future__ import annotations

import numpy as np
import pytest

from hemline.card import InputSpec
from hemline.datasets import open_dataset
from hemline.errors import UserError
from hemline_convert.calibration import balanced, choose_calibration_images
from hemline_convert.observation import lowest_runner_up

SPEC = InputSpec((28, 28), "gray")


@pytest.mark.parametrize(
    ("counts", "wanted", "chosen"),
    [
        ([10, 10, 10], 6, [2, 2, 2]),  # the same of each
        ([10, 10, 10], 7, [3, 2, 2]),  # the odd one goes to the first class
        ([1, 10, 10], 9, [1, 4, 4]),  # a small class gives what it has, the others make up for it
        ([2, 3], 50, [2, 3]),  # more than there are: all
    ],
)
def test_classes_take_turns(counts, wanted, chosen):
    targets = np.repeat(np.arange(len(counts)), counts)
    indices = balanced(targets, wanted)
    assert np.bincount(targets[indices], minlength=len(counts)).tolist() == chosen
    assert len(set(indices)) == len(indices)


def test_the_choice_is_the_same_each_time():
    data = open_dataset("drawn")
    first, second = (choose_calibration_images(data, SPEC, 50) for _ in range(2))
    assert first.sha256 == second.sha256


def test_pictures_that_parity_measures_on_are_left_out():
    data = open_dataset("drawn")
    train = data.split("train").tensors(SPEC)
    chosen = choose_calibration_images(data, SPEC, 100)
    again = choose_calibration_images(data, SPEC, 100, exclude=chosen.tensors[:7])
    assert len(again.tensors) == len(chosen.tensors) - 7
    assert {t.tobytes() for t in again.tensors} <= {t.tobytes() for t in train}


def test_too_few_calibration_pictures_are_refused():
    with pytest.raises(UserError, match="3 pictures"):
        choose_calibration_images(open_dataset("drawn"), SPEC, 3)


def test_no_logit_below_the_lowest_runner_up_decides_a_label():
    logits = np.array([[5.0, 1.0, -9.0], [-2.0, 0.5, -30.0]], np.float32)
    assert lowest_runner_up(logits) == -2.0
