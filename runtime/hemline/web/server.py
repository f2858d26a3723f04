"""The server of the web preview, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from tornado.log import app_log
from tornado.netutil import bind_sockets
from tornado.web import Application

from hemline.errors import UserError
from hemline.web import guarded, handlers, pages
from hemline.web.classify import Classify
from hemline.web.hub import Hub
from hemline.web.limits import Buckets, Limits, Slots
from hemline.web.preview import Preview
from hemline.web.seats import SeatedServer, Seats
from hemline.web.uploads import Desk

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemline.classifier import Classifier
    from hemline.web.address import Address
    from hemline.web.guard import Guard
    from hemline.web.state import State

_HEADER_BYTES = 16 << 10
_SMALL_BODY_BYTES = 64 << 10  # of requests that need none
_BUFFER_BYTES = 1 << 20
_END_S = 0.5


class WebServer:
    """Listens from the beginning, and serves until it is closed.

    Args:
        address: What to listen on.
        guard: Who may ask for what.
        state: What is told of the answers.
        classifier: Whose answers they are. It is not used itself.
        make: Makes another of the same model, for pictures that are sent.
        limits: How much it gives to whom.

    Raises:
        UserError: It cannot listen there.
    """

    def __init__(
        self,
        address: Address,
        guard: Guard,
        state: State,
        classifier: Classifier,
        make: Callable[[], Classifier],
        limits: Limits = Limits(),  # noqa: B008 - immutable
    ) -> None:
        self._sockets = _bound(address)
        self.port: int = self._sockets[0].getsockname()[1]
        self.url = address.url(self.port)
        self._limits = limits
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self.preview = Preview(self._publish, limits)
        self._hub = Hub(self.preview.watch)
        self._desk = Desk(make)
        self._shared = guarded.Shared(
            guard=guard,
            limits=limits,
            state=state,
            hub=self._hub,
            desk=self._desk,
            card=classifier.card,
            backend=classifier.backend.name,
            uploads=Slots(limits.uploads),
            seats=Seats(limits.connections),
            requests=Buckets(limits.requests_per_s, limits.burst),
            strangers=Buckets(limits.requests_per_s, limits.burst),
            wrong_tokens=Buckets(0.2, limits.wrong_tokens),
            cookie=f"hemline-{self.port}",  # browsers tell cookies apart by host, not by port
            sent=Counter(),
        )
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="serves the page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End all connections, streams too."""
        with contextlib.suppress(RuntimeError):  # its loop has ended already
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_END_S)
        self.preview.close()
        self._desk.close()

    def _publish(self, content: bytes, is_still: bool) -> None:
        with contextlib.suppress(RuntimeError):  # it ends just now
            self._loop.call_soon_threadsafe(self._hub.publish, content, is_still)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        limits = self._limits
        server = SeatedServer(
            _application(self._shared),
            max_header_size=_HEADER_BYTES,
            max_body_size=_SMALL_BODY_BYTES,
            max_buffer_size=_BUFFER_BYTES,
            idle_connection_timeout=limits.idle_s,
            body_timeout=limits.idle_s,
        )
        server.seats = self._shared.seats
        server.add_sockets(self._sockets)
        await self._stopping.wait()
        app_log.addFilter(_is_a_fault)
        server.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.close_all_connections(), _END_S / 2)


def _application(shared: guarded.Shared) -> Application:
    common = {"shared": shared}
    routes: list[Any] = [
        (path, handlers.Page, {**common, "file": file}) for path, file in pages.page_files().items()
    ]
    routes += [
        ("/api/latest", handlers.Latest, common),
        ("/api/info", handlers.Info, common),
        ("/api/classify", Classify, common),
        ("/stream.mjpg", handlers.Stream, common),
        ("/healthz", handlers.Health, common),
        ("/metrics", handlers.Metrics, common),
    ]
    return Application(
        routes,
        default_handler_class=guarded.NotFound,
        default_handler_args=common,
        log_function=lambda _handler: None,  # addresses can hold the token
    )


def _is_a_fault(record: logging.LogRecord) -> bool:
    """Whether Tornado tells of one: that a request is cancelled, since the server ends, is none."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _bound(address: Address) -> list[socket.socket]:
    try:
        return bind_sockets(address.port, address.host)
    except OSError as error:
        hint = "give an address of this machine, or :8080 for all of them"
        if error.errno == errno.EADDRINUSE:
            hint = (
                f"something else listens there; choose another, such as --serve {address.host}:8081"
            )
        elif error.errno == errno.EACCES:
            hint = "ports below 1024 are for root; choose one above"
        raise UserError(
            f"cannot serve at {address.host}:{address.port}: {error.strerror or error}", hint
        ) from error
