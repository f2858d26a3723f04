"""A program of the user's that is run when the label changes."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from hemline.errors import UserError
from hemline.quiet import true_stderr
from hemline.sources.frames import tell_on_standard_error

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from hemline.batch import Outcome
    from hemline.sources.frames import Tell

DEFAULT_TIMEOUT_S = 10.0


class Hook:
    """Runs a command for an event: without a shell, one at a time, each within a time-out.

    The command finds the event in its environment: `HEMLINE_LABEL`, `HEMLINE_CONFIDENCE`,
    `HEMLINE_SOURCE` and `HEMLINE_FRAME`, beside all that hemline itself was started with. What it prints
    goes to standard error. While one runs, the newest event waits. Of a camera older ones that wait are left
    out and counted, so a slow command is at most one event behind. Files wait for the command.

    Args:
        command: Program and arguments, quoted as in a shell; nothing in it is replaced.
        timeout_s: A run that takes longer is killed, with all that it started.
        tell: Takes messages: that a run failed, once until one succeeds again; how many were left out.

    Raises:
        UserError: There is no such program, or the command cannot be split into words.
    """

    def __init__(
        self,
        command: str,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        tell: Tell = tell_on_standard_error,
    ) -> None:
        self._words = _split(command)
        if not 0 < timeout_s <= threading.TIMEOUT_MAX:
            raise UserError(f"the time-out of a command is {timeout_s} s", "it must be above 0")
        self._timeout_s = timeout_s
        self._tell = tell
        self._changed = threading.Condition()
        self._waiting: dict[str, str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._abandoned = False
        self._left_out = 0
        self._told = ""
        self._thread = threading.Thread(target=self._work, name="runs --exec", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(finish=kind is None)

    def event(self, outcome: Outcome) -> None:
        """Have the command run for an outcome with an answer.

        Returns at once for a frame that came as it happened; for one of a file, when no other waits any more.
        """
        answer = outcome.answer
        assert answer is not None
        is_live = outcome.timed is not None and outcome.timed.wall_s is not None
        values = {
            "HEMLINE_LABEL": answer.label,
            "HEMLINE_CONFIDENCE": f"{answer.confidence:.6f}",
            "HEMLINE_SOURCE": outcome.source,
            "HEMLINE_FRAME": "" if outcome.frame is None else str(outcome.frame),
        }
        with self._changed:
            if not is_live:
                self._changed.wait_for(lambda: self._waiting is None)
            self._left_out += self._waiting is not None
            self._waiting = {name: value.replace("\0", "") for name, value in values.items()}
            self._changed.notify_all()

    def close(self, *, finish: bool = True) -> None:
        """Let what runs and what waits finish within its time-out; or else end it now."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        try:
            if finish:
                self._thread.join()
        finally:  # also where somebody presses Ctrl-C meanwhile
            with self._changed:
                self._left_out += self._waiting is not None
                self._abandoned, self._waiting = True, None
                _kill(self._process)
            self._thread.join()
            left_out, self._left_out = self._left_out, 0
            if left_out:
                labels = "1 new label was" if left_out == 1 else f"{left_out} new labels were"
                self._tell(f"--exec: {labels} left out, since {self._words[0]} still ran")

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._closed)
                values, self._waiting = self._waiting, None
                self._changed.notify_all()
                if values is None:
                    return
                problem = self._start(values)
            problem = problem or self._wait()
            if problem and problem != self._told and not self._abandoned:
                self._tell(f"--exec: {self._words[0]} {problem} (label {values['HEMLINE_LABEL']})")
            self._told = problem

    def _start(self, values: dict[str, str]) -> str:
        try:
            with true_stderr():
                self._process = subprocess.Popen(
                    self._words,
                    env={**os.environ, **values},
                    stdin=subprocess.DEVNULL,
                    stdout=2,  # standard output is for answers
                    start_new_session=True,  # a group of its own, to be killed with all that it starts
                )
        except OSError as error:
            return f"cannot be started: {error.strerror}"
        return ""

    def _wait(self) -> str:
        process = self._process
        assert process is not None
        try:
            code = process.wait(self._timeout_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.wait()
            return f"took longer than {self._timeout_s:g} s and was killed"
        if code < 0:
            return f"was ended by {signal.strsignal(-code) or f'signal {-code}'}"
        return f"failed with exit code {code}" if code else ""


def _split(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(
            f"the command {command!r} cannot be split into words: {error}", "mind its quotes"
        ) from error
    if not words or shutil.which(words[0]) is None:
        _refuse_file_that_cannot_run(words[0] if words else "")
        raise UserError(
            f"there is no program {words[0] if words else ''!r} to run",
            "give a program with its arguments; for what a shell does, give a script of your own",
        )
    return words


def _refuse_file_that_cannot_run(program: str) -> None:
    if os.sep not in program:
        return
    if Path(program).is_dir():
        raise UserError(
            f"the program {program!r} is a folder", "give a program in it, with its arguments"
        )
    if Path(program).exists():
        raise UserError(
            f"the program {program!r} may not be run",
            f"make it executable: chmod +x {shlex.quote(program)}",
        )


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None and process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
