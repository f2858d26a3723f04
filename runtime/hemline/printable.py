"""Text that others wrote, made harmless for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Show control characters as escapes: `\\x1b` for the one that begins a terminal's commands.

    Names of files, labels and layers come from others, and may hold any character. What people read goes
    through here; JSON has escapes of its own. Line ends stay, for text of several lines.
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign in " \n" else ascii(sign)[1:-1] for sign in text
    )


def without_password(address: str) -> str:
    """An address such as `rtsp://user:password@host/live`, with `…` in place of user and password.

    What is no address stays as it is.
    """
    scheme, separator, rest = address.partition("://")
    authority, slash, path = rest.partition("/")
    _, at, host = authority.rpartition("@")
    return f"{scheme}{separator}…@{host}{slash}{path}" if at else address


def public_address(address: str) -> str:
    """An address such as `rtsp://user:password@host/live?key=…` without what stands before the `@`, and
    without its query, where cameras take passwords too.
    """
    scheme, separator, rest = address.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}".partition("?")[0]
