"""Nothing is served to whom it must not be."""

from __future__ import annotations

import os
import re
import socket

import pytest

from hemline.errors import UserError
from hemline.web.limits import Limits

PATHS = (
    "/ /page.css /page.js /icon.svg /api/latest /api/info /api/classify /stream.mjpg /healthz /metrics"
    " /nothing /favicon.ico /../../etc/passwd //etc/passwd /%2e%2e/%2e%2e/etc/passwd"
    " /page/index.html /page.js/../../server.py /static/index.html"
).split()
TOKEN = "a-token-that-is-long-enough"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def cookie_of(reply) -> str:
    return reply.headers["Set-Cookie"].partition(";")[0]


@pytest.mark.parametrize("method", "GET HEAD POST PUT DELETE OPTIONS PATCH".split())
def test_off_loopback_nothing_at_all_is_served_without_the_token(serve, method):
    served = serve(":0")
    for path in PATHS:
        reply = served.ask(path, method)
        assert reply.status == 401, path
        text = reply.body.decode()
        assert not text or set(reply.json) == {"error"}, path


def test_off_loopback_a_token_is_made_and_told_and_it_opens_the_page(serve):
    served, other = serve(":0"), serve(":0")
    made = [re.search(r"\?token=(\S{32})$", each.told[0])[1] for each in (served, other)]
    assert made[0] != made[1]
    assert served.ask("/api/info", **bearer(made[0])).json["needs_token"] is True
    assert other.ask("/api/info", **bearer(made[0])).status == 401
    for wrong in ("", made[1], made[0][:-1], made[0] + "x", made[0].swapcase(), "é" * 32):
        assert served.ask("/api/info", Authorization=f"Bearer {wrong}".encode()).status == 401
    assert served.ask("/api/info", Authorization=f"Basic {made[0]}").status == 401
    assert served.ask(f"/api/info?token={made[0]}").status == 401  # an address is no place for it


def test_the_token_in_the_address_becomes_a_cookie_and_leaves_the_address(serve):
    served = serve(":0", token=TOKEN)
    assert TOKEN not in served.told[0]
    reply = served.ask(f"/?token={TOKEN}")
    assert (reply.status, reply.headers["Location"], reply.body) == (303, "/", b"")
    attributes = reply.headers["Set-Cookie"].split("; ")[1:]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
    assert TOKEN not in reply.headers["Set-Cookie"]
    cookie = cookie_of(reply)
    assert b"<title>hemline</title>" in served.ask("/", Cookie=cookie).body
    assert served.ask("/api/latest", Cookie=cookie).status == 200
    assert served.ask(f"/?token={TOKEN}", Cookie=cookie).status == 303
    assert served.ask("/api/latest", Cookie=cookie[:-1]).status == 401
    assert served.ask("/api/latest", Cookie=f"hemline-{served.port}={TOKEN}").status == 401
    other = serve(":0", token=TOKEN + "2")
    assert other.ask("/api/latest", Cookie=cookie).status == 401


def test_a_browser_without_the_token_is_asked_for_it(serve):
    reply = serve(":0").ask("/", Accept="text/html,*/*")
    assert reply.status == 401
    assert b'name="token"' in reply.body
    assert "style-src 'sha256-" in reply.headers["Content-Security-Policy"]


def test_who_tries_wrong_tokens_is_made_to_wait(serve):
    served = serve(":0", token=TOKEN, limits=Limits(wrong_tokens=3))
    tries = [served.ask("/?token=guess") for _ in range(2)]
    tries += [served.ask("/api/info", **bearer("guess")) for _ in range(2)]
    assert [reply.status for reply in tries] == [401, 401, 401, 429]
    assert int(tries[-1].headers["Retry-After"]) >= 1
    assert served.ask("/?token=guess").status == 429


def test_the_right_token_is_answered_however_many_wrong_ones_come_from_its_address(serve):
    """As through a proxy or a tunnel, where all clients have one address."""
    served = serve(":0", token=TOKEN, limits=Limits(wrong_tokens=2, requests_per_s=0.01, burst=5))
    cookie = cookie_of(served.ask(f"/?token={TOKEN}"))
    tries = [served.ask("/api/info", **bearer("guess")).status for _ in range(10)]
    assert tries == [401] * 2 + [429] * 8
    assert served.ask("/").status == 429  # a stranger among them
    assert served.ask("/api/info", **bearer(TOKEN)).status == 200
    assert served.ask("/api/info", Cookie=cookie).status == 200
    assert cookie_of(served.ask(f"/?token={TOKEN}")) == cookie


def test_asking_without_any_token_is_no_wrong_token(serve):
    served = serve(":0", token=TOKEN, limits=Limits(wrong_tokens=1))
    assert {served.ask("/").status for _ in range(5)} == {401}
    assert served.ask("/api/info", **bearer(TOKEN)).status == 200


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "is empty"),
        ("short", "too short for a token: it has 5 characters"),
        ("with a blank in it, and long", "cannot be sent"),
        ("ünicode-ünicode-ünicode", "cannot be sent"),
    ],
)
def test_a_token_that_is_too_short_or_cannot_be_sent_is_refused(serve, monkeypatch, token, said):
    for where in (":0", "127.0.0.1:0"):
        with pytest.raises(UserError, match=f"--token .*{said}") as refused:
            serve(where, token=token)
        assert "16 letters and digits or more" in refused.value.hint
        with monkeypatch.context() as patched:
            patched.setenv("HEMLINE_TOKEN", token)
            with pytest.raises(UserError, match=f"HEMLINE_TOKEN in the environment .*{said}"):
                serve(where)


def test_the_token_comes_from_the_environment(process):
    begun = process("--serve", ":0", env={**os.environ, "HEMLINE_TOKEN": TOKEN})
    assert TOKEN not in begun.address
    assert begun.ask("/api/info").status == 401
    assert begun.ask("/api/info", **bearer(TOKEN)).status == 200


def test_a_token_holds_on_loopback_too_if_one_is_given(serve):
    served = serve(token=TOKEN)
    assert served.ask("/api/info").status == 401
    assert served.ask("/api/info", **bearer(TOKEN)).status == 200


def test_on_loopback_no_path_leads_to_a_file_that_is_not_of_the_page(serve):
    served = serve()
    for path in PATHS[10:]:
        reply = served.ask(path)
        assert reply.status == 404, path
        assert set(reply.json) == {"error"}


def test_names_that_others_give_to_this_machine_are_refused_on_loopback(serve):
    served = serve()
    port = served.port
    for host in ("localhost", f"localhost:{port}", "127.0.0.1:1", f"[::1]:{port}", "LOCALHOST"):
        assert served.ask("/api/info", Host=host).status == 200, host
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "localhost.evil.example",
        "10.0.0.1",
        "[::2]",
    ):
        assert served.ask("/api/info", Host=host).status == 403, host


def test_behind_a_reverse_proxy_the_name_is_another_and_the_token_decides(serve):
    served = serve(token=TOKEN)
    assert served.ask("/api/info", Host="pi.example").status == 401
    assert served.ask("/api/info", Host="pi.example", **bearer(TOKEN)).status == 200


def test_other_sites_get_nothing_but_may_link(serve, garments):
    served = serve()
    picture = garments[0].read_bytes()
    for site in ("cross-site", "same-site"):
        assert served.ask("/stream.mjpg", Sec_Fetch_Site=site).status == 403
        assert served.ask("/api/latest", Sec_Fetch_Site=site).status == 403
        sent = served.ask(
            "/api/classify", "POST", picture, Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate"
        )
        assert sent.status == 403
        assert served.ask("/", Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate").status == 200
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "x://["):
        assert served.ask("/api/classify", "POST", picture, Origin=origin).status == 403
    own = f"http://127.0.0.1:{served.port}"
    assert served.ask("/api/classify", "POST", picture, Origin=own).status == 200
    preflight = served.ask("/api/classify", "OPTIONS", Origin="https://evil.example")
    assert preflight.status == 403
    assert not [name for name in preflight.headers if name.lower().startswith("access-control")]


def test_every_reply_forbids_guessing_framing_and_keeping(serve):
    served = serve()
    for path in PATHS[:11]:
        if path == "/stream.mjpg":
            continue
        headers = served.ask(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Referrer-Policy"] == "no-referrer"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "ornado" not in headers["Server"]


def test_the_address_is_in_use_or_impossible(serve, hemline):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = hemline("classify", "--serve", f"127.0.0.1:{port}")
        assert done.returncode == 2
        assert "something else listens there" in done.stderr
        assert "Traceback" not in done.stderr
    with pytest.raises(UserError, match=r"cannot serve at 192\.0\.2\.1"):
        serve("192.0.2.1:0")


def test_without_tornado_the_error_says_what_to_install(hemline, hiding):
    done = hemline("classify", "--serve", "0", env=hiding("tornado"))
    assert done.returncode == 2
    assert "pip install 'hemline[web]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_source_behind_serve_is_not_taken_for_an_address(hemline):
    done = hemline("classify", "--serve", "film.mp4")
    assert done.returncode == 2
    assert "'film.mp4' is no HOST:PORT" in done.stderr


def test_a_token_without_serve_has_no_use(hemline, garments):
    done = hemline("classify", garments[0], "--token", TOKEN)
    assert done.returncode == 2
    assert "--token is given without --serve" in done.stderr
