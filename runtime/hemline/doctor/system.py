"""The board and its system: processor, 32 or 64 bit, memory, space, clock."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import hemline
from hemline.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemline.doctor.machine import Machine, Ran

# Of `/proc/cpuinfo`: what Arm calls the processors of the Raspberry Pis.
_PARTS = {
    "0xb76": "ARM1176",
    "0xc07": "Cortex-A7",
    "0xd03": "Cortex-A53",
    "0xd08": "Cortex-A72",
    "0xd0b": "Cortex-A76",
}
_ARMV6 = "ARM1176"
_LITTLE_MEMORY_KB = 150_000
_LITTLE_SPACE = 300_000_000
_DAY_S = 86_400


def board(machine: Machine) -> Finding:
    """Which board it is, and its processor."""
    model = board_model(machine)
    cpu, count = processor(machine.text("proc/cpuinfo") or "")
    what = f"{model or 'a machine that does not say its name'}, {count} × {cpu}"
    facts = {"model": model, "processor": cpu, "processors": count}
    if cpu == _ARMV6:
        return Finding(
            "board",
            "warn",
            f"{what}: for ARMv6 there is neither LiteRT nor tflite-runtime",
            "the interpreter in NumPy may run, slowly: hemline classify PICTURE --backend numpy",
            facts,
        )
    return Finding("board", "ok", what, facts=facts)


def board_model(machine: Machine) -> str | None:
    """As the device tree names it, or the maker of a PC."""
    return machine.text("proc/device-tree/model") or machine.text("sys/class/dmi/id/product_name")


def processor(cpuinfo: str) -> tuple[str, int]:
    """Its name and the number of cores, from `/proc/cpuinfo`."""
    count = len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE))
    if (part := re.search(r"^CPU part\s*: (\S+)", cpuinfo, re.MULTILINE)) is not None:
        return _PARTS.get(part[1], f"Arm processor {part[1]}"), count
    name = re.search(r"^model name\s*: (.+)", cpuinfo, re.MULTILINE)
    return name[1].strip() if name else "unknown processor", count


def system(machine: Machine) -> Finding:
    """The system, and whether it is of 32 or 64 bit; a kernel may be of 64 and its programs of 32."""
    release = machine.text("etc/os-release") or machine.text("usr/lib/os-release") or ""
    named = re.search(r'^PRETTY_NAME="?([^"\n]+)', release, re.MULTILINE)
    name = named[1] if named else "unknown system"
    if machine.text("etc/rpi-issue") is not None:
        name = f"Raspberry Pi OS on {name}"
    kernel_bits = 64 if re.search("64|armv8", machine.kernel) else 32
    what = f"{name}, {machine.bits}-bit programs on a {kernel_bits}-bit kernel ({machine.kernel})"
    facts = {"name": name, "kernel": machine.kernel, "bits": machine.bits}
    if machine.bits == 32:
        able = "this kernel is of 64 bit, so the board is: install" if kernel_bits == 64 else "use"
        return Finding(
            "system",
            "note",
            what,
            f"64 bit has LiteRT and is faster; {able} the 64-bit Raspberry Pi OS where the board can. "
            "32 bit: docs/installation.md",
            facts,
        )
    return Finding("system", "ok", what, facts=facts)


def memory(machine: Machine) -> Iterator[Finding]:
    """Memory and swap, as the kernel counts them."""
    info = machine.memory_kb()
    if "MemTotal" not in info:
        return
    free = info.get("MemAvailable", info.get("MemFree", 0))
    swap = info.get("SwapTotal", 0)
    what = (
        f"{_size(free * 1024)} of {_size(info['MemTotal'] * 1024)} free, swap {_size(swap * 1024)}"
    )
    facts = {"total_kb": info["MemTotal"], "available_kb": free, "swap_kb": swap}
    if free < _LITTLE_MEMORY_KB:
        mend = "see what takes it, and end that: ps -eo rss,pid,comm --sort=-rss | head"
        yield Finding("memory", "warn", what, mend, facts)
        return
    yield Finding("memory", "ok", what, facts=facts)


def space(folder: Path) -> Finding:
    """What is free on the disk of a folder."""
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    what = f"{_size(free)} free at {folder}"
    facts = {"free_bytes": free, "folder": str(folder)}
    if free < _LITTLE_SPACE:
        mend = "see what takes it: du -xh --max-depth=2 ~ | sort -h | tail; or: sudo apt clean"
        return Finding("space", "warn", what, mend, facts)
    return Finding("space", "ok", what, facts=facts)


def clock_command(machine: Machine) -> list[str] | None:
    """Asks whether the clock is set by the network, where systemd can be asked."""
    if machine.text("run/systemd/timesync/synchronized") is not None:
        return None
    if not (machine.root / "run/systemd/system").is_dir() or not machine.has("timedatectl"):
        return None
    return ["timedatectl", "show", "--property", "NTPSynchronized", "--value"]


def clock(machine: Machine, asked: Ran | None) -> Finding:
    """Whether the clock can be right; certificates of servers are refused where it is not."""
    shown = datetime.fromtimestamp(machine.now_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    facts = {"time": shown}
    mend = "sudo timedatectl set-ntp true; or set it: sudo date -s 'YYYY-MM-DD HH:MM'"
    installed_s = Path(hemline.__file__).stat().st_mtime
    if machine.now_s < installed_s - _DAY_S:
        day = datetime.fromtimestamp(installed_s, UTC).strftime("%Y-%m-%d")
        what = f"{shown}, which is before hemline was installed ({day}): TLS will fail"
        return Finding("clock", "warn", what, mend, facts)
    if asked is not None and asked.out.strip() == "no":
        what = f"{shown}, not set by the network: after a power cut it may be wrong, and TLS fails"
        return Finding("clock", "warn", what, mend, facts)
    return Finding("clock", "ok", shown, facts=facts)


def _size(size_bytes: int) -> str:
    if size_bytes >= 1_000_000_000:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{size_bytes / 1e6:.0f} MB"
