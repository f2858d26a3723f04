"""The web preview as a sink: it takes each outcome, and never makes the camera wait."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from hemline.extras import require
from hemline.sinks.base import Sink
from hemline.sources.listing import STANDARD_INPUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemline.batch import Outcome
    from hemline.classifier import Classifier
    from hemline.sources.frames import Tell
    from hemline.web.limits import Limits
    from hemline.web.state import Mode


class WebSink(Sink):
    """Serves a page with the live picture and the answers, and an API (`hemline.web`).

    Args:
        where: `HOST:PORT`, `:PORT` for the network, `PORT`, or nothing for 127.0.0.1:8080.
        mode: What is classified; with `api` nothing but what is sent.
        classifier: Whose answers they are.
        make: Makes another of the same model, for pictures that are sent.
        token: What clients have to know; see `hemline.web.guard.token_for`.
        tell: Takes the address of the page.
        limits: How much is given to whom.

    Raises:
        UserError: Tornado is not installed, or that address cannot be had.
    """

    at_own_speed = True

    def __init__(
        self,
        where: str,
        mode: Mode,
        classifier: Classifier,
        make: Callable[[], Classifier],
        *,
        token: str | None,
        tell: Tell,
        limits: Limits | None = None,
    ) -> None:
        require(("tornado",), "web", "--serve")
        from hemline.web.address import parse
        from hemline.web.guard import Guard, token_for
        from hemline.web.limits import Limits
        from hemline.web.server import WebServer
        from hemline.web.state import State

        address = parse(where)
        token, is_new = token_for(address, token)
        self._mode = mode
        self._tell = tell
        self._last: Outcome | None = None
        self._state = State(mode, classifier.card.name, classifier.backend.name)
        self.server = WebServer(
            address, Guard(address, token), self._state, classifier, make, limits or Limits()
        )
        with_token = f"?token={token}" if is_new else ""
        tell(f"the page is at {self.server.url}{with_token}")

    def write(self, outcome: Outcome) -> None:
        """Count it, and offer its picture."""
        self._state.update(outcome)
        self._last = outcome
        if outcome.timed is not None:
            self.server.preview.offer_frame(outcome.timed.bgr)
        elif outcome.answer is not None and outcome.source != STANDARD_INPUT:
            self.server.preview.offer_picture(outcome.source)

    def stay(self) -> None:
        """The page stays when files are done, until somebody interrupts."""
        if self._mode == "camera":
            return
        if self._last is not None and self._last.timed is not None:
            self.server.preview.hold(self._last.timed.bgr)
        self._state.finished = True
        if self._mode == "files":
            self._tell("all is classified; the page stays until Ctrl-C")
        threading.Event().wait()

    def close(self) -> None:
        """End the server."""
        self.server.close()
