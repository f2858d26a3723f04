"""Who may ask the web preview for what."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from hemline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemline.web.address import Address

TOKEN_VARIABLE = "HEMLINE_TOKEN"
_LEAST_TOKEN = 16
_TOKEN_FORM = (
    f"{_LEAST_TOKEN} letters and digits or more; "
    'python3 -c "import secrets; print(secrets.token_urlsafe())" makes some'
)
_LOOPBACK_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))
_OWN_SITE = frozenset(("same-origin", "none"))


class Refusal(NamedTuple):
    """Why a request is refused.

    Attributes:
        status: Of HTTP.
        reason: In words.
    """

    status: int
    reason: str


class Guard:
    """Decides by the header of a request, before anything of its body is read.

    Args:
        address: What is listened on. On loopback, without a token, the name that the browser asked for must
            mean loopback: another's page could otherwise give its own name that address (DNS rebinding).
        token: What a request must know, or None.
    """

    def __init__(self, address: Address, token: str | None) -> None:
        self._must_be_local = address.is_loopback and token is None
        self._host = address.host
        self._token = None if token is None else token.encode()
        # The cookie jar does not get the token itself.
        self.cookie = "" if token is None else _derived(token)

    @property
    def needs_token(self) -> bool:
        """Whether a token is asked for."""
        return self._token is not None

    def is_token(self, text: str | None) -> bool:
        """Whether that is the token, in a time that tells nothing of it."""
        return self._token is not None and _equal(text, self._token)

    def of_site(self, method: str, headers: Mapping[str, str]) -> Refusal | None:
        """Whether the request comes from where it should: from our own page, or from no page at all."""
        host = headers.get("Host", "")
        if self._must_be_local and _name(host) not in _LOOPBACK_NAMES | {self._host}:
            return Refusal(403, "this address is served for localhost alone")
        site = headers.get("Sec-Fetch-Site")
        # A link on another's page may open ours; pictures, scripts and forms of others get nothing.
        is_visit = method == "GET" and headers.get("Sec-Fetch-Mode") == "navigate"
        if site is not None and site not in _OWN_SITE and not is_visit:
            return Refusal(403, "requests of other sites are refused")
        origin = headers.get("Origin")
        if origin is not None and _host_of(origin) != host.lower():
            return Refusal(403, "requests of other sites are refused")
        return None

    def knows_token(self, headers: Mapping[str, str], cookie: str | None) -> bool:
        """Whether a request may see anything: by `Authorization: Bearer`, or by our cookie."""
        if self._token is None:
            return True
        kind, _, given = headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return _equal(given.strip(), self._token)
        return _equal(cookie, self.cookie.encode())


def token_for(address: Address, option: str | None) -> tuple[str | None, bool]:
    """The token that is asked for, and whether it was made here, so that it has to be shown.

    Args:
        address: Off loopback there is always one.
        option: What `--token` says; `HEMLINE_TOKEN` is the better place, since other users of the machine
            can read a command line.

    Raises:
        UserError: A token is too short to be safe, or cannot be sent.
    """
    given = os.environ.get(TOKEN_VARIABLE) if option is None else option
    if given is None:
        return (None, False) if address.is_loopback else (secrets.token_urlsafe(24), True)
    place = f"{TOKEN_VARIABLE} in the environment" if option is None else "--token"
    if not given:
        problem = f"{place} is empty, where the token for --serve is expected"
        raise UserError(problem, f"leave it out, or give it {_TOKEN_FORM}")
    if not given.isascii() or not given.isprintable() or " " in given:
        raise UserError(
            f"{place} has characters that cannot be sent as a token: blanks, or others than ASCII",
            f"give {_TOKEN_FORM}",
        )
    if len(given) < _LEAST_TOKEN:
        problem = f"{place} is too short for a token: it has {len(given)} characters"
        raise UserError(problem, f"give {_TOKEN_FORM}")
    return given, False


def _host_of(origin: str) -> str:
    """Host and port of an `Origin`, or nothing."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _equal(text: str | None, secret: bytes) -> bool:
    return hmac.compare_digest((text or "").encode("utf-8", "surrogateescape"), secret)


def _derived(token: str) -> str:
    return hmac.new(token.encode(), b"cookie of hemline", hashlib.sha256).hexdigest()
