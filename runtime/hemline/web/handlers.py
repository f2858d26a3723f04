"""What the web preview answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, cast

from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError
from tornado.web import stream_request_body

from hemline import __version__
from hemline.sinks.base import as_json
from hemline.web import metrics, pages, uploads
from hemline.web.guarded import Guarded, Shared
from hemline.web.hub import BEGINNING, BOUNDARY

if TYPE_CHECKING:
    from hemline.batch import Outcome

_COOKIE_DAYS = 30
_LOOK_S = 2.0  # without a new picture, until a viewer is looked for
_READ_IN_VAIN = 8  # times as much as is allowed


class Page(Guarded):
    """A file of the page; `/?token=…` exchanges the token for a cookie."""

    def initialize(self, shared: Shared, file: pages.File) -> None:  # type: ignore[override]
        """Called by Tornado."""
        super().initialize(shared)
        self._file = file

    def without_token(self) -> None:
        """The token may stand in the address, which the browser then forgets."""
        token = self.get_query_argument("token", None)
        if self.request.path != "/" or token is None:
            super().without_token()
            return
        if not self.shared.guard.is_token(token):
            self.shared.wrong_tokens.spend(self.request.remote_ip or "")
            super().without_token()
            return
        self.set_cookie(
            self.shared.cookie,
            self.shared.guard.cookie,
            expires_days=_COOKIE_DAYS,
            httponly=True,
            samesite="Strict",
        )
        self._to_the_page()

    def get(self) -> None:
        """The file; a token that is not needed any more leaves the address too."""
        if self.request.path == "/" and "token" in self.request.query_arguments:
            self._to_the_page()
            return
        self.give(self._file)

    head = get

    def _to_the_page(self) -> None:
        self.set_status(303)
        self.set_header("Location", "/")
        self.finish()


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
        self._task = asyncio.ensure_future(self._pictures(number))
        try:
            await self._task
        except TimeoutError:
            cast(HTTP1Connection, self.request.connection).stream.close()
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
        stream = cast(HTTP1Connection, self.request.connection).stream
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
        if self._task is not None:
            self._task.cancel()


@stream_request_body
class Classify(Guarded):
    """Classifies a picture that is sent."""

    METHODS = ("POST",)
    _has_slot = False  # a method that Tornado does not know comes to an end without `prepare`

    def prepare(self) -> None:
        """Decide before the body is read."""
        self._content = bytearray()
        self._refusal: tuple[int, str, float | None] | None = None
        super().prepare()
        if self._finished:
            return
        limits, headers = self.shared.limits, self.request.headers
        length = _length(headers.get("Content-Length", "0"))
        if headers.get("Content-Type", "").lower().startswith("multipart/"):
            self._refusal = 415, "send the bytes of the picture themselves, not a form", None
        elif length > limits.upload_bytes:
            self._refusal = 413, f"a picture may have {limits.upload_bytes} bytes", None
        elif not self.shared.uploads.take():
            self._refusal = 503, "other pictures are being classified", 1.0
        else:
            self._has_slot = True
        # Most clients listen when they have sent all; so what is not too much is read, and thrown away.
        most = limits.upload_bytes if self._has_slot else _READ_IN_VAIN * limits.upload_bytes
        if self._refusal is not None and (length > most or "Expect" in headers):
            self._refuse()
            return
        connection = cast(HTTP1Connection, self.request.connection)
        connection.set_max_body_size(most)
        connection.set_body_timeout(limits.upload_s)

    def data_received(self, chunk: bytes) -> None:
        """Called by Tornado with each piece of the body, whose sum it bounds."""
        if self._has_slot:
            self._content += chunk

    def _refuse(self) -> None:
        assert self._refusal is not None
        status, reason, retry_s = self._refusal
        self.refuse(status, reason, retry_s=retry_s)

    async def post(self) -> None:
        """The answer as `classify --json` prints it."""
        if self._refusal is not None:
            self._refuse()
            return
        content = bytes(self._content)
        if refused := uploads.refused(content, self.shared.limits):
            self.refuse(*refused)
            return
        outcome = await self._outcome(content)
        if outcome.answer is None:
            self.set_status(422)
        self.give_json(as_json(outcome, self.shared.card.name, self.shared.backend))

    async def _outcome(self, content: bytes) -> Outcome:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Outcome] = loop.create_future()

        def settle(result: Outcome | BaseException) -> None:
            if answered.done():
                return  # the server ends
            if isinstance(result, BaseException):
                answered.set_exception(result)
            else:
                answered.set_result(result)

        def answer(result: Outcome | BaseException) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(settle, result)

        self.shared.desk.classify(content, answer)
        return await answered

    def on_finish(self) -> None:
        """It is answered."""
        self._done()

    def on_connection_close(self) -> None:
        """The client has gone."""
        self._done()

    def _done(self) -> None:
        if self._has_slot:
            self._has_slot = False
            self.shared.uploads.give_back()


def _length(stated: str) -> float:
    return int(stated) if stated.isdecimal() else float("inf")
