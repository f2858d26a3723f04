"""Where the web preview listens: `HOST:PORT`, and who can reach that."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import NamedTuple

from hemline.errors import UserError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080
_SHAPE = re.compile(r"(?:(?P<host>[A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):)?(?P<port>\d{1,5})")
_ANYWHERE = ("0.0.0.0", "::")
_ROUTER = ("192.0.2.1", 9)  # of the documentation (RFC 5737); nothing is sent there


class Address(NamedTuple):
    """What to listen on.

    Attributes:
        host: Name or address, an IPv6 one without brackets.
        port: 0 for a free one.
        is_loopback: Only this machine can reach it.
    """

    host: str
    port: int
    is_loopback: bool

    def url(self, port: int) -> str:
        """The page's address, for a browser on a machine that can reach it."""
        host = _own_address() if self.host in _ANYWHERE else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def parse(text: str) -> Address:
    """Where `--serve` listens: `HOST:PORT`, `:PORT` (all of this machine's addresses) or `PORT` (loopback).

    Raises:
        UserError: It is no such address.
    """
    if not text:
        return Address(DEFAULT_HOST, DEFAULT_PORT, True)
    match = _SHAPE.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise UserError(
            f"--serve {text!r} is no HOST:PORT",
            "give one such as 127.0.0.1:8080, or :8080 for the network; or give --serve alone and last",
        )
    host = DEFAULT_HOST if match["host"] is None else match["host"].strip("[]") or "0.0.0.0"
    return Address(host, int(match["port"]), _is_loopback(host))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, of which others decide what it means
        return False


def _own_address() -> str:
    """The address that other machines know this one by."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ROUTER)
            return str(probe.getsockname()[0])
        except OSError:  # no network
            return socket.gethostname()
