"""One connection to an MQTT broker, from its opening to its loss."""

from __future__ import annotations

import select
import socket
import ssl
import struct
from time import monotonic
from typing import TYPE_CHECKING, Any

from hemline.mqtt.broker import CA_FILE, PASSWORD, USERNAME

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode

    from hemline.mqtt.broker import Broker
    from hemline.mqtt.message import Message

CONNECT_S = 5.0  # for TCP, for TLS, and for the broker's answer
KEEPALIVE_S = 20  # a broker takes a client for gone after one and a half of it
WINDOW = 16  # messages on their way; paho sends 20 without waiting


class BrokerError(Exception):
    """The broker cannot be reached or does not let us in; the message says why and what mends it."""


class Wake:
    """Has a thread that waits for the network look around; any thread may call it."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def __call__(self) -> None:
        """Wake it now, or keep it awake when it is about to wait."""
        try:
            self._writer.send(b"\0")
        except BlockingIOError:
            return  # there is more than enough to wake it already

    def fileno(self) -> int:
        """To be polled."""
        return self._reader.fileno()

    def drain(self) -> None:
        """Wait again next time."""
        try:
            while len(self._reader.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            return


class Connection:
    """A connection, used by one thread.

    Attributes:
        unacknowledged: What was published and has not arrived, as far as is known; by number, oldest first.

    Args:
        broker: Where.
        client_id: Unique at the broker.
        will: What the broker publishes for us when we are gone without a word.
        wake: Interrupts waiting.

    Raises:
        BrokerError: It cannot be opened.
    """

    def __init__(self, broker: Broker, client_id: str, will: Message, wake: Wake) -> None:
        # Here, so that this module can be loaded where paho is not installed.
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        self.unacknowledged: dict[int, Message] = {}
        self._broker = broker
        self._wake = wake
        self._answer: ReasonCode | None = None
        self._is_lost = False
        # A client for each connection: what paho would keep from the last one is kept by the publisher.
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        self._client.connect_timeout = CONNECT_S
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.will_set(will.topic, will.payload, will.qos, will.retain)
        if broker.username is not None:
            self._client.username_pw_set(broker.username, broker.password)
        if broker.tls is not None:
            self._client.tls_set_context(broker.tls)
        self._open()

    def publish(self, message: Message) -> None:
        """Send it, or as much of it as goes out without waiting."""
        info = self._client.publish(*message)
        if info.rc != 0 or not info.is_published():
            self.unacknowledged[info.mid] = message

    def is_open(self) -> bool:
        """Whether it is not lost yet."""
        return not self._is_lost and self._client.socket() is not None

    def serve(self, timeout_s: float) -> None:
        """Wait for the network or a wake, and do what there is to do."""
        connected = self._client.socket()
        if self._is_lost or connected is None:
            return
        poll = select.poll()
        poll.register(self._wake.fileno(), select.POLLIN)
        out = select.POLLOUT if self._client.want_write() else 0
        poll.register(connected.fileno(), select.POLLIN | out)
        poll.poll(max(0.0, timeout_s) * 1000)
        self._wake.drain()
        try:
            self._read()
            self._client.loop_write()
            self._client.loop_misc()
        except (ValueError, IndexError, struct.error):  # what it sends is no MQTT
            self._hang_up()

    def close(self) -> None:
        """Say goodbye where that goes without waiting; the broker does not publish the will then."""
        if self.is_open():
            self._client.disconnect()
        self._hang_up()

    def _open(self) -> None:
        try:
            self._client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)
        except OSError as error:
            raise BrokerError(_reason(error, with_tls=self._broker.tls is not None)) from error
        end = monotonic() + CONNECT_S
        while self._answer is None and self.is_open() and monotonic() < end:
            self.serve(0.25)
        if self._answer is None:
            self._hang_up()
            raise BrokerError("it does not answer as an MQTT broker does; check host and port")
        if self._answer.is_failure:
            self._hang_up()
            raise BrokerError(
                f"it refuses the connection: {self._answer}; check {USERNAME}, {PASSWORD} and what the "
                "broker allows this user"
            )

    def _read(self) -> None:
        self._client.loop_read()
        # What TLS has decrypted already does not show in a poll.
        while isinstance(tls := self._client.socket(), ssl.SSLSocket) and tls.pending():
            self._client.loop_read()

    def _hang_up(self) -> None:
        self._is_lost = True
        connected = self._client.socket()
        if connected is not None:
            connected.close()

    def _on_connect(self, *given: Any) -> None:
        """Client, user data, flags, the broker's answer, properties."""
        self._answer = given[3]

    def _on_publish(self, *given: Any) -> None:
        """Client, user data, number of the message, answer, properties."""
        self.unacknowledged.pop(given[2], None)


def _reason(error: OSError, *, with_tls: bool) -> str:
    """Why a connection could not be opened, and what mends it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {error.verify_message.rstrip('.')}; "
            f"{CA_FILE} names a file with the certificates to trust"
        )
    what = "host and port, and that it runs" + (", with TLS at this port" if with_tls else "")
    if isinstance(error, ssl.SSLError):
        return f"TLS fails ({error.reason or error}); check {what}"
    if isinstance(error, TimeoutError):
        return f"it does not answer within {CONNECT_S:g} s; check {what}"
    return f"{error.strerror or error}; check {what}"
