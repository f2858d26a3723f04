"""The live picture: encoded once for all, not at all for nobody, and never at the camera's expense."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count

import cv2
import numpy as np
import pytest

from hemline.batch import Outcome, classify_frames
from hemline.errors import DeviceError
from hemline.sources.live import LiveSource
from hemline.sources.mjpeg import JpegSplitter
from hemline.web.limits import Limits


class Viewer:
    """A client of the stream that reads when it is told to, with a small buffer in the system."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(60)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(b"GET /stream.mjpg HTTP/1.0\r\nHost: localhost\r\n\r\n")
        self.head = b""
        while b"\r\n\r\n" not in self.head:
            piece = self.socket.recv(1)
            assert piece, self.head
            self.head += piece
        self._splitter = JpegSplitter()

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def picture(self) -> bytes:
        while (found := self._splitter.next()) is None:
            piece = self.socket.recv(1 << 16)
            assert piece, "the stream has ended"
            self._splitter.feed(piece)
        return bytes(found)


def level_of(picture: bytes) -> float:
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    return float(image.mean())


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def viewers(served) -> int:
    return served.sink.server._hub.viewers


def test_nothing_is_encoded_while_nobody_watches(serve, frame):
    served = serve()
    for number in range(30):
        served.show(frame, number)
    assert served.sink.server.preview.encoded == 0
    with Viewer(served.port) as viewer:
        wait_until(lambda: served.sink.server.preview._watched)
        served.show(frame, 30)
        viewer.picture()
        assert served.sink.server.preview.encoded == 1
    wait_until(lambda: not viewers(served))
    time.sleep(0.2)
    for number in range(31, 60):
        served.show(frame, number)
    assert served.sink.server.preview.encoded == 1


def test_each_picture_is_encoded_once_for_all_and_shows_the_frame(serve, frame):
    served = serve()
    clients = [Viewer(served.port) for _ in range(5)]
    assert b"multipart/x-mixed-replace; boundary=frame" in clients[0].head
    wait_until(lambda: viewers(served) == 5)
    for number in range(3):
        served.show(frame, number)
        pictures = {client.picture() for client in clients}
        assert len(pictures) == 1
        image = cv2.imdecode(np.frombuffer(pictures.pop(), np.uint8), cv2.IMREAD_COLOR)
        assert np.abs(image.astype(int) - frame).mean() < 3
        time.sleep(0.1)
    assert served.sink.server.preview.encoded == 3
    for client in clients:
        client.socket.close()


def test_large_frames_are_shown_smaller(serve, frame):
    served = serve(limits=Limits(preview_side=320))
    with Viewer(served.port) as viewer:
        wait_until(lambda: viewers(served) == 1)
        served.show(frame, 0)
        image = cv2.imdecode(np.frombuffer(viewer.picture(), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (240, 320, 3)


def test_a_slow_client_gets_the_newest_picture_and_not_all_of_them(serve):
    served = serve(limits=Limits(preview_fps=1000))
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 40, (480, 640, 3), dtype=np.uint8)
    with Viewer(served.port) as slow, Viewer(served.port) as fast:
        wait_until(lambda: viewers(served) == 2)
        for number in range(100):
            served.show(noise + np.uint8(2 * number), number)
            assert level_of(fast.picture()) == pytest.approx(2 * number + 19.5, abs=4)
            wait_until(lambda: served.sink.server.preview._pending is None)
        levels = [level_of(slow.picture()) for _ in range(3)]
        while levels[-1] < 2 * 99 + 12:
            levels.append(level_of(slow.picture()))
    assert len(levels) < 60
    assert levels == sorted(levels)


def test_a_client_that_takes_nothing_is_sent_away(serve):
    served = serve(limits=Limits(slow_s=0.5))
    noise = np.random.default_rng(0).integers(0, 255, (1080, 1280, 3), dtype=np.uint8)
    with Viewer(served.port):
        wait_until(lambda: viewers(served) == 1)
        for number in count():
            served.show(noise, number)
            time.sleep(0.02)
            if not viewers(served):
                break
            assert number < 3000


def test_viewers_are_bounded(serve):
    served = serve(limits=Limits(streams=2))
    with Viewer(served.port), Viewer(served.port):
        wait_until(lambda: viewers(served) == 2)
        reply = served.ask("/stream.mjpg")
        assert reply.status == 503
        assert int(reply.headers["Retry-After"]) >= 1
    wait_until(lambda: viewers(served) == 0)


def test_pictures_of_files_are_shown_to_who_comes_late_too(serve, garments):
    served = serve(mode="files")
    for path in garments[:3]:
        answer = served.classifier.classify_file(path)
        served.sink.write(Outcome(str(path), None, answer))
    expected = cv2.imread(str(garments[2]))
    for _ in range(2):
        with Viewer(served.port) as viewer:
            image = cv2.imdecode(np.frombuffer(viewer.picture(), np.uint8), cv2.IMREAD_COLOR)
        height, width = expected.shape[:2]
        assert image.shape[1] / image.shape[0] == pytest.approx(width / height, rel=0.01)
        wait_until(lambda: not viewers(served))
    assert served.sink.server.preview.encoded == 1


class Metronome:
    """A camera that gives frames at its own rate, whoever takes them."""

    name = "metronome"
    damaged = 0

    def __init__(self, frame: np.ndarray, frames: int, interval_s: float) -> None:
        self._frame, self._left, self._interval_s = frame, frames, interval_s

    def open(self) -> None:
        self._due_s = time.monotonic()

    def read(self, into: np.ndarray | None) -> np.ndarray | None:
        self._left -= 1
        if self._left < 0:
            return None
        self._due_s += self._interval_s
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        into = np.empty_like(self._frame) if into is None else into
        np.copyto(into, self._frame)
        return into

    def fps(self) -> float | None:
        return 1 / self._interval_s

    def no_frame(self) -> DeviceError:
        return DeviceError("there is no frame")

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        pass


def processed(served, frame: np.ndarray, frames: int) -> int:
    with LiveSource(Metronome(frame, frames, 0.02), tell=lambda _: None) as camera:
        done = 0
        for outcome in classify_frames(camera, served.classifier):
            served.sink.write(outcome)
            done += 1
    return done


def test_fifty_slow_clients_do_not_slow_the_camera(serve, frame):
    served = serve()
    for _ in range(6):  # on a busy machine frames are dropped anyway; what slows does so each time
        alone = processed(served, frame, 150)
        clients = [Viewer(served.port) for _ in range(50)]
        wait_until(lambda: viewers(served) == 50)
        watched = processed(served, frame, 150)
        assert viewers(served) == 50
        assert served.sink.server.preview.encoded > 0
        for client in clients:
            client.socket.close()
        wait_until(lambda: not viewers(served))
        if watched >= 0.95 * alone:
            return
    raise AssertionError((alone, watched))


def test_the_stream_of_one_hemline_is_the_camera_of_another(process, hemline, film, tmp_path):
    begun = process(*[film] * 30, "--serve", "127.0.0.1:0")
    address = f"http://127.0.0.1:{begun.port}/stream.mjpg"
    path = tmp_path / "seen.mp4"
    done = hemline("classify", "--camera", address, "--max-frames", 60, "--json", "--save", path)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 60
    assert {answer["source"] for answer in answers} == {address}
    capture = cv2.VideoCapture(str(path))
    good, picture = capture.read()
    assert good
    assert picture.shape[1] == 640
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) > 10


def test_requests_that_are_cut_off_by_the_end_are_not_told_as_faults(process):
    begun = process("--serve", "127.0.0.1:0")
    clients = [socket.create_connection(("127.0.0.1", begun.port), timeout=0.3) for _ in range(4)]
    for client in clients:
        # One after the other, until the network or the server takes no more.
        with contextlib.suppress(OSError):
            while True:
                client.sendall(b"GET /page.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
    code, _, said = begun.end()
    assert (code, said) == (130, "hemline: interrupted\n")
    for client in clients:
        client.close()


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_is_started_again_is_found_again_by_who_watches(process, film, kill):
    begun = process(*[film] * 30, "--serve", "127.0.0.1:0")
    where = f"127.0.0.1:{begun.port}"
    viewers = [begun.stream() for _ in range(5)]
    command = ["classify", "--camera", f"http://{where}/stream.mjpg", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "hemline", *command], stdout=-1, stderr=-1, text=True
    ) as camera:
        try:
            assert "label" in json.loads(camera.stdout.readline())
            begun.end(kill)
            again = process(*[film] * 30, "--serve", where)  # at once, at the same address
            assert again.ask("/healthz").status == 200
            said = camera.stderr.readline() + camera.stderr.readline()
            before = time.time()
            while json.loads(camera.stdout.readline())["time"] < before:
                pass  # what it has seen before
        finally:
            camera.kill()
    assert len(said.splitlines()) == 2, said  # that it is gone, and that it is back
    for viewer in viewers:
        viewer.close()
