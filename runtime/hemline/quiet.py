"""Keeping libraries' chatter away from the terminal, and heeding what they say there."""

from __future__ import annotations

import contextlib
import os
import sys
from _thread import RLock  # `threading` would take 2 ms of each start
from time import sleep
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Result = TypeVar("Result")

_ONE_AT_A_TIME = RLock()  # standard error is the process's: two threads at once would lose it
_STANDARD_ERROR = 2


@contextlib.contextmanager
def holding_back_stderr() -> Iterator[None]:
    """Keep what is written to standard error meanwhile, and show it only if the block fails.

    TensorFlow and the TFLite interpreters write from C++ to the file descriptor, past `sys.stderr`, and
    some of it heeds no log level.
    """
    with _ONE_AT_A_TIME:
        _listening.wait_until_idle()
        try:
            sys.stderr.flush()
            terminal = os.dup(_STANDARD_ERROR)
        except (OSError, AttributeError):  # standard error is closed, so nobody is disturbed
            yield
            return
        held = _anonymous_file()
        os.dup2(held, _STANDARD_ERROR)
        try:
            yield
        except BaseException:
            os.lseek(held, 0, os.SEEK_SET)
            os.write(terminal, os.read(held, 1 << 20))
            raise
        finally:
            os.dup2(terminal, _STANDARD_ERROR)
            os.close(terminal)
            os.close(held)


@contextlib.contextmanager
def true_stderr() -> Iterator[None]:
    """Meanwhile nobody holds standard error back or listens to it: for children, which inherit it."""
    with _ONE_AT_A_TIME:
        _listening.wait_until_idle()
        yield


def listening(
    call: Callable[[], Result], is_heeded: Callable[[str], bool]
) -> tuple[Result, list[str]]:
    """Call a function, and hear what is written to standard error meanwhile.

    Some libraries tell of a damaged file nowhere else. Several threads may listen at once; each gets the
    lines of its own call.

    Args:
        call: Must not use `holding_back_stderr`. It is called again, alone, where lines could be another
            thread's.
        is_heeded: Which lines the caller wants. They do not reach the terminal; all others do.

    Returns:
        What `call` returned, and the lines.
    """
    result, heard, was_alone = _listening.to(call)
    lines = _heeded(heard, is_heeded) if heard else []
    if lines and not was_alone:
        with _ONE_AT_A_TIME:
            _listening.wait_until_idle()
            result, heard, _ = _listening.to(call)
        lines = _heeded(heard, is_heeded)
    return result, lines


def _heeded(text: str, is_heeded: Callable[[str], bool]) -> list[str]:
    """The lines that are heeded; the rest goes on to where it was meant to go."""
    lines = text.splitlines(keepends=True)
    rest = "".join(line for line in lines if not is_heeded(line))
    if rest:
        with contextlib.suppress(OSError):
            os.write(_STANDARD_ERROR, rest.encode("utf-8", "surrogateescape"))
    return [line.rstrip() for line in lines if is_heeded(line)]


class _Listening:
    """Standard error turned to a file, as long as one thread or more listens."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._listeners = 0
        self._arrivals = 0  # of listeners, ever
        self._terminal: int | None = None
        self._file = -1
        self._process = 0

    def to(self, call: Callable[[], Result]) -> tuple[Result, str, bool]:
        """As `listening`; and whether no other thread listened meanwhile."""
        with _ONE_AT_A_TIME, self._lock:
            self._listeners += 1
            self._arrivals += 1
            arrived = self._arrivals
            if self._listeners == 1:
                self._begin()
            start = os.lseek(self._file, 0, os.SEEK_END)
            was_alone = self._listeners == 1
        try:
            result = call()
        finally:
            with self._lock:
                text = self._heard_since(start)
                was_alone = was_alone and arrived == self._arrivals
                self._listeners -= 1
                if not self._listeners:
                    self._end()
        return result, text, was_alone

    def wait_until_idle(self) -> None:
        """Wait for the listeners of other threads. New ones must be kept away by the caller."""
        while self._listeners:
            sleep(0.0005)

    def _begin(self) -> None:
        if self._process != os.getpid():  # a forked process must not share the file's position
            self._file, self._process = _anonymous_file(), os.getpid()
        try:
            self._terminal = os.dup(_STANDARD_ERROR)
        except OSError:  # it is closed
            self._terminal = None
        os.dup2(self._file, _STANDARD_ERROR)

    def _heard_since(self, start: int) -> str:
        size = os.lseek(self._file, 0, os.SEEK_END)
        if size == start:
            return ""
        return os.pread(self._file, size - start, start).decode("utf-8", "surrogateescape")

    def _end(self) -> None:
        if self._terminal is None:
            os.close(_STANDARD_ERROR)
        else:
            os.dup2(self._terminal, _STANDARD_ERROR)
            os.close(self._terminal)
        if os.lseek(self._file, 0, os.SEEK_END):
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)


_listening = _Listening()


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("held-back")
    else:
        import tempfile  # not on Linux, where importing it would cost some of the start-up time

        with tempfile.TemporaryFile() as temporary:
            file = os.dup(temporary.fileno())
    if file > _STANDARD_ERROR:
        return file
    # A standard stream is closed, and the file has got its number.
    import fcntl

    moved = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, _STANDARD_ERROR + 1)
    os.close(file)
    return moved
