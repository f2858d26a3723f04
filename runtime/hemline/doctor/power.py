"""Power, temperature and clock rate: what makes a board slow without a word.

The bits of `vcgencmd get_throttled` and the temperatures are those of the Raspberry Pi documentation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hemline.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemline.doctor.machine import Machine, Ran

_NOW = {
    0: "the voltage is too low",
    1: "the processor's frequency is capped",
    2: "the processor is throttled",
    3: "the soft temperature limit is active",
}
_SINCE_START = {
    16: "the voltage was too low",
    17: "the processor's frequency was capped",
    18: "the processor was throttled",
    19: "the soft temperature limit was active",
}
_VOLTAGE = (1 << 0) | (1 << 16)
_BETTER_SUPPLY = (
    "use the official power supply of this board and a short cable, and no unpowered hub"
)
_COOLER = "give it a heat sink or a fan, and air"
_THROTTLING_C = 80.0  # from there on the cores are slowed down
_WARM_C = 70.0


def throttling_command(machine: Machine) -> list[str] | None:
    """Asks the firmware of a Raspberry Pi."""
    if machine.is_raspberry_pi and machine.has("vcgencmd"):
        return ["vcgencmd", "get_throttled"]
    return None


def throttling(machine: Machine, asked: Ran | None) -> Iterator[Finding]:
    """Whether the board is or was slowed down, for voltage or heat."""
    if not machine.is_raspberry_pi:
        return
    if asked is None:
        yield _alarm_or_nothing(machine)
        return
    bits = throttled_bits(asked)
    if bits is None:
        mend = "if you are not allowed to ask: sudo usermod -aG video $USER, then log in again"
        what = f"vcgencmd get_throttled does not say whether it is slowed down: {asked.last_words}"
        yield Finding("power", "note", what, mend)
        return
    yield _decoded(bits)


def throttled_bits(asked: Ran) -> int | None:
    """What `vcgencmd get_throttled` printed; None if that is something else."""
    shown = re.search(r"throttled=0x([0-9a-fA-F]+)", asked.out)
    return None if shown is None else int(shown[1], 16)


def throttled_words(bits: int) -> tuple[list[str], list[str]]:
    """What slows the board down now, and what else did since the start."""
    now = [words for bit, words in _NOW.items() if bits >> bit & 1]
    before = [
        words
        for bit, words in _SINCE_START.items()
        if bits >> bit & 1 and not bits >> (bit - 16) & 1
    ]
    return now, before


def _decoded(bits: int) -> Finding:
    now, before = throttled_words(bits)
    facts = {"throttled": f"{bits:#x}", "now": now, "since_start": before}
    if not now and not before:
        return Finding("power", "ok", "not throttled, and not since the start (0x0)", facts=facts)
    parts = [", ".join(now)] if now else []
    parts += [f"since the start: {', '.join(before)}"] if before else []
    mend = _BETTER_SUPPLY if bits & _VOLTAGE else _COOLER
    return Finding("power", "warn", f"{'; '.join(parts)} ({bits:#x})", mend, facts)


def _alarm_or_nothing(machine: Machine) -> Finding:
    """Without vcgencmd: the kernel's own alarm of too low a voltage."""
    for path in machine.paths("sys/class/hwmon/hwmon*"):
        folder = path.relative_to(machine.root)
        if machine.text(f"{folder}/name") != "rpi_volt":
            continue
        if machine.number(f"{folder}/in0_lcrit_alarm"):
            return Finding("power", "warn", "the voltage is or was too low", _BETTER_SUPPLY)
        return Finding("power", "ok", "the kernel has no alarm of too low a voltage")
    return Finding(
        "power",
        "note",
        "vcgencmd is not here, so the board is not asked whether it is throttled",
        "sudo apt install raspi-utils",
    )


def hottest_c(machine: Machine) -> float | None:
    """Of the zones that the kernel shows, in °C."""
    degrees = [
        value / 1000
        for path in machine.paths("sys/class/thermal/thermal_zone*")
        if (value := machine.number(f"{path.relative_to(machine.root)}/temp")) is not None
    ]
    return max(degrees, default=None)


def governors(machine: Machine) -> list[str]:
    """How the kernel chooses the frequency of each core; none where it does not."""
    paths = machine.paths("sys/devices/system/cpu/cpu*/cpufreq/scaling_governor")
    return sorted({machine.text(str(path.relative_to(machine.root))) or "" for path in paths})


def temperature(machine: Machine) -> Iterator[Finding]:
    """The hottest zone that the kernel shows."""
    hottest = hottest_c(machine)
    if hottest is None:
        return
    what, facts = f"{hottest:.0f} °C", {"celsius": hottest}
    if hottest >= _THROTTLING_C:
        yield Finding("heat", "warn", f"{what}: from 80 °C on the board slows down", _COOLER, facts)
    elif hottest >= _WARM_C:
        yield Finding("heat", "note", f"{what}: not far from 80 °C, where it slows down", "", facts)
    else:
        yield Finding("heat", "ok", what, facts=facts)


def governor(machine: Machine) -> Iterator[Finding]:
    """How the kernel chooses the processor's frequency."""
    names = governors(machine)
    if not names:
        return
    what, facts = f"CPU governor {', '.join(names)}", {"governors": names}
    if "powersave" in names and machine.is_raspberry_pi:
        mend = (
            "echo ondemand | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
            " (until the next start)"
        )
        what += ": the processor stays at its lowest frequency"
        yield Finding("governor", "warn", what, mend, facts)
        return
    yield Finding("governor", "ok", what, facts=facts)
