"""A real server of the web preview on this machine, in this process or in one of its own."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from hemline import Classifier
from hemline.batch import Outcome
from hemline.sinks.web import WebSink
from hemline.sources.frames import TimedFrame

TIMEOUT_S = 60


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(port: int, path: str, method: str = "GET", body: bytes | None = None, **headers) -> Reply:
    """One request; `_` in the names of headers stands for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        reply = connection.getresponse()
        return Reply(reply.status, reply.headers, reply.read())
    finally:
        connection.close()


class Served:
    """A sink with its server, and what it told."""

    def __init__(self, where: str, mode: str, classifier: Classifier, **settings: Any) -> None:
        self.told: list[str] = []
        self.classifier = classifier
        self.sink = WebSink(
            where, mode, classifier, partial(Classifier, "paper"),
            token=settings.pop("token", None), tell=self.told.append, **settings,
        )  # fmt: skip
        self.port = self.sink.server.port

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers) -> Reply:
        return ask(self.port, path, method, body, **headers)

    def show(self, frame_bgr: np.ndarray, number: int, dropped: int = 0) -> None:
        """Have a frame of a camera classified."""
        answer = self.classifier.classify(frame_bgr)
        timed = TimedFrame(frame_bgr, number, number / 25, 0.0, 1.8e9 + number / 25, dropped)
        self.sink.write(Outcome("camera", number, answer, "", timed, answer))


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return Classifier("paper")


@pytest.fixture
def serve(classifier) -> Iterator[Callable[..., Served]]:
    """Serves; by default on loopback, as for a camera."""
    served: list[Served] = []

    def begin(where: str = "127.0.0.1:0", mode: str = "camera", **settings: Any) -> Served:
        served.append(Served(where, mode, classifier, **settings))
        return served[-1]

    yield begin
    for each in served:
        each.sink.close()


@pytest.fixture
def frame(garments) -> np.ndarray:
    """A frame of 640 × 480 with a garment."""
    image = cv2.imread(str(garments[0]))
    assert image is not None
    return np.asarray(cv2.resize(image, (640, 480)))


@pytest.fixture
def film(tmp_path, frame) -> Path:
    """A film of two seconds, 25 frames a second."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (640, 480))
    for shift in range(50):
        writer.write(np.roll(frame, shift, axis=1))
    writer.release()
    return path


class Process:
    """`hemline classify … --serve` as a process of its own, and the address that it told."""

    def __init__(self, *arguments: object, **options: Any) -> None:
        command = [sys.executable, "-m", "hemline", "classify", *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=-1, stderr=-1, text=True, **options)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        match = re.search(r"the page is at (http://\S+)", line)
        assert match, line + self.process.stderr.read()
        self.address = match[1]
        self.port = urlsplit(self.address).port
        assert self.port is not None

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers) -> Reply:
        assert self.port is not None
        return ask(self.port, path, method, body, **headers)

    def stream(self) -> http.client.HTTPConnection:
        """Somebody who watches: the connection, when a first piece has come."""
        assert self.port is not None
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        connection.request("GET", "/stream.mjpg")
        assert connection.getresponse().read(1000)
        return connection

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, said = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, out, said


@pytest.fixture
def process() -> Iterator[Callable[..., Process]]:
    begun: list[Process] = []

    def begin(*arguments: object, **options: Any) -> Process:
        environment = {k: v for k, v in os.environ.items() if k != "HEMLINE_TOKEN"}
        begun.append(Process(*arguments, **{"env": environment, **options}))
        return begun[-1]

    yield begin
    for each in begun:
        if each.process.poll() is None:
            each.process.kill()
            each.process.communicate()
