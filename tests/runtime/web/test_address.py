from __future__ import annotations

import pytest

from hemline.errors import UserError
from hemline.web.address import parse


@pytest.mark.parametrize(
    ("text", "host", "port", "is_loopback"),
    [
        ("", "127.0.0.1", 8080, True),
        ("9000", "127.0.0.1", 9000, True),
        ("0", "127.0.0.1", 0, True),  # a free one
        ("localhost:1", "localhost", 1, True),
        ("127.0.0.2:1", "127.0.0.2", 1, True),
        ("[::1]:65535", "::1", 65535, True),
        (":8080", "0.0.0.0", 8080, False),
        ("0.0.0.0:8080", "0.0.0.0", 8080, False),
        ("[::]:8080", "::", 8080, False),
        ("192.168.1.5:80", "192.168.1.5", 80, False),
        ("pi.local:80", "pi.local", 80, False),  # others decide what a name means
        ("localhost.evil.example:80", "localhost.evil.example", 80, False),
    ],
)
def test_an_address_says_who_can_reach_it(text, host, port, is_loopback):
    assert parse(text) == (host, port, is_loopback)


@pytest.mark.parametrize(
    "text",
    ["film.mp4", "65536", "a:b", "127.0.0.1", "http://127.0.0.1:80", "::1:80", "a b:80", "-1"],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UserError, match="no HOST:PORT"):
        parse(text)


def test_the_address_of_the_page_can_be_opened():
    assert parse("127.0.0.1:80").url(80) == "http://127.0.0.1:80/"
    assert parse("[::1]:80").url(81) == "http://[::1]:81/"
    everywhere = parse(":8080").url(8080)
    assert everywhere.startswith("http://")
    assert "0.0.0.0" not in everywhere
