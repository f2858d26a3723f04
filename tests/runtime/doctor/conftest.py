"""Machines that the doctor can examine: files below a folder, and programs on a PATH of their own."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hemline.doctor import Finding, Machine, Report

PI_5 = {
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/cpuinfo": "processor\t: 0\nCPU part\t: 0xd0b\n\nprocessor\t: 1\nCPU part\t: 0xd0b\n",
    "proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 7000000 kB\nSwapTotal: 200000 kB\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
    "etc/rpi-issue": "Raspberry Pi reference 2025-05-13\n",
    "run/systemd/timesync/synchronized": "",
    "sys/class/thermal/thermal_zone0/temp": "51200\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
}


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Machine]:
    """Makes a Raspberry Pi 5 with these files changed; None takes one away."""

    def make(files: Mapping[str, str | None] = {}, **options: Any) -> Machine:
        for name, content in {**PI_5, **files}.items():
            if content is not None:
                path = tmp_path / "root" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
        return Machine(tmp_path / "root", **{"kernel": "aarch64", "bits": 64, **options})

    return make


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a PATH with nothing but these programs: `programs(vcgencmd="print('throttled=0x0')")`."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(**sources: str) -> None:
        for name, source in sources.items():
            path = folder / name.replace("_", "-")
            path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{textwrap.dedent(source)}")
            path.chmod(0o755)

    return put


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a package of one module in front of all others, for this process and its children."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))

    def put(name: str, source: str) -> None:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(source)

    return put


@pytest.fixture
def about() -> Callable[[Report, str], list[Finding]]:
    """The findings of a report about a topic."""
    return lambda report, topic: [f for f in report.findings if f.topic == topic]
