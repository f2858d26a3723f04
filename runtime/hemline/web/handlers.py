"""What the web preview answers."""

from __future__ import annotations

import asyncio
import socket

from tornado.iostream import StreamClosedError

from hemline import __version__
from hemline.web import metrics, pages
from hemline.web.guarded import Guarded, Shared
from hemline.web.hub import BEGINNING, BOUNDARY

_COOKIE_DAYS = 30
_LOOK_S = 2.0  # without a new picture, until a viewer is looked for


class Page(Guarded):
    """A file of the page; `/?token=…` exchanges the token for a cookie."""

    def initialize(self, shared: Shared, file: pages.File) -> None:  # type: ignore[override]
        """Called by Tornado."""
        super().initialize(shared)
        self._file = file

    def knows_token(self) -> bool:
        """By the address too."""
        return super().knows_token() or self._brings_token()

    def gives_token(self) -> bool:
        """In the address too."""
        return super().gives_token() or "token" in self.request.query_arguments

    def get(self) -> None:
        """The file; the token, needed or not, becomes a cookie, and leaves the address."""
        if self.request.path != "/" or "token" not in self.request.query_arguments:
            self.give(self._file)
            return
        if self._brings_token():
            self.set_cookie(
                self.shared.cookie,
                self.shared.guard.cookie,
                expires_days=_COOKIE_DAYS,
                httponly=True,
                samesite="Strict",
            )
        self.set_status(303)
        self.set_header("Location", "/")
        self.finish()

    head = get

    def _brings_token(self) -> bool:
        token = self.get_query_argument("token", None)
        return self.request.path == "/" and self.shared.guard.is_token(token)


class Latest(Guarded):
    """The latest answer, and how things go."""

    def get(self) -> None:
        """As `classify --json` prints it, and more."""
        self.give_json(self.shared.state.latest())

    head = get


class Info(Guarded):
    """What runs here."""

    def get(self) -> None:
        """Model, labels, input, limits."""
        shared, card = self.shared, self.shared.card
        self.give_json(
            {
                "hemline": __version__,
                "model": card.name,
                "backend": shared.backend,
                "labels": list(card.labels),
                "input": {"size_wh": list(card.input.size_wh), "color": card.input.color},
                "mode": shared.state.mode,
                "uptime_s": round(shared.state.uptime_s(), 1),
                "needs_token": shared.guard.needs_token,
                "upload_bytes": shared.limits.upload_bytes,
                "upload_pixels": {
                    "jpeg": shared.limits.jpeg_pixels,
                    "png": shared.limits.other_pixels,
                    "webp": shared.limits.other_pixels,
                },
            }
        )

    head = get


class Health(Guarded):
    """Whether all is well, for what restarts services."""

    def get(self) -> None:
        """503 when the camera gives no frames."""
        silent_s = self.shared.state.silent_s()
        if silent_s:
            self.set_status(503)
        self.give_json(
            {"status": "no frames", "silent_s": round(silent_s, 1)}
            if silent_s
            else {"status": "ok"}
        )

    head = get


class Metrics(Guarded):
    """For Prometheus."""

    def get(self) -> None:
        """The counts in its text format."""
        state = self.shared.state
        self.set_header("Content-Type", metrics.CONTENT_TYPE)
        self.finish(
            metrics.exposition(
                state.counts(),
                fps=state.latest()["frames_per_s"],
                uptime_s=state.uptime_s(),
                viewers=self.shared.hub.viewers,
                model=self.shared.card.name,
                sent=self.shared.sent,
            )
        )

    head = get


class Stream(Guarded):
    """The live picture as Motion JPEG."""

    METHODS = ("GET",)
    _task: asyncio.Task[None] | None = None

    async def get(self) -> None:
        """One picture after another, each the newest, until the client goes or takes none any more."""
        hub = self.shared.hub
        if hub.viewers >= self.shared.limits.streams:
            self.refuse(503, "too many watch already", retry_s=10)
            return
        self.set_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        number = hub.join()
        self.shared.seats.hold(self.connection.stream)
        self._task = asyncio.ensure_future(self._pictures(number))
        try:
            await self._task
        except TimeoutError:
            self.connection.stream.close()
        except (asyncio.CancelledError, StreamClosedError):
            return
        finally:
            hub.leave()

    async def _pictures(self, number: int) -> None:
        self.write(BEGINNING)
        await self.flush()
        while True:
            try:
                number, part = await asyncio.wait_for(self.shared.hub.newer(number), _LOOK_S)
            except TimeoutError:
                if self._has_gone():
                    raise
                continue
            self.write(part)
            await asyncio.wait_for(self.flush(), self.shared.limits.slow_s)

    def _has_gone(self) -> bool:
        """Whether the client has closed its end, or sends something, which no viewer does.

        Tornado looks for that itself, but not where bytes that followed the request wait to be read.
        """
        stream = self.connection.stream
        if stream.closed():
            return True
        try:
            stream.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def on_connection_close(self) -> None:
        """The client has gone."""
        super().on_connection_close()
        if self._task is not None:
            self._task.cancel()
