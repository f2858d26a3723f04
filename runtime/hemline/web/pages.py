"""The files of the page, in memory: nothing is looked for by a name that a client gives."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import NamedTuple

_STRICT = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
PAGE_POLICY = (
    f"{_STRICT}; img-src 'self' blob:; style-src 'self'; script-src 'self'; connect-src 'self'"
)
NOTHING_POLICY = "default-src 'none'; frame-ancestors 'none'"
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class File(NamedTuple):
    """A file of the page.

    Attributes:
        content: All of it.
        kind: Its media type.
        policy: What a browser may load for it (Content Security Policy).
    """

    content: bytes
    kind: str
    policy: str


def page_files() -> dict[str, File]:
    """The files by the path of their address."""
    return {
        path: File(_read(name), kind, PAGE_POLICY if path == "/" else NOTHING_POLICY)
        for path, (name, kind) in _FILES.items()
    }


def token_page() -> File:
    """The page that asks for the token. It is whole in itself, since nothing else is served without one."""
    content = _read("token.html")
    style = re.search(rb"<style>(.*?)</style>", content, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1]).digest()).decode()
    return File(content, _FILES["/"][1], f"{_STRICT}; style-src 'sha256-{digest}'")


def _read(name: str) -> bytes:
    return (resources.files("hemline.web") / "page" / name).read_bytes()
