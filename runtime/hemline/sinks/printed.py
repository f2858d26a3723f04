"""Answers that are printed: text for people, JSON lines and CSV for programs."""

from __future__ import annotations

import errno
import json
import sys
from _thread import RLock  # `threading` would take 2 ms of each start
from typing import TYPE_CHECKING, TextIO

from hemline.batch import FrameRate
from hemline.printable import printable
from hemline.sinks.base import Sink, as_json

if TYPE_CHECKING:
    from hemline.batch import Outcome


_TO_JSON = json.JSONEncoder(ensure_ascii=False).encode


class PrintingSink(Sink):
    """Prints to a text stream, and says on standard error what happens meanwhile."""

    def __init__(self, out: TextIO, model: str, backend: str) -> None:
        self._out = out
        self._model = model
        self._backend = backend

    def tell(self, message: str) -> None:
        """Say what happens to a source, on standard error."""
        try:
            print(f"hemline: {_one_line(message)}", file=sys.stderr, flush=True)
        except OSError as error:
            if error.errno != errno.EIO:  # the terminal is gone, and nobody there to be told
                raise

    def close(self) -> None:
        """Finish the output."""
        self._out.flush()


class TextSink(PrintingSink):
    """One line a picture; on a terminal the frames of a camera or video share one changing line."""

    def __init__(self, out: TextIO, model: str, backend: str) -> None:
        super().__init__(out, model, backend)
        self._changing = out.isatty()
        self._line = ""  # that is open, and will change
        self._lock = RLock()  # what is told comes from other threads too
        self._rate = FrameRate()

    def write(self, outcome: Outcome) -> None:
        """Errors go to standard error, since people read the answers from standard output."""
        with self._lock:
            self._write(outcome)

    def _write(self, outcome: Outcome) -> None:
        if outcome.answer is None:
            self._end_line()
            print(f"error: {_one_line(outcome.error)}", file=sys.stderr, flush=True)
            return
        text = _one_line(self._text(outcome))
        if outcome.frame is None or not self._changing:
            self._end_line()
            self._out.write(text + "\n")
            if outcome.frame is not None:
                self._out.flush()
            return
        import shutil  # with its archive formats it takes 3 ms, which most runs need not spend

        width = shutil.get_terminal_size().columns - 1
        text = f"{text}  {self._rate.tick():.0f} frames/s"
        self._line = text[:width].ljust(width)
        self._draw(self._line)

    def tell(self, message: str) -> None:
        """Where the changing line was, which goes on below."""
        with self._lock:
            if not self._line:
                super().tell(message)
                return
            self._draw(" " * len(self._line) + "\r")
            super().tell(message)
            self._draw(self._line)

    def close(self) -> None:
        """End the changing line, if there is one."""
        with self._lock:
            self._end_line()
            super().close()

    def _draw(self, line: str) -> None:
        self._out.write("\r" + line)
        self._out.flush()

    def _end_line(self) -> None:
        if self._line:
            self._out.write("\n")
            self._out.flush()
            self._line = ""

    def _text(self, outcome: Outcome) -> str:
        answer = outcome.answer
        assert answer is not None
        place = outcome.source if outcome.frame is None else f"{outcome.source} #{outcome.frame}"
        best, others = answer.label, answer.top
        if best == others[0][0]:  # else it is `unknown`, of which nothing is so and so sure
            best, others = f"{best} {_percent(answer.confidence)}", others[1:]
        rest = ", ".join(f"{label} {_percent(confidence)}" for label, confidence in others)
        return f"{place}: {best}" + (f"  ({rest})" if rest else "")


class JsonSink(PrintingSink):
    """One JSON object a line."""

    def write(self, outcome: Outcome) -> None:
        """An input that could not be read gives an object with `source` and `error`."""
        # In one piece, so that Ctrl-C leaves whole lines.
        self._out.write(_TO_JSON(as_json(outcome, self._model, self._backend)) + "\n")
        if outcome.frame is not None:  # who follows a camera wants each line when it is there
            self._out.flush()


class CsvSink(PrintingSink):
    """A header and one row a picture or frame.

    `label_1`, `confidence_1`, … are the likeliest labels, also where the answer is `unknown`.
    """

    def __init__(self, out: TextIO, model: str, backend: str, top_k: int) -> None:
        import csv

        super().__init__(out, model, backend)
        self._top_k = top_k
        self._writer = csv.writer(out, lineterminator="\n")
        likeliest = [
            name for n in range(1, top_k + 1) for name in (f"label_{n}", f"confidence_{n}")
        ]
        latencies = ["preprocess_ms", "inference_ms", "total_ms"]
        self._writer.writerow(
            ["source", "frame", "label", "confidence", *likeliest, *latencies]
            + ["model", "backend", "error"]
        )

    def write(self, outcome: Outcome) -> None:
        """An input that could not be read gives a row with `source` and `error`."""
        answer = outcome.answer
        frame = "" if outcome.frame is None else outcome.frame
        if answer is None:
            empty = [""] * (2 + 2 * self._top_k + 3)
            row = [outcome.source, frame, *empty, self._model, self._backend, outcome.error]
        else:
            likeliest = [x for label, value in answer.top for x in (label, f"{value:.6f}")]
            latency = answer.latency_ms
            times = [f"{t:.4f}" for t in (latency.preprocess, latency.inference, latency.total)]
            row = [outcome.source, frame, answer.label, f"{answer.confidence:.6f}", *likeliest]
            row += [*times, self._model, self._backend, ""]
        self._writer.writerow(row)
        if outcome.frame is not None:
            self._out.flush()


def _one_line(text: str) -> str:
    """For people's eyes; a file name may even hold a line end."""
    return printable(text).replace("\n", "\\n")


def _percent(confidence: float) -> str:
    return f"{100 * confidence:.1f} %"
