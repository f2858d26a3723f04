"""What is published, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hemline.mqtt.broker import Broker


class Message(NamedTuple):
    """What is published.

    Attributes:
        topic: Where.
        payload: What, as UTF-8.
        qos: 0, or 1 where the broker acknowledges it.
        retain: Whether the broker keeps it for those who subscribe later.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True


def availability_topic(broker: Broker) -> str:
    """Where `online` or `offline` is published."""
    return f"{broker.topic}/availability"


def error_topic(broker: Broker) -> str:
    """Where it is published that an input could not be read."""
    return f"{broker.topic}/error"
