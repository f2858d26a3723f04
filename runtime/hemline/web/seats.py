"""The connections that are open: so many, and who has to go for a new one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer

if TYPE_CHECKING:
    from tornado.httputil import HTTPConnection, HTTPMessageDelegate
    from tornado.iostream import IOStream

_PROBE_AFTER_S = 60
_RETRY_S = 5
_BODY = json.dumps({"error": "too many connections are in use"}).encode() + b"\n"
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    b"Retry-After: %d\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
) % (_RETRY_S, len(_BODY), _BODY)


class Seat(NamedTuple):
    """A connection.

    Attributes:
        address: Whose.
        since_s: When it began to wait for what it still waits for.
        is_held: It watches, or its picture is received: it stays until that is over.
    """

    address: str
    since_s: float
    is_held: bool


class Seats:
    """Has room for a new connection by closing one that only waits.

    Who has the most connections loses one first, and of these the one that has waited the longest. So
    connections that say nothing lock nobody out, and one address does not lock out the others.

    Args:
        most: At the same time. If it is more than can be held, a new connection always finds room.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._seats: dict[IOStream, Seat] = {}

    def take(self, stream: IOStream, address: str) -> bool:
        """Sit down; False if all others are held."""
        if len(self._seats) >= self._most and not self._free_one():
            return False
        self._seats[stream] = Seat(address, monotonic(), False)
        return True

    def hold(self, stream: IOStream) -> None:
        """Stay until `wait`, whoever else comes."""
        if seat := self._seats.get(stream):
            self._seats[stream] = seat._replace(is_held=True)

    def wait(self, stream: IOStream) -> None:
        """Wait for a request from now on."""
        if seat := self._seats.get(stream):
            self._seats[stream] = Seat(seat.address, monotonic(), False)

    def leave(self, stream: IOStream) -> None:
        """Get up, if it has not been told to already."""
        self._seats.pop(stream, None)

    def _free_one(self) -> bool:
        waiting = [(stream, seat) for stream, seat in self._seats.items() if not seat.is_held]
        if not waiting:
            return False
        share = Counter(seat.address for seat in self._seats.values())
        stream, _ = min(waiting, key=lambda item: (-share[item[1].address], item[1].since_s))
        self.leave(stream)
        stream.close()
        return True


class SeatedServer(HTTPServer):
    """A server whose connections have seats, in `seats`."""

    seats: Seats

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Called by Tornado with each new connection."""
        if not self.seats.take(stream, str(address[0])):
            asyncio.ensure_future(_turn_away(stream))  # noqa: RUF006 - it takes no time
            return
        _have_probed(stream.socket)
        super().handle_stream(stream, address)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        """Called by Tornado before it waits for a request."""
        self.seats.wait(cast(HTTP1ServerConnection, server_conn).stream)
        return super().start_request(server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        """Called by Tornado when a connection has ended."""
        self.seats.leave(cast(HTTP1ServerConnection, server_conn).stream)
        super().on_close(server_conn)


def _have_probed(connection: socket.socket) -> None:
    """A phone that has left the network is noticed, although nothing is sent to it."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_AFTER_S)


async def _turn_away(stream: IOStream) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        await asyncio.wait_for(stream.write(_BUSY), 1)
    stream.close()
