"""What `hemline classify` tells the service manager, heard with a real datagram socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

# Frames over and over, until the file `stop` is there: then it hangs, as a camera does whose driver hangs.
RPICAM = """\
#!{python}
import os, sys, time
picture = open({picture!r}, "rb").read()
while not os.path.exists({here!r} + "/stop"):
    os.write(1, picture)
    time.sleep(0.02)
time.sleep(600)
"""


@pytest.fixture
def manager(tmp_path):
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(60)
        yield heard


@pytest.fixture
def ribbon_camera(tmp_path, garments, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "rpicam-vid"
    program.write_text(
        RPICAM.format(python=sys.executable, picture=str(garments[0]), here=str(tmp_path))
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def started(address, *arguments) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "hemline", "classify", *map(str, arguments)]
    environment = {**os.environ, "NOTIFY_SOCKET": str(address)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=-1, env=environment)


def message(manager) -> dict[str, str]:
    return dict(line.split("=", 1) for line in manager.recv(4096).decode().splitlines())


@pytest.mark.usefixtures("ribbon_camera")
def test_a_camera_is_ready_with_its_first_frame_alive_while_frames_come_and_says_its_end(
    manager, tmp_path
):
    process = started(manager.getsockname(), "--camera", "picamera", "--on-change")
    first = message(manager)
    assert (first["READY"], first["WATCHDOG"]) == ("1", "1")
    assert first["STATUS"].startswith("1 named, the last one ")
    start = time.monotonic()
    later = [message(manager) for _ in range(3)]
    assert time.monotonic() - start > 2  # one a second, however many frames there are
    assert all(told["WATCHDOG"] == "1" and "READY" not in told for told in later)
    (tmp_path / "stop").touch()
    while True:  # one may be on its way
        manager.settimeout(2.5)
        try:
            message(manager)
        except TimeoutError:
            break
    assert process.poll() is None  # it waits for its camera, and does not claim that all is well
    manager.settimeout(60)
    process.send_signal(signal.SIGTERM)
    assert message(manager) == {"STOPPING": "1"}
    process.communicate(timeout=60)
    assert process.returncode == 130


@pytest.mark.usefixtures("ribbon_camera")
def test_a_camera_that_gives_nothing_is_never_ready(manager, tmp_path):
    (tmp_path / "stop").touch()
    process = started(manager.getsockname(), "--camera", "picamera")
    process.communicate(timeout=60)
    assert process.returncode == 2
    assert message(manager) == {"STOPPING": "1"}


def test_a_name_in_the_abstract_space_is_understood(tmp_path):
    name = f"hemline-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0{name}")
        heard.settimeout(60)
        film = tmp_path / "film.avi"
        writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
        for _ in range(3):
            writer.write(np.full((48, 64, 3), 90, np.uint8))
        writer.release()
        process = started(f"@{name}", film)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert len(out.splitlines()) == 3
        assert message(heard)["READY"] == "1"
        assert message(heard) == {"STOPPING": "1"}


@pytest.mark.parametrize("address", ["nowhere", "@hemline-nobody-listens"])
def test_a_manager_that_does_not_listen_changes_nothing(address, tmp_path, garments):
    process = started(tmp_path / address if address == "nowhere" else address, garments[0])
    out, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, b"")
    assert len(out.splitlines()) == 1


@pytest.mark.usefixtures("ribbon_camera")
def test_programs_that_classify_starts_do_not_get_the_address(manager, tmp_path):
    script = tmp_path / "event.py"
    script.write_text(
        f"import os\nopen({str(tmp_path / 'seen')!r}, 'w').write(str('NOTIFY_SOCKET' in os.environ))"
    )
    process = started(
        manager.getsockname(), "--camera", "picamera", "--exec", f"{sys.executable} {script}"
    )
    end = time.monotonic() + 60
    while not (tmp_path / "seen").exists() or not (tmp_path / "seen").read_text():
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert (tmp_path / "seen").read_text() == "False"


def test_without_a_manager_nothing_of_it_is_imported(garments):
    program = (
        "import sys; from hemline.cli import main; status = main(['classify', sys.argv[1]]);"
        "print(status, sorted({'socket', 'hemline.service'} & set(sys.modules)))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
    command = [sys.executable, "-c", program, str(garments[0])]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
