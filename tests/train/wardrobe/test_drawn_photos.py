"""Photos that the project draws: what the golden pack of a model in colour is made of."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hemline.datasets import open_dataset
from hemline.datasets.wardrobe import WARDROBE_LABELS
from hemline_train.wardrobe.drawn_photos import EACH, drawn_photos, main


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that main() has just written."""
    folder = tmp_path_factory.mktemp("photos")
    assert main(["--out", str(folder)]) == 0
    return folder


def test_what_is_written_is_a_data_set_with_as_many_photos_of_each_class(written: Path) -> None:
    dataset = open_dataset(written)
    assert set(dataset.labels) < set(WARDROBE_LABELS)
    counts = Counter(dataset.split("test").targets.tolist())
    assert set(counts.values()) == {EACH["test"]}
    assert len(counts) == len(dataset.labels) == 10
    rest = [*dataset.split("train").targets, *dataset.split("validation").targets]
    assert set(Counter(rest).values()) == {EACH["train"]}
    assert dataset.evaluation_split().name == "test"


def test_two_thirds_are_photos_in_colour_and_no_two_are_the_same() -> None:
    drawn = [photo for _, photo in drawn_photos("train")]
    assert len({photo.tobytes() for photo in drawn}) == len(drawn)
    photos = [photo for photo in drawn if photo.ndim == 3]
    assert len(photos) == len(drawn) * 2 / 3
    assert {photo.shape for photo in drawn if photo.ndim == 2} == {(28, 28)}
    in_colour = [np.ptp(photo.astype(int), axis=2).max() > 20 for photo in photos]
    assert np.mean(in_colour) > 0.7  # the others show grey cloth on a grey ground


def test_the_same_photos_are_drawn_at_every_call() -> None:
    first, again = (next(iter(drawn_photos("test")))[1] for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, next(iter(drawn_photos("train")))[1])


def test_a_folder_that_cannot_be_written_to_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["--out", str(tmp_path / "file")]) == 1
    assert "file" in capsys.readouterr().err
