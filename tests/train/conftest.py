"""A small data set of bars and blobs, and one finished run on it, shared by all tests here."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

COUNTS = {"train": 24, "validation": 8, "test": 8}  # per class
LABELS = ("blob", "flat bar", "tall bar")


def picture(label: str, chance: np.random.Generator) -> NDArray[np.uint8]:
    pixels = chance.integers(0, 30, (28, 28), dtype=np.uint8)
    row, column = chance.integers(9, 19, 2).tolist()
    half = {"blob": (4, 4), "flat bar": (2, 9), "tall bar": (9, 2)}[label]
    level = int(chance.integers(120, 255))
    pixels[row - half[0] : row + half[0], column - half[1] : column + half[1]] = level
    pixels[[0, -1]] = pixels[:, [0, -1]] = 0  # a dark ground
    return pixels


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 72 training, 24 validation and 24 test pictures in three classes."""
    folder = tmp_path_factory.mktemp("data") / "shapes"
    chance = np.random.default_rng(1)
    for split, count in COUNTS.items():
        for label in LABELS:
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                path = folder / split / label / f"{number}.png"
                assert cv2.imwrite(str(path), picture(label, chance))
    return folder
