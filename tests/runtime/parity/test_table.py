from __future__ import annotations

from itertools import combinations

from hemline.parity.run import PairAgreement
from hemline.parity.table import pair_lines


def pairs(*names: str) -> list[PairAgreement]:
    return [
        PairAgreement(first, second, 1000 - number, 1000)
        for number, (first, second) in enumerate(combinations(names, 2))
    ]


def test_up_to_three_files_are_compared_in_sentences():
    lines = pair_lines(pairs("a", "b", "c"))
    assert lines[0] == "a and b agree on 1000 of 1000 pictures"
    assert len(lines) == 3


def test_more_files_are_compared_in_a_triangle_in_which_each_pair_stands_once():
    lines = pair_lines(pairs("a.tflite", "b.tflite", "c.tflite", "d.onnx"))
    assert lines == [
        "same answers of each two of them, of 1000 pictures",
        "               1    2    3",
        "1 a.tflite",
        "2 b.tflite  1000",
        "3 c.tflite   999  997",
        "4 d.onnx     998  996  995",
    ]
