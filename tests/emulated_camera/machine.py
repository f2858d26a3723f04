"""An emulated machine that sees this one's files, runs a program and is switched off."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from emulated_camera.kernel import emulator, machine_files

_HERE = Path(__file__).parent
_PROGRAM, _FOLDER = 0o100755, 0o040755  # file types and modes, as cpio has them


def run(program: str, out: Path, timeout_s: float) -> str:
    """Run a shell script as root in the machine, and give what it said.

    Args:
        program: It finds this machine's files where they are, but read-only, and those of `out` in `/mnt`. In
            `/run` it may write; `/run/modules` has the cameras' drivers, and `/run/busybox` loads them.
        out: A folder, for what comes of it.
        timeout_s: When to switch the machine off.

    Raises:
        UnavailableError: This machine lacks what is needed.
        subprocess.TimeoutExpired: It took longer.
    """
    folder = machine_files()
    command, environment = emulator(folder)
    (out / "program").write_text(program)
    with tempfile.TemporaryDirectory() as temporary:
        initrd = Path(temporary) / "initrd"
        initrd.write_bytes(_initrd(folder))
        done = subprocess.run(
            [
                *command,
                "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2G",
                "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
                "-kernel", str(folder / "vmlinuz"), "-initrd", str(initrd),
                "-append", "console=ttyS0 quiet panic=-1",
                "-virtfs",
                "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
                "-virtfs", f"local,path={out},mount_tag=out,security_model=none",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=environment,
            timeout=timeout_s,
            check=False,
        )  # fmt: skip
    return done.stdout


def _initrd(folder: Path) -> bytes:
    """What the kernel finds first: a shell, the modules, and `init.sh`."""
    modules = sorted((folder / "modules").iterdir())
    return _cpio(
        [
            ("dev", _FOLDER, b""),
            ("modules", _FOLDER, b""),
            ("init", _PROGRAM, (_HERE / "init.sh").read_bytes()),
            ("busybox", _PROGRAM, (folder / "busybox").read_bytes()),
            *((f"modules/{path.name}", _PROGRAM, path.read_bytes()) for path in modules),
        ]
    )


def _cpio(entries: list[tuple[str, int, bytes]]) -> bytes:
    """An archive in the format `newc`; see the kernel's buffer-format.rst."""
    archive = b""
    for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")]):
        path = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + path
        archive += head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)
    return archive
