"""Publishing in the background: what the broker cannot take now waits, up to a bound."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from hemline.mqtt.connection import WINDOW, BrokerError, Connection, Wake
from hemline.mqtt.message import Message, availability_topic
from hemline.sources.frames import tell_on_standard_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hemline.mqtt.broker import Broker
    from hemline.sources.frames import Tell

MAX_WAITING = 10_000  # about 5 MB; close to three hours of a message a second
ONLINE, OFFLINE = b"online", b"offline"
_FINISH_S = 5.0  # for what waits when everything is done
_GOODBYE_S = 0.4  # for what waits when somebody has interrupted us
_LONGEST_PAUSE_S = 10.0
_STABLE_S = 15.0  # a connection that lasts so long is not one of those that break at once
_LAST_PAUSE_S = 0.1  # between attempts when everything else is done
_LOOK_S = 1.0  # how often a quiet connection is looked at: paho pings the broker then if it is time


class Publisher:
    """Publishes messages from a thread of its own, in order, and never makes the caller wait.

    While the broker is away, messages are kept, the oldest dropped when there are too many, and the broker is
    asked again with growing pauses. With QoS 1 each message that was not dropped arrives, some perhaps twice.
    `TOPIC/availability` is `online` or `offline` (retained), also where this process dies.

    Args:
        broker: Where.
        client_id: Unique at the broker; by default made anew each time.
        first: Published at each new connection.
        max_waiting: How many messages are kept.
        tell: Takes messages for people: each trouble once, and when it is over.
    """

    def __init__(
        self,
        broker: Broker,
        client_id: str = "",
        first: Sequence[Message] = (),
        *,
        max_waiting: int = MAX_WAITING,
        tell: Tell = tell_on_standard_error,
    ) -> None:
        self._broker = broker
        self._client_id = client_id or f"hemline{secrets.token_hex(8)}"
        availability = availability_topic(broker)
        self._first = (*first, Message(availability, ONLINE))
        self._last = Message(availability, OFFLINE)
        self._max_waiting = max_waiting
        self._tell = tell
        self._lock = threading.Lock()
        self._waiting: deque[Message] = deque()
        self._on_their_way = 0
        self._dropped = 0
        self._told_dropped = 0
        self._told = ""
        self._trouble_s = 0.0  # when it began
        self._until_s: float | None = None  # when to have ended
        self._error: BaseException | None = None
        self._wake = Wake()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"MQTT {broker}", daemon=True)
        self._thread.start()

    def publish(self, message: Message) -> None:
        """Have it published as soon as the broker takes it."""
        if self._error is not None:
            raise self._error
        with self._lock:
            if self._waiting and len(self._waiting) + self._on_their_way >= self._max_waiting:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(message)
        self._wake()

    def close(self, *, finish: bool = True) -> int:
        """Say that we are offline, and end; how many messages were not delivered.

        Args:
            finish: Let what waits be delivered, for some seconds; or else end within half a second.
        """
        if not self._stop.is_set():
            patient = finish and self._undelivered() > 0
            self._until_s = monotonic() + (_FINISH_S if patient else _GOODBYE_S)
            self._stop.set()
            self._wake()
            self._thread.join(self._until_s - monotonic() + 0.1)  # it may hang in the network
            if self._undelivered() or self._dropped > self._told_dropped:
                dropped = self._news_of_dropped()
                self._tell(
                    f"{_counted(self._undelivered())} did not reach the MQTT broker {self._broker}{dropped}"
                )
        if self._error is not None:
            raise self._error
        return self._undelivered() + self._dropped

    def _undelivered(self) -> int:
        return len(self._waiting) + self._on_their_way

    def _work(self) -> None:
        try:
            pauses = _pauses()
            while self._has_time():
                begun_s = monotonic()
                try:
                    self._connect_and_serve()
                except BrokerError as error:
                    self._tell_trouble(str(error))
                if self._stop.is_set() and not self._waiting:
                    return
                if monotonic() - begun_s > _STABLE_S:
                    pauses = _pauses()
                if self._stop.wait(next(pauses)):
                    time.sleep(_LAST_PAUSE_S)
        except BaseException as error:  # a bug: the caller's thread raises it
            self._error = error

    def _has_time(self) -> bool:
        return self._until_s is None or monotonic() < self._until_s

    def _connect_and_serve(self) -> None:
        """Publish until everything is done or the connection is lost; what has not arrived waits again."""
        connection = Connection(self._broker, self._client_id, self._last, self._wake)
        try:
            self._tell_end_of_trouble()
            for message in self._first:
                connection.publish(message)
            while connection.is_open() and self._has_time():
                self._send(connection)
                if self._stop.is_set() and not self._undelivered():
                    break
                connection.serve(_LOOK_S if self._until_s is None else 0.05)
            if connection.is_open():
                self._say_goodbye(connection)
            elif not self._stop.is_set():
                raise BrokerError("it has ended the connection")
        finally:
            self._take_back(connection)
            connection.close()

    def _send(self, connection: Connection) -> None:
        while connection.is_open() and len(connection.unacknowledged) < WINDOW:
            with self._lock:
                if not self._waiting:
                    break
                message = self._waiting.popleft()
                self._on_their_way += 1
            connection.publish(message)
        self._on_their_way = len(self._ours(connection))

    def _ours(self, connection: Connection) -> list[Message]:
        """What was published here and is not acknowledged."""
        own = (*self._first, self._last)
        return [message for message in connection.unacknowledged.values() if message not in own]

    def _take_back(self, connection: Connection) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(self._ours(connection)))
            self._on_their_way = 0

    def _say_goodbye(self, connection: Connection) -> None:
        connection.publish(self._last)
        while connection.is_open() and connection.unacknowledged and self._has_time():
            connection.serve(0.05)

    def _tell_trouble(self, problem: str) -> None:
        if not self._told:
            self._trouble_s = monotonic()
        if problem != self._told:
            self._told = problem
            self._tell(
                f"MQTT broker {self._broker}: {problem}; messages are kept meanwhile, and it is tried again"
            )

    def _tell_end_of_trouble(self) -> None:
        if self._told:
            self._told = ""
            self._tell(
                f"MQTT broker {self._broker} is connected after {monotonic() - self._trouble_s:.0f} s; "
                f"{_counted(len(self._waiting))} waited{self._news_of_dropped()}"
            )

    def _news_of_dropped(self) -> str:
        with self._lock:
            count, self._told_dropped = self._dropped - self._told_dropped, self._dropped
        return f", {count} older ones were dropped, since no more are kept" if count else ""


def _counted(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"


def _pauses() -> Iterator[float]:
    """Growing pauses, in seconds."""
    pause_s = 0.5
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
