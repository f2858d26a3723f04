"""Debian's mosquitto on a loopback port of its own, and a subscriber whose session it keeps."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

_SBIN = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"  # where Debian has the broker


class Received(NamedTuple):
    """A message as it arrived."""

    topic: str
    payload: str


class Mosquitto:
    """A broker that is started, stopped and killed; what it knows outlives that.

    Args:
        folder: For its files.
        settings: Further lines of its configuration.
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(*settings or ("allow_anonymous true",))

    def configure(self, *settings: str) -> None:
        """Replace the settings; they hold from the next start on."""
        lines = [
            f"user {'root' if os.geteuid() == 0 else os.environ.get('USER', 'mosquitto')}",
            "persistence true",
            f"persistence_location {self._folder}/",
            "max_queued_messages 0",
            f"listener {self.port} 127.0.0.1",
            *settings,
        ]
        (self._folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def ask_for_password(self, user: str, password: str) -> None:
        """Let nobody else in, from the next start on."""
        path = str(self._folder / "passwords")
        command = [program("mosquitto_passwd"), "-c", "-b", path, user, password]
        subprocess.run(command, check=True)
        self.configure("allow_anonymous false", f"password_file {path}")

    def start(self) -> None:
        command = [program("mosquitto"), "-c", str(self._folder / "mosquitto.conf")]
        log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(lambda: answers(self.port), self.log)

    def end(self, kill: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(kill)
            self._process.wait(20)
            self._process = None

    def save(self) -> None:
        """Have it write down who is subscribed, so that it knows them even if it is killed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)
        wait_until((self._folder / "mosquitto.db").exists, self.log)

    def pause(self) -> None:
        """Have it hang: the network takes what comes, and nobody reads it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kept(self) -> dict[str, str]:
        """What a new subscriber is given, by topic."""
        command = [program("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(self.port), "-t", "#"]
        command += ["--retained-only", "-W", "1", "-F", "%t %p"]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
        return dict(line.split(" ", 1) for line in said.splitlines())

    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")


class Subscriber:
    """`mosquitto_sub`, subscribed to all topics with QoS 1 in a session that the broker keeps."""

    def __init__(self, port: int, *options: str) -> None:
        self.received: list[Received] = []
        self.is_there = False
        command = [
            program("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(port), "-t", "#", "-q", "1",
            "-c", "-i", "subscriber", "-F", "%t %p", *options,
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            topic, payload = line.rstrip("\n").split(" ", 1)
            self.is_there = True
            if topic != "test":
                self.received.append(Received(topic, payload))

    def on(self, topic: str) -> list[str]:
        return [message.payload for message in self.received if message.topic == topic]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)


def program(name: str) -> str:
    path = shutil.which(name, path=_SBIN)
    if path is None:
        # In CI a check that did not run must not look like one that passed.
        tell = pytest.fail if os.environ.get("CI") else pytest.skip
        tell(f"{name} is not installed: apt-get install mosquitto mosquitto-clients openssl")
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], bool], told: Callable[[], object] = str) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, told()
        time.sleep(0.02)


@pytest.fixture
def waiting() -> Callable[[Callable[[], bool]], None]:
    """Waits for a condition, for half a minute."""
    return wait_until


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker for everybody, running."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    broker = Mosquitto(folder)
    broker.start()
    yield broker
    broker.end()


@pytest.fixture
def subscriber(mosquitto: Mosquitto) -> Iterator[Subscriber]:
    """Hears everything that is published from now on."""
    made = Subscriber(mosquitto.port)
    test = ["-h", "127.0.0.1", "-p", str(mosquitto.port), "-t", "test", "-m", "?"]

    def is_there() -> bool:
        subprocess.run([program("mosquitto_pub"), *test], check=True)
        return made.is_there

    wait_until(is_there, mosquitto.log)
    mosquitto.save()
    yield made
    made.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority (`ca.pem`), and what it signed for 127.0.0.1 (`here`) and for another host (`other`)."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words: str) -> None:
        done = subprocess.run(
            [program("openssl"), *words], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(*new, "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
    for name, alternative in (("here", "IP:127.0.0.1"), ("other", "DNS:broker.example")):
        openssl(
            *new, "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}",
            "-addext", "basicConstraints=critical,CA:FALSE",
            "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", f"{name}.key", "-out", f"{name}.pem",
        )  # fmt: skip
    return folder
