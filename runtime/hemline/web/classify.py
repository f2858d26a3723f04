"""What answers `POST /api/classify`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING

from hemline.sinks.base import as_json
from hemline.web import uploads
from hemline.web.guarded import Guarded, stated_length

if TYPE_CHECKING:
    from hemline.batch import Outcome


class Classify(Guarded):
    """Classifies a picture that is sent."""

    METHODS = ("POST",)
    _has_slot = False  # a method that Tornado does not know comes to an end without `prepare`

    async def prepare(self) -> None:
        """Decide before the body is read, and let it wait until others are done."""
        self._content = bytearray()
        self.expect_body()
        self.check()
        if self.is_refused:
            return
        shared, headers = self.shared, self.request.headers
        limits = shared.limits
        length = stated_length(headers)
        if length is None:
            self.refuse(400, "Content-Length is no number")
        elif headers.get("Content-Type", "").lower().startswith("multipart/"):
            self.refuse(415, "send the bytes of the picture themselves, not a form")
        elif length > limits.upload_bytes:
            self._refuse_length()
        elif not await shared.uploads.take(limits.wait_s):
            self.refuse(503, "other pictures are being classified", retry_s=1.0)
        else:
            self._has_slot = True
            shared.seats.hold(self.connection.stream)
            self.connection.set_max_body_size(sys.maxsize)  # `data_received` bounds it
            self.connection.set_body_timeout(limits.upload_s)

    def _refuse_length(self) -> None:
        self.refuse(413, f"a picture may have {self.shared.limits.upload_bytes} bytes")

    def data_received(self, chunk: bytes) -> None:
        """Called by Tornado with each piece of the body."""
        if self._has_slot:
            self._content += chunk
            if len(self._content) > self.shared.limits.upload_bytes:
                self._content.clear()
                self._done()
                self._refuse_length()
        super().data_received(chunk)

    async def post(self) -> None:
        """The answer as `classify --json` prints it."""
        content = bytes(self._content)
        if refused := uploads.refused(content, self.shared.limits):
            self.refuse(refused.status, refused.reason + self._hint())
            return
        outcome = await self._outcome(content)
        if outcome.answer is None:
            self.set_status(422)
            outcome = outcome._replace(error=outcome.error + self._hint())
        self.give_json(as_json(outcome, self.shared.card.name, self.shared.backend))

    def _hint(self) -> str:
        """curl says the same of `-d`, which leaves line ends out, as of `--data-binary`."""
        kind = self.request.headers.get("Content-Type", "").lower()
        is_of_curl = kind.startswith("application/x-www-form-urlencoded")
        return "; with curl: --data-binary @FILE, not -d" if is_of_curl else ""

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
        self.shared.sent[self.get_status()] += 1
        self._done()

    def on_connection_close(self) -> None:
        """The client has gone."""
        super().on_connection_close()
        self._done()

    def _done(self) -> None:
        if self._has_slot:
            self._has_slot = False
            self.shared.uploads.give_back()
            self.shared.seats.wait(self.connection.stream)
