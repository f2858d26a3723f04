from __future__ import annotations

import cv2
import pytest

from hemline.bench.process import peak_memory_bytes, seconds_to_first_label
from hemline.errors import UserError


def test_the_first_label_of_a_real_process_is_timed(garments):
    assert 0.05 < seconds_to_first_label(garments[0], ["-m", "paper"]) < 60


def test_memory_is_that_of_the_classifying_process_and_not_of_this_one(garments):
    ballast = bytearray(400_000_000)
    ballast[::4096] = bytes(len(range(0, len(ballast), 4096)))  # held in RAM, page by page
    peak = peak_memory_bytes(cv2.imread(str(garments[0])), ["-m", "paper"])
    assert peak is not None
    assert 20_000_000 < peak < 300_000_000


def test_a_process_that_gives_no_answer_is_told_with_what_it_said(tmp_path, garments):
    with pytest.raises(UserError, match=r"ended with 2 and no answer") as caught:
        seconds_to_first_label(garments[0], ["-m", str(tmp_path / "none.tflite")])
    assert "hemline" in caught.value.problem
