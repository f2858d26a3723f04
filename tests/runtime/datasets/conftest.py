"""Small but real data sets, and a server that can misbehave."""

from __future__ import annotations

import gzip
import hashlib
import re
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

IdxWriter = Callable[..., dict[str, bytes]]
PictureWriter = Callable[..., None]


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    dimensions = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + dimensions + array.tobytes()


def idx_contents(count: int = 100, classes: int = 10, side: int = 28) -> dict[str, bytes]:
    """The decompressed content of four IDX files, by name."""
    rng = np.random.default_rng(7)
    contents = {}
    for stem, n in (("train", count), ("t10k", max(classes, count // 5))):
        images = rng.integers(0, 256, (n, side, side), np.uint8)
        targets = (np.arange(n) % classes).astype(np.uint8)
        contents[f"{stem}-images-idx3-ubyte"] = idx_bytes(images)
        contents[f"{stem}-labels-idx1-ubyte"] = idx_bytes(targets)
    return contents


@pytest.fixture
def write_idx() -> IdxWriter:
    """Write four IDX files to a folder; gives their decompressed contents by name."""

    def write(folder: Path, *, compressed: bool = True, **options: int) -> dict[str, bytes]:
        folder.mkdir(parents=True, exist_ok=True)
        contents = idx_contents(**options)
        for stem, content in contents.items():
            if compressed:
                (folder / f"{stem}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / stem).write_bytes(content)
        return contents

    return write


@pytest.fixture
def write_pictures() -> PictureWriter:
    """Write `count` different pictures to a folder, of different sizes."""

    def write(folder: Path, count: int, *, suffix: str = ".png", seed: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng([seed, *folder.name.encode()])
        for i in range(count):
            image = rng.integers(0, 256, (20 + i % 5, 30, 3), np.uint8)
            assert cv2.imwrite(str(folder / f"{i:03}{suffix}"), image)

    return write


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No data set, cache, mirror or proxy of whoever runs the tests; gives the cache folder."""
    for name in ("HEMLINE_DATA", "HEMLINE_MIRROR", "http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "hemline" / "fashion-mnist"


@dataclass
class Request:
    """What the server was asked, and how many bytes of content it gave."""

    name: str
    range: str | None
    sent_bytes: int = 0


@dataclass
class Mirror:
    """A server of files. Its `behaviours` answer the first requests for a file, one each.

    `drop:N` ends the connection after N bytes, `stall:N` falls silent after N bytes, a number is
    an HTTP status, `no-range` gives the whole file whatever is asked for, `wrong-range` another part.
    """

    files: dict[str, bytes]
    url: str = ""
    behaviours: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    always: str = ""
    requests: list[Request] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def asked_for(self, name: str) -> list[Request]:
        return [request for request in self.requests if request.name == name]


class _Handler(BaseHTTPRequestHandler):
    mirror: Mirror

    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[1]
        request = Request(name, self.headers["Range"])
        self.mirror.requests.append(request)
        waiting = self.mirror.behaviours[name]
        behaviour = waiting.pop(0) if waiting else self.mirror.always
        content = self.mirror.files.get(name)
        if behaviour.isdigit() or content is None:
            self.send_error(int(behaviour or 404))
            return
        body = self._begin(request, behaviour, content)
        if body is None:
            return
        kind, _, count = behaviour.partition(":")
        limit = int(count) if kind in ("drop", "stall") else len(body)
        request.sent_bytes = min(limit, len(body))
        self.wfile.write(body[:limit])
        self.wfile.flush()
        if kind == "drop":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif kind == "stall":
            self.mirror.stop.wait(30)

    def _begin(self, request: Request, behaviour: str, content: bytes) -> bytes | None:
        """Send the head of the answer; gives the body, if there is any."""
        start = 0
        if request.range and behaviour != "no-range":
            found = re.fullmatch(r"bytes=(\d+)-", request.range)
            assert found
            start = int(found[1]) + (10 if behaviour == "wrong-range" else 0)
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        return content[start:]

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[[Mapping[str, bytes]], Mirror]]:
    """Start servers on the loopback interface; they end with the test."""
    running = []

    def start(files: Mapping[str, bytes]) -> Mirror:
        mirror = Mirror(dict(files))
        handler = type("Handler", (_Handler,), {"mirror": mirror})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        mirror.url = f"http://127.0.0.1:{server.server_address[1]}/data/"
        # A short interval, since shutdown() waits for the end of one.
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, mirror, thread))
        return mirror

    yield start
    for server, mirror, thread in running:
        mirror.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def contents() -> dict[str, bytes]:
    return idx_contents()


@pytest.fixture
def files(contents: dict[str, bytes]) -> dict[str, bytes]:
    """The same, as a mirror holds them."""
    return {f"{stem}.gz": gzip.compress(content) for stem, content in contents.items()}


@pytest.fixture
def content_md5(contents: dict[str, bytes]) -> dict[str, str]:
    return {stem: hashlib.md5(content).hexdigest() for stem, content in contents.items()}
