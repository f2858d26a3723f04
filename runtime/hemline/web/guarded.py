"""What all handlers of the web preview share: who may come in, and how errors are told."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from tornado.http1connection import HTTP1Connection
from tornado.web import HTTPError, RequestHandler, stream_request_body

from hemline.web import pages

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Awaitable, Mapping
    from types import TracebackType

    from hemline.card import ModelCard
    from hemline.web.guard import Guard
    from hemline.web.hub import Hub
    from hemline.web.limits import Buckets, Limits, Slots
    from hemline.web.seats import Seats
    from hemline.web.state import State
    from hemline.web.uploads import Desk

_READ_IN_VAIN = 8  # times as much as a picture may have
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": pages.NOTHING_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "hemline",
    "X-Content-Type-Options": "nosniff",
}


class Shared(NamedTuple):
    """What all handlers know."""

    guard: Guard
    limits: Limits
    state: State
    hub: Hub
    desk: Desk
    card: ModelCard
    backend: str
    uploads: Slots
    seats: Seats
    requests: Buckets
    strangers: Buckets
    wrong_tokens: Buckets
    cookie: str
    sent: Counter[int]  # pictures that clients sent, by the status of the reply


@stream_request_body
class Guarded(RequestHandler):
    """Lets a request through only if it may, and tells of errors in JSON; it takes no body."""

    METHODS: tuple[str, ...] = ("GET", "HEAD")
    _body_comes = False
    _late: dict[str, Any] | None = None  # the error that is told when the body has come
    received = 0  # bytes of it

    def initialize(self, shared: Shared) -> None:
        """Called by Tornado with what all handlers know."""
        self.shared = shared

    def set_default_headers(self) -> None:
        """Nothing is cached, framed, or given to other sites."""
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> Awaitable[None] | None:
        """Refuse what may not be, before anything of a body is read, or anything is done."""
        self.expect_body()
        self.check()
        return None

    def expect_body(self) -> None:
        """Have a refusal wait for the end of the body, which is thrown away, unless it is too long.

        Most clients listen only when they have sent all, and would not hear of it before.
        """
        headers = self.request.headers
        length = stated_length(headers)
        if length is None or length > self._most or "Expect" in headers:
            return
        if not length and "Transfer-Encoding" not in headers:
            return
        self._body_comes = True
        self.connection.set_max_body_size(sys.maxsize)  # `data_received` bounds it, and says so
        self.connection.set_body_timeout(self.shared.limits.idle_s)
        name = (self.request.method or "").lower()
        answer = getattr(self, name)

        def when_it_has_come() -> Awaitable[None] | None:
            self._body_comes = False
            if self._late is not None:
                self.give_json(self._late)
                return None
            answered: Awaitable[None] | None = answer()
            return answered

        setattr(self, name, when_it_has_come)

    def data_received(self, chunk: bytes) -> None:
        """Called by Tornado with each piece of a body; one in chunks has not said its length."""
        self.received += len(chunk)
        if self.received > self._most:
            self._body_comes = False
            if self._late is None:
                self.refuse(413, "the body is too long")
            else:
                self.give_json(self._late)

    @property
    def _most(self) -> int:
        return _READ_IN_VAIN * self.shared.limits.upload_bytes

    @property
    def is_refused(self) -> bool:
        """Whether an error is told, or will be."""
        return self._finished or self._late is not None

    def check(self) -> None:
        """Refuse what may not be."""
        shared, request = self.shared, self.request
        client = request.remote_ip or ""
        knows_token = self.knows_token()
        # All who come through a proxy or a tunnel have one address: those without the token must not use up
        # what those who know it are given.
        requests = shared.requests if knows_token else shared.strangers
        if wait_s := requests.wait_s(client):
            self.refuse(429, "too many requests", retry_s=wait_s)
            return
        requests.spend(client)
        if refusal := shared.guard.of_site(request.method or "", request.headers):
            self.refuse(*refusal)
        elif not knows_token:
            self.without_token()
        elif request.method not in self.METHODS:
            self.set_header("Allow", ", ".join(self.METHODS))
            self.refuse(405, f"{request.path} takes {' and '.join(self.METHODS)}")

    def without_token(self) -> None:
        """Refuse; who gives wrong ones again and again has to wait before another is called wrong."""
        if self.gives_token():
            client = self.request.remote_ip or ""
            if wait_s := self.shared.wrong_tokens.wait_s(client):
                self.refuse(429, "too many wrong tokens", retry_s=wait_s)
                return
            self.shared.wrong_tokens.spend(client)
        self.set_header("WWW-Authenticate", "Bearer")
        if "text/html" in self.request.headers.get("Accept", ""):
            self.set_status(401)
            self.give(pages.token_page())
            return
        self.refuse(401, "a token is needed: Authorization: Bearer …, or open /?token=… once")

    @property
    def connection(self) -> HTTP1Connection:
        """Of the request."""
        return cast(HTTP1Connection, self.request.connection)

    def knows_token(self) -> bool:
        """Whether the client may see anything."""
        shared = self.shared
        return shared.guard.knows_token(self.request.headers, self.get_cookie(shared.cookie))

    def gives_token(self) -> bool:
        """Whether there is one in the request."""
        return "Authorization" in self.request.headers

    def refuse(self, status: int, reason: str, *, retry_s: float | None = None) -> None:
        """Answer with an error, and no more; not before the body has come."""
        if retry_s is not None:
            self.set_header("Retry-After", str(max(1, math.ceil(retry_s))))
        self.set_status(status)
        if self._body_comes:
            self._late = {"error": reason}
        else:
            self.give_json({"error": reason})

    def give_json(self, content: dict[str, Any]) -> None:
        """Answer with an object, and no more."""
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(content, ensure_ascii=False) + "\n")

    def give(self, file: pages.File) -> None:
        """Answer with a file, and no more."""
        self.set_header("Content-Type", file.kind)
        self.set_header("Content-Security-Policy", file.policy)
        self.finish(file.content)

    def write_error(self, status_code: int, **_: Any) -> None:
        """In JSON, without anything of the inside."""
        self.refuse(status_code, self._reason)

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """A client's mistake is told to the client; ours is told with its traceback."""
        if not isinstance(value, HTTPError):
            super().log_exception(typ, value, tb)

    def compute_etag(self) -> None:
        """Nothing is cached, so nothing is compared."""
        return


class NotFound(Guarded):
    """All other addresses."""

    METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")

    def check(self) -> None:
        """Even that there is nothing is told to those alone who may know."""
        super().check()
        if not self.is_refused:
            self.refuse(404, "there is nothing here; GET /api/info tells what runs here")


def stated_length(headers: Mapping[str, str]) -> int | None:
    """How long a body is said to be, 0 where nothing is said; None for what is no number."""
    stated = headers.get("Content-Length", "0")
    return int(stated) if stated.isascii() and stated.isdecimal() and len(stated) < 20 else None
