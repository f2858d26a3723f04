from __future__ import annotations

import cv2
import numpy as np
import pytest

from hemline.batch import Outcome
from hemline.classifier import Classification, Latency
from hemline.doubtful import DoubtfulFrames, folder_names
from hemline.errors import UserError
from hemline.sources import TimedFrame

LABELS = ("T-shirt/top", "Bag")
FRAME = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)


def outcome(confidence: float, label: str = "Bag", number: int = 0, at_s: float = 0) -> Outcome:
    own = Classification("unknown", confidence, [(label, confidence)], Latency(0, 0, 0))
    sure = Classification(label, 0.99, [(label, 0.99)], Latency(0, 0, 0))  # judged over time
    return Outcome("camera 0", number, sure, "", TimedFrame(FRAME, number, at_s, at_s, 0, 0), own)


def files(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_only_what_the_frame_alone_leaves_open_is_kept_in_the_folder_of_its_class(tmp_path):
    frames = DoubtfulFrames(tmp_path / "new" / "folder", LABELS, below=0.6)
    for number, (confidence, label) in enumerate(
        [(0.59, "Bag"), (0.6, "Bag"), (0.95, "Bag"), (0.3, "T-shirt/top")]
    ):
        frames.write(outcome(confidence, label, number, at_s=2.0 * number))
    frames.write(Outcome("a.jpg", None, None, "an error"))
    saved = files(tmp_path / "new" / "folder")
    assert [(name.split("/")[0], name.split("-")[-1]) for name in saved] == [
        ("Bag", "0.jpg"),
        ("T-shirt_top", "3.jpg"),
    ]
    image = cv2.imread(str(tmp_path / "new" / "folder" / saved[0]))
    assert image.shape == FRAME.shape
    assert frames.saved == 2


def test_neighbours_are_left_out_and_another_source_begins_anew(tmp_path):
    frames = DoubtfulFrames(tmp_path, LABELS, interval_s=1.0)
    for number, at_s in enumerate([0.0, 0.5, 0.99, 1.0, 1.5, 2.1, 0.0]):
        frames.write(outcome(0.1, number=number, at_s=at_s))
    assert sorted(name.split("-")[-1] for name in files(tmp_path)) == [
        "0.jpg", "3.jpg", "5.jpg", "6.jpg"
    ]  # fmt: skip


def test_the_disk_space_is_bounded_older_frames_count_and_none_is_deleted(tmp_path):
    told = []
    DoubtfulFrames(tmp_path, LABELS).write(outcome(0.1))
    (first,) = tmp_path.glob("Bag/*.jpg")
    bound = int(3.5 * first.stat().st_size)
    frames = DoubtfulFrames(tmp_path, LABELS, max_bytes=bound, interval_s=0, tell=told.append)
    for number in range(1, 10):
        frames.write(outcome(0.1, number=number, at_s=number))
    assert len(files(tmp_path)) == 3
    assert first.exists()
    assert len(told) == 1
    assert "--max-disk" in told[0]


def test_a_full_disk_is_told_once_leaves_nothing_half_written_and_is_survived(small_disk):
    told = []
    frames = DoubtfulFrames(small_disk, LABELS, interval_s=0, tell=told.append)
    for number in range(40):
        frames.write(outcome(0.1, number=number, at_s=number))
    saved = files(small_disk)
    assert 2 < len(saved) < 40
    assert told == [told[0]]
    assert "no space is left on the disk" in told[0]
    for name in saved:
        assert not name.split("/")[-1].startswith(".")
        assert (small_disk / name).read_bytes().endswith(b"\xff\xd9")
    (small_disk / saved[0]).unlink()
    frames.write(outcome(0.1, number=99, at_s=99))  # and there is room again
    assert any(name.endswith("-99.jpg") for name in files(small_disk))
    assert frames.incomplete
    frames.close()
    frames.close()
    assert told[1:] == [f"{40 - len(saved)} doubtful frames were not saved in {small_disk}"]


@pytest.fixture
def slow_film(tmp_path):
    """30 frames of noise, one a second."""
    path = tmp_path / "slow.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 1, (64, 48))
    rng = np.random.default_rng(0)
    for _ in range(30):
        writer.write(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    writer.release()
    return path


def test_a_disk_that_becomes_full_lets_the_run_go_on_and_ends_it_with_1(
    hemline, slow_film, small_disk
):
    done = hemline(
        "classify", slow_film, "--json", "--save-doubtful", small_disk, "--doubtful-below", "1"
    )
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 30
    full, lost = done.stderr.splitlines()
    assert "no space is left" in full
    assert lost.endswith(f"doubtful frames were not saved in {small_disk}")
    assert int(lost.split()[1]) == 30 - len(files(small_disk))


def test_the_command_refuses_a_folder_that_takes_nothing(hemline, slow_film, small_disk, read_only):
    with pytest.raises(OSError, match="space"):
        (small_disk / "filler").write_bytes(bytes(1 << 20))
    for folder, reason in ((read_only, "is not writable"), (small_disk, "no space is left")):
        done = hemline("classify", slow_film, "--save-doubtful", folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"cannot write {folder}: " in done.stderr
        assert reason in done.stderr
    assert files(small_disk) == ["filler"]


def test_no_folder_is_made_where_nothing_is_doubtful(hemline, slow_film, tmp_path):
    folder = tmp_path / "new"
    done = hemline("classify", slow_film, "--save-doubtful", folder, "--doubtful-below", "0.000001")
    assert done.returncode == 0
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_to_is_refused_at_once(read_only, tmp_path):
    with pytest.raises(UserError, match="not writable"):
        DoubtfulFrames(read_only / "new", LABELS)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="is a file"):
        DoubtfulFrames(tmp_path / "file" / "x", LABELS)


@pytest.mark.parametrize(
    ("labels", "folders"),
    [
        (("T-shirt/top", "Bag"), ["T-shirt_top", "Bag"]),
        (("..", ".hidden", "a\\b"), ["_.", "_hidden", "a_b"]),  # never outside the folder
        (("", "ü"), ["_", "ü"]),
    ],
)
def test_every_label_has_a_folder_inside(labels, folders):
    assert list(folder_names(labels).values()) == folders


def test_two_labels_never_share_a_folder():
    with pytest.raises(UserError, match="the same folder"):
        folder_names(("a/b", "a_b"))


@pytest.mark.parametrize("values", [{"below": 0}, {"below": 1.1}, {"max_bytes": 0}])
def test_values_out_of_range_are_refused(tmp_path, values):
    with pytest.raises(UserError):
        DoubtfulFrames(tmp_path, LABELS, **values)
