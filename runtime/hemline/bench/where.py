"""Where something is measured: what stays as it is meanwhile, and what may change the numbers."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from hemline.doctor.machine import Machine
from hemline.doctor.power import (
    governors,
    hottest_c,
    throttled_bits,
    throttled_words,
    throttling_command,
)
from hemline.doctor.system import board_model, processor

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
class Where:
    """What stays as it is.

    Attributes:
        board: The board or PC as it names itself, and the processor.
        architecture: Of the programs, such as `aarch64`.
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
class Conditions:
    """What may change.

    Attributes:
        governors: Of the processor's clock; empty where they cannot be read.
        temperature_c: The hottest zone in °C, or None.
        throttling: What the Raspberry Pi's firmware says of voltage and heat, now and since the start.
        load: One-minute average of processes that want to run.
    """

    governors: tuple[str, ...]
    temperature_c: float | None
    throttling: tuple[str, ...]
    load: float

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            **asdict(self),
            "governors": list(self.governors),
            "throttling": list(self.throttling),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Conditions:
        """What `to_json` gave."""
        lists = {name: tuple(value[name]) for name in ("governors", "throttling")}
        return cls(**{**value, **lists})


def where_measured(machine: Machine | None = None) -> Where:
    """What stays as it is while something is measured."""
    machine = machine or Machine()
    name, _ = processor(machine.text("proc/cpuinfo") or "")
    model = board_model(machine)
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    versions = {name: _version(name) for name in _DISTRIBUTIONS}
    return Where(
        board=f"{model}, {name}" if model else name,
        architecture=platform.machine(),
        cores=cores,
        system=platform.platform(),
        python=platform.python_version(),
        versions={name: number for name, number in versions.items() if number},
    )


def conditions_now(machine: Machine | None = None) -> Conditions:
    """What may change while something is measured."""
    machine = machine or Machine()
    throttling: tuple[str, ...] = ()
    command = throttling_command(machine)
    if command is not None:
        bits = throttled_bits(machine.run_all({"throttled": command})["throttled"])
        now, before = throttled_words(bits or 0)
        throttling = (*now, *before)
    return Conditions(tuple(governors(machine)), hottest_c(machine), throttling, os.getloadavg()[0])


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
