"""Cameras without a camera: an HTTP server that can be told to misbehave, and programs on the PATH."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

JPEG_LEVELS = (20, 60, 100, 140, 180, 220)


def jpeg(level: int) -> bytes:
    """A grey picture with a pattern, so that it is some kilobytes long."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 30, (120, 160, 3), dtype=np.uint8)
    good, content = cv2.imencode(".jpg", np.clip(noise + level - 15, 0, 255).astype(np.uint8))
    assert good
    return content.tobytes()


class Camera:
    """A Motion JPEG camera on this machine.

    Attributes:
        pictures: What it sends, over and over.
        interval_s: Between two pictures.
        cut_after: Cut the connection in the middle of this picture.
        silent_after: Send nothing any more after so many.
        serving: If not, it hangs up without an answer.
        connections: How many there were.
    """

    def __init__(self) -> None:
        self.pictures = [jpeg(100)]
        self.interval_s = 0.01
        self.cut_after: int | None = None
        self.silent_after: int | None = None
        self.serving = True
        self.connections = 0
        self.password: str | None = None
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera.connections += 1
                if camera.serving:
                    try:
                        camera._stream(self)
                    except OSError:
                        return  # the viewer has gone

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.address = f"http://127.0.0.1:{self.port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _stream(self, handler: BaseHTTPRequestHandler) -> None:
        if self.password and handler.headers.get("Authorization") != self.password:
            handler.send_error(403)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        number = 0
        while self.serving:
            picture = self.pictures[number % len(self.pictures)]
            head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
            if number == self.cut_after:
                handler.wfile.write(head % len(picture) + picture[: len(picture) // 2])
                return
            while number == self.silent_after and self.serving:
                time.sleep(0.02)
            handler.wfile.write(head % len(picture) + picture + b"\r\n")
            number += 1
            time.sleep(self.interval_s)

    def close(self) -> None:
        self.serving = False
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def camera() -> Iterator[Camera]:
    made = Camera()
    yield made
    made.close()


@pytest.fixture
def pictures() -> list[bytes]:
    """Grey JPEG pictures of the levels 20, 60, 100, 140, 180, 220."""
    return [jpeg(level) for level in JPEG_LEVELS]


@pytest.fixture
def rpicam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: list[bytes]
) -> Callable[[str], Path]:
    """Puts an `rpicam-vid` on the PATH that takes its options, notes them, and then runs some Python.

    The Python finds `pictures` (JPEG), `out` (binary standard output) and `time`. Gives the folder with
    `options` and `pid`, as the latest run has written them.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    for number, content in enumerate(pictures):
        (folder / f"{number}.jpg").write_bytes(content)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(body: str) -> Path:
        program = folder / "rpicam-vid"
        head = f"""\
            #!{sys.executable}
            import argparse, os, sys, time
            from pathlib import Path
            parser = argparse.ArgumentParser()
            for name in "codec timeout verbose camera width height framerate output".split():
                parser.add_argument("--" + name)
            parser.add_argument("--nopreview", action="store_true")
            parser.add_argument("--flush", action="store_true")
            options = parser.parse_args()
            assert (options.codec, options.timeout, options.output) == ("mjpeg", "0", "-")
            here = Path({str(folder)!r})
            (here / "options").write_text(" ".join(sys.argv[1:]))
            (here / "pid").write_text(str(os.getpid()))
            pictures = [(here / f"{{n}}.jpg").read_bytes() for n in range({len(pictures)})]
            out = os.fdopen(1, "wb", 0)
            """
        program.write_text(textwrap.dedent(head) + textwrap.dedent(body))
        program.chmod(0o755)
        return folder

    return put
