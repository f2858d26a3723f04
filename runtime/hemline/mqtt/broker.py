"""Which broker and topic, and as whom: what the address says and what the environment adds."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hemline.errors import UserError
from hemline.printable import without_password

if TYPE_CHECKING:
    from collections.abc import Mapping

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_EXAMPLE = "give one such as mqtt://broker.local/garments or mqtts://broker.local:8883/garments"
_MAX_TOPIC_BYTES = 60_000  # MQTT allows 65,535; what follows the topic needs room
_MAX_SECRET_BYTES = 65_535  # as MQTT has it
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

USERNAME, PASSWORD = "HEMLINE_MQTT_USERNAME", "HEMLINE_MQTT_PASSWORD"
PASSWORD_FILE, CA_FILE = "HEMLINE_MQTT_PASSWORD_FILE", "HEMLINE_MQTT_CA"


@dataclass(frozen=True)
class Broker:
    """A broker, and what is published there.

    Attributes:
        host: Name or address.
        port: TCP port.
        topic: What answers are published to; other topics begin with it.
        tls: How the connection is encrypted and the broker's certificate verified, or None without TLS.
        username: None for a broker that asks for none.
        password: None likewise.
    """

    host: str
    port: int
    topic: str
    tls: ssl.SSLContext | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """What it is called in messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def shows_password(self) -> bool:
        """Whether others on the network can read the password."""
        return self.password is not None and self.tls is None and self.host not in _LOOPBACK


def broker_of(address: str, environment: Mapping[str, str]) -> Broker:
    """The broker of `mqtt://host[:port]/topic`, or `mqtts://…` with TLS.

    Args:
        address: The topic is taken as it is, slashes included.
        environment: User and password are taken from here, since others can read a command line:
            `HEMLINE_MQTT_USERNAME`, `HEMLINE_MQTT_PASSWORD` or `HEMLINE_MQTT_PASSWORD_FILE`, and
            `HEMLINE_MQTT_CA`, a file with the certificates to trust instead of the system's.

    Raises:
        UserError: The address or the environment cannot be meant.
    """
    scheme, colon, rest = address.partition("://")
    if not colon or scheme not in _PORTS:
        raise UserError(f"{without_password(address)!r} is no address of an MQTT broker", _EXAMPLE)
    authority, _, topic = rest.partition("/")
    if "@" in authority:
        raise UserError(
            "the address of the MQTT broker has a user name or password in it",
            f"others can read a command line: set {USERNAME} and {PASSWORD} instead",
        )
    host, port = _host_and_port(authority, address)
    return Broker(
        host,
        port or _PORTS[scheme],
        checked_topic(topic),
        _tls(environment.get(CA_FILE), scheme),
        *_user_and_password(environment),
    )


def _host_and_port(authority: str, address: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(f"//{authority}")
        port = parts.port
    except ValueError as error:
        raise UserError(
            f"{address!r} is no address of an MQTT broker: {error}", _EXAMPLE
        ) from error
    host = parts.hostname
    if not host or parts.query or parts.fragment or any(c.isspace() for c in host):
        raise UserError(f"{address!r} names no MQTT broker", _EXAMPLE)
    if port == 0:
        raise UserError(f"{address!r} names port 0", "a port is from 1 to 65535")
    return host, port


def checked_topic(topic: str) -> str:
    """A topic itself.

    Raises:
        UserError: Nothing can be published there.
    """
    if not topic:
        raise UserError("the MQTT topic is missing", _EXAMPLE)
    for character, why in (
        ("+", "is for subscribing only"),
        ("#", "is for subscribing only"),
        ("\0", "is allowed nowhere"),
    ):
        if character in topic:
            raise UserError(
                f"the MQTT topic {topic!r} has {character!r} in it, which {why}",
                "name one topic, such as garments/camera-1",
            )
    if topic.startswith("$"):
        raise UserError(
            f"the MQTT topic {topic!r} begins with $, which is for the broker alone",
            "name another, such as garments/camera-1",
        )
    try:
        size = len(topic.encode())
    except UnicodeEncodeError as error:
        raise UserError(f"the MQTT topic {topic!r} is no UTF-8 text", "name another") from error
    if size > _MAX_TOPIC_BYTES:
        raise UserError(
            f"the MQTT topic has {size} bytes", f"it may have {_MAX_TOPIC_BYTES} at most"
        )
    return topic


def _tls(ca_file: str | None, scheme: str) -> ssl.SSLContext | None:
    if scheme == "mqtt":
        if ca_file:
            raise UserError(
                f"{CA_FILE} is set, and the address begins with mqtt://, which is without TLS",
                f"write mqtts://, or unset {CA_FILE}",
            )
        return None
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:  # what OpenSSL cannot parse is one as well
        raise UserError(
            f"the certificates in {ca_file} ({CA_FILE}) cannot be used: {error.strerror or error}",
            "give a PEM file with the certificate of the authority that signed the broker's",
        ) from error


def _user_and_password(environment: Mapping[str, str]) -> tuple[str | None, str | None]:
    username = environment.get(USERNAME) or None
    password = environment.get(PASSWORD) or None
    path = environment.get(PASSWORD_FILE)
    if path:
        if password is not None:
            raise UserError(f"{PASSWORD} and {PASSWORD_FILE} are both set", "unset one of them")
        password = _password_in(path)
    if password is not None and username is None:
        raise UserError("there is a password for MQTT and no user", f"set {USERNAME} too")
    return username, password


def _password_in(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_SECRET_BYTES + 1)
        password = content.decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"the password file {path} ({PASSWORD_FILE}) cannot be read: "
            f"{getattr(error, 'strerror', None) or 'it is no UTF-8 text'}",
            "give a text file with the password and nothing else",
        ) from error
    if not password or len(content) > _MAX_SECRET_BYTES:
        size = "empty" if not password else f"larger than {_MAX_SECRET_BYTES} bytes"
        raise UserError(
            f"the password file {path} ({PASSWORD_FILE}) is {size}",
            "give a text file with the password and nothing else",
        )
    return password
