from __future__ import annotations

import ssl

import pytest

from hemline.errors import UserError
from hemline.mqtt.broker import broker_of

USER = {"HEMLINE_MQTT_USERNAME": "me", "HEMLINE_MQTT_PASSWORD": "swordfish"}


@pytest.mark.parametrize(
    ("address", "host", "port", "topic"),
    [
        ("mqtt://broker.local/garments", "broker.local", 1883, "garments"),
        ("mqtts://broker.local/garments", "broker.local", 8883, "garments"),  # TLS has its own port
        ("mqtt://10.0.0.2:1234/a/b/c", "10.0.0.2", 1234, "a/b/c"),
        ("mqtt://[::1]:1884/a", "::1", 1884, "a"),
        ("mqtt://h//a", "h", 1883, "/a"),  # a topic may begin with a slash
        ("mqtt://h/Größe ?x=%41", "h", 1883, "Größe ?x=%41"),  # taken as it is
    ],
)
def test_host_port_and_topic_are_read(address, host, port, topic):
    broker = broker_of(address, {})
    assert (broker.host, broker.port, broker.topic) == (host, port, topic)
    assert (broker.tls is not None) == address.startswith("mqtts")
    assert (broker.username, broker.password) == (None, None)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("broker.local/garments", "no address"),  # no scheme
        ("http://broker.local/garments", "no address"),
        ("mqtt:/broker.local/garments", "no address"),
        ("mqtt:///garments", "names no MQTT broker"),
        ("mqtt://:1883/garments", "names no MQTT broker"),
        ("mqtt://a b/garments", "names no MQTT broker"),
        ("mqtt://broker.local?x/garments", "names no MQTT broker"),
        ("mqtt://broker.local:x/garments", "no address"),
        ("mqtt://broker.local:65536/garments", "no address"),
        ("mqtt://broker.local:0/garments", "port 0"),
        ("mqtt://broker.local", "topic is missing"),
        ("mqtt://broker.local/", "topic is missing"),
        ("mqtt://broker.local/a/+/b", "'+' in it"),  # wildcards are for subscribers
        ("mqtt://broker.local/a/#", "'#' in it"),
        ("mqtt://broker.local/a\0b", "is allowed nowhere"),
        ("mqtt://broker.local/$SYS/a", "begins with $"),
        ("mqtt://broker.local/\udcff", "no UTF-8"),
        ("mqtt://broker.local/" + "a" * 70_000, "70000 bytes"),
    ],
)
def test_what_is_no_address_is_refused(address, said):
    with pytest.raises(UserError) as caught:
        broker_of(address, {})
    assert said in caught.value.problem
    assert caught.value.hint


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts", "http"])
def test_a_password_in_the_address_is_refused_and_not_shown(scheme):
    with pytest.raises(UserError) as caught:
        broker_of(f"{scheme}://me:swordfish@broker.local/a", USER)
    assert "swordfish" not in str(caught.value)
    if scheme != "http":
        assert "others can read a command line" in caught.value.hint


def test_user_and_password_come_from_the_environment_and_do_not_show(tmp_path):
    broker = broker_of("mqtt://h/a", USER)
    assert (broker.username, broker.password) == ("me", "swordfish")
    assert "swordfish" not in f"{broker!r} {broker}"
    path = tmp_path / "password"
    path.write_text("sword fish\n")
    broker = broker_of(
        "mqtt://h/a", {"HEMLINE_MQTT_USERNAME": "me", "HEMLINE_MQTT_PASSWORD_FILE": str(path)}
    )
    assert broker.password == "sword fish"


def test_a_password_that_the_network_can_read_is_known():
    assert broker_of("mqtt://10.0.0.2/a", USER).shows_password
    assert not broker_of("mqtt://localhost/a", USER).shows_password
    assert not broker_of("mqtts://10.0.0.2/a", USER).shows_password
    assert not broker_of("mqtt://10.0.0.2/a", {}).shows_password


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"HEMLINE_MQTT_PASSWORD": "x"}, "no user"),
        ({**USER, "HEMLINE_MQTT_PASSWORD_FILE": "{here}/empty"}, "both set"),
        ({"HEMLINE_MQTT_PASSWORD_FILE": "{here}/empty"}, "is empty"),
        ({"HEMLINE_MQTT_PASSWORD_FILE": "{here}/none"}, "No such file"),
        ({"HEMLINE_MQTT_PASSWORD_FILE": "{here}/bytes"}, "no UTF-8"),
        ({"HEMLINE_MQTT_PASSWORD_FILE": "{here}"}, "Is a directory"),
        ({"HEMLINE_MQTT_CA": "{here}/none"}, "No such file"),
        ({"HEMLINE_MQTT_CA": "{here}/empty"}, "cannot be used"),
    ],
)
def test_an_environment_that_cannot_be_meant_is_refused(environment, said, tmp_path):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    given = {name: value.format(here=tmp_path) for name, value in environment.items()}
    with pytest.raises(UserError) as caught:
        broker_of("mqtts://h/a", given)
    assert said in caught.value.problem
    assert "swordfish" not in str(caught.value)


def test_certificates_without_tls_are_refused(tmp_path):
    with pytest.raises(UserError, match="without TLS"):
        broker_of("mqtt://h/a", {"HEMLINE_MQTT_CA": str(tmp_path)})


def test_tls_verifies_certificate_and_host_unless_told_otherwise():
    tls = broker_of("mqtts://h/a", {}).tls
    assert tls is not None
    assert tls.verify_mode == ssl.CERT_REQUIRED
    assert tls.check_hostname
