"""Where a process of hemline begins: signals and standard streams, before anything else is loaded."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` itself would take 0.6 ms of each start
import os
import sys

ENDING = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)
INTERRUPTED = 130  # the exit code after one of them
INTERRUPTED_MESSAGE = "hemline: interrupted"


def main() -> int:
    """Run the command line. While it is being loaded, signals end the process without a traceback."""
    for number in ENDING:
        if _signal.getsignal(number) != _signal.SIG_IGN:  # as `nohup` and `&` leave it
            _signal.signal(number, end_at_once)
    from hemline import cli

    return cli.main()


def end_at_once(_number: int, _frame: object) -> None:
    """A signal handler for when nothing is begun that would have to be closed."""
    try:
        os.write(2, INTERRUPTED_MESSAGE.encode() + b"\n")
    finally:
        os._exit(INTERRUPTED)


def open_closed_streams() -> None:
    """Put /dev/null where a standard stream is closed.

    Else the next file that is opened would get its number, and what is meant for standard error would be
    written into it. `sys.stdin` and `sys.stdout` stay None, so that it can be told; messages go nowhere.
    """
    for stream in range(3):
        try:
            os.fstat(stream)
        except OSError:
            # The lowest free number is the one of this stream. Children get it too.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stderr is None:  # what is printed to None goes to standard output
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
