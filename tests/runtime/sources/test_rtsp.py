"""A real RTSP server, which runs where Debian's GStreamer is installed (see CONTRIBUTING.md)."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hemline.sources import open_camera

_PYTHON = "/usr/bin/python3"  # Debian's, which sees python3-gi
_NEEDED = (
    "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "assert Gst.ElementFactory.find('x264enc') and Gst.ElementFactory.find('rtph264pay')"
)

pytestmark = pytest.mark.slow


class Server:
    """The camera, which can be killed and started again on the same port."""

    def __init__(self) -> None:
        self._port = "0"
        self.start()

    def start(self) -> None:
        script = Path(__file__).with_name("rtsp_server.py")
        self._process = subprocess.Popen(
            [_PYTHON, str(script), self._port], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._port = self._process.stdout.readline().split()[-1]
        self.address = f"rtsp://joe:secret@127.0.0.1:{self._port}/live"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def server() -> Iterator[Server]:
    try:
        found = subprocess.run([_PYTHON, "-c", _NEEDED], capture_output=True).returncode == 0
    except FileNotFoundError:
        found = False
    if not found:
        pytest.skip("GStreamer's RTSP server is not installed")
    made = Server()
    yield made
    made.kill()


def test_an_rtsp_camera_is_classified_and_its_password_is_shown_nowhere(hemline, server):
    done = hemline("classify", "--camera", server.address, "--max-frames", "5", "--json")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["frame"] for answer in answers] == sorted(a["frame"] for a in answers)
    assert len(answers) == 5
    assert answers[0]["source"].startswith("rtsp://…@127.0.0.1:")
    assert "secret" not in done.stdout + done.stderr


def test_a_slow_consumer_of_an_rtsp_camera_gets_the_newest_frame(server):
    with open_camera(server.address) as frames:
        before = next(frames).dropped
        time.sleep(2)
        assert next(frames).dropped - before >= 15  # two seconds have thirty frames


def test_an_rtsp_server_that_is_killed_and_started_again_is_found_again_and_that_is_said_once(
    server,
):
    told: list[str] = []
    with open_camera(server.address, tell=told.append) as frames:
        next(frames)
        server.kill()
        server.start()
        while len(told) < 2:
            assert next(frames).bgr.shape == (240, 320, 3)
    assert "gives no more frames; waiting" in told[0]
    assert "is back after" in told[1]


def test_an_address_that_an_rtsp_server_does_not_know_is_refused_in_words(hemline, server):
    done = hemline("classify", "--camera", server.address.replace("/live", "/none"))
    assert done.returncode == 2
    assert "/none cannot be opened as a video" in done.stderr
    assert "Traceback" not in done.stderr
