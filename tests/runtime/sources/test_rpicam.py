"""The ribbon camera, by programs on the PATH that behave as `rpicam-vid` does."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from hemline.errors import DeviceError
from hemline.sources import open_camera

FOREVER = """
    while True:
        for picture in pictures:
            out.write(picture)
            time.sleep(0.01)
"""


def has_ended(folder: Path) -> bool:
    try:
        os.kill(int((folder / "pid").read_text()), 0)
    except ProcessLookupError:
        return True
    return False


def test_its_pictures_come_with_the_size_and_rate_that_were_asked_for_and_that_is_told(rpicam):
    folder = rpicam(FOREVER)
    told = []
    with open_camera("picamera:1", size_wh=(160, 120), fps=12.5, tell=told.append) as frames:
        frame = next(frames)
        assert frame.bgr.shape == (120, 160, 3)
    options = (folder / "options").read_text()
    assert "--camera 1 --width 160 --height 120 --framerate 12.5" in options
    assert told == [
        "camera picamera:1 gives 160x120, its frame rate is not known; "
        "asked for was 160x120 at 12.5 frames/s"
    ]
    assert has_ended(folder)


def test_a_program_that_dies_is_started_again(rpicam):
    folder = rpicam("out.write(pictures[0] + pictures[1][:500])")
    told, starts = [], set()
    with open_camera("picamera", tell=told.append) as frames:
        for frame in frames:
            assert frame.bgr[-8:].mean() == pytest.approx(20, abs=5)  # and never the half one
            starts.add((folder / "pid").read_text())
            if len(starts) == 2:
                break
    assert "waiting until it is back" in told[0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("print('ERROR: *** no cameras available ***', file=sys.stderr); sys.exit(255)", "no cameras"),
        ("", "gives no frame of camera picamera"),  # it ends without a word
        ("out.write(bytes(100_000))", "gives no frame of camera picamera"),  # no JPEG
    ],
)  # fmt: skip
def test_a_program_that_gives_nothing_is_told_with_its_last_words(rpicam, body, said):
    rpicam(body)
    with open_camera("picamera") as frames, pytest.raises(DeviceError) as caught:
        next(frames)
    assert said in caught.value.problem
    assert "rpicam-hello --list-cameras" in caught.value.hint


def test_a_program_that_hangs_is_told_within_seconds_and_ended_though_it_does_not_want_to(
    rpicam, monkeypatch
):
    monkeypatch.setattr("hemline.sources.rpicam.WITHOUT_FRAME_S", 1.0)
    folder = rpicam("import signal; signal.signal(15, signal.SIG_IGN); time.sleep(60)")
    start = time.monotonic()
    with open_camera("picamera") as frames, pytest.raises(DeviceError, match="gives no frame"):
        next(frames)
    assert time.monotonic() - start < 4
    assert has_ended(folder)


def test_a_program_that_talks_much_is_not_held_up(rpicam):
    rpicam("""
        for number in range(200):
            print("x" * 5000, file=sys.stderr, flush=True)
            out.write(pictures[number % 6])
        time.sleep(60)
    """)
    with open_camera("picamera") as frames:
        while next(frames).dropped + frames._given < 200:
            pass


def test_where_there_is_neither_program_nor_picamera2_both_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with open_camera("picamera") as frames, pytest.raises(DeviceError) as caught:
        next(frames)
    assert "neither Picamera2 nor rpicam-vid" in caught.value.problem
    assert "apt install rpicam-apps-lite" in caught.value.hint


PICAMERA2 = """
import numpy as np

class Picamera2:
    closed = 0
    def __init__(self, number=0):
        if number > 0:
            raise IndexError("list index out of range")
    def create_video_configuration(self, main, controls):
        return {"main": main, "controls": controls}
    def configure(self, configuration):
        assert configuration["main"]["format"] == "RGB888"
        self._size, self._controls = configuration["main"]["size"], configuration["controls"]
    def start(self):
        pass
    def capture_array(self, name):
        assert name == "main"
        return np.full((self._size[1], self._size[0], 3), (10, 20, 30), np.uint8)
    def close(self):
        Picamera2.closed += 1
"""


@pytest.fixture
def picamera2(tmp_path, monkeypatch):
    """A stand-in with the calls that Picamera2's manual describes; the real one needs a Raspberry Pi."""

    def put(text: str) -> None:
        (tmp_path / "picamera2.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))

    yield put
    sys.modules.pop("picamera2", None)


def test_picamera2_is_taken_where_it_is_installed(picamera2):
    picamera2(PICAMERA2)
    with open_camera("picamera", size_wh=(64, 48), fps=5, tell=lambda _: None) as frames:
        frame = next(frames)
        assert frame.bgr.shape == (48, 64, 3)
        assert frame.bgr[0, 0].tolist() == [10, 20, 30]
    assert sys.modules["picamera2"].Picamera2.closed == 1
    with open_camera("picamera:1") as frames, pytest.raises(DeviceError, match="cannot be opened"):
        next(frames)


def test_a_picamera2_that_was_built_for_another_numpy_is_told_with_the_mend(picamera2):
    picamera2("raise ValueError('numpy.dtype size changed, may indicate binary incompatibility')")
    with open_camera("picamera") as frames, pytest.raises(DeviceError) as caught:
        next(frames)
    assert "numpy.dtype size changed" in caught.value.problem
    assert "--system-site-packages" in caught.value.hint
