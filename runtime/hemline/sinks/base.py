"""What every sink is, and an answer as the JSON object that all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hemline.batch import Outcome


class Sink(ABC):
    """Takes outcomes one by one. Whoever makes it closes it.

    Attributes:
        ended: The user wants no more, such as by closing a window.
        at_own_speed: People watch, so films are to be played as fast as they were taken.
        incomplete: Not everything has arrived where it should; known when it is closed.
    """

    ended = False
    at_own_speed = False
    incomplete = False

    @abstractmethod
    def write(self, outcome: Outcome) -> None:
        """Take one outcome; an error too. Its frame is only valid until this returns.

        Raises:
            UserError: What it writes to cannot be written any more.
        """

    def stay(self) -> None:
        """All is classified: wait for as long as somebody may still want to see it."""
        return

    def close(self) -> None:
        """Finish the output. Closing twice does no harm."""
        return


def as_json(outcome: Outcome, model: str, backend: str) -> dict[str, Any]:
    """An outcome as `classify --json` prints it.

    Args:
        outcome: One that has no answer gives `source` and `error`.
        model: Name of the model.
        backend: Name of the backend.
    """
    answer = outcome.answer
    if answer is None:
        return {"source": _as_utf8(outcome.source), "error": _as_utf8(outcome.error)}
    when = {}
    if outcome.timed is not None and outcome.timed.wall_s is not None:
        when = {"time": round(outcome.timed.wall_s, 3)}
    return {
        "source": _as_utf8(outcome.source),
        "frame": outcome.frame,
        **when,
        "label": answer.label,
        "confidence": round(answer.confidence, 6),
        "top": [
            {"label": label, "confidence": round(confidence, 6)} for label, confidence in answer.top
        ],
        "latency_ms": {
            "preprocess": round(answer.latency_ms.preprocess, 4),
            "inference": round(answer.latency_ms.inference, 4),
            "total": round(answer.latency_ms.total, 4),
        },
        "model": model,
        "backend": backend,
    }


def _as_utf8(text: str) -> str:
    """With each byte of a file name that is no UTF-8 as an escape, `\\xe9`.

    Python holds such a byte as half of a surrogate pair, which strict parsers of JSON refuse.
    """
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
