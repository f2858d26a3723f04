"""Trying a file that nothing vouches for in a process of its own, before this one loads it.

LiteRT and ONNX Runtime load some damaged files and crash on them, and a crash would take the caller with it.
Files of hemline have a checksum, and a damaged one is refused before a runtime sees it; others' files have
none, so they are tried: a forked process loads the file and runs it once.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import warnings
from typing import TYPE_CHECKING, NoReturn

from hemline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

TIME_LIMIT_S = 30  # to load a model and run it once, on a slow board too
_STANDARD_ERROR = 2


def must_survive(what: str, attempt: Callable[[], object]) -> None:
    """Refuse what crashes or does not end; exceptions are left to the caller, who meets them again.

    Args:
        what: The file and its runtime, for the message.
        attempt: Loads the file and runs it.

    Raises:
        ModelError: It crashes, or takes longer than `TIME_LIMIT_S`.
    """
    end, other_end = os.pipe()
    with warnings.catch_warnings():
        # Of other threads, which the forked process has not; it does nothing that needs them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _attempt(attempt)
    os.close(other_end)
    try:
        has_ended = bool(
            select.select([end], [], [], TIME_LIMIT_S)[0]
        )  # its end of the pipe closes
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    else:
        if not has_ended:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(end)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:
        how = signal.strsignal(-code) if has_ended else f"no end within {TIME_LIMIT_S} s"
        raise ModelError(
            f"{what} cannot run it: tried in a process of its own, it came to: {how}",
            "the file is damaged, or the runtime has a fault: copy or convert the model again, or choose "
            "another --backend",
        )


def _attempt(attempt: Callable[[], object]) -> NoReturn:
    """What the forked process does."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup` holds for it too
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        faulthandler.disable()  # the parent tells of a crash
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STANDARD_ERROR)
        attempt()
    except BaseException:  # the parent will meet it, and tell it
        pass
    finally:
        os._exit(0)
