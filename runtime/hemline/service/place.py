"""Where a unit and its environment file lie, and whether somebody has changed the unit since."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from hemline import atomic
from hemline.errors import UserError
from hemline.service.unit import TARGETS

if TYPE_CHECKING:
    from hemline.service.unit import Scope

_HEADER = (
    "# Written by `hemline service install`, which replaces it only while it is as it was written.\n"
    "# To change a setting: systemctl edit. SHA-256 of the lines below: "
)
_ENVIRONMENT = """\
# Settings that others must not read, one NAME=value a line, such as
# HEMLINE_TOKEN=…            for --serve
# HEMLINE_MQTT_USERNAME=…    for --mqtt
# HEMLINE_MQTT_PASSWORD=…
# Take them up with: {restart}
"""
State = Literal["absent", "as written", "changed"]


class Before(NamedTuple):
    """What there was before a unit was written.

    Attributes:
        unit: The bytes of the unit, or None.
        had_environment: Whether the environment file was there.
        was_enabled: Whether it was started at each start.
    """

    unit: bytes | None
    had_environment: bool
    was_enabled: bool


class Place:
    """The files of one service.

    Args:
        scope: `system` or `user`.
        name: Of the service, without `.service`.
        root: Where `/etc` is looked for.

    Raises:
        UserError: The name cannot be that of a service.
    """

    def __init__(self, scope: Scope, name: str, root: Path = Path("/")) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
            raise UserError(
                f"{name!r} cannot be the name of a service", "take letters, digits, - and _"
            )
        self.scope = scope
        self.name = name
        if scope == "system":
            self.unit = root / f"etc/systemd/system/{name}.service"
            self.environment = root / f"etc/hemline/{name}.env"
        else:
            home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
            self.unit = home / f"systemd/user/{name}.service"
            self.environment = home / f"hemline/{name}.env"
        # What `systemctl enable` makes.
        self._link = self.unit.parent / f"{TARGETS[scope]}.wants" / self.unit.name

    def state(self) -> State:
        """Whether the unit is there, and as it was written."""
        text = self._text()
        if text is None:
            return "absent"
        if not text.startswith(_HEADER):
            return "changed"
        digest, _, rest = text.removeprefix(_HEADER).partition("\n")
        return "as written" if digest == _digest(rest) else "changed"

    def has(self, text: str) -> bool:
        """Whether this very unit is there."""
        return self._text() == _signed(text)

    def write(self, text: str, *, force: bool = False) -> Before:
        """Write the unit, and the environment file if there is none; what `restore` takes.

        Raises:
            UserError: It was changed by somebody, or cannot be written. All is as it was before.
        """
        self._must_be_ours(force)
        before = Before(
            self.unit.read_bytes() if self.unit.exists() else None,
            self.environment.exists(),
            self._link.is_symlink(),
        )
        try:
            atomic.write_text(self.unit, _signed(text))
            self._write_environment()
        except BaseException:
            self.restore(before)
            raise
        return before

    def restore(self, before: Before) -> None:
        """Undo `write`: what it made is removed, and what it replaced is there again."""
        with atomic.explaining_os_errors(self.unit):
            if not before.had_environment and self.environment.exists():
                self.environment.unlink()
            if not before.was_enabled:
                self._link.unlink(missing_ok=True)
            if before.unit is None:
                self.unit.unlink(missing_ok=True)
            elif self.unit.read_bytes() != before.unit:
                atomic.write_bytes(self.unit, before.unit)

    def must_be_removable(self, *, force: bool = False) -> None:
        """Refuse what `remove` refuses, before the service is stopped.

        Raises:
            UserError: It is not there, or was changed by somebody.
        """
        if self.state() == "absent":
            raise UserError(
                f"there is no service {self.name} ({self.unit})",
                f"name another with --name, or the other kind: --{_other(self.scope)}",
            )
        self._must_be_ours(force)

    def remove(self, *, force: bool = False) -> None:
        """Remove the unit; the environment file stays, since it may hold passwords that nobody else has.

        Raises:
            UserError: It is not there, was changed by somebody, or cannot be removed.
        """
        self.must_be_removable(force=force)
        with atomic.explaining_os_errors(self.unit):
            self._link.unlink(missing_ok=True)  # systemctl has, if it could be asked
            self.unit.unlink()

    def _must_be_ours(self, force: bool) -> None:
        if self.state() == "changed" and not force:
            raise UserError(
                f"{self.unit} is not as hemline has written it",
                "put your changes into a drop-in (systemctl edit), or lose them with --force",
            )

    def _text(self) -> str | None:
        try:
            return self.unit.read_text(errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"{self.unit} cannot be read: {error.strerror}") from error

    def _write_environment(self) -> None:
        """Nobody else may read it, not even while it is written."""
        if self.environment.exists():
            return
        user = "" if self.scope == "system" else "--user "
        text = _ENVIRONMENT.format(restart=f"systemctl {user}restart {self.name}")
        mask = os.umask(0o077)
        try:
            atomic.write_text(self.environment, text)
        finally:
            os.umask(mask)


def _signed(text: str) -> str:
    return f"{_HEADER}{_digest(text)}\n{text}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _other(scope: Scope) -> Scope:
    return "user" if scope == "system" else "system"
