"""systemd as hemline asks it: through `systemctl`."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from hemline.errors import UserError

if TYPE_CHECKING:
    from hemline.service.unit import Scope

_PATIENCE_S = 30
_SHOWN = ("ActiveState", "SubState", "Result", "NRestarts", "StatusText", "ExecMainStatus")


class Control:
    """The service manager of the machine, or of the user.

    Args:
        scope: `system` or `user`.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def command(self, *words: str) -> list[str]:
        """The command line of systemctl, also for people to type."""
        return ["systemctl", *(["--user"] if self._scope == "user" else []), *words]

    def call(self, *words: str) -> str:
        """Call systemctl; what it writes.

        Raises:
            UserError: There is none, it fails, or it does not answer.
        """
        command = self.command(*words)
        hint = "is this machine run by systemd? Write the unit alone with --no-start"
        if shutil.which(command[0]) is None:
            raise UserError("there is no systemctl", hint)
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UserError(
                f"{' '.join(command)} did not answer in {_PATIENCE_S} s", hint
            ) from None
        if done.returncode:
            if self._scope == "user" and "bus" in done.stderr:
                hint = (
                    "log in as this user itself, not by su or sudo; or: "
                    "export XDG_RUNTIME_DIR=/run/user/$(id -u)"
                )
            said = " ".join(done.stderr.split()) or f"ended with {done.returncode}"
            raise UserError(f"{' '.join(command)}: {said}", hint)
        return done.stdout

    def version(self) -> int:
        """The version of systemd; 0 where there is none."""
        try:
            shown = re.match(r"systemd (\d+)", self.call("--version"))
        except UserError:
            return 0
        return int(shown[1]) if shown else 0

    def state(self, name: str) -> dict[str, str]:
        """What systemd says of a service: `ActiveState`, `StatusText` and others.

        Raises:
            UserError: It cannot be asked.
        """
        shown = self.call("show", f"{name}.service", f"--property={','.join(_SHOWN)}")
        return dict(line.partition("=")[::2] for line in shown.splitlines())
