"""What a command of the command line is; the runtime's own and those of the other packages alike."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` itself would take 0.6 ms of each start
import contextlib
import gc
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from hemline.start import ENDING, end_at_once

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

DONE = 0
FAILED = 1  # a gate failed, or some inputs could not be read
IMPOSSIBLE = 2  # the user asked for something that cannot be done


class Command(NamedTuple):
    """A command: its arguments, and the function that does it and returns the exit code."""

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """While libraries and models are loaded: no garbage collection, and signals end the process at once.

    Loading makes thousands of objects that stay to the end. The collector would look through them
    again and again meanwhile, and once more when Python ends: a sixth of the time to a first label.

    Nothing is begun yet that would have to be closed. An interrupt as an exception would come to nothing:
    libraries in C swallow it, and say that one of their modules is missing.
    """
    was_on = gc.isenabled()
    gc.disable()
    before = _replaced(dict.fromkeys(ENDING, end_at_once))
    try:
        yield
    finally:
        _replaced(before)
        gc.freeze()
        if was_on:
            gc.enable()


def heed_signals() -> None:
    """Have SIGTERM and SIGHUP do what Ctrl-C does: close cameras, end children, leave nothing half-written.

    The first signal begins that. A second one meanwhile is no reason to leave it half-done: `timeout` sends
    two at once, and so do people in a hurry. Who sends a third does not want to wait. SIGHUP is of a terminal
    that is gone: the system and the shell send it several times, and nobody waits.
    """
    interruption = _Interruption()
    for number in ENDING:
        handler = _signal.getsignal(number)
        at_first = handler in (_signal.SIG_DFL, _signal.default_int_handler, end_at_once)
        if at_first or isinstance(handler, _Interruption):
            _replaced({number: interruption})


def heed_no_more_signals() -> None:
    """All is closed, and the exit code is to stand: Python gives signals back their own way while it ends."""
    _replaced(dict.fromkeys(ENDING, _signal.SIG_IGN))


class _Interruption:
    def __init__(self) -> None:
        self._count = 0

    def __call__(self, number: int, frame: object) -> None:
        if number == _signal.SIGHUP:
            abandon_lost_terminal()
            if self._count:
                return
        self._count += 1
        if self._count == 1:
            raise KeyboardInterrupt
        if self._count > 2:
            end_at_once(number, frame)


def _replaced(handlers: dict[int, Any]) -> dict[int, Any]:
    """Set signal handlers, and give those that were there; ignored signals stay ignored (`nohup`)."""
    before: dict[int, Any] = {}
    with contextlib.suppress(ValueError):  # not in the main thread: whoever runs us decides
        for number, handler in handlers.items():
            if _signal.getsignal(number) not in (_signal.SIG_IGN, None):
                before[number] = _signal.signal(number, handler)
    return before


def abandon_lost_terminal() -> None:
    """What is still told while all is closed must not fail where the terminal takes nothing any more."""
    for output in (1, 2):
        try:
            os.write(output, b"")
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, output)
            os.close(nowhere)
