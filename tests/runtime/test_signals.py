"""Ctrl-C and SIGTERM at any moment: an end within a second, whole lines, no children, no half files."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

RPICAM = """\
#!{python}
import os, sys, time
picture = open({picture!r}, "rb").read()
with open({here!r} + "/pids", "a") as file:
    file.write(str(os.getpid()) + "\\n")
while True:
    os.write(1, picture)
    time.sleep(0.01)
"""


@pytest.fixture
def ribbon_camera(tmp_path, garments) -> dict[str, str]:
    """An environment whose PATH has an `rpicam-vid` that gives frames and notes its process id."""
    folder = tmp_path / "bin"
    folder.mkdir()
    text = RPICAM.format(python=sys.executable, picture=str(garments[0]), here=str(tmp_path))
    (folder / "rpicam-vid").write_text(text)
    (folder / "rpicam-vid").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def started(*arguments: object, **options) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "hemline", "classify", *map(str, arguments)]
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True, **options)


def ended_by(process: subprocess.Popen[str], kill: int) -> tuple[int, str, str, float]:
    start = time.monotonic()
    process.send_signal(kill)
    out, said = process.communicate(timeout=30)
    return process.returncode, out, said, time.monotonic() - start


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGINT])
def test_a_camera_with_everything_on_ends_clean(ribbon_camera, tmp_path, kill):
    doubtful = tmp_path / "doubtful"
    script = tmp_path / "event.py"
    script.write_text(
        f"import os, time\nfile = open({str(tmp_path / 'pids')!r}, 'a')\n"
        "file.write(f'{os.getpid()}\\n')\nfile.close()\ntime.sleep(60)\n"
    )
    hook = f"{sys.executable} {script}"
    with started(
        "--camera", "picamera", "--json", "--smooth", "0.1", "--exec", hook,
        "--save-doubtful", doubtful, "--doubtful-below", "1", env=ribbon_camera,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        code, out, said, seconds = ended_by(process, kill)
    assert (code, said) == (130, "hemline: interrupted\n")
    assert seconds < 1
    assert all("label" in json.loads(line) for line in out.splitlines())
    pids = (tmp_path / "pids").read_text().split()
    assert len(pids) == 2
    assert all(has_ended(int(pid)) for pid in pids)
    saved = [path for path in doubtful.rglob("*") if path.is_file()]
    assert saved
    assert all(path.read_bytes().endswith(b"\xff\xd9") for path in saved)
    assert not [path for path in saved if path.name.startswith(".")]


@pytest.mark.slow
def test_at_any_moment_of_a_camera_it_ends_within_a_second_and_leaves_nothing(
    ribbon_camera, tmp_path
):
    chance = random.Random(1)
    doubtful = tmp_path / "doubtful"
    for number in range(24):
        kill = (signal.SIGTERM, signal.SIGINT)[number % 2]
        with started(
            "--camera", "picamera", "--json", "--save-doubtful", doubtful, "--doubtful-below", "1",
            env=ribbon_camera,
        ) as process:  # fmt: skip
            moment = chance.uniform(0, 1.2)
            time.sleep(moment)
            code, out, said, seconds = ended_by(process, kill)
        # Before hemline has begun, Python itself answers the signal.
        assert code in ((130, -kill) if moment < 0.5 else (130,)), (moment, said)
        assert seconds < 1, moment
        assert all("label" in json.loads(line) for line in out.splitlines())
    pids = tmp_path / "pids"
    assert pids.exists()
    assert all(has_ended(int(pid)) for pid in pids.read_text().split())
    for path in doubtful.rglob("*.jpg"):
        assert not path.name.startswith(".")
        assert path.read_bytes().endswith(b"\xff\xd9")


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_server_that_does_not_answer_does_not_hold_up_the_end(kill, scheme):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"{scheme}://127.0.0.1:{mute.getsockname()[1]}/"
        with started("--camera", address) as process:
            connection, _ = mute.accept()  # it is waiting for an answer now
            with connection:
                time.sleep(0.3)
                code, _, said, seconds = ended_by(process, kill)
    assert (code, said) == (130, "hemline: interrupted\n")
    assert seconds < 1


def test_sigterm_ends_a_folder_within_a_second_and_its_workers_too(tmp_path):
    rng = np.random.default_rng(0)
    content = cv2.imencode(".png", rng.integers(0, 255, (1200, 1600, 3), dtype=np.uint8))[1]
    (tmp_path / "0.png").write_bytes(content.tobytes())
    for number in range(1, 400):
        (tmp_path / f"{number}.png").symlink_to(tmp_path / "0.png")
    with started(tmp_path, "--json", "--workers", "4") as process:
        assert process.stdout is not None
        process.stdout.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 4
        code, out, said, seconds = ended_by(process, signal.SIGTERM)
    assert (code, said) == (130, "hemline: interrupted\n")
    assert seconds < 1
    assert all("label" in json.loads(line) for line in out.splitlines())
    assert all(has_ended(int(pid)) for pid in children)


def test_sigterm_ends_a_film(tmp_path):
    writer = cv2.VideoWriter(
        str(tmp_path / "film.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (640, 480)
    )
    for level in range(2000):
        writer.write(np.full((480, 640, 3), level % 256, np.uint8))
    writer.release()
    with started(tmp_path / "film.avi", "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        code, out, said, seconds = ended_by(process, signal.SIGTERM)
    assert (code, said) == (130, "hemline: interrupted\n")
    assert seconds < 1
    assert all("label" in json.loads(line) for line in out.splitlines())
