"""The machine as the doctor sees it: its files, and programs that are run with a time limit."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep, time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DEFAULT_TIMEOUT_S = 8.0
_LOOK_S = 0.02
_PLENTY_KB = 1_500_000  # memory for several children at once
_MAX_OUTPUT = 1 << 20


class Ran(NamedTuple):
    """What came of a program.

    Attributes:
        code: Its exit status; negative for the signal that ended it; None if it ran out of time.
        out: What it wrote to standard output.
        said: What it wrote to standard error.
    """

    code: int | None
    out: str
    said: str

    @property
    def last_words(self) -> str:
        """Its last line, or how it ended."""
        lines = [line.strip() for line in (self.said + self.out).splitlines() if line.strip()]
        return lines[-1] if lines else self.ending

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        if self.code is None:
            return "did not answer in time"
        if self.code < 0:
            with contextlib.suppress(ValueError):
                return f"crashed with {signal.Signals(-self.code).name}"
            return f"crashed with signal {-self.code}"
        return f"ended with {self.code}"


class Machine:
    """Files below a root, and the programs on the PATH.

    Args:
        root: Where `/proc`, `/sys`, `/etc` and `/dev` are looked for.
        timeout_s: How long a program may take.
        kernel: The processor as the kernel names it, such as `aarch64`; by default that of this machine.
        bits: 32 or 64: of the programs, of which Python is one.
        now_s: The time of the clock, in Unix seconds.
    """

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        kernel: str = "",
        bits: int = 0,
        now_s: float | None = None,
    ) -> None:
        self.root = root
        self.timeout_s = timeout_s
        self.kernel = kernel or os.uname().machine
        self.bits = bits or 8 * struct.calcsize("P")
        self.now_s = time() if now_s is None else now_s

    def text(self, path: str) -> str | None:
        """The content of a small file, without the NUL that ends strings of a device tree."""
        try:
            with (self.root / path).open("rb") as file:
                content = file.read(_MAX_OUTPUT)
        except OSError:
            return None
        return content.decode(errors="replace").rstrip("\0\n ")

    def number(self, path: str) -> int | None:
        """The content of a file that holds a number."""
        text = self.text(path)
        return int(text) if text and text.lstrip("-").isdecimal() else None

    def paths(self, pattern: str) -> list[Path]:
        """What matches, sorted by name with numbers in their order."""
        with contextlib.suppress(OSError):
            return sorted(self.root.glob(pattern), key=lambda path: (len(path.name), path.name))
        return []

    def memory_kb(self) -> dict[str, int]:
        """`/proc/meminfo`."""
        lines = (self.text("proc/meminfo") or "").splitlines()
        pairs = (line.split()[:2] for line in lines if len(line.split()) >= 2)
        return {name.rstrip(":"): int(value) for name, value in pairs if value.isdecimal()}

    @staticmethod
    def has(program: str) -> bool:
        """Whether a program is on the PATH."""
        return shutil.which(program) is not None

    @property
    def is_raspberry_pi(self) -> bool:
        """By the device tree."""
        return "Raspberry Pi" in (self.text("proc/device-tree/model") or "")

    def run_all(
        self,
        commands: Mapping[str, Sequence[str]],
        then: Callable[[str, Ran], Mapping[str, Sequence[str]]] = lambda _name, _ran: {},
    ) -> dict[str, Ran]:
        """Run programs, some at a time; one that does not end in time is killed with its children.

        Args:
            commands: What to begin with, by any names.
            then: Is given each that has ended, and gives what else to run.
        """
        plenty = self.memory_kb().get("MemAvailable", 0) > _PLENTY_KB
        at_once = max(4, os.cpu_count() or 1) if plenty else 2
        waiting, running, done = list(commands.items()), dict[str, _Child](), dict[str, Ran]()
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    name, command = waiting.pop(0)
                    running[name] = _Child(command)
                for name, child in list(running.items()):
                    ran = child.look(self.timeout_s)
                    if ran is not None:
                        done[name] = ran
                        del running[name]
                        waiting += then(name, ran).items()
                sleep(_LOOK_S)
        finally:
            for child in running.values():
                child.kill()
        return done


class _Child:
    """A program that runs. It writes to files, so that nobody need read for it to go on."""

    def __init__(self, command: Sequence[str]) -> None:
        # In memory: the disk may be full, which is one of the things that the doctor tells.
        self._out = os.memfd_create("out")
        self._said = os.memfd_create("said")
        self._started_s = monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        self._problem = ""
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=self._out,
                stderr=self._said,
                start_new_session=True,  # so that it can be killed with all that it has started
            )
        except OSError as error:
            self._problem = f"{command[0]}: {error.strerror or error}"

    def look(self, timeout_s: float) -> Ran | None:
        """What came of it, or None while it may go on."""
        if self._process is None:
            return Ran(127, "", self._problem)
        code = self._process.poll()
        if code is None and monotonic() - self._started_s < timeout_s:
            return None
        if code is None:
            self.kill()
        return Ran(code, _content(self._out), _content(self._said))

    def kill(self) -> None:
        """End it. One that hangs in a driver cannot be ended, and is not waited for."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)


def _content(file: int) -> str:
    content = os.pread(file, _MAX_OUTPUT, 0)
    os.close(file)
    return content.decode(errors="replace")


def python(*arguments: str) -> list[str]:
    """A command that runs this Python, with nothing of the current folder on its path."""
    return [sys.executable, "-P", *arguments]
