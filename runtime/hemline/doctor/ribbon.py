"""The Raspberry Pi's ribbon camera: rpicam-apps, Picamera2, and the settings of the firmware."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

from hemline.doctor.cameras import frames_of
from hemline.doctor.finding import Finding
from hemline.doctor.software import answer, probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemline.doctor.cameras import Node
    from hemline.doctor.machine import Machine, Ran

_LISTERS = ("rpicam-hello", "libcamera-hello")  # the second is its name on Debian 11
_VIDEO = ("rpicam-vid", "libcamera-vid")
_CONFIGURATIONS = ("boot/firmware/config.txt", "boot/config.txt")
_LINE = re.compile(r"^\s*(\d+) : (\S+) \[([^\]]*)\]", re.MULTILINE)  # of a list of cameras
_INSTALL = "sudo apt install rpicam-apps-lite"
_CABLE = (
    "switch the board off, seat the cable at both ends, with its contacts to the contacts; "
    "a camera of another maker needs its dtoverlay in /boot/firmware/config.txt"
)


def listing_command(machine: Machine) -> list[str] | None:
    """Lists the ribbon cameras, where rpicam-apps are installed."""
    lister = next(filter(machine.has, _LISTERS), None)
    return None if lister is None else [lister, "--list-cameras"]


def picamera2_command() -> list[str] | None:
    """Tries Picamera2, where this environment has it."""
    return None if find_spec("picamera2") is None else probe("picamera2")


def cameras(listed: Ran) -> list[str]:
    """The cameras of a list, as `--camera` takes them."""
    numbers = [number for number, *_ in _LINE.findall(listed.out + listed.said)]
    return ["picamera" if number == "0" else f"picamera:{number}" for number in numbers]


def findings(machine: Machine, nodes: list[Node], rans: dict[str, Ran]) -> Iterator[Finding]:
    """What there is of the ribbon camera, and what reads it."""
    if not (machine.is_raspberry_pi or rans or any(map(machine.has, _VIDEO))):
        return
    yield from _settings(machine)
    sensor = any(node.kind == "ribbon" for node in nodes)
    if "list" in rans:
        yield _listed(rans["list"], sensor)
    elif sensor and "picamera2" not in rans:
        what = "the kernel shows a ribbon camera's sensor, and nothing that reads it is installed"
        yield Finding("ribbon", "warn", what, _INSTALL)
    if "list" in rans and "picamera2" not in rans and not any(map(machine.has, _VIDEO)):
        yield Finding("ribbon", "warn", "neither rpicam-vid nor Picamera2 is installed", _INSTALL)
    for camera in cameras(rans["list"]) if "list" in rans else []:
        if camera in rans:
            yield frames_of(f"the ribbon camera {camera}", camera, rans[camera])
    if "picamera2" in rans:
        yield _picamera2(rans["picamera2"])
    elif machine.paths("usr/lib/python3/dist-packages/picamera2"):
        what = (
            "Picamera2 is on the system, but not in this environment; rpicam-vid is taken instead"
        )
        yield Finding("picamera2", "note", what)


def _listed(ran: Ran, sensor: bool) -> Finding:
    found = _LINE.findall(ran.out + ran.said)
    if found:
        names = ", ".join(f"{name} ({mode})" for _, name, mode in found)
        facts = {"cameras": [name for _, name, _ in found]}
        return Finding(
            "ribbon", "ok", f"{names}: --camera {' or '.join(cameras(ran))}", facts=facts
        )
    if ran.code != 0:
        what = f"the ribbon cameras cannot be listed: {ran.last_words}"
        return Finding("ribbon", "warn", what, "see what it says: rpicam-hello --list-cameras")
    what = "no ribbon camera is found"
    if sensor:
        return Finding("ribbon", "warn", f"{what}, though the kernel shows a sensor", _CABLE)
    return Finding("ribbon", "note", what, f"if there is one: {_CABLE}")


def _picamera2(ran: Ran) -> Finding:
    found = answer(ran)
    if "error" not in found:
        names = ", ".join(found["cameras"]) or "no camera"
        return Finding("picamera2", "ok", f"Picamera2 works, and sees {names}", facts=found)
    mend = "see docs/installation.md, Picamera2; or have rpicam-vid read it: make the virtual "
    mend += "environment anew, without --system-site-packages"
    what = f"Picamera2 is installed and does not work: {found['error']}"
    if re.search(r"numpy\.dtype size changed|NumPy 1\.x|numpy\.core", found["error"] + ran.said):
        what += " (it was built for the NumPy of the system, and this environment has another)"
    return Finding("picamera2", "warn", what, mend, found)


def _settings(machine: Machine) -> Iterator[Finding]:
    """The firmware's settings that keep a ribbon camera from being found."""
    for path in _CONFIGURATIONS:
        text = machine.text(path)
        if text is None:
            continue
        settings = dict(re.findall(r"^\s*(\w+)\s*=\s*(\S+)", text, re.MULTILINE))
        if settings.get("start_x") == "1":
            what = f"/{path} turns the legacy camera stack on (start_x=1), which hides libcamera"
            mend = "sudo raspi-config (Interface Options, Legacy Camera: no), then sudo reboot"
            yield Finding("ribbon", "warn", what, mend)
        elif settings.get("camera_auto_detect") == "0":
            what = (
                f"/{path} says camera_auto_detect=0: cameras are found by a dtoverlay= line alone"
            )
            mend = "sudo raspi-config nonint do_camera 0, or set camera_auto_detect=1, then sudo reboot"
            yield Finding("ribbon", "note", what, mend)
        return
