"""`--show`: a window where there can be one, else the one error that says how to get it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import hemline as package

DISPLAY = ":77"
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def start(tmp_path_factory, environment_type) -> Start:
    """Starts the command line with an OpenCV that has windows, in an environment of its own."""
    environment = environment_type(tmp_path_factory.mktemp("windows") / "environment")
    environment.install("opencv-python>=5", "ai-edge-litert", "tqdm")
    python = environment.python("-c", "import sys; print(sys.executable)").stdout.strip()

    def begin(*arguments: object, display: str = DISPLAY) -> subprocess.Popen[str]:
        path = str(Path(package.__file__).parents[1])
        variables = {**os.environ, "PYTHONPATH": path, "DISPLAY": display}
        command = [python, "-m", "hemline", "classify", *map(str, arguments)]
        return subprocess.Popen(command, env=variables, stdout=-1, stderr=-1, text=True)

    return begin


@pytest.fixture(scope="module")
def screen() -> Iterator[None]:
    """A screen that nobody sees."""
    if shutil.which("Xvfb") is None or shutil.which("xdotool") is None:
        pytest.skip("Xvfb and xdotool are not installed: apt-get install xvfb xdotool")
    command = ["Xvfb", DISPLAY, "-screen", "0", "1280x800x24"]
    with subprocess.Popen(command, stdout=-3, stderr=-3) as server:
        yield
        server.terminate()


def press(key: str) -> None:
    """Press a key in the window, once it is there."""
    subprocess.run(
        ["xdotool", "search", "--sync", "--onlyvisible", "--name", "^hemline", "key", key],
        env={**os.environ, "DISPLAY": DISPLAY}, timeout=60, check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (320, 240))
    for number in range(40):
        writer.write(np.full((240, 320, 3), 6 * number, np.uint8))
    writer.release()
    return path


def test_without_windows_in_opencv_the_error_names_the_command_that_mends_it(hemline, picture):
    done = hemline("classify", picture, "--show", env={**os.environ, "DISPLAY": ":0"})
    assert done.returncode == 2
    assert f"{sys.executable} -m pip uninstall -y opencv-python-headless" in done.stderr
    assert f"{sys.executable} -m pip install opencv-python" in done.stderr
    assert "--serve" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("display", "said"), [("", "DISPLAY is not set"), (":55", "cannot open a window on :55")]
)
def test_without_a_display_the_error_says_so(start, picture, display, said):
    with start(picture, "--show", display=display) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said in err
    assert "--serve" in err
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.usefixtures("screen")
def test_a_film_is_shown_at_its_own_speed_and_ends_by_itself(start, film):
    with start(film, "--show", "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        begun = time.monotonic()
        out, err = process.communicate(timeout=60)
        seconds = time.monotonic() - begun
    assert (process.returncode, err) == (0, "")
    assert len(out.splitlines()) == 39
    assert seconds > 1.5  # opening the window takes some of the 1.95 s


@pytest.mark.slow
@pytest.mark.usefixtures("screen")
@pytest.mark.parametrize("key", ["q", "Escape"])
def test_any_key_shows_the_next_picture_and_q_or_escape_ends(start, garments, key):
    with start(*garments, "--show", "--json") as process:
        press("space")
        assert process.stdout is not None
        process.stdout.readline()  # it was answered when its window was left
        press(key)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert len(out.splitlines()) < len(garments) - 1


@pytest.mark.slow
@pytest.mark.usefixtures("screen")
def test_sigterm_closes_the_window(start, picture):
    with start(picture, "--show") as process:
        subprocess.run(
            ["xdotool", "search", "--sync", "--onlyvisible", "--name", "^hemline"],
            env={**os.environ, "DISPLAY": DISPLAY}, timeout=60, check=True, capture_output=True,
        )  # fmt: skip
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "hemline: interrupted\n")
