"""Thousands of requests that no client should send; each is refused, and the server goes on."""

from __future__ import annotations

import http.client
import random
import re
import resource
import socket

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hemline import Classifier, samples
from hemline.sinks.web import WebSink
from hemline.web.limits import Limits

OPEN = Limits(requests_per_s=1e9, burst=10**9, wrong_tokens=10**9)
TOKEN = "a-token-that-is-long-enough"
PATHS = "/ /page.js /api/latest /api/info /api/classify /healthz /metrics /stream.mjpg /nothing *".split()
METHODS = "GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT get FOO".split()
NAMES = (
    "Host Content-Length Transfer-Encoding Content-Type Connection Cookie Authorization Origin Expect"
    " Range Accept Sec-Fetch-Site Upgrade X-Forwarded-For If-None-Match Content-Encoding"
).split()
PICTURES = [path.read_bytes() for path in samples.picture_paths()[:3]]
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n")

ascii_bytes = st.text(st.characters(codec="ascii"), max_size=30).map(str.encode)
odd = st.one_of(st.binary(max_size=30), ascii_bytes, st.sampled_from([b"\xff" * 9, b"A" * 17_000]))


def mostly(usual: list[str] | list[bytes]) -> st.SearchStrategy[bytes]:
    known = [word if isinstance(word, bytes) else word.encode() for word in usual]
    return st.one_of(st.sampled_from(known), st.sampled_from(known), st.sampled_from(known), odd)


@st.composite
def damaged_picture(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(PICTURES)))
    # The headers of a picture decide most, so half of the damage is there.
    for _ in range(draw(st.integers(0, 6))):
        end = draw(st.sampled_from([64, len(content) - 1]))
        content[draw(st.integers(0, end))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.sampled_from([len(content), len(content) // 2, 30]))])


@st.composite
def request(draw: st.DrawFn) -> bytes:
    """Anything from mere bytes to a good request with a damaged picture."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.binary(max_size=400))
    if kind < 4:
        picture = draw(st.one_of(damaged_picture(), damaged_picture(), odd))
        head = b"POST /api/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        return head % len(picture) + picture
    body = draw(st.one_of(st.just(b""), st.binary(max_size=200), damaged_picture()))
    method = draw(mostly(METHODS))
    path = draw(mostly(PATHS)) + draw(st.one_of(st.just(b""), st.just(b"?"), odd))
    version = draw(mostly(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.1 "]))
    lines = [b" ".join((method, path, version))]
    if draw(st.integers(0, 9)):
        lines += [b"Host: localhost", b"Content-Length: %d" % len(body)]
    for _ in range(draw(st.integers(0, 3))):
        name = draw(mostly(NAMES))
        values = [b"chunked", b"-1", b"5", b"100-continue", b"bytes=0-", b"localhost", b"close"]
        lines.append(name + draw(st.sampled_from([b": ", b":", b" : "])) + draw(mostly(values)))
    end = draw(st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"]))
    return end.join(lines) + 2 * end + body


def spoilt(content: bytes, seed: int) -> bytes:
    """The same with a few bytes changed, left out or repeated. It is quicker than to draw another."""
    chance, spoilt = random.Random(seed), bytearray(content)
    for _ in range(chance.randrange(1, 4)):
        start = chance.randrange(len(spoilt) + 1)
        end = start + chance.randrange(8)
        spoilt[start:end] = chance.choice(
            [chance.randbytes(end - start), b"", spoilt[start:end] * 2, b"\r\n", b"\0", b"\n\n"]
        )
    return bytes(spoilt)


def answer(port: int, content: bytes) -> bytes:
    """All that comes back for a request, until the server has nothing more to say."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        told = b""
        try:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(1 << 16):
                told += piece
        except TimeoutError:
            raise
        except OSError:
            pass  # it has hung up in the middle of what it does not want
        return told


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.fixture(scope="module")
def port_of_each() -> dict[str, int]:
    classifier = Classifier()
    sinks = {
        "open": WebSink("127.0.0.1:0", "api", classifier, Classifier, token=None,
                        tell=lambda _: None, limits=OPEN),
        "with token": WebSink("127.0.0.1:0", "api", classifier, Classifier, token=TOKEN,
                              tell=lambda _: None, limits=OPEN),
    }  # fmt: skip
    yield {name: sink.server.port for name, sink in sinks.items()}
    for sink in sinks.values():
        sink.close()


def is_well(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/healthz", headers={"Authorization": f"Bearer {TOKEN}"})
    with connection.getresponse() as reply:
        return reply.read() == b'{"status": "ok"}\n'


def fuzzed(examples: int):
    return settings(
        phases=[Phase.generate],  # a server that hangs would make shrinking last for hours
        max_examples=examples, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


@pytest.mark.slow
def test_ten_thousand_malformed_requests_are_refused_and_change_nothing(port_of_each, caplog):
    port, statuses = port_of_each["open"], set()
    assert is_well(port)
    before = megabytes()

    sent = 0

    @fuzzed(2_000)
    @given(request(), st.integers(0, 1 << 32))
    def send(content: bytes, seed: int) -> None:
        nonlocal sent
        for each in (content, *(spoilt(content, seed + number) for number in range(4))):
            told = answer(port, each)
            for status in STATUS.findall(told):
                statuses.add(int(status))
            assert not told or STATUS.match(told), told[:200]
            assert b"Traceback" not in told
            assert b"root:" not in told
            sent += 1

    send()
    assert sent >= 10_000
    assert is_well(port)
    assert 500 not in statuses
    assert {200, 400, 403, 404, 405, 415, 422} <= statuses
    assert caplog.text == ""  # a journal must not be filled up by others
    assert megabytes() - before < 100


@pytest.mark.slow
def test_no_malformed_request_gets_anything_without_the_token(port_of_each):
    port = port_of_each["with token"]

    @fuzzed(1_000)
    @given(request())
    def send(content: bytes) -> None:
        told = answer(port, content)
        assert {int(status) for status in STATUS.findall(told)} <= {100, 400, 401, 403, 405}, told

    send()
    assert is_well(port)


@pytest.mark.parametrize("behind", [b"", b"x", b"GET / HTTP/1.1\r\n", b"\xff" * 70_000])
def test_a_viewer_that_is_gone_is_noticed_though_bytes_follow_its_request(port_of_each, behind):
    request = (
        b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab" + behind
    )
    with socket.create_connection(("127.0.0.1", port_of_each["open"]), timeout=30) as connection:
        connection.sendall(request)
        assert connection.recv(12) == b"HTTP/1.1 200"
        try:
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass
        except TimeoutError:
            raise
        except OSError:
            pass  # it has hung up
