from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline_train.fit_state import EpochLog
from hemline_train.plots import draw_confusion, draw_curves


def size_wh(path: Path) -> tuple[int, int]:
    image = cv2.imread(str(path))
    assert image is not None
    return image.shape[1], image.shape[0]


@pytest.mark.parametrize("epochs", [1, 2, 60])
def test_curves_are_drawn_for_any_number_of_epochs(tmp_path: Path, epochs: int) -> None:
    log = [EpochLog(n, n / 100, 1 / n, n / 90, 1.1 / n, 2.0) for n in range(1, epochs + 1)]
    draw_curves(tmp_path / "curves.png", log, epochs, "validation_loss", "title")
    assert size_wh(tmp_path / "curves.png") == (1320, 552)


@pytest.mark.parametrize("classes", [2, 10, 60])
def test_confusion_is_drawn_for_few_and_many_classes(tmp_path: Path, classes: int) -> None:
    confusion = np.eye(classes, dtype=np.int64) * 7
    confusion[0] = 0  # a class without images must not divide by zero
    names = [f"class {n}" for n in range(classes)]
    draw_confusion(tmp_path / "c.png", confusion, names, names, "title")
    assert min(size_wh(tmp_path / "c.png")) >= 480
