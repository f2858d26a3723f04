"""All that the doctor looks at, in order."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from hemline.doctor import cameras, power, ribbon, software, system
from hemline.doctor.finding import Finding, Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from hemline.doctor.machine import Machine, Ran


def examine(machine: Machine, needed_cameras: Sequence[str] = ()) -> Report:
    """Look at everything, run what can be run, and say what mends the rest.

    Args:
        machine: What is looked at.
        needed_cameras: As `--camera` takes them. They must give frames; of other cameras that is only told.
    """
    nodes = cameras.nodes(machine)
    rans = machine.run_all(_first(machine))
    base = software.answer(rans["base"])
    rans |= machine.run_all(_second(base, nodes, needed_cameras))
    findings = chain(
        [system.board(machine), system.system(machine)],
        system.memory(machine),
        [system.space(Path.cwd()), system.clock(machine, rans.get("clock"))],
        power.throttling(machine, rans.get("throttling")),
        power.temperature(machine),
        power.governor(machine),
        [software.interpreter()],
        software.packages(base),
        software.backend_findings(base, _of(rans, "backend ")),
        software.extras(),
        _cameras(machine, nodes, rans),
    )
    return Report(tuple(findings))


def _first(machine: Machine) -> dict[str, list[str]]:
    """What needs nothing of the others."""
    wanted = {
        "base": software.probe("base"),
        "throttling": power.throttling_command(machine),
        "clock": system.clock_command(machine),
        "ribbon list": ribbon.listing_command(machine),
        "ribbon picamera2": ribbon.picamera2_command(),
    }
    return {name: command for name, command in wanted.items() if command is not None}


def _second(
    base: dict[str, Any], nodes: list[cameras.Node], needed_cameras: Sequence[str]
) -> dict[str, list[str]]:
    """What NumPy and OpenCV are needed for; and the cameras, which Picamera2 has let go of by now."""
    if "error" in base:
        return {}
    names = software.backends_to_try(base)
    return {
        **{f"backend {name}": software.probe("backend", name) for name in names},
        **{f"node {path}": command for path, command in cameras.commands(nodes).items()},
        **{f"needed {name}": software.probe("camera", name) for name in needed_cameras},
    }


def _cameras(
    machine: Machine, nodes: list[cameras.Node], rans: dict[str, Ran]
) -> Iterator[Finding]:
    found = list(cameras.findings(nodes, _of(rans, "node ")))
    found += ribbon.findings(machine, nodes, _of(rans, "ribbon "))
    for name, ran in _of(rans, "needed ").items():
        found.append(cameras.frames_of(f"camera {name}", name, ran, needed=True))
    yield from found
    if not found:
        yield Finding("camera", "note", "no camera is there", "plug one in; see: ls /dev/video*")


def _of(rans: dict[str, Ran], start: str) -> dict[str, Ran]:
    """Those whose name begins so, by the rest of it."""
    return {name.removeprefix(start): ran for name, ran in rans.items() if name.startswith(start)}
