from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.errors import DataError
from hemline_train.wardrobe.backdrops import Backdrops
from hemline_train.wardrobe.given import GivenPictures, read_given
from hemline_train.wardrobe.nothing import GIVEN, TRAINED, NothingFrames

GREEN, SIZE_WH = (0, 255, 0), (64, 48)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty pictures of a room, some of them below, and twenty discs that are cut out."""
    folder = tmp_path_factory.mktemp("nothing")
    (folder / "below").mkdir()
    rng = np.random.default_rng(3)
    for number in range(40):
        room = rng.integers(0, 256, (30, 40, 3), np.uint8)
        cv2.imwrite(str(folder / ("below" if number % 2 else "") / f"{number}.png"), room)
    for number in range(20):
        disc = np.zeros((200, 200, 4), np.uint8)
        cv2.circle(disc, (100, 100), 60 + number, (*GREEN, 255), -1)
        cv2.imwrite(str(folder / f"disc-{number}.png"), disc)
    return folder


def test_about_one_of_seven_is_held_out_and_never_trained_on(folder: Path) -> None:
    trained, judged = read_given([str(folder)], 128)
    assert judged is not None
    assert len(trained) + len(judged) == 60
    assert 2 <= len(judged) <= 18
    seen = {picture.tobytes() for picture in trained.pictures}
    assert not any(picture.tobytes() in seen for picture in judged.pictures)


def test_what_is_read_depends_on_neither_threads_nor_names(folder: Path, tmp_path: Path) -> None:
    one, _ = read_given([str(folder)], 128, threads=1)
    four, _ = read_given([str(folder)], 128, threads=4)
    assert one.digest() == four.digest()
    for number, path in enumerate(sorted(folder.glob("*.png"))):
        (tmp_path / f"{number:03}.png").write_bytes(path.read_bytes())
    renamed, _ = read_given([str(tmp_path)], 128)
    above = {picture.tobytes() for picture in one.pictures}
    assert {picture.tobytes() for picture in renamed.pictures} <= above


def test_all_pictures_that_cannot_be_read_are_told_at_once(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "given")
    for name in ("a.png", "b.jpg"):
        (tmp_path / "given" / name).write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"2 of 62 pictures of --nothing .*a\.png.*b\.jpg"):
        read_given([str(tmp_path / "given")], 128)


def test_a_single_picture_is_trained_on(tmp_path: Path) -> None:
    for number in range(30):  # whatever its hash
        path = tmp_path / f"{number}" / "room.png"
        path.parent.mkdir()
        cv2.imwrite(str(path), np.full((8, 8, 3), number, np.uint8))
        trained, judged = read_given([str(path.parent)], 128)
        assert len(trained) == 1
        assert judged is None


def test_large_pictures_are_shrunk_and_an_alpha_that_hides_nothing_is_dropped(
    tmp_path: Path,
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((300, 600, 4), 255, np.uint8))
    trained, _ = read_given([str(tmp_path)], 128)
    assert trained.pictures[0].shape == (64, 128, 3)


def test_a_cutout_lies_on_many_grounds_and_a_whole_picture_fills_the_frame() -> None:
    disc = np.zeros((100, 100, 4), np.uint8)
    cv2.circle(disc, (50, 50), 40, (*GREEN, 255), -1)
    grounds = Backdrops(None, 1)
    frames = [
        GivenPictures((disc,)).frame(np.random.default_rng(seed), SIZE_WH, grounds)
        for seed in range(8)
    ]
    for frame in frames:
        assert frame.shape == (48, 64, 3)
        green = (np.abs(frame.astype(int) - GREEN).max(axis=2) < 12).mean()
        assert 0.02 < green < 0.9
    assert len({frame.tobytes() for frame in frames}) == 8
    wall = GivenPictures((np.full((50, 50, 3), GREEN, np.uint8),))
    frame = wall.frame(np.random.default_rng(1), SIZE_WH, grounds)
    assert np.array_equal(frame, np.full((48, 64, 3), GREEN, np.uint8))


def test_given_pictures_are_a_part_of_what_is_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given = GivenPictures((np.full((50, 50, 3), GREEN, np.uint8),))
    frames = NothingFrames(Backdrops(None, 1), None, given)
    seen: list[str] = []
    monkeypatch.setattr(frames, "frame", lambda kind, _rng, _size: seen.append(kind))
    rng = np.random.default_rng(1)
    for _ in range(600):
        frames.trained(rng, SIZE_WH)
    assert set(seen) == {*TRAINED, GIVEN}
    assert 120 < seen.count(GIVEN) < 240


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="away is not there"):
        read_given([str(tmp_path / "away")], 128)
    with pytest.raises(DataError, match="no picture in this folder"):
        read_given([str(tmp_path)], 128)
    (tmp_path / "room.jpg").write_bytes(b"room")
    with pytest.raises(DataError, match=r"room\.jpg is a file"):
        read_given([str(tmp_path / "room.jpg")], 128)


def test_a_broken_picture_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"broken\.png"):
        read_given([str(tmp_path)], 128)
