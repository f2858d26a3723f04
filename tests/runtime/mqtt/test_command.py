"""`hemline classify --mqtt`, as it is run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

BAG_AND_COAT = ("bag", "coat")


class Film:
    """`hemline classify -` with frames that are written to it as long as it runs, ten a second."""

    def __init__(self, address: str, pictures: list[bytes], *options: str) -> None:
        command = [
            sys.executable, "-m", "hemline", "classify", "-", "-m", "paper", "--stdin", "mjpeg",
            "--json", "--mqtt", address, *options,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._pictures = pictures
        self._end = threading.Event()
        self.answers = 0
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self._write, self._count)
        ]
        for thread in self._threads:
            thread.start()

    def _write(self) -> None:
        assert self.process.stdin is not None
        number = 0
        while not self._end.wait(0.1):
            try:
                self.process.stdin.write(self._pictures[number // 10 % len(self._pictures)])
                self.process.stdin.flush()
            except BrokenPipeError:
                return
            number += 1
        self.process.stdin.close()

    def _count(self) -> None:
        assert self.process.stdout is not None
        for _ in self.process.stdout:
            self.answers += 1

    def end(self) -> tuple[int, str]:
        """Let the film end; exit code and what was said."""
        self._end.set()
        return self.said()

    def said(self) -> tuple[int, str]:
        assert self.process.stderr is not None
        text = self.process.stderr.read().decode()
        return self.process.wait(30), text


@pytest.fixture
def film(garments) -> Iterator:
    pictures = [path.read_bytes() for path in garments if path.stem in BAG_AND_COAT]
    begun: list[Film] = []

    def begin(address: str, *options: str) -> Film:
        begun.append(Film(address, pictures, *options))
        return begun[-1]

    yield begin
    for one in begun:
        one.process.kill()
        one.process.wait()


def address_of(mosquitto) -> str:
    return f"mqtt://127.0.0.1:{mosquitto.port}/garments"


def labels(payloads: list[str]) -> list[str]:
    return [json.loads(payload)["label"] for payload in payloads]


def test_pictures_are_published_and_what_cannot_be_read_too(
    hemline, mosquitto, subscriber, garments, tmp_path, waiting
):
    (tmp_path / "no picture.jpg").write_bytes(b"no picture")
    done = hemline(
        "classify", garments[0].parent, tmp_path, "--json", "--mqtt", address_of(mosquitto)
    )
    assert (done.returncode, done.stderr) == (1, "")  # one could not be read
    waiting(lambda: subscriber.on("garments/availability") == ["online", "offline"])
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    published = [json.loads(text) for text in subscriber.on("garments")]
    assert published == [line for line in printed if "label" in line]
    errors = [json.loads(text) for text in subscriber.on("garments/error")]
    assert errors == [line for line in printed if "error" in line]
    assert len(errors) == 1


def test_with_on_change_new_labels_alone_are_published(film, mosquitto, subscriber, waiting):
    running = film(address_of(mosquitto), "--on-change", "--mqtt-discovery")
    waiting(lambda: len(subscriber.on("garments")) >= 3)
    code, said = running.end()
    assert (code, said) == (0, "")
    assert labels(subscriber.on("garments"))[:3] == ["Bag", "Coat", "Bag"]
    assert all(json.loads(text)["frame"] % 10 == 0 for text in subscriber.on("garments"))
    assert all("time" in json.loads(text) for text in subscriber.on("garments"))
    assert any(topic.startswith("homeassistant/sensor/") for topic in mosquitto.kept())


def test_the_broker_tells_that_a_killed_process_is_offline(film, mosquitto, subscriber, waiting):
    running = film(address_of(mosquitto))
    waiting(lambda: len(subscriber.on("garments")) > 0)
    running.process.kill()
    waiting(lambda: subscriber.on("garments/availability") == ["online", "offline"])
    assert mosquitto.kept()["garments/availability"] == "offline"


@pytest.mark.slow
def test_a_broker_that_is_down_for_a_minute_gets_everything_afterwards(
    film, mosquitto, subscriber, waiting
):
    down_s = 60
    running = film(address_of(mosquitto), "--mqtt-interval", "0")
    waiting(lambda: len(subscriber.on("garments")) > 5)
    mosquitto.end(signal.SIGKILL)
    before = running.answers
    time.sleep(down_s)
    # The frames went on: ten a second, or somewhat fewer on a busy machine.
    assert running.answers - before > 4 * down_s
    mosquitto.start()
    waiting(lambda: len(subscriber.on("garments")) > before + 4 * down_s)
    code, said = running.end()
    assert code == 0, said
    waiting(lambda: subscriber.on("garments/availability")[-1:] == ["offline"])
    numbers = [json.loads(text)["frame"] for text in subscriber.on("garments")]
    assert list(dict.fromkeys(numbers)) == list(range(running.answers))
    assert said.count("\n") <= 3, said
    assert "is connected after" in said


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("state", ["up", "down", "mute"])
def test_an_end_within_a_second_whatever_the_broker_does(
    film, mosquitto, subscriber, waiting, kill, state
):
    seconds = []
    while not seconds or (min(seconds) >= 1 and len(seconds) < 6):  # a busy machine takes longer
        running = film(address_of(mosquitto), "--mqtt-interval", "0")
        waiting(lambda running=running: running.answers > 3)
        waiting(lambda: mosquitto.kept().get("garments/availability") == "online")
        if state == "down":
            mosquitto.end()
        elif state == "mute":
            mosquitto.pause()
        before = running.answers
        waiting(lambda running=running, before=before: running.answers > before + 3)
        start = time.monotonic()
        running.process.send_signal(kill)
        code, said = running.said()
        seconds.append(time.monotonic() - start)
        assert code == 130
        assert said.endswith("hemline: interrupted\n")
        assert ("did not reach" in said) == (state != "up")
        if state == "down":
            mosquitto.start()
        elif state == "mute":
            mosquitto.go_on()
    assert min(seconds) < 1, seconds
    waiting(lambda: subscriber.on("garments/availability")[-1:] == ["offline"])


def test_what_did_not_arrive_is_told_and_makes_the_exit_code_1(hemline, garments):
    start = time.monotonic()
    done = hemline("classify", garments[0], "--mqtt", "mqtt://127.0.0.1:1/garments")
    assert done.returncode == 1
    assert done.stdout
    first, second = done.stderr.splitlines()
    assert first.startswith("hemline: MQTT broker 127.0.0.1:1: Connection refused; check host")
    assert second == "hemline: 1 message did not reach the MQTT broker 127.0.0.1:1"
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mqtt", "broker.local"], "is no address of an MQTT broker"),
        (["--mqtt", "mqtt://h"], "topic is missing"),
        (["--mqtt", "mqtt://h/a/#"], "'#' in it"),
        (["--mqtt", "mqtt://me:secret@h/a"], "has a user name or password in it"),
        (["--mqtt", "mqtt://h/a", "--mqtt-qos", "2"], "invalid choice"),
        (["--mqtt", "mqtt://h/a", "--mqtt-interval", "1"], "for many frames of one thing"),
        (["--mqtt-qos", "1"], "--mqtt-qos is given without --mqtt"),
        (["--mqtt-discovery"], "--mqtt-discovery is given without --mqtt"),
    ],
)
def test_what_cannot_be_meant_is_told_in_two_lines(hemline, garments, options, said):
    done = hemline("classify", garments[0], *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 2
    assert "secret" not in done.stderr


def test_an_interval_beside_on_change_has_no_use(hemline):
    done = hemline(
        "classify", "--camera", "--on-change", "--mqtt", "mqtt://h/a", "--mqtt-interval", "2"
    )
    assert done.returncode == 2
    assert "--on-change and --mqtt-interval are both given" in done.stderr


def test_where_paho_is_missing_the_command_that_installs_it_is_told(hemline, hiding, garments):
    done = hemline("classify", garments[0], "--mqtt", "mqtt://h/a", env=hiding("paho"))
    assert done.returncode == 2
    assert "pip install 'hemline[mqtt]'" in done.stderr
    assert hemline("classify", garments[0], env=hiding("paho")).returncode == 0
