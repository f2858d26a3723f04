"""What the web preview knows of the answers: the latest one, and counts."""

from __future__ import annotations

import os
import threading
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from hemline.batch import FrameRate
from hemline.printable import public_address
from hemline.sinks.base import as_json
from hemline.sources.listing import STREAM_SCHEMES

if TYPE_CHECKING:
    from hemline.batch import Outcome

_SILENT_S = 15.0  # a camera that gave nothing for so long is not well

Mode = Literal["camera", "files", "api"]


class Counts(NamedTuple):
    """Sums since the start.

    Attributes:
        answers: Pictures and frames that were answered.
        errors: Inputs that could not be read.
        dropped: Frames that the present camera dropped, since a newer one was there.
        labels: How often each label was the answer.
        preprocess_ms: Sum over all answers.
        inference_ms: Sum over all answers.
        total_ms: Sum over all answers.
    """

    answers: int
    errors: int
    dropped: int
    labels: dict[str, int]
    preprocess_ms: float
    inference_ms: float
    total_ms: float


class State:
    """Written by the thread that classifies, read by that of the server.

    Args:
        mode: What is classified: a camera, files and streams, or only what is sent to the API.
        model: Name of the model.
        backend: Name of the backend.
    """

    def __init__(self, mode: Mode, model: str, backend: str) -> None:
        self.mode = mode
        self.finished = False
        self._model = model
        self._backend = backend
        self._lock = threading.Lock()
        self._rate = FrameRate()
        self._started_s = monotonic()
        self._latest: Outcome | None = None
        self._latest_s = self._started_s
        self._fps = 0.0
        self._errors = 0
        self._dropped = 0
        self._labels: Counter[str] = Counter()
        self._sums_ms = (0.0, 0.0, 0.0)

    def update(self, outcome: Outcome) -> None:
        """Take an outcome, without its frame."""
        timed, answer = outcome.timed, outcome.answer
        with self._lock:
            self._latest = outcome
            self._latest_s = monotonic()
            if timed is not None:
                self._latest = outcome._replace(timed=timed._replace(bgr=timed.bgr[:0]))
                self._dropped = timed.dropped
            if answer is None:
                self._errors += 1
                return
            self._fps = self._rate.tick()
            self._labels[answer.label] += 1
            latency = answer.latency_ms
            preprocess, inference, total = self._sums_ms
            self._sums_ms = (
                preprocess + latency.preprocess,
                inference + latency.inference,
                total + latency.total,
            )

    def counts(self) -> Counts:
        """The sums so far."""
        with self._lock:
            answers = sum(self._labels.values())
            return Counts(answers, self._errors, self._dropped, dict(self._labels), *self._sums_ms)

    def latest(self) -> dict[str, Any]:
        """The latest outcome as `classify --json` prints it, and how things go."""
        with self._lock:
            outcome, age_s = self._latest, monotonic() - self._latest_s
            fps = self._fps if age_s < 2 else 0.0
            dropped, errors = self._dropped, self._errors
            answers = sum(self._labels.values())
        content: dict[str, Any] = {"label": None}
        if outcome is not None:
            shown = public_name(outcome.source)
            content = as_json(
                outcome._replace(source=shown, error=outcome.error.replace(outcome.source, shown)),
                self._model,
                self._backend,
            )
        return {
            **content,
            "age_s": round(age_s, 3),
            "frames": answers,
            "errors": errors,
            "dropped": dropped,
            "frames_per_s": round(fps, 1),
            "state": self._state(),
        }

    def _state(self) -> str:
        if self.mode == "api":
            return "ready"  # for pictures that are sent: there is nothing that could be over
        return "finished" if self.finished else "running"

    def silent_s(self) -> float:
        """How long a camera has given nothing that it should have; 0 while all is well."""
        with self._lock:
            age_s = monotonic() - self._latest_s
        return age_s if self.mode == "camera" and age_s > _SILENT_S else 0.0

    def uptime_s(self) -> float:
        """Seconds since the start."""
        return monotonic() - self._started_s


def public_name(source: str) -> str:
    """A source as others may know it: no password and no query of an address, no folder of a file."""
    if source.startswith(STREAM_SCHEMES):
        return public_address(source)
    return os.path.basename(source)
