"""What the API answers, and what it refuses before it decodes anything."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hemline.batch import Outcome
from hemline.web.limits import Buckets, Limits
from hemline.web.uploads import size_of


def encoded(suffix: str, size_wh: tuple[int, int], *settings: int) -> bytes:
    width, height = size_wh
    image = np.full((height, width, 3), (10, 200, 60), np.uint8)
    good, content = cv2.imencode(suffix, image, settings)
    assert good
    return content.tobytes()


def bomb(width: int, height: int) -> bytes:
    """A small PNG file that says it is large, and whose rows are all there."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(width // 8 + 1)) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_picture_that_is_sent_is_answered_as_classify_json_answers_it(serve, hemline, garments):
    served = serve(mode="api")
    for path in garments[:4]:
        told = served.ask("/api/classify", "POST", path.read_bytes())
        assert told.status == 200
        printed = json.loads(hemline("classify", path, "-m", "paper", "--json").stdout)
        assert list(told.json) == list(printed)
        for name in ("label", "confidence", "top", "model", "backend"):
            assert told.json[name] == printed[name]
        assert told.json["source"] == "upload"
        assert set(told.json["latency_ms"]) == {"preprocess", "inference", "total"}


def test_pictures_that_are_sent_at_the_same_time_do_not_mix(serve, classifier, garments):
    served = serve(mode="api", limits=Limits(uploads=64))
    expected = {path: classifier.classify_file(path).top for path in garments}
    wrong = []

    def send(path) -> None:
        for _ in range(5):
            top = served.ask("/api/classify", "POST", path.read_bytes()).json["top"]
            if [entry["label"] for entry in top] != [label for label, _ in expected[path]]:
                wrong.append(path)

    threads = [threading.Thread(target=send, args=(path,)) for path in garments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_is_no_picture_or_a_damaged_one_is_told_and_nothing_breaks(serve, garments):
    served = serve(mode="api")
    whole = garments[0].read_bytes()
    rng = np.random.default_rng(0)
    for body, status in (
        (b"", 415),
        (b"hello", 415),
        (b"%PDF-1.7", 415),
        (b"GIF89a" + bytes(50), 415),
        (bytes(1000), 415),
        (rng.bytes(5000), 415),
        (whole[:20], 415),  # no size in it yet
        (whole[: len(whole) // 2], 422),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), 415),
        (bomb(64, 64)[:60] + b"IEND", 422),
    ):
        reply = served.ask("/api/classify", "POST", body)
        assert reply.status == status, (body[:20], reply)
        assert "error" in reply.json
        assert "Traceback" not in reply.json["error"]
    form = served.ask(
        "/api/classify", "POST", whole, Content_Type="multipart/form-data; boundary=x"
    )
    assert form.status == 415
    assert "not a form" in form.json["error"]
    assert served.ask("/api/classify", "POST", whole).status == 200


def test_a_small_file_that_would_become_a_huge_picture_is_refused_by_its_header(serve):
    served = serve(mode="api")
    content = bomb(40_000, 20_000)
    assert len(content) < 200_000
    reply = served.ask("/api/classify", "POST", content)
    assert reply.status == 413
    assert "40000×20000" in reply.json["error"]
    for suffix, side in ((".jpg", 5001), (".png", 3001), (".webp", 3001)):
        limit, under = (side - 1) ** 2, side // 2
        info = served.ask("/api/info").json["upload_pixels"]
        assert info[{".jpg": "jpeg"}.get(suffix, suffix[1:])] == limit
        assert served.ask("/api/classify", "POST", encoded(suffix, (side, side))).status == 413
        assert served.ask("/api/classify", "POST", encoded(suffix, (under, under))).status == 200
    assert served.ask("/api/classify", "POST", bomb(400, 200)).status == 200


@pytest.mark.parametrize(
    ("suffix", "settings"),
    [
        (".jpg", ()),
        (".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        (".png", ()),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 80)),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 101)),  # lossless
    ],
)
def test_the_size_is_known_without_decoding(suffix, settings):
    for size_wh in ((1, 1), (17, 300), (640, 480)):
        assert size_of(encoded(suffix, size_wh, *settings)) == size_wh


def test_the_size_of_an_extended_webp_is_known():
    canvas = (1000 - 1).to_bytes(3, "little") + (2000 - 1).to_bytes(3, "little")
    content = b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0" + canvas
    assert size_of(content) == (1000, 2000)


def in_chunks(port: int, count: int, path: str = "/api/classify", chunk: int = 4096) -> bytes:
    """What is answered to a body of `count` zeros that does not say its length."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(
            b"POST %b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            % path.encode()
        )
        told = b""
        with contextlib.suppress(ConnectionError):
            for _ in range(count // chunk):
                connection.sendall(b"%x\r\n%b\r\n" % (chunk, bytes(chunk)))
            connection.sendall(b"0\r\n\r\n")
            while b"}\n" not in told:
                piece = connection.recv(1 << 16)
                if not piece:
                    break
                told += piece
        return told


def test_an_upload_is_bounded_whether_it_says_its_length_or_not(serve):
    served = serve(mode="api", limits=Limits(upload_bytes=10_000))
    for size in (10_001, 70_000, 80_000):
        reply = served.ask("/api/classify", "POST", bytes(size))
        assert reply.status == 413
        assert "10000 bytes" in reply.json["error"]
    for size, chunk in ((12_288, 4096), (75_000, 1000), (60_000, 60_000)):
        told = in_chunks(served.port, size, chunk=chunk)
        head, _, body = told.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 413 "), told
        assert b"application/json" in head
        assert json.loads(body) == {"error": "a picture may have 10000 bytes"}
    for _ in range(served.sink.server._limits.uploads + 1):  # no place is kept by those
        assert served.ask("/api/classify", "POST", b"no picture").status == 415
    assert served.ask("/healthz").status == 200


def test_of_an_upload_far_too_long_for_even_its_refusal_nothing_is_waited_for(serve):
    served = serve(mode="api", limits=Limits(upload_bytes=10_000))
    with contextlib.suppress(
        ConnectionError
    ):  # who is still sending when it is cut may not hear why
        reply = served.ask("/api/classify", "POST", bytes(1_000_000))
        assert reply.status == 413
        assert "10000 bytes" in reply.json["error"]
    assert served.ask("/healthz").status == 200


@pytest.mark.parametrize("line", ["POST /api/classify", "POST /nothing", "GET /api/latest"])
def test_of_a_body_without_end_not_all_is_read(serve, line):
    served = serve(mode="api", limits=Limits(upload_bytes=10_000))
    head = f"{line} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        connection.sendall(head.encode())
        sent = 0
        try:
            while sent < 50_000_000:
                connection.sendall(b"1000\r\n" + bytes(4096) + b"\r\n")
                sent += 4096
        except OSError:
            pass
    assert sent < 50_000_000
    assert served.ask("/healthz").status == 200


def test_pictures_in_chunks_are_classified(serve, garments, classifier):
    served = serve(mode="api")
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    content = garments[0].read_bytes()
    pieces = [content[start : start + 1000] for start in range(0, len(content), 1000)]
    connection.request("POST", "/api/classify", iter(pieces), encode_chunked=True)
    with connection.getresponse() as reply:
        assert json.loads(reply.read())["label"] == classifier.classify_file(garments[0]).label


class Idle:
    """A connection that says no more than its beginning."""

    def __init__(self, port: int, said: bytes = b"", own: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=60, source_address=(own, 0)
        )
        self.socket.sendall(said)

    def __enter__(self) -> Idle:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def is_closed(self) -> bool:
        """Whether the server has closed it, for which a moment is given."""
        self.socket.settimeout(0.2)
        try:
            return self.socket.recv(1000) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True


HALF_A_PICTURE = b"POST /api/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx"


def test_who_sends_pictures_while_others_are_received_for_long_is_asked_to_come_again(
    serve, garments
):
    served = serve(mode="api", limits=Limits(uploads=1, wait_s=0.2))
    content = garments[0].read_bytes()
    with Idle(served.port, HALF_A_PICTURE):
        while (reply := served.ask("/api/classify", "POST", content)).status == 200:
            time.sleep(0.01)
        assert reply.status == 503
        assert int(reply.headers["Retry-After"]) >= 1
    end = time.monotonic() + 60  # the slow one is gone, and its place is free
    while served.ask("/api/classify", "POST", content).status != 200:
        assert time.monotonic() < end


def test_many_who_send_pictures_at_once_are_served_one_after_the_other(serve, garments):
    served = serve(mode="api")
    content = garments[0].read_bytes()
    with ThreadPoolExecutor(40) as pool:
        replies = list(pool.map(lambda _: served.ask("/api/classify", "POST", content), range(120)))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.json["label"] for reply in replies}) == 1


def test_who_waits_for_a_place_and_goes_takes_none(serve, garments):
    served = serve(mode="api", limits=Limits(uploads=1))
    with Idle(served.port, HALF_A_PICTURE):
        for _ in range(5):
            with Idle(served.port, HALF_A_PICTURE):
                time.sleep(0.05)
    for _ in range(5):
        assert served.ask("/api/classify", "POST", garments[0].read_bytes()).status == 200


def test_a_body_that_is_not_taken_does_not_hide_the_error(serve):
    served, with_token = serve(mode="api"), serve(":0", mode="api")
    body = bytes(3_000_000)  # more than the network takes before the server has read some
    for path, status in (("/api/classify/", 404), ("/", 405), ("/api/latest", 405)):
        reply = served.ask(path, "POST", body)
        assert reply.status == status, path
        assert "error" in reply.json
        assert with_token.ask(path, "POST", body).status == 401
    assert with_token.ask("/api/classify", "POST", body).status == 401
    assert served.ask("/api/classify", "POST", body, Origin="http://evil.example").status == 403
    assert b" 404 " in in_chunks(served.port, 3_000_000, "/nothing")
    reply = served.ask("/api/latest", "GET", body)
    assert (reply.status, reply.json["state"]) == (200, "ready")


@pytest.mark.parametrize(
    "more", ["Content-Length: 1000000000\r\n", "Content-Length: 9\r\nExpect: 100-continue\r\n"]
)
def test_a_body_that_is_not_taken_is_not_waited_for_if_it_is_too_long_or_waits_itself(serve, more):
    head = f"POST /nothing HTTP/1.1\r\nHost: localhost\r\n{more}\r\n"
    with Idle(serve(mode="api").port, head.encode()) as sender:
        told = sender.socket.recv(10_000)
    assert told.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("length", ["abc", "-5", "1e3", "٣", "9" * 30])
def test_a_length_that_is_none_is_told(serve, length):
    head = "POST /api/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
    with Idle(serve(mode="api").port, f"{head}{length}\r\n\r\n".encode()) as sender:
        told = sender.socket.recv(10_000)
    assert told.startswith(b"HTTP/1.1 400 ")
    assert b'{"error": "Content-Length is no number"}' in told


def test_who_lets_curl_change_the_picture_is_told_how_not_to(serve, garments):
    served = serve(mode="api")
    form = "application/x-www-form-urlencoded"  # what curl says with -d, and with --data-binary
    whole = garments[0].read_bytes()
    changed = whole.replace(b"\n", b"").replace(b"\r", b"").replace(b"\0", b"")
    reply = served.ask("/api/classify", "POST", changed, Content_Type=form)
    assert reply.status in (415, 422)
    assert reply.json["error"].endswith("; with curl: --data-binary @FILE, not -d")
    assert served.ask("/api/classify", "POST", whole, Content_Type=form).status == 200


def test_requests_of_one_address_are_bounded(serve):
    served = serve(limits=Limits(requests_per_s=0.01, burst=3))
    replies = [served.ask("/healthz") for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert int(replies[-1].headers["Retry-After"]) > 1


def test_a_bucket_fills_up_again_and_their_number_is_bounded():
    buckets = Buckets(per_s=1000, burst=1)
    buckets.spend("a")
    assert buckets.wait_s("b") == 0
    time.sleep(0.005)
    assert buckets.wait_s("a") == 0
    for number in range(5000):
        buckets.spend(str(number))
    assert len(buckets._levels) == 1024


HALF = b"GET /healthz HTTP/1.1\r\nHost: local"
SLOW_BODY = b"POST /api/latest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx"


@pytest.mark.parametrize("said", [b"", HALF, SLOW_BODY], ids=["silent", "half", "slow body"])
def test_connections_that_wait_lock_nobody_out(serve, said):
    # 200 requests would use up what one address may ask for, which is another test's matter.
    served = serve(limits=Limits(idle_s=600, burst=1000))
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(Idle(served.port, said))
        for _ in range(10):
            reply = served.ask("/healthz")
            assert (reply.status, reply.json) == (200, {"status": "ok"})


def test_who_has_waited_the_longest_goes_first_and_who_has_the_most(serve):
    served = serve(limits=Limits(connections=4, idle_s=600))
    with (
        Idle(served.port, own="127.0.0.2") as alone,
        Idle(served.port) as first,
        Idle(served.port, HALF) as second,
        Idle(served.port) as third,
    ):
        assert served.ask("/healthz").status == 200
        assert [each.is_closed() for each in (alone, first, second, third)] == [
            False, True, False, False,
        ]  # fmt: skip
        with Idle(served.port), Idle(served.port):
            assert second.is_closed()
            assert not alone.is_closed()


def test_silent_connections_are_closed_after_a_time(serve):
    served = serve(limits=Limits(idle_s=1))
    with Idle(served.port) as silent, Idle(served.port, HALF) as half:
        assert silent.socket.recv(1000) == half.socket.recv(1000) == b""
    assert served.ask("/healthz").status == 200


def test_who_watches_or_sends_a_picture_keeps_its_connection(serve):
    served = serve(limits=Limits(connections=2, idle_s=600))
    upload = b"POST /api/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx"
    watch = b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with Idle(served.port, watch) as viewer, Idle(served.port, upload) as sender:
        assert viewer.socket.recv(1000).startswith(b"HTTP/1.1 200")
        time.sleep(0.2)
        reply = served.ask("/healthz")  # there is no place for it
        assert (reply.status, reply.json) == (503, {"error": "too many connections are in use"})
        assert int(reply.headers["Retry-After"]) >= 1
        assert not sender.is_closed()
        sender.socket.close()
        end = time.monotonic() + 60
        while served.ask("/healthz").status != 200:
            assert time.monotonic() < end


def test_info_tells_what_runs_here(serve, classifier):
    told = serve().ask("/api/info").json
    assert told["model"] == "paper"
    assert told["labels"] == list(classifier.card.labels)
    assert told["input"] == {"size_wh": [28, 28], "color": "gray"}
    assert told["mode"] == "camera"
    assert told["needs_token"] is False


def test_latest_tells_the_latest_answer_and_how_things_go(serve, frame):
    served = serve()
    assert served.ask("/api/latest").json["label"] is None
    for number in range(5):
        served.show(frame, number, dropped=2 * number)
    told = served.ask("/api/latest").json
    expected = served.classifier.classify(frame)
    assert (told["label"], told["frame"], told["source"]) == (expected.label, 4, "camera")
    assert (told["frames"], told["dropped"], told["errors"]) == (5, 8, 0)
    assert told["frames_per_s"] > 0
    assert told["state"] == "running"
    assert 0 <= told["age_s"] < 60
    assert served.ask("/api/latest", "HEAD").body == b""


def test_without_a_source_it_is_ready_and_never_finished(process, garments):
    begun = process("--serve", "127.0.0.1:0")
    for _ in range(2):
        assert begun.ask("/api/latest").json["state"] == "ready"
        assert begun.ask("/api/classify", "POST", garments[0].read_bytes()).status == 200


def test_neither_passwords_nor_folders_are_told(serve):
    served = serve(mode="files")
    for source, shown in (
        ("rtsp://user:secret@cam.local:554/a", "rtsp://cam.local:554/a"),
        ("http://cam.local/a@b", "http://cam.local/a@b"),
        ("http://cam.local/video.cgi?user=me&pwd=secret", "http://cam.local/video.cgi"),
        ("/home/me/secret/a.jpg", "a.jpg"),
        ("/dev/video0", "video0"),
        ("-", "-"),
    ):
        served.sink.write(Outcome(source, None, None, f"{source} is cut off"))
        reply = served.ask("/api/latest")
        assert reply.json["source"] == shown
        assert reply.json["error"] == f"{shown} is cut off"
        assert b"secret" not in reply.body


def test_metrics_are_what_prometheus_reads(serve, frame):
    served = serve()
    for number in range(3):
        served.show(frame, number, dropped=1)
    served.sink.write(Outcome("a.jpg", None, None, "a.jpg is cut off"))
    reply = served.ask("/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = {
        family.name: family for family in text_string_to_metric_families(reply.body.decode())
    }
    label = served.classifier.classify(frame).label
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert values["hemline_frames_total", label] == 3
    assert values["hemline_errors_total",] == 1
    assert values["hemline_dropped_frames",] == 1
    assert values["hemline_latency_seconds_count", "total"] == 3
    assert values["hemline_latency_seconds_sum", "inference"] > 0
    assert (
        values["hemline_latency_seconds_sum", "inference"]
        < values["hemline_latency_seconds_sum", "total"]
    )
    assert families["hemline_frames"].type == "counter"
    assert families["hemline_latency_seconds"].type == "summary"


def test_labels_with_quotes_and_line_ends_survive_in_metrics():
    from hemline.web.metrics import exposition
    from hemline.web.state import Counts

    evil = 'a "quoted"\\\nlabel Größe'
    text = exposition(
        Counts(1, 0, 0, {evil: 7}, 0.0, 0.0, 0.0), fps=0, uptime_s=1, viewers=0, model="m", sent={}
    )
    (family,) = [f for f in text_string_to_metric_families(text) if f.name == "hemline_frames"]
    assert family.samples[0].labels == {"label": evil}
    assert family.samples[0].value == 7


def test_pictures_that_are_sent_are_counted_by_status_apart_from_those_of_the_source(
    serve, garments
):
    served = serve(mode="api")
    for body in (garments[0].read_bytes(), garments[0].read_bytes(), b"no picture"):
        served.ask("/api/classify", "POST", body)
    text = served.ask("/metrics").body.decode()
    assert 'hemline_sent_pictures_total{status="200"} 2\n' in text
    assert 'hemline_sent_pictures_total{status="415"} 1\n' in text
    assert "hemline_frames_total{" not in text


def test_health_is_bad_when_the_camera_gives_no_frames(serve, frame, monkeypatch):
    monkeypatch.setattr("hemline.web.state._SILENT_S", 0.2)
    served = serve()
    served.show(frame, 0)
    assert served.ask("/healthz").json == {"status": "ok"}
    time.sleep(0.3)
    reply = served.ask("/healthz")
    assert reply.status == 503
    assert reply.json["status"] == "no frames"
    served.show(frame, 1)
    assert served.ask("/healthz").status == 200


def test_a_change_of_the_clock_changes_nothing(serve, frame, monkeypatch):
    served = serve()
    served.show(frame, 0)
    now = time.time()
    for jump in (-1e6, 1e6):
        monkeypatch.setattr(time, "time", lambda jump=jump: now + jump)
        served.show(frame, 1)
        assert 0 <= served.ask("/api/latest").json["age_s"] < 60
        assert served.ask("/healthz").status == 200


def test_a_film_is_played_at_its_own_speed_and_its_page_stays(process, film):
    begun = process(film, "--serve", "127.0.0.1:0", "--json")
    assert begun.process.stdout is not None
    begun.process.stdout.readline()
    start = time.monotonic()
    lines = [begun.process.stdout.readline() for _ in range(49)]
    assert time.monotonic() - start > 1.7  # 49 intervals of 40 ms
    assert all("label" in json.loads(line) for line in lines)
    end = time.monotonic() + 60
    while begun.ask("/api/latest").json["state"] != "finished":
        assert time.monotonic() < end
    latest = begun.ask("/api/latest").json
    assert (latest["frames"], latest["frame"], latest["dropped"]) == (50, 49, 0)
    code, _, said = begun.end()
    assert code == 130
    assert "the page stays until Ctrl-C" in said
