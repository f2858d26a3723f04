"""The text of the systemd unit that runs `hemline classify` on a camera."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hemline.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

Scope = Literal["system", "user"]

DEFAULT_WATCHDOG_S = 60
TARGETS: dict[Scope, str] = {"system": "multi-user.target", "user": "default.target"}
_GROWING_PAUSES_SINCE = 254  # the version of systemd that knows RestartSteps=
_PLAIN = re.compile(r"[\w./:=,@+-]+")

# What costs the service nothing, and works in units of a user as well: seccomp, and no way to more rights.
_FOR_BOTH = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0027
"""
# What needs the rights of the system's manager. ProcSubset=pid is not among it: LiteRT reads /proc/cpuinfo.
# Nor is PrivateDevices=yes, which hides cameras; DevicePolicy=closed allows no others than those named.
_FOR_SYSTEM = """\
CapabilityBoundingSet=
KeyringMode=private
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
DevicePolicy=closed
"""
# USB cameras are video4linux; the ribbon camera's drivers need the other two as well.
_CAMERAS = ("char-video4linux", "char-media", "char-dma_heap")


@dataclass(frozen=True)
class Unit:
    """A service that classifies what a camera sees.

    Attributes:
        scope: `system`: started with the machine; `user`: by the user's own manager.
        program: The command line: absolute path of the program, and its arguments.
        folder: Where it runs, so that relative paths mean what they meant to whoever installed it.
        environment_file: Where passwords and tokens are.
        run_as: The user, for the scope `system`.
        writes: Folders that it may write to; in the scope `user` those of the user anyway.
        devices: What it may use beside cameras, as `DeviceAllow=` takes it.
        groups: Groups that it needs beside the user's, such as `video`.
        watchdog_s: Without a frame for so long, it is started anew; 0 for never.
        needs_network: Whether it waits for the network before it starts.
        systemd_version: The version that will read the unit.

    Raises:
        UserError: Something cannot be written in a unit.
    """

    scope: Scope
    program: tuple[str, ...]
    folder: Path
    environment_file: Path
    run_as: str = ""
    writes: tuple[Path, ...] = ()
    devices: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    watchdog_s: float = DEFAULT_WATCHDOG_S
    needs_network: bool = False
    systemd_version: int = 0

    def text(self) -> str:
        """The unit."""
        return "\n".join([self._unit(), self._service(), self._install()])

    def _unit(self) -> str:
        lines = ["[Unit]", "Description=hemline names what a camera sees"]
        if self.needs_network and self.scope == "system":
            lines += ["Wants=network-online.target", "After=network-online.target"]
        # A camera may be plugged in tomorrow: it never gives up.
        return "\n".join([*lines, "StartLimitIntervalSec=0", ""])

    def _service(self) -> str:
        lines = ["[Service]", "Type=notify", "NotifyAccess=main"]
        lines += [f"ExecStart={command_line(self.program)}"]
        lines += [f"WorkingDirectory={_value(str(self.folder))}"]
        lines += [f"EnvironmentFile=-{_value(str(self.environment_file))}"]
        if self.run_as:
            lines += [f"User={_value(self.run_as)}"]
        if self.groups:
            lines += [f"SupplementaryGroups={' '.join(self.groups)}"]
        lines += ["Restart=on-failure", "SuccessExitStatus=130"]
        if self.systemd_version >= _GROWING_PAUSES_SINCE:
            lines += ["RestartSec=2", "RestartSteps=8", "RestartMaxDelaySec=300"]
        else:
            lines += ["RestartSec=10"]
        lines += ["TimeoutStopSec=10"]
        if self.watchdog_s:
            # SIGTERM, so that it can close the camera; what hangs is killed after TimeoutStopSec.
            lines += [f"WatchdogSec={self.watchdog_s:g}", "WatchdogSignal=SIGTERM"]
        return "\n".join([*lines, "", _FOR_BOTH.rstrip(), *self._limits(), ""])

    def _limits(self) -> list[str]:
        if self.scope == "user":
            return []
        lines = [_FOR_SYSTEM.rstrip()]
        lines += [f"DeviceAllow={_value(device)} rw" for device in (*_CAMERAS, *self.devices)]
        lines += [f"ReadWritePaths={quoted(str(path))}" for path in self.writes]
        return lines

    def _install(self) -> str:
        return f"[Install]\nWantedBy={TARGETS[self.scope]}\n"


def command_line(words: tuple[str, ...]) -> str:
    """The words as `ExecStart=` reads them: quoted, with `%` and `$` taken as they are.

    systemd puts no variables into the path of the program, so there a `$` cannot be written in the way that
    it can in the arguments.

    Raises:
        UserError: The path of the program has a `$`, or a word has a line end or the like.
    """
    if "$" in words[0]:
        raise UserError(
            f"the path of the program has a $: {words[0]}",
            "install hemline in a folder without one",
        )
    return " ".join(quoted(word).replace("$", "$$") for word in words)


def quoted(word: str) -> str:
    """A word of a setting that takes several: quoted where it must be, `%` doubled."""
    value = _value(word)
    if _PLAIN.fullmatch(word):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _value(text: str) -> str:
    """A whole value, with `%` doubled since it begins a specifier."""
    if not text.isprintable():
        raise UserError(
            f"{text!r} has a character that a unit cannot hold", "rename it, or give another path"
        )
    return text.replace("%", "%%")
