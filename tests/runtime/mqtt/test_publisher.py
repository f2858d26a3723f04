"""A real broker that is away, killed, refuses, or is none at all."""

from __future__ import annotations

import itertools
import signal
import socket
import threading
import time

import pytest

from hemline.mqtt.broker import broker_of
from hemline.mqtt.message import Message
from hemline.mqtt.publisher import Publisher


@pytest.fixture
def told() -> list[str]:
    return []


def numbered(*numbers: int) -> list[Message]:
    return [Message("garments", str(number).encode()) for number in numbers]


def opened(port: int, told: list[str], scheme: str = "mqtt", environment=None, **options):
    broker = broker_of(f"{scheme}://127.0.0.1:{port}/garments", environment or {})
    return Publisher(broker, tell=told.append, **options)


@pytest.mark.parametrize("qos", [0, 1])
def test_messages_arrive_in_order_between_online_and_offline(
    mosquitto, subscriber, told, waiting, qos
):
    publisher = opened(mosquitto.port, told)
    for message in numbered(*range(500)):
        publisher.publish(message._replace(qos=qos))
    assert publisher.close() == 0
    waiting(lambda: subscriber.on("garments/availability")[-1:] == ["offline"])
    payloads = [message.payload for message in subscriber.received]
    assert payloads == ["online", *map(str, range(500)), "offline"]
    assert told == []


def test_a_broker_that_is_killed_gets_everything_when_it_is_back(
    mosquitto, subscriber, told, waiting
):
    publisher = opened(mosquitto.port, told)
    for message in numbered(*range(20)):
        publisher.publish(message)
    waiting(lambda: len(subscriber.on("garments")) == 20)
    mosquitto.end(signal.SIGKILL)
    for message in numbered(*range(20, 200)):
        publisher.publish(message)
    waiting(lambda: len(told) > 1)  # it has noticed, and tried again in vain
    mosquitto.start()
    waiting(lambda: len(set(subscriber.on("garments"))) == 200)
    assert publisher.close() == 0
    # QoS 1: what was on its way may have arrived twice, and nothing is missing.
    assert list(dict.fromkeys(subscriber.on("garments"))) == [str(n) for n in range(200)]
    assert "ended the connection" in told[0]
    assert "Connection refused" in told[1]
    assert "is connected after" in told[2]
    assert "dropped" not in told[2]
    assert len(told) == 3


def test_of_too_many_messages_the_oldest_are_dropped_and_their_number_is_told_once(
    mosquitto, subscriber, told, waiting
):
    mosquitto.end()
    publisher = opened(mosquitto.port, told, max_waiting=50)
    for message in numbered(*range(80)):
        publisher.publish(message)
    waiting(lambda: len(told) > 0)
    mosquitto.start()
    waiting(lambda: "79" in subscriber.on("garments"))
    assert publisher.close() == 30
    # A subscriber who comes back is given what the broker has kept, once more.
    assert list(dict.fromkeys(subscriber.on("garments"))) == [str(n) for n in range(30, 80)]
    assert [text for text in told if "dropped" in text] == told[1:]
    assert "50 messages waited, 30 older ones were dropped" in told[1]


def test_a_wrong_password_is_told_once_and_tried_on(mosquitto, told, waiting):
    def restarted_with(password: str) -> None:
        mosquitto.end()
        mosquitto.ask_for_password("me", password)
        mosquitto.start()

    restarted_with("another")
    user = {"HEMLINE_MQTT_USERNAME": "me", "HEMLINE_MQTT_PASSWORD": "swordfish"}
    publisher = opened(mosquitto.port, told, environment=user)
    publisher.publish(numbered(1)[0])
    waiting(lambda: mosquitto.log().count("not authorised") >= 2)  # tried again
    assert len(told) == 1
    assert "it refuses the connection: Not authorized" in told[0]
    assert "HEMLINE_MQTT_PASSWORD" in told[0]
    assert "swordfish" not in told[0]
    restarted_with("swordfish")
    waiting(lambda: "is connected after" in told[-1])
    assert publisher.close() == 0


@pytest.mark.parametrize(
    ("certificate", "trusted", "said"),
    [
        ("here", "ca.pem", None),
        ("here", "other.pem", "certificate is not trusted: "),  # signed by nobody that is trusted
        ("other", "ca.pem", "IP address mismatch"),  # a good certificate of another host
        (None, "ca.pem", "with TLS at this port"),  # a port without TLS
    ],
)
def test_tls_reaches_whom_it_trusts_and_nobody_else(
    mosquitto, certificates, told, waiting, certificate, trusted, said
):
    if certificate is not None:
        mosquitto.end()
        files = {"certfile": f"{certificate}.pem", "keyfile": f"{certificate}.key"}
        lines = [f"{name} {certificates / file}" for name, file in files.items()]
        mosquitto.configure("allow_anonymous true", *lines)
        mosquitto.start()
    environment = {"HEMLINE_MQTT_CA": str(certificates / trusted)}
    publisher = opened(mosquitto.port, told, "mqtts", environment)
    for message in numbered(*range(300)):
        publisher.publish(message)
    if said is None:
        assert publisher.close() == 0
        assert told == []
        return
    waiting(lambda: len(told) > 0)
    assert said in told[0]
    assert publisher.close(finish=False) == 300
    assert len(told) == 2
    assert "300 messages did not reach" in told[1]


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
def test_one_that_takes_the_call_and_says_nothing_holds_nobody_up(told, scheme):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        publisher = opened(mute.getsockname()[1], told, scheme)
        connection, _ = mute.accept()
        with connection:
            start = time.monotonic()
            for message in numbered(*range(1000)):
                publisher.publish(message)
            assert publisher.close(finish=False) == 1000
            assert time.monotonic() - start < 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x20\x02\x00\x00" + b"\x32\xff\xff\xff\xff\xff\xff",  # let in, and then no MQTT
        b"\x20\x02\x00\x00" + b"\x30\x03\x00\x0a\xff",  # a topic longer than its packet
        b"\x20\x01\x00",
        b"\x20\x02\x00\x63",  # refused for no reason that there is
        b"",
    ],
)
def test_what_speaks_no_mqtt_is_told_and_tried_again(told, waiting, answer):
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    calls.append(connection.recv(1000))
                    connection.sendall(answer)
                    time.sleep(0.05)

        threading.Thread(target=serve, daemon=True).start()
        publisher = opened(server.getsockname()[1], told)
        publisher.publish(numbered(1)[0])
        waiting(lambda: len(calls) > 1)
        assert publisher.close(finish=False) == 1
        server.shutdown(socket.SHUT_RDWR)
    assert told
    assert "127.0.0.1" in told[0]


def test_pauses_grow_while_nobody_answers(told, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # nobody is there any more
    tried = []
    connect = socket.create_connection

    def noted(address, *arguments, **options):
        if address[1] == port:  # and not one of another test
            tried.append(time.monotonic())
        return connect(address, *arguments, **options)

    monkeypatch.setattr(socket, "create_connection", noted)
    publisher = opened(port, told)
    time.sleep(4.2)
    publisher.close(finish=False)
    pauses = [after - before for before, after in itertools.pairwise(tried)]
    assert pauses[:3] == pytest.approx([0.5, 1, 2], abs=0.3)
    assert len(told) == 1


def test_closing_twice_does_no_harm_and_ends_the_thread(mosquitto, told):
    publisher = opened(mosquitto.port, told)
    assert (publisher.close(), publisher.close()) == (0, 0)
    assert not [t for t in threading.enumerate() if t.name.endswith(f":{mosquitto.port}")]
