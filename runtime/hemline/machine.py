"""What a measured number depends on: board, processor, clock, heat, versions. All of it is only read.

`root` stands for `/` everywhere, so that what a board tells can be read from a folder too.
"""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# Bits of `vcgencmd get_throttled`, from the Raspberry Pi documentation: now, and since the start 16 higher.
THROTTLING = {
    0: "under-voltage",
    1: "the clock is capped",
    2: "throttled",
    3: "at the soft temperature limit",
}
_SINCE_START = 16
_PATIENCE_S = 5.0
_DISTRIBUTIONS = (
    "hemline",
    "numpy",
    "opencv-python-headless",
    "opencv-python",
    "ai-edge-litert",
    "tflite-runtime",
    "onnxruntime",
    "tensorflow",
)


@dataclass(frozen=True)
class Machine:
    """Where something is measured.

    Attributes:
        board: Model of the board from the device tree, or of the processor; what the system names.
        architecture: Of the userland, such as `aarch64`.
        cores: That this process may use.
        system: Kernel and C library.
        python: Version of Python.
        versions: Of the installed packages that matter.
    """

    board: str
    architecture: str
    cores: int
    system: str
    python: str
    versions: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Clock:
    """What holds the processor back at this moment.

    Attributes:
        governor: Of the processor's clock; "" where it cannot be read.
        temperature_c: The hottest sensor in °C, or None.
        throttling: What the Raspberry Pi's firmware says holds it back now, or has since the start.
        load: One-minute average of processes that want to run.
    """

    governor: str
    temperature_c: float | None
    throttling: tuple[str, ...]
    load: float

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {**asdict(self), "throttling": list(self.throttling)}


def this_machine(root: str = "/") -> Machine:
    """What stays as it is while something is measured."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    versions = {name: _version(name) for name in _DISTRIBUTIONS}
    return Machine(
        board=board_name(root),
        architecture=platform.machine(),
        cores=cores,
        system=platform.platform(),
        python=platform.python_version(),
        versions={name: number for name, number in versions.items() if number},
    )


def clock_now(root: str = "/") -> Clock:
    """What may change while something is measured."""
    return Clock(
        governor=_text(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        temperature_c=_temperature_c(root),
        throttling=throttling_of(_get_throttled()),
        load=os.getloadavg()[0],
    )


def board_name(root: str = "/") -> str:
    """The board as its device tree names it, or the processor."""
    for path in ("proc/device-tree/model", "sys/firmware/devicetree/base/model"):
        name = _text(root, path).rstrip("\0")
        if name:
            return name
    for line in _text(root, "proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def throttling_of(answer: str) -> tuple[str, ...]:
    """The words for what `vcgencmd get_throttled` prints, `throttled=0x50005`; none for anything else."""
    name, _, number = answer.strip().partition("=")
    try:
        bits = int(number, 16) if name == "throttled" else 0
    except ValueError:
        return ()
    now = [words for bit, words in THROTTLING.items() if bits >> bit & 1]
    earlier = [
        f"{words} (earlier)"
        for bit, words in THROTTLING.items()
        if bits >> bit + _SINCE_START & 1 and words not in now
    ]
    return (*now, *earlier)


def _get_throttled() -> str:
    try:
        done = subprocess.run(
            ["vcgencmd", "get_throttled"], capture_output=True, text=True, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _temperature_c(root: str) -> float | None:
    zones = Path(root, "sys/class/thermal").glob("thermal_zone*")
    found = [_text(root, f"sys/class/thermal/{zone.name}/temp") for zone in zones]
    milli_c = [int(text) for text in found if text.lstrip("-").isdecimal()]
    return max(milli_c) / 1000 if milli_c else None


def _text(root: str, path: str) -> str:
    try:
        return Path(root, path).read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
