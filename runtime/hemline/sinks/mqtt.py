"""Answers to an MQTT broker."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from hemline.errors import UserError
from hemline.judgement import LabelChange
from hemline.mqtt.discovery import discovery
from hemline.mqtt.message import Message, error_topic
from hemline.mqtt.publisher import Publisher
from hemline.printable import public_address
from hemline.sinks.base import Sink, as_json
from hemline.sources.frames import tell_on_standard_error
from hemline.sources.listing import STREAM_SCHEMES

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from hemline.batch import Outcome
    from hemline.card import ModelCard
    from hemline.mqtt.broker import Broker
    from hemline.sources.frames import Tell

DEFAULT_QOS = 1
DEFAULT_INTERVAL_S = 1.0
_MAX_CLIENT_ID_BYTES = 65_535
_to_json = json.JSONEncoder(ensure_ascii=False).encode


class MqttSink(Sink):
    """Publishes answers, as JSON, without ever waiting for the broker.

    An answer goes to the broker's topic, where the broker keeps the newest; an input that could not be read
    goes to `TOPIC/error`. Of a camera or video each new label is published at once, and else one frame in
    an interval.

    Args:
        broker: Where.
        card: Of the model.
        backend: Name of the backend.
        qos: 0, or 1 where the broker acknowledges each message.
        interval_s: 0 publishes every frame, `math.inf` only those with a new label.
        client_id: By default made anew each time.
        discovery_prefix: Tell Home Assistant of the sensor below that topic.
        tell: Takes messages.

    Raises:
        UserError: A value is out of range.
    """

    def __init__(
        self,
        broker: Broker,
        card: ModelCard,
        backend: str,
        *,
        qos: int = DEFAULT_QOS,
        interval_s: float = DEFAULT_INTERVAL_S,
        client_id: str = "",
        discovery_prefix: str | None = None,
        tell: Tell = tell_on_standard_error,
    ) -> None:
        if not interval_s >= 0:
            raise UserError(
                f"the time between two MQTT messages is {interval_s:g} s", "it must not be negative"
            )
        if len(client_id.encode(errors="replace")) > _MAX_CLIENT_ID_BYTES or not (
            client_id.isprintable()
        ):
            raise UserError(
                f"the MQTT client {client_id[:40]!r} cannot be called so",
                f"a name is printable and has {_MAX_CLIENT_ID_BYTES} bytes at most",
            )
        first = [] if discovery_prefix is None else [discovery(broker, card, discovery_prefix)]
        if broker.shows_password:
            tell(f"MQTT broker {broker}: the password goes there unencrypted; use mqtts:// for TLS")
        self._broker = broker
        self._model = card.name
        self._backend = backend
        self._qos = qos
        self._interval_s = interval_s
        self._is_new = LabelChange()
        self._last_s = -math.inf
        self._publisher = Publisher(broker, client_id, first, tell=tell)

    def write(self, outcome: Outcome) -> None:
        """Publish it, if it is time."""
        if not self._is_due(outcome):
            return
        text = _to_json(as_json(_public(outcome), self._model, self._backend))
        # File names are escaped already; a label of a card could still hold half of a surrogate pair.
        payload = text.encode(errors="backslashreplace")
        if outcome.answer is None:
            message = Message(error_topic(self._broker), payload, self._qos, retain=False)
        else:
            message = Message(self._broker.topic, payload, self._qos)
        self._publisher.publish(message)

    def close(self, *, finish: bool = True) -> None:
        """Let what waits be delivered, for some seconds, or else end at once."""
        self.incomplete = self._publisher.close(finish=finish) > 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(finish=kind is None)

    def _is_due(self, outcome: Outcome) -> bool:
        if outcome.answer is None or outcome.timed is None:
            return True
        now_s = outcome.timed.at_s
        # Less than nothing has passed where another source has begun.
        is_due = self._is_new(outcome) or not 0 <= now_s - self._last_s < self._interval_s
        if is_due:
            self._last_s = now_s
        return is_due


def _public(outcome: Outcome) -> Outcome:
    """The broker gives it to others, and keeps it: no password of a stream is in it."""
    source = outcome.source
    if not source.startswith(STREAM_SCHEMES):
        return outcome
    shown = public_address(source)
    return outcome._replace(source=shown, error=outcome.error.replace(source, shown))
