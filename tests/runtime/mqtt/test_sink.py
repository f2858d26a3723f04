"""What is published of which frame, and what Home Assistant is told."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from hemline.batch import Outcome
from hemline.classifier import Classification, Latency
from hemline.errors import UserError
from hemline.modelfile import load_model
from hemline.mqtt.broker import broker_of
from hemline.mqtt.discovery import discovery
from hemline.sinks.mqtt import MqttSink
from hemline.sources.frames import TimedFrame

FRAME = np.zeros((4, 4, 3), np.uint8)


def frame(number: int, at_s: float, label: str, source: str = "film.mp4") -> Outcome:
    answer = Classification(label, 0.75, [(label, 0.75)], Latency(0.5, 0.25, 0.8))
    return Outcome(source, number, answer, "", TimedFrame(FRAME, number, at_s, at_s, None, 0))


@pytest.fixture(scope="module")
def card():
    return load_model("paper").card


@pytest.fixture
def published(mosquitto, subscriber, card, waiting):
    """What is on the topic after some outcomes, as JSON."""

    def publish(*outcomes: Outcome, **options) -> list[dict]:
        broker = broker_of(f"mqtt://127.0.0.1:{mosquitto.port}/garments", {})
        with MqttSink(broker, card, "litert", **options) as sink:
            for outcome in outcomes:
                sink.write(outcome)
        assert not sink.incomplete
        waiting(lambda: subscriber.on("garments/availability")[-1:] == ["offline"])
        return [json.loads(payload) for payload in subscriber.on("garments")]

    return publish


# Ten frames a second for three seconds; the label changes once.
FILM = [frame(number, number / 10, "Bag" if number < 15 else "Coat") for number in range(30)]


@pytest.mark.parametrize(
    ("interval_s", "numbers"),
    [
        (1.0, [0, 10, 15, 25]),  # each second, and the new label at once
        (math.inf, [0, 15]),  # new labels alone
        (0.0, list(range(30))),
    ],
)
def test_new_labels_go_at_once_and_others_after_the_interval(published, interval_s, numbers):
    got = published(*FILM, interval_s=interval_s)
    assert [answer["frame"] for answer in got] == numbers


def test_each_film_begins_anew(published):
    first = [frame(number, number / 10, "Bag", "1.mp4") for number in range(8)]
    second = [frame(number, number / 10, "Bag", "2.mp4") for number in range(8)]
    got = published(*first, *second)
    assert [(answer["source"], answer["frame"]) for answer in got] == [("1.mp4", 0), ("2.mp4", 0)]


def test_the_payload_is_what_json_prints_whatever_files_are_called(published, subscriber):
    answer = Classification("Bag", 0.75, [("Bag", 0.75), ("Größe", 0.2)], Latency(0.5, 0.25, 0.8))
    names = ["a \udcff.jpg", "ein Fuß.jpg"]
    got = published(
        *(Outcome(name, None, answer) for name in names),
        Outcome("b.jpg", None, None, "b.jpg is cut off"),
    )
    assert [one["source"] for one in got] == ["a \\xff.jpg", "ein Fuß.jpg"]  # no lone surrogate
    assert got[0]["top"] == [
        {"label": "Bag", "confidence": 0.75},
        {"label": "Größe", "confidence": 0.2},
    ]
    assert got[0]["latency_ms"] == {"preprocess": 0.5, "inference": 0.25, "total": 0.8}
    assert (got[0]["model"], got[0]["backend"]) == ("paper", "litert")
    (error,) = subscriber.on("garments/error")
    assert json.loads(error) == {"source": "b.jpg", "error": "b.jpg is cut off"}


def test_no_password_of_a_stream_is_published(published, subscriber):
    answer = Classification("Bag", 0.75, [("Bag", 0.75)], Latency(0.5, 0.25, 0.8))
    source = "rtsp://me:swordfish@cam.local/live?key=swordfish"
    got = published(
        Outcome(source, None, answer), Outcome(source, None, None, f"{source} gives no frame")
    )
    assert [one["source"] for one in got] == ["rtsp://cam.local/live"]
    (error,) = subscriber.on("garments/error")
    assert json.loads(error)["error"] == "rtsp://cam.local/live gives no frame"


def test_home_assistant_finds_the_sensor_its_states_and_where_they_come(
    published, subscriber, card
):
    published(FILM[0], discovery_prefix="homeassistant")
    (topic,) = {message.topic for message in subscriber.received if "config" in message.topic}
    config = json.loads(subscriber.on(topic)[0])
    assert topic == f"homeassistant/sensor/{config['device']['identifiers'][0]}/config"
    assert config["state_topic"] == config["json_attributes_topic"] == "garments"
    assert config["availability_topic"] == "garments/availability"
    assert config["value_template"] == "{{ value_json.label }}"
    assert config["device_class"] == "enum"
    assert config["options"] == [*card.labels, "unknown"]
    assert config["unique_id"].startswith(config["device"]["identifiers"][0])
    # It is there before the first state is.
    order = [message.topic for message in subscriber.received]
    assert order.index(topic) < order.index("garments")


def test_who_comes_later_finds_the_last_answer_and_whether_it_still_holds(mosquitto, published):
    published(*FILM, discovery_prefix="homeassistant")
    kept = mosquitto.kept()
    assert json.loads(kept["garments"])["label"] == "Coat"
    assert kept["garments/availability"] == "offline"
    assert len(kept) == 3  # and how Home Assistant finds it


def test_the_sensor_of_a_topic_is_always_the_same_and_no_other(card):
    def of(topic: str):
        return discovery(broker_of(f"mqtt://h/{topic}", {}), card)

    assert of("a/b") == of("a/b")
    assert len({of(topic).topic for topic in ("a/b", "a_b", "a/c", "ä/b")}) == 4
    assert all(c.isalnum() or c in "_-/" for c in of("Ä b/ü$").topic)


@pytest.mark.parametrize(
    "options",
    [
        {"interval_s": -1.0},
        {"interval_s": math.nan},
        {"client_id": "a\nb"},
        {"client_id": "a" * 70_000},
        {"discovery_prefix": "home/#"},
        {"discovery_prefix": ""},
    ],
)
def test_what_cannot_be_meant_is_refused(card, options):
    with pytest.raises(UserError):
        MqttSink(broker_of("mqtt://127.0.0.1:1/a", {}), card, "litert", **options)


def test_a_password_without_tls_on_the_network_is_told(card):
    told: list[str] = []
    user = {"HEMLINE_MQTT_USERNAME": "me", "HEMLINE_MQTT_PASSWORD": "swordfish"}
    sink = MqttSink(broker_of("mqtt://192.0.2.1/a", user), card, "litert", tell=told.append)
    sink.close(finish=False)
    assert "unencrypted" in told[0]
    assert "swordfish" not in " ".join(told)
