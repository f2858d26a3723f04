from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from hemline.errors import DeviceError
from hemline.sources import Source, expand, frames_of_video, open_video


def video(path: Path, codec: str, frames: int = 6) -> Path:
    """Grey frames of the levels 20, 60, 100, …"""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, (64, 48))
    if not writer.isOpened():
        pytest.skip(f"this OpenCV writes no {codec}")
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 20 + 40 * number, np.uint8))
    writer.release()
    return path


FILMS = [
    ("film.avi", "MJPG"),
    ("film.mp4", "mp4v"),
    ("film.ts", "mp4v"),
    ("film.M2TS", "mp4v"),
    ("film.mts", "mp4v"),
    ("film.3gp", "mp4v"),
    ("film.flv", "FLV1"),
    ("film.wmv", "WMV2"),
]


@pytest.mark.parametrize(("name", "codec"), FILMS)
def test_a_video_gives_all_its_frames_in_order(tmp_path, name, codec):
    path = video(tmp_path / name, codec)
    assert expand([str(path)]) == [Source(str(path), "video")]
    levels = [frame.mean() for frame in frames_of_video(str(path))]
    assert levels == pytest.approx([20, 60, 100, 140, 180, 220], abs=6)


@pytest.mark.parametrize(("name", "codec"), [("film.h264", "libx264"), ("film.ogv", "libtheora")])
def test_films_that_opencv_does_not_write_are_read(tmp_path, name, codec):
    if shutil.which("ffmpeg") is None:
        pytest.skip("there is no ffmpeg to make one")
    source, path = video(tmp_path / "film.avi", "MJPG"), tmp_path / name
    command = ["ffmpeg", "-v", "error", "-i", source, "-c:v", codec, "-qscale:v", "10", path]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip(f"this ffmpeg writes no {codec}")
    assert expand([str(path)]) == [Source(str(path), "video")]
    levels = [frame.mean() for frame in frames_of_video(str(path))]
    assert levels == pytest.approx([20, 60, 100, 140, 180, 220], abs=6)


def gif(path: Path, pictures: int) -> Path:
    """A red square that goes to the right over a transparent ground."""
    made = [Image.new("RGBA", (40, 30), (0, 0, 0, 0)) for _ in range(pictures)]
    for number, picture in enumerate(made):
        picture.paste((255, 0, 0, 255), (10 * number, 5, 10 * number + 10, 15))
    made[0].save(
        path, save_all=True, append_images=made[1:], duration=100, disposal=2, comment=b"x" * 300
    )
    return path


def test_a_gif_that_moves_is_a_film_on_white_and_one_that_does_not_is_a_picture(tmp_path):
    still, moving = gif(tmp_path / "still.gif", 1), gif(tmp_path / "moving.GIF", 3)
    assert expand([str(still)]) == [Source(str(still), "picture")]
    assert expand([str(moving)]) == [Source(str(moving), "video")]
    with open_video(str(moving)) as frames:
        seen = [(round(frame.at_s, 3), frame.bgr[8, 5:35:10].tolist()) for frame in frames]
    white, red = [255, 255, 255], [0, 0, 255]
    assert seen == [
        (0.0, [red, white, white]), (0.1, [white, red, white]), (0.2, [white, white, red])
    ]  # fmt: skip


def test_a_gif_of_which_nothing_is_known_is_a_picture_and_told_as_that(tmp_path):
    content = gif(tmp_path / "moving.gif", 3).read_bytes()
    chance = np.random.default_rng(0)
    for at in range(0, len(content), 7):
        (tmp_path / "cut.gif").write_bytes(content[:at])
        assert expand([str(tmp_path / "cut.gif")])[0].kind in ("picture", "video")
        noise = content[:13] + chance.bytes(at)
        (tmp_path / "noise.gif").write_bytes(noise)
        assert expand([str(tmp_path / "noise.gif")])[0].kind in ("picture", "video")
    (tmp_path / "text.gif").write_bytes(b"GIF? no")
    assert expand([str(tmp_path / "text.gif")])[0].kind == "picture"


def test_a_video_is_released_when_one_stops_early(tmp_path, monkeypatch):
    path = video(tmp_path / "film.avi", "MJPG")
    opened = []

    class Recorder:
        def __init__(self, name: str) -> None:
            self.capture, self.released = real(name), False
            opened.append(self)

        def __getattr__(self, name: str):
            return getattr(self.capture, name)

        def release(self) -> None:
            self.released = True
            self.capture.release()

    real = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", Recorder)
    frames = frames_of_video(str(path))
    next(frames)
    frames.close()
    assert [capture.released for capture in opened] == [True]


@pytest.mark.parametrize("content", [b"", b"no film\n", None], ids=["empty", "text", "cut off"])
def test_a_broken_video_is_told_in_words(tmp_path, content, capfd):
    path = video(tmp_path / "film.mp4", "mp4v")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(DeviceError, match="cannot be opened as a video"):
        list(frames_of_video(str(path)))
    assert capfd.readouterr().err == ""  # FFmpeg keeps its own words for itself


def test_a_film_has_its_own_time_and_no_frame_is_dropped_however_slow_one_is(tmp_path):
    with open_video(str(video(tmp_path / "film.avi", "MJPG"))) as frames:
        seen = [(frame.number, frame.at_s, frame.dropped, frame.wall_s) for frame in frames]
    assert [number for number, *_ in seen] == [0, 1, 2, 3, 4, 5]
    assert [at_s for _, at_s, *_ in seen] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert {(dropped, wall_s) for _, _, dropped, wall_s in seen} == {(0, None)}


def test_all_frames_of_a_film_share_one_array(tmp_path):
    with open_video(str(video(tmp_path / "film.avi", "MJPG"))) as frames:
        arrays = {frame.bgr.__array_interface__["data"][0] for frame in frames}
    assert len(arrays) == 1


# Films that are not whole: what there is counts, and at the end it is told.

KINDS = [("film.avi", "MJPG"), ("film.mkv", "MJPG"), ("film.mp4", "mp4v"), ("film.webm", "VP80")]


def long_film(path: Path, codec: str, frames: int = 100) -> bytes:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, (160, 120))
    if not writer.isOpened():
        pytest.skip(f"this OpenCV writes no {codec}")
    rng = np.random.default_rng(0)
    for _ in range(frames):
        writer.write(cv2.resize(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8), (160, 120)))
    writer.release()
    return path.read_bytes()


def numbers_and_problem(path: Path) -> tuple[list[int], str]:
    numbers = []
    try:
        with open_video(str(path)) as frames:
            numbers.extend(frame.number for frame in frames)
            assert next(frames, None) is None
    except DeviceError as error:
        return numbers, error.problem
    return numbers, ""


@pytest.mark.parametrize(("name", "codec"), KINDS)
def test_a_whole_film_is_not_accused(tmp_path, name, codec):
    long_film(tmp_path / name, codec)
    assert numbers_and_problem(tmp_path / name) == (list(range(100)), "")


@pytest.mark.parametrize(("name", "codec"), [kind for kind in KINDS if kind[0] != "film.mp4"])
def test_a_film_that_is_cut_off_gives_what_there_is_and_is_told(tmp_path, name, codec):
    path = tmp_path / name
    whole = long_film(path, codec)
    for part in (0.5, 0.9):
        path.write_bytes(whole[: int(part * len(whole))])
        numbers, problem = numbers_and_problem(path)
        assert numbers == list(range(len(numbers)))
        assert 30 < len(numbers) < 100
        assert f"ends early, it is cut off: {int(part * len(whole)):,} of at least" in problem
        assert f"{len(whole):,} bytes" in problem


@pytest.mark.parametrize(("name", "codec"), [("film.avi", "MJPG"), ("film.mp4", "mp4v")])
def test_what_lies_behind_a_damaged_place_is_read_and_the_damage_is_told(
    tmp_path, name, codec, hemline
):
    path = tmp_path / name
    damaged = bytearray(long_film(path, codec))
    half = len(damaged) // 2
    damaged[half : half + len(damaged) // 20] = bytes(len(damaged) // 20)
    path.write_bytes(damaged)
    numbers, problem = numbers_and_problem(path)
    assert 85 < len(numbers) < 100
    assert re.search(r"is damaged: (there are lost frames behind frame (4|5)\d \(|\d+ of)", problem)
    done = hemline("classify", path, "--json")
    *rows, error = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1
    assert [row["frame"] for row in rows] == numbers
    assert problem in error["error"]
    few = hemline("classify", path, "--max-frames", "5")
    assert (few.returncode, few.stderr) == (0, "")  # as far as it was read, all is well


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sound.mkv", "-f lavfi -i sine=duration=5 -c:v mpeg4 -c:a mp3"),  # it goes on for longer
        ("sound.avi", "-f lavfi -i sine=duration=5 -c:v mpeg4 -bf 2 -c:a mp3"),
        ("repeats.avi", "-vf select='not(mod(n,7))+gt(n,50)' -fps_mode vfr -c:v mpeg4 -bf 2"),
        ("uneven.mkv", "-vf select='not(mod(n,7))+gt(n,50)' -fps_mode vfr -c:v mjpeg"),
        ("fragments.mp4", "-c:v mpeg4 -movflags frag_keyframe+empty_moov"),
        ("b.mov", "-c:v mpeg4 -bf 2 -movflags +faststart"),
        ("film.mpg", "-c:v mpeg2video"),
        ("film.m4v", "-c:v mpeg4"),
    ],
)
def test_healthy_films_of_other_writers_are_not_accused(tmp_path, name, options):
    ffmpeg(tmp_path / name, *f"-f lavfi -i testsrc2=size=160x120:duration=3 {options}".split())
    numbers, problem = numbers_and_problem(tmp_path / name)
    assert len(numbers) > 20
    assert problem == ""


def test_what_an_edit_list_leaves_out_is_not_missed(tmp_path):
    ffmpeg(tmp_path / "all.mp4", *"-f lavfi -i testsrc2=duration=4 -c:v mpeg4 -g 50 -bf 2".split())
    ffmpeg(tmp_path / "trimmed.mp4", "-ss", "1.3", "-i", tmp_path / "all.mp4", "-c", "copy")
    capture = cv2.VideoCapture(str(tmp_path / "trimmed.mp4"))
    promised = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    numbers, problem = numbers_and_problem(tmp_path / "trimmed.mp4")
    assert (len(numbers) < promised, problem) == (True, "")


def test_a_film_written_to_a_pipe_promises_no_size(tmp_path):
    for form in ("avi", "matroska"):
        options = f"-f lavfi -i testsrc2=duration=2 -c:v mjpeg -f {form}".split()
        path = tmp_path / f"film.{form}"
        path.write_bytes(ffmpeg("pipe:1", *options))
        assert numbers_and_problem(path) == (list(range(50)), "")


def ffmpeg(path: Path | str, *options: Path | str) -> bytes:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg, which makes films of many kinds, is not installed")
    command = ["ffmpeg", "-loglevel", "error", "-y", *options, path]
    done = subprocess.run(list(map(str, command)), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
