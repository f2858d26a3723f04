"""How many instructions a board's Python executes: a QEMU with plugins, and a plugin that counts.

The static QEMU that the other modules use takes no plugins. Debian's dynamic one does; it is unpacked into
the cache with its libraries, and nothing is installed.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from emulated_pi import debian
from emulated_pi.boards import Board
from emulated_pi.cache import UnavailableError, cached
from emulated_pi.installation import Environment

_SOURCE = Path(__file__).with_name("count_instructions.c")
_QEMU = "qemu-aarch64"
_RELEASE = "bookworm"  # its QEMU 7.2 has version 1 of the plugins' interface
_COMPILE = ("gcc", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror")


class Count(NamedTuple):
    """Instructions of the thread that the program began with, and of all others."""

    first_thread: int
    other_threads: int


def counting_qemu() -> Path:
    """The folder of a QEMU with plugins and of the plugin, `count_instructions.so`.

    Raises:
        UnavailableError: gcc or apt is not here, or apt cannot reach a Debian mirror.
    """
    code = [path.read_text() for path in (Path(__file__), _SOURCE, Path(debian.__file__))]
    return cached("counting-qemu", [_host_architecture(), *code], _fill)


def _host_architecture() -> str:
    if shutil.which("dpkg") is None or shutil.which("gcc") is None:
        raise UnavailableError("dpkg and gcc are needed to count: apt-get install dpkg gcc")
    asked = ["dpkg", "--print-architecture"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def _fill(folder: Path) -> None:
    subprocess.run(
        [*_COMPILE, "-o", str(folder / "count_instructions.so"), str(_SOURCE)], check=True
    )
    state = folder / "apt"
    apt = debian.Apt(_host_architecture(), _RELEASE, state)
    apt.fetch("qemu-user")
    apt.unpack(folder / "root")
    shutil.rmtree(state)
    for path in (folder / "root/usr/bin").iterdir():
        if path.name != _QEMU:  # one of three dozen processors
            path.unlink()


def instructions(
    environment: Environment, board: Board, *arguments: object, typed: str = ""
) -> list[Count]:
    """Run the board's Python; how many instructions it had executed at each write to standard output.

    Hashes have a fixed seed, so that the first thread does nearly the same each time; only the first run
    writes the byte code. Other threads may wait in a loop, as long as the emulator takes for the rest.

    Args:
        environment: Where it runs.
        board: Its processor; 64 bit.
        arguments: Of Python.
        typed: What it finds on its standard input.

    Returns:
        The counts from the start of the process.

    Raises:
        UnavailableError: There is no QEMU that counts.
        RuntimeError: The program failed.
    """
    assert board.architecture == "arm64", "the plugin knows the system calls of 64 bit"
    folder = counting_qemu()
    root = folder / "root"
    # The loader of the same release: this system's libraries may be older than this QEMU.
    (loader,) = root.glob("lib/*/ld-linux-*.so.*")
    libraries = ":".join(
        map(str, (*root.glob("lib/*-linux-gnu"), *root.glob("usr/lib/*-linux-gnu")))
    )
    with tempfile.TemporaryDirectory() as temporary:
        counts = Path(temporary) / "counts"
        qemu = [loader, "--library-path", libraries, root / "usr/bin" / _QEMU]
        plugin = f"{folder / 'count_instructions.so'},out={counts}"
        # What `Environment.python` does, with another QEMU. A method there would have all that pip installed
        # be installed again, since the cache is keyed by that file's text.
        python = ["-0", environment._folder / "bin/python", environment._python]
        done = subprocess.run(
            [str(word) for word in (*qemu, "-plugin", plugin, *python, *arguments)],
            input=typed,
            capture_output=True,
            encoding="utf-8",
            env=environment._variables(board) | {"PYTHONHASHSEED": "0"},
            timeout=600,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{arguments} failed on {board.name}:\n{done.stderr[-2000:]}")
        lines = counts.read_text().splitlines()
        return [Count(*map(int, line.split())) for line in lines]
