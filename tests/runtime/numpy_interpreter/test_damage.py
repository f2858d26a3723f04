"""What is damaged is refused in words when it is loaded; and what loads, runs."""

from __future__ import annotations

import numpy as np
import pytest

from hemline.errors import ModelError
from hemline.numpy_interpreter import NumpyInterpreter
from hemline.tflite_reader import read_tflite


@pytest.fixture(scope="module")
def content(paper_tflite) -> bytes:
    return paper_tflite.read_bytes()


@pytest.fixture(scope="module")
def structure(content) -> list[int]:
    """The places of all bytes but weights and biases."""
    free = np.ones(len(content), bool)
    for buffer in read_tflite("paper", content).buffers:
        if len(buffer) > 64:
            start = content.find(bytes(buffer))
            free[start : start + len(buffer)] = False
    return np.flatnonzero(free).tolist()


@pytest.mark.filterwarnings("error::RuntimeWarning")  # as where a number overflows
def test_changed_bytes_are_refused_or_harmless(content, structure):
    random = np.random.default_rng(0)
    refused, ran = 0, 0
    for _ in range(800):
        changed = bytearray(content)
        place = int(random.choice(structure))
        size = int(random.choice([1, 1, 2, 4]))
        changed[place : place + size] = random.bytes(size)
        try:
            interpreter = NumpyInterpreter("changed.tflite", bytes(changed))
        except ModelError:
            refused += 1
            continue
        interpreter.run(*(np.zeros(edge.shape, edge.dtype) for edge in interpreter.inputs))
        ran += 1
    assert min(refused, ran) > 100


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_file_that_was_cut_off_is_refused(content, share):
    with pytest.raises(ModelError):
        NumpyInterpreter("cut.tflite", content[: int(len(content) * share)])
