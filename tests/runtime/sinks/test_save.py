"""Annotated pictures and films: legible, whole or not there, never over what was there before."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.batch import Outcome
from hemline.classifier import Classification, Latency
from hemline.errors import UserError
from hemline.sinks.film import FilmSink
from hemline.sinks.pictures import PictureSink
from hemline.sources.frames import TimedFrame

TOP = [("Bag", 0.75), ("Coat", 0.25)]
ANSWER = Classification("Bag", 0.75, TOP, Latency(0.5, 0.25, 0.8))
SIZE_WH = (320, 240)
BAND = 2 * round(0.055 * 320) + 2  # about what the answer takes below


def frame(level: int = 0, size_wh: tuple[int, int] = SIZE_WH) -> np.ndarray:
    return np.full((size_wh[1], size_wh[0], 3), level, np.uint8)


def outcome(number: int, at_s: float, level: int = 0, *, live: bool = False, source: str = "film.avi",
            size_wh: tuple[int, int] = SIZE_WH) -> Outcome:  # fmt: skip
    wall_s = 1.8e9 + at_s if live else None
    timed = TimedFrame(frame(level, size_wh), number, at_s, at_s, wall_s, 0)
    return Outcome(source, number, ANSWER, "", timed, ANSWER)


def frames_of(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    found = []
    while (read := capture.read())[0]:
        found.append(read[1])
    capture.release()
    return found


def level_of(picture: np.ndarray) -> float:
    return float(picture[: SIZE_WH[1] - 4, :].mean())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "given" / "film.avi"
    path.parent.mkdir()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, SIZE_WH)
    for number in range(40):
        writer.write(frame(6 * number))
    writer.release()
    return path


def test_pictures_are_saved_with_their_answer_under_their_own_names(hemline, garments, tmp_path):
    done = hemline("classify", *garments[:3], "--save", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert names(tmp_path / "out") == sorted(f"{path.stem}.jpg" for path in garments[:3])
    for path in garments[:3]:
        given, saved = cv2.imread(str(path)), cv2.imread(str(tmp_path / "out" / f"{path.stem}.jpg"))
        height, width = given.shape[:2]
        assert saved.shape[0] > height
        assert np.abs(saved[:height, :width].astype(int) - given).mean() < 4


def test_nothing_is_ever_overwritten(hemline, picture, tmp_path):
    folder = tmp_path / "out"
    contents = []
    for times in range(3):
        assert hemline("classify", picture, picture, "--save", folder).returncode == 0
        assert len(names(folder)) == 2 * (times + 1)
        contents.append({path.name: path.stat().st_mtime_ns for path in folder.iterdir()})
    assert contents[0].items() <= contents[1].items() <= contents[2].items()


def test_an_input_that_cannot_be_read_has_no_picture_and_the_rest_is_saved(
    hemline, picture, tmp_path
):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(picture.read_bytes()[:500])
    done = hemline("classify", broken, picture, "--save", tmp_path / "out")
    assert done.returncode == 1
    assert names(tmp_path / "out") == ["bag.jpg"]


def test_frames_of_a_film_are_numbered_and_those_of_a_camera_dated(tmp_path):
    sink = PictureSink(tmp_path)
    sink.write(outcome(7, 0.3, source="a/film.avi"))
    sink.write(outcome(8, 0.3, live=True, source="0"))
    sink.write(outcome(9, 0.3, live=True, source="rtsp://user:secret@cam.local:554/live"))
    sink.write(outcome(9, 0.3, live=True, source="/dev/video2"))
    day = time.strftime("%Y%m%d-%H%M%S", time.localtime(1.8e9))
    assert names(tmp_path) == sorted(
        ["film-000007.jpg", f"camera-0-{day}-000008.jpg", f"cam.local_554-{day}-000009.jpg",
         f"video2-{day}-000009.jpg"]
    )  # fmt: skip


def test_what_a_camera_saves_is_bounded_and_that_is_told_once(tmp_path):
    told = []
    sink = PictureSink(tmp_path, max_bytes=20_000, tell=told.append)
    for number in range(50):
        sink.write(outcome(number, number / 20, live=True))
    assert 0 < sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20_000
    assert len(told) == 1
    again = PictureSink(tmp_path, max_bytes=20_000, tell=told.append)
    count = len(names(tmp_path))
    again.write(outcome(99, 9.0, live=True))
    assert len(names(tmp_path)) == count


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_a_film_has_every_frame_once_with_its_answer(hemline, film, tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    done = hemline("classify", film, "--save", path)
    assert done.returncode == 0, done.stderr
    assert f"saved {path} (40 frames)" in done.stderr
    given, saved = frames_of(film), frames_of(path)
    assert len(saved) == 40
    for before, after in zip(given, saved, strict=True):
        assert after.shape[0] > before.shape[0]
        assert level_of(after) == pytest.approx(level_of(before), abs=4)
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(20, rel=0.01)
    assert names(tmp_path) == sorted(["given", path.name])


def test_a_film_is_never_overwritten_and_each_source_has_its_own(hemline, film, tmp_path):
    other = film.with_name("other.avi")
    shutil.copy(film, other)
    path = tmp_path / "out.mp4"
    path.write_bytes(b"mine")
    done = hemline("classify", film, other, "--save", path)
    assert done.returncode == 0, done.stderr
    assert path.read_bytes() == b"mine"
    assert [len(frames_of(tmp_path / name)) for name in ("out-1.mp4", "out-2.mp4")] == [40, 40]


def test_a_film_of_a_camera_lasts_as_long_as_it_did(tmp_path):
    times = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.5, 1.51, 1.52, 1.53, 2.0, 3602.0, 3602.1]
    sink = FilmSink(tmp_path / "out.avi", fps=10, tell=lambda _: None)
    for number, at_s in enumerate(times):
        sink.write(outcome(number, at_s, level=15 * number, live=True))
    sink.close()
    levels = [level_of(each) for each in frames_of(tmp_path / "out.avi")]
    # An hour without a camera counts as two seconds.
    assert len(levels) == pytest.approx(10 * (2 + 2 + 0.1), abs=2)
    assert levels == sorted(levels)


def test_the_rate_of_a_camera_is_measured_although_its_first_frames_come_at_once(tmp_path):
    sink = FilmSink(tmp_path / "out.avi", tell=lambda _: None)
    burst = [0.0, 0.001, 0.002, 0.003]
    for number, at_s in enumerate([*burst, *(number / 20 for number in range(1, 61))]):
        sink.write(outcome(number, at_s, live=True))
    sink.close()
    capture = cv2.VideoCapture(str(tmp_path / "out.avi"))
    rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    assert 18 <= rate <= 30
    assert count / rate == pytest.approx(2.5, abs=0.2)  # three seconds, but for the first half


def test_a_camera_that_ends_at_once_leaves_a_film_of_its_last_frame(tmp_path):
    sink = FilmSink(tmp_path / "out.avi", tell=lambda _: None)
    for number in range(3):
        sink.write(outcome(number, number / 20, level=40 * number, live=True))
    sink.close()
    (only,) = frames_of(tmp_path / "out.avi")
    assert level_of(only) == pytest.approx(80, abs=4)


def test_few_frames_and_other_sizes_make_films_too(tmp_path):
    sink = FilmSink(tmp_path / "out.avi", tell=lambda _: None)
    for number, size_wh in enumerate([(320, 240), (320, 240), (640, 480)]):
        sink.write(outcome(number, number / 20, size_wh=size_wh))
    sink.close()
    sink.close()
    assert [len(frames_of(tmp_path / name)) for name in ("out.avi", "out-1.avi")] == [2, 1]


def test_a_film_of_a_camera_is_bounded_and_what_there_is_is_whole(tmp_path):
    told = []
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    sink = FilmSink(tmp_path / "out.avi", fps=20, max_bytes=1_000_000, tell=told.append)
    for number in range(300):
        timed = TimedFrame(noise, number, number / 20, 0.0, 1.8e9 + number / 20, 0)
        sink.write(Outcome("0", number, ANSWER, "", timed, ANSWER))
    sink.close()
    assert "--max-disk" in told[1]
    assert len(told) == 2
    assert len(frames_of(tmp_path / "out.avi")) > 5
    assert 800_000 < (tmp_path / "out.avi").stat().st_size < 1_200_000


def test_all_films_of_a_run_share_the_bound_and_that_is_told_once(tmp_path):
    told = []
    random = np.random.default_rng(0)
    sink = FilmSink(tmp_path / "out.avi", fps=20, max_bytes=4_000_000, tell=told.append)
    for number in range(200):  # the frames change their size again and again
        size = (240, 320, 3) if number // 10 % 2 else (200, 280, 3)
        noise = random.integers(0, 255, size, dtype=np.uint8)
        timed = TimedFrame(noise, number, number / 20, 0.0, 1.8e9 + number / 20, 0)
        sink.write(Outcome("0", number, ANSWER, "", timed, ANSWER))
    sink.close()
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) > 1
    assert sum(sizes) - max(sizes) < 4_000_000  # only the last film went beyond it
    assert len([text for text in told if "--max-disk" in text]) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.avi", "--save", "out.mov"], "no kind of film"),
        (["a.avi", "--save", "out.png"], "no kind of film"),
        (["a.avi", "--save", "out.xyz"], "out.xyz is no kind of film"),
        (["a.avi", "--save", "/proc/out.mp4"], "no file can be made in the folder /proc"),
        (["-", "--save", "out"], "picture from standard input"),
        (["-", "--show"], "picture from standard input"),
        (["--serve", "0", "--save", "out"], "nothing to classify"),
        (["a.jpg", "--max-disk", "1G"], "--max-disk is given without"),
        (["a.jpg", "--save", "out", "--max-disk", "much"], "no amount of disk space"),
        (["a.jpg", "--save", "out", "--max-disk", "0"], "no amount of disk space"),
        (
            ["a.jpg", "--save", "out", "--max-disk", "-5G"],
            "a value that begins with - is written --max-disk=-value",
        ),
        (["a.jpg", "--save", "out", "--max-disk=-5G"], "'-5G' is no amount of disk space"),
        (["a.jpg", "--save", "out/film.avi", "--max-disk", "0"], "no amount of disk space"),
        (["a.jpg", "--save", "out", "--show"], "--show needs"),
        (["a.jpg", "--save", "out", "--mqtt", "http://host/x"], "mqtt"),
        (["a.jpg", "--save", "/dev/null"], "/dev/null is a device, not a folder"),
    ],
)
def test_what_cannot_be_saved_is_refused_at_once(hemline, tmp_path, arguments, said):
    without_display = {k: v for k, v in os.environ.items() if "DISPLAY" not in k}
    done = hemline("classify", *arguments, cwd=tmp_path, env=without_display)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert names(tmp_path) == []


def test_a_picture_does_not_go_into_a_film(hemline, picture, tmp_path):
    done = hemline("classify", picture, "--save", tmp_path / "out.avi")
    assert done.returncode == 2
    assert "give --save a folder" in done.stderr
    assert names(tmp_path) == ["pictures"]


def test_a_full_disk_is_told_and_leaves_whole_pictures_only(hemline, film, small_disk):
    done = hemline("classify", film, "--save", small_disk)
    assert done.returncode == 2
    assert "no space is left" in done.stderr
    assert "Traceback" not in done.stderr
    found = list(small_disk.iterdir())
    assert found
    assert all(path.read_bytes().endswith(b"\xff\xd9") for path in found)
    assert not [path for path in found if path.name.startswith(".")]


def test_a_film_does_not_begin_on_a_full_disk(hemline, film, small_disk):
    done = hemline("classify", film, "--save", small_disk / "out.avi")
    assert done.returncode == 2
    assert "0.1 MB of the disk are free, and 16 MB are left free" in done.stderr
    assert names(small_disk) == []


def test_a_film_on_a_disk_that_becomes_full_is_whole_as_far_as_it_goes(tmp_path, monkeypatch):
    room = iter([1 << 30] * 125 + [0])

    def statvfs(_: object) -> os.statvfs_result:
        free = next(room)
        return os.statvfs_result((4096, 4096, free, free, free, 0, 0, 0, 0, 255))

    monkeypatch.setattr("hemline.sinks.film_file.os.statvfs", statvfs)
    sink = FilmSink(tmp_path / "out.avi", tell=lambda _: None)

    def write_all() -> None:
        for number in range(1000):
            sink.write(outcome(number, number / 20))

    with pytest.raises(
        UserError, match=r"cannot write all of .*out\.avi: 0\.0 MB of the disk"
    ) as caught:
        write_all()
    assert "its first 125 frames are kept" in caught.value.hint
    sink.close()
    assert len(frames_of(tmp_path / "out.avi")) == 125
    assert names(tmp_path) == ["out.avi"]


@pytest.mark.parametrize("name", ["out", "out.xyz/", "there.xyz", "there.mp4"])
def test_a_folder_is_a_name_without_ending_or_with_a_slash_or_one_that_is_there(
    hemline, picture, tmp_path, name
):
    if name.startswith("there"):
        (tmp_path / name).mkdir()
    done = hemline("classify", picture, "--save", f"{tmp_path}/{name}")
    assert done.returncode == 0, done.stderr
    assert names(tmp_path / name) == ["bag.jpg"]


def test_two_films_of_one_name_at_once_are_both_kept(tmp_path):
    told = []
    sinks = [FilmSink(tmp_path / "out.avi", fps=20, tell=told.append) for _ in range(2)]
    for number in range(10):
        for which, sink in enumerate(sinks):
            if number < 10 - which:
                sink.write(outcome(number, number / 20))
    for sink in sinks:
        sink.close()
    assert told == [
        f"saved {tmp_path / 'out.avi'} (10 frames)",
        f"saved {tmp_path / 'out-1.avi'} (9 frames)",
    ]
    assert [len(frames_of(tmp_path / name)) for name in ("out.avi", "out-1.avi")] == [10, 9]
    assert len(names(tmp_path)) == 2


KILLED = """
import os, signal, sys
import numpy as np
from hemline.batch import Outcome
from hemline.classifier import Classification, Latency
from hemline.sinks.film import FilmSink
from hemline.sources.frames import TimedFrame
answer = Classification("Bag", 0.75, [("Bag", 0.75), ("Coat", 0.25)], Latency(0.5, 0.25, 0.8))
noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
sink = FilmSink(sys.argv[1], fps=20)
for number in range(100):
    timed = TimedFrame(noise, number, number / 20, number / 20, None, 0)
    sink.write(Outcome("film.avi", number, answer, "", timed, answer))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_of_a_run_that_was_killed_the_next_one_names_what_can_be_played(tmp_path, suffix):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / f"film{suffix}")])
    assert killed.returncode == -signal.SIGKILL
    (left,) = names(tmp_path)
    assert left.startswith(".hemline-")
    assert left.endswith(f".part{suffix}")
    told = []
    FilmSink(tmp_path / "other.avi", tell=told.append)
    if suffix == ".mp4":  # whose table of frames is written last
        assert (told, names(tmp_path)) == ([], [])
        return
    unfinished = tmp_path / f"unfinished{suffix}"
    assert told == [f"the film of a run that was killed is now {unfinished}"]
    assert names(tmp_path) == [unfinished.name]
    assert 50 < len(frames_of(unfinished)) <= 100


def test_a_film_that_is_interrupted_before_its_first_frame_leaves_nothing(tmp_path):
    class Interrupted(np.ndarray):
        def copy(self) -> np.ndarray:
            raise KeyboardInterrupt

    told = []
    sink = FilmSink(tmp_path / "out.avi", tell=told.append)
    sink._annotator.draw = lambda *_: frame().view(Interrupted)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        sink.write(outcome(0, 0.0, live=True))
    sink.close()
    assert (told, names(tmp_path)) == ([], [])


def limited_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_of_a_film_that_the_system_cuts_off_what_can_be_played_is_kept_and_told(
    hemline, film, tmp_path, suffix
):
    path = tmp_path / "out" / f"out{suffix}"
    done = hemline("classify", film, "--save", path, preexec_fn=limited_files)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    kept = frames_of(path) if path.exists() else []
    assert len(kept) < 40
    if kept:
        assert f"cannot write all of {path}: {len(kept)} of its 40 frames" in done.stderr
    else:
        assert f"cannot write {path}: its 40 frames cannot be read again" in done.stderr
    assert bool(kept) == (suffix != ".mp4")  # whose table of frames is written last
    assert names(path.parent) == ([path.name] if kept else [])


def test_a_film_that_is_interrupted_is_whole(film, tmp_path):
    path = tmp_path / "out.mp4"
    rounds = 0
    command = [sys.executable, "-m", "hemline", "classify", *[str(film)] * 200, "--save", str(path)]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        while rounds < 60:
            process.stdout.readline()
            rounds += 1
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said
    found = sorted(tmp_path.glob("out*.mp4"))
    assert len(found) >= 2
    assert all(frames_of(each) for each in found)
    assert not [name for name in names(tmp_path) if name.startswith(".")]
