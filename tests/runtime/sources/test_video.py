from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.errors import DeviceError
from hemline.sources import frames_of_video, open_video


def video(path: Path, codec: str, frames: int = 6) -> Path:
    """Grey frames of the levels 20, 60, 100, …"""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, (64, 48))
    if not writer.isOpened():
        pytest.skip(f"this OpenCV writes no {codec}")
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 20 + 40 * number, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(("name", "codec"), [("film.avi", "MJPG"), ("film.mp4", "mp4v")])
def test_a_video_gives_all_its_frames_in_order(tmp_path, name, codec):
    levels = [frame.mean() for frame in frames_of_video(str(video(tmp_path / name, codec)))]
    assert levels == pytest.approx([20, 60, 100, 140, 180, 220], abs=6)


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
