"""What tells Home Assistant that there is a sensor, so that nobody has to describe it by hand.

See https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery and
https://www.home-assistant.io/integrations/sensor.mqtt/.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from hemline import __version__
from hemline.classifier import UNKNOWN
from hemline.mqtt.broker import checked_topic
from hemline.mqtt.message import Message, availability_topic

if TYPE_CHECKING:
    from hemline.card import ModelCard
    from hemline.mqtt.broker import Broker

DEFAULT_PREFIX = "homeassistant"


def discovery(broker: Broker, card: ModelCard, prefix: str = DEFAULT_PREFIX) -> Message:
    """A sensor whose state is the label, with its confidence and source as attributes.

    The same topic is the same sensor, whichever process publishes there.

    Args:
        broker: Gives the topic.
        card: Of the model.
        prefix: The discovery prefix that is set in Home Assistant.

    Raises:
        UserError: The prefix cannot begin a topic.
    """
    name = _identifier(broker.topic)
    content = {
        "name": "Label",
        "unique_id": f"{name}_label",
        "state_topic": broker.topic,
        "value_template": "{{ value_json.label }}",
        "json_attributes_topic": broker.topic,
        "json_attributes_template": (
            "{{ {'confidence': value_json.confidence, 'source': value_json.source} | tojson }}"
        ),
        "availability_topic": availability_topic(broker),
        "device_class": "enum",
        "options": [*card.labels, *([] if UNKNOWN in card.labels else [UNKNOWN])],
        "icon": "mdi:tag",
        "device": {
            "identifiers": [name],
            "name": f"hemline {broker.topic}",
            "manufacturer": "hemline",
            "model": card.name,
            "sw_version": __version__,
        },
        "origin": {"name": "hemline", "sw_version": __version__},
    }
    topic = f"{checked_topic(prefix)}/sensor/{name}/config"
    return Message(topic, json.dumps(content, ensure_ascii=False).encode())


def _identifier(topic: str) -> str:
    """Letters, digits, `_` and `-` are allowed; the hash keeps `a/b` and `a_b` apart."""
    readable = re.sub(r"[^a-zA-Z0-9_-]", "_", topic)[:40]
    return f"hemline_{readable}_{hashlib.sha256(topic.encode()).hexdigest()[:8]}"
