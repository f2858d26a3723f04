"""Keeping libraries' chatter away from the terminal, and showing it when something goes wrong."""

from __future__ import annotations

import contextlib
import os
import sys
from _thread import RLock  # `threading` would take 2 ms of each start
from collections.abc import Iterator

_ONE_AT_A_TIME = RLock()  # standard error is the process's: two threads at once would lose it


@contextlib.contextmanager
def holding_back_stderr() -> Iterator[None]:
    """Keep what is written to standard error meanwhile, and show it only if the block fails.

    TensorFlow and the TFLite interpreters write from C++ to the file descriptor, past `sys.stderr`, and
    some of it heeds no log level.
    """
    with _ONE_AT_A_TIME:
        try:
            sys.stderr.flush()
            terminal = os.dup(2)
        except (OSError, AttributeError):  # standard error is closed, so nobody is disturbed
            yield
            return
        held = _anonymous_file()
        os.dup2(held, 2)
        try:
            yield
        except BaseException:
            os.lseek(held, 0, os.SEEK_SET)
            os.write(terminal, os.read(held, 1 << 20))
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            os.close(held)


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("held-back")
    import tempfile  # not on Linux, where importing it would cost some of the start-up time

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
