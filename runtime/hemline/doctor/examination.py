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
    order = _Order(machine, nodes, needed_cameras)
    rans = machine.run_all(order.first(), order.after)
    findings = chain(
        [system.board(machine), system.system(machine)],
        system.memory(machine),
        [system.space(Path.cwd()), system.clock(machine, rans.get("clock"))],
        power.throttling(machine, rans.get("throttling")),
        power.temperature(machine),
        power.governor(machine),
        [software.interpreter()],
        software.packages(order.base),
        software.backend_findings(order.base, order.in_order(rans, "backend ")),
        software.extras(),
        _cameras(machine, nodes, order, rans),
    )
    return Report(tuple(findings))


class _Order:
    """What is tried when: all that can be at the same time is.

    Backends and cameras wait for NumPy and OpenCV, without which none of them works. The ribbon camera is
    tried by one program after the other, since libcamera serves only one.

    Attributes:
        base: What the probe of NumPy and OpenCV found.
    """

    def __init__(
        self, machine: Machine, nodes: list[cameras.Node], needed_cameras: Sequence[str]
    ) -> None:
        self.base: dict[str, Any] = {}
        self._machine = machine
        self._nodes = nodes
        self._names: list[str] = []
        self._needed = {
            f"needed {cameras.full_name(name)}": software.probe("camera", name)
            for name in needed_cameras
        }
        self._of_ribbon = {
            name: command
            for name, command in (
                ("ribbon list", ribbon.listing_command(machine)),
                ("ribbon picamera2", ribbon.picamera2_command()),
            )
            if command is not None
        }

    def first(self) -> dict[str, list[str]]:
        """What needs nothing of the others."""
        wanted = {
            "base": software.probe("base"),
            "throttling": power.throttling_command(self._machine),
            "clock": system.clock_command(self._machine),
        }
        ready = {name: command for name, command in wanted.items() if command is not None}
        return self._begun(ready | self._next_of_ribbon())

    def after(self, name: str, ran: Ran) -> dict[str, list[str]]:
        """What can be tried now that this has ended."""
        ready = {}
        if name == "base":
            self.base = software.answer(ran)
            ready = self._after_base()
        if name == self._ribbon_is_busy_with:
            self._ribbon_is_busy_with = ""
            if ran.code is None:  # libcamera hangs, and would do so for Picamera2 as well
                self._of_ribbon.pop("ribbon picamera2", None)
        if name == "ribbon list":
            self._of_ribbon |= {
                f"ribbon {camera}": software.probe("camera", camera)
                for camera in ribbon.cameras(ran)
                if f"needed {camera}" not in self._needed
            }
        return self._begun(ready | self._next_of_ribbon())

    _ribbon_is_busy_with = ""

    def _after_base(self) -> dict[str, list[str]]:
        if "error" in self.base:
            return {}
        ribbons = {name for name in self._needed if name.startswith("needed picamera")}
        self._of_ribbon |= {name: self._needed[name] for name in ribbons}
        return {
            **{
                f"backend {name}": software.probe("backend", name)
                for name in software.backends_to_try(self.base)
            },
            **{
                f"node {path}": command
                for path, command in cameras.commands(self._nodes).items()
                if f"needed {path}" not in self._needed  # two at once would refuse each other
            },
            **{name: command for name, command in self._needed.items() if name not in ribbons},
        }

    def _next_of_ribbon(self) -> dict[str, list[str]]:
        if self._ribbon_is_busy_with:
            return {}
        for name in self._of_ribbon:
            is_camera = name not in ("ribbon list", "ribbon picamera2")
            if not is_camera or ("error" not in self.base and self.base):
                self._ribbon_is_busy_with = name
                return {name: self._of_ribbon.pop(name)}
        return {}

    def _begun(self, ready: dict[str, list[str]]) -> dict[str, list[str]]:
        self._names += ready
        return ready

    def in_order(self, rans: dict[str, Ran], start: str) -> dict[str, Ran]:
        """Those whose name begins so, by the rest of it, in the order in which they were begun."""
        return {
            name.removeprefix(start): rans[name] for name in self._names if name.startswith(start)
        }


def _cameras(
    machine: Machine, nodes: list[cameras.Node], order: _Order, rans: dict[str, Ran]
) -> Iterator[Finding]:
    found = list(cameras.findings(nodes, order.in_order(rans, "node ")))
    found += ribbon.findings(machine, nodes, order.in_order(rans, "ribbon "))
    for name, ran in order.in_order(rans, "needed ").items():
        found.append(cameras.frames_of(f"camera {name}", name, ran, needed=True))
    if not found:  # nothing is tried where OpenCV cannot be used
        found = [
            Finding("camera", "note", f"{node.path} ({node.name}) was not tried: that needs OpenCV")
            for node in nodes
            if node.kind in ("camera", "legacy")
        ]
    yield from found or [
        Finding("camera", "note", "no camera is there", "plug one in; see: ls /dev/video*")
    ]
