"""A real browser: headless Chromium, driven through its own protocol (chromedevtools.github.io)."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Self

from tornado.websocket import WebSocketClientConnection, websocket_connect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_START_S = 60
_REPLY_S = 60


def program() -> str | None:
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """One page of a browser of its own.

    Attributes:
        messages: What the page said on its console, and errors in its scripts.
    """

    def __init__(self, folder: Path, size_wh: tuple[int, int] = (1280, 800)) -> None:
        found = program()
        assert found is not None
        command = [
            found,
            "--headless=new",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder}",
        ]
        command += ["--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"]
        command += ["--disable-background-networking", "--disable-component-update"]
        if os.geteuid() == 0:
            command.append("--no-sandbox")
        self.messages: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._process = subprocess.Popen(
            [*command, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self._number = 0
        try:
            self._socket = self._connected()
        except BaseException:
            self._process.kill()
            raise
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(size_wh)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(30)
        self._loop.close()

    def _connected(self) -> WebSocketClientConnection:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if match := re.search(r"listening on ws://([\d.:]+)/", line):
                break
        else:
            raise AssertionError("the browser has ended")
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            with urllib.request.urlopen(f"http://{match[1]}/json", timeout=_REPLY_S) as reply:
                pages = [target for target in json.load(reply) if target["type"] == "page"]
            if pages:
                address = pages[0]["webSocketDebuggerUrl"]
                return self._run(partial(websocket_connect, address, max_message_size=1 << 26))
            time.sleep(0.05)
        raise AssertionError("the browser has no page")

    def _run(self, begin: Callable[[], Awaitable[Any]]) -> Any:
        async def within() -> Any:
            return await asyncio.wait_for(begin(), _REPLY_S)

        return self._loop.run_until_complete(within())

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol, and its result."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        self._run(lambda: self._socket.write_message(json.dumps(command)))
        while True:
            told = json.loads(self._run(self._socket.read_message))
            if told.get("id") == self._number:
                assert "error" not in told, told
                return told["result"]
            if told.get("method") == "Runtime.exceptionThrown":
                self.messages.append(json.dumps(told["params"]["exceptionDetails"]))
            if told.get("method") == "Log.entryAdded":
                self.messages.append(json.dumps(told["params"]["entry"]))

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def value(self, expression: str) -> Any:
        """What JavaScript gives for an expression; promises are waited for."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 60) -> Any:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not (value := self.value(expression)):
            assert time.monotonic() < end, (expression, self.messages)
            time.sleep(0.05)
        return value

    def resize(self, size_wh: tuple[int, int], *, dark: bool = False) -> None:
        width, height = size_wh
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path) -> None:
        taken = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(taken["data"]))
