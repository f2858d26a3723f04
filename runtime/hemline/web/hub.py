"""The newest picture for everybody who watches. Only the thread of the server calls it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BOUNDARY = "frame"
# It also ends each picture, since browsers show one only when it has ended.
BEGINNING = f"--{BOUNDARY}\r\n".encode()


class Hub:
    """Gives each viewer the newest picture, however slow it is; others do not notice.

    Args:
        watch: Is told whether anybody watches.
    """

    def __init__(self, watch: Callable[[bool], None]) -> None:
        self._watch = watch
        self._published = asyncio.Event()
        self._number = 0
        self._part = b""
        self._is_still = False
        self.viewers = 0

    def publish(self, content: bytes, is_still: bool) -> None:
        """Take a JPEG picture; a still one is shown to those who come later too."""
        head = f"Content-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
        self._part = b"".join((head.encode(), content, b"\r\n", BEGINNING))
        self._number += 1
        self._is_still = is_still
        self._published.set()
        self._published = asyncio.Event()

    def join(self) -> int:
        """Begin to watch; gives the number to ask `newer` for."""
        self.viewers += 1
        if self.viewers == 1:
            self._watch(True)
        return self._number - (1 if self._is_still else 0)

    def leave(self) -> None:
        """Watch no longer."""
        self.viewers -= 1
        if not self.viewers:
            self._watch(False)

    async def newer(self, number: int) -> tuple[int, bytes]:
        """The newest picture, once there is one after `number`: its number, and its part of the stream."""
        while self._number <= number:
            await self._published.wait()
        return self._number, self._part
