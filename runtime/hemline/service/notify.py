"""What a service tells systemd: that it is ready, that frames still come, that it ends.

The protocol is one datagram a message, see sd_notify(3); so no library is needed for it.
"""

from __future__ import annotations

import os
import socket
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from hemline.batch import Outcome

VARIABLE = "NOTIFY_SOCKET"
_INTERVAL_S = 1.0  # between two signs of life


class Manager:
    """The service manager that has started this process.

    Args:
        address: What it has put into `NOTIFY_SOCKET`: a path, or a name in the abstract space that
            begins with `@`.
    """

    def __init__(self, address: str) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)  # a manager that is busy must not hold up the camera

    def tell(self, *assignments: str) -> None:
        """Send `NAME=value` lines. A manager that does not listen misses them."""
        try:
            self._socket.sendto("\n".join(assignments).encode(), self._address)
        except OSError:
            return

    def close(self) -> None:
        """Release the socket."""
        self._socket.close()


def telling_manager(outcomes: Iterable[Outcome]) -> Generator[Outcome, None, None]:
    """Pass outcomes on, and tell the service manager what they mean: ready, alive, at the end.

    The first frame that was named makes the service ready. A frame that was named is a sign of life, so a
    camera that hangs, or whoever takes the outcomes, is found out by the watchdog. Children do not get the
    address: what they would say would be taken for ours.
    """
    manager = Manager(os.environ.pop(VARIABLE))
    told_s, count = -_INTERVAL_S, 0
    try:
        for outcome in outcomes:
            if outcome.answer is not None:
                count += 1
                if monotonic() - told_s >= _INTERVAL_S:
                    told_s = monotonic()
                    ready = ("READY=1",) if count == 1 else ()
                    manager.tell(*ready, "WATCHDOG=1", _status(outcome, count))
            yield outcome
    finally:
        manager.tell("STOPPING=1")
        manager.close()


def _status(outcome: Outcome, count: int) -> str:
    """For `systemctl status`, which shows one line."""
    assert outcome.answer is not None
    label = " ".join(outcome.answer.label.split())
    return f"STATUS={count} named, the last one {label} ({100 * outcome.answer.confidence:.0f} %)"
