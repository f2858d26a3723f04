"""The garments that the project draws itself, and the sample files made of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.errors import DataError
from hemline.samples import drawn_garments_path, picture_paths
from hemline_train.drawn_garments import (
    IMAGES_PER_CLASS,
    LABELS,
    draw_garment,
    drawn_data_set,
    main,
    photo_like,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that main() has just written."""
    folder = tmp_path_factory.mktemp("samples")
    assert main(["--out", str(folder)]) == 0
    return folder


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return dict(file)


def pixels(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None, f"{path.name} does not decode"
    return picture


@pytest.mark.parametrize("label", LABELS)
def test_a_garment_fills_the_frame_and_stands_on_black(label: str) -> None:
    image = draw_garment(label, np.random.default_rng(5), 28)
    assert (image.shape, image.dtype) == ((28, 28), np.uint8)
    rows, columns = (image > 20).any(axis=1), (image > 20).any(axis=0)
    assert rows[[0, -1]].all() or columns[[0, -1]].all(), "the long side touches the frame"
    assert np.median(image[[0, 0, -1, -1], [0, -1, 0, -1]]) == 0, "corners are ground"
    assert image.max() > 60


@pytest.mark.parametrize("size", [1, 28, 97, 224])  # smallest, the usual, odd, above the canvas
def test_a_garment_has_the_size_that_was_asked_for(size: int) -> None:
    assert draw_garment("Bag", np.random.default_rng(5), size).shape == (size, size)


def test_the_same_seed_draws_the_same_garments() -> None:
    first, targets = drawn_data_set(2, np.random.default_rng(7))
    again, _ = drawn_data_set(2, np.random.default_rng(7))
    other, _ = drawn_data_set(2, np.random.default_rng(8))
    assert np.array_equal(first, again)
    assert not (first == other).all(axis=(1, 2)).any()
    assert (first.shape, first.dtype) == ((20, 28, 28), np.uint8)
    assert (targets.dtype, targets.tolist()) == (np.int64, [*range(10), *range(10)])


@pytest.mark.parametrize("label", LABELS)
def test_a_photo_shows_a_darker_garment_on_a_bright_ground(label: str) -> None:
    frame_bgr = photo_like(label, np.random.default_rng(5), (160, 120))
    assert (frame_bgr.shape, frame_bgr.dtype) == ((120, 160, 3), np.uint8)
    corners = frame_bgr[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.min() > 200
    assert np.percentile(frame_bgr, 5) < 180


def test_an_unknown_label_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DataError, match="Ankle boot"):
        draw_garment("Hat", np.random.default_rng(5), 28)


def test_a_folder_that_cannot_be_written_is_an_error_without_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["--out", str(tmp_path / "file")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_the_files_in_the_repository_are_those_that_main_writes(written: Path) -> None:
    committed = {path.name for path in [drawn_garments_path(), *picture_paths()]}
    assert committed == {path.name for path in written.iterdir()}


def test_the_data_set_in_the_repository_is_the_one_that_main_writes(written: Path) -> None:
    fresh, committed = arrays(written / drawn_garments_path().name), arrays(drawn_garments_path())
    assert fresh.keys() == committed.keys()
    for name, array in fresh.items():
        # Not the bytes of the file: another zlib or OpenCV may pack or round a little differently.
        difference = np.abs(array.astype(int) - committed[name].astype(int)).max()
        assert difference <= (2 if name.endswith("images") else 0), name


@pytest.mark.parametrize("path", picture_paths(), ids=lambda path: path.name)
def test_a_picture_in_the_repository_is_the_one_that_main_writes(path: Path, written: Path) -> None:
    fresh, committed = pixels(written / path.name), pixels(path)
    assert fresh.shape == committed.shape
    # Another JPEG coder may round differently; another drawing differs by much more.
    assert np.abs(fresh.astype(int) - committed.astype(int)).mean() < 0.5


def test_there_is_a_picture_of_every_class_a_wide_and_a_transparent_one() -> None:
    stems = {path.stem for path in picture_paths()}
    assert {label.lower().replace("/", "-").replace(" ", "-") for label in LABELS} <= stems
    pictures = [pixels(path) for path in picture_paths()]
    assert any(picture.shape[1] > 2 * picture.shape[0] for picture in pictures)
    assert any(picture.shape[2] == 4 and picture[:, :, 3].min() == 0 for picture in pictures)


def test_the_samples_stay_small() -> None:
    sizes = [path.stat().st_size for path in picture_paths()]
    assert max(sizes) < 40_000
    assert sum(sizes) + drawn_garments_path().stat().st_size < 600_000


@pytest.mark.parametrize("part", ["train", "test"])
def test_every_class_is_equally_often_in_the_data_set(part: str) -> None:
    content = arrays(drawn_garments_path())
    images, targets = content[f"{part}_images"], content[f"{part}_targets"]
    assert (images.shape, images.dtype) == ((10 * IMAGES_PER_CLASS, 28, 28), np.uint8)
    assert targets.dtype == np.int64
    assert np.bincount(targets).tolist() == [IMAGES_PER_CLASS] * 10


def test_no_image_occurs_twice_within_or_across_the_splits() -> None:
    content = arrays(drawn_garments_path())
    images = np.concatenate((content["train_images"], content["test_images"]))
    assert len({image.tobytes() for image in images}) == len(images)


def test_drawing_needs_no_tensorflow() -> None:
    code = "import sys, hemline_train.drawn_garments; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
