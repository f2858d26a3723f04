"""USB cameras and the like: the V4L2 nodes, who may open them, who holds them, and whether frames come."""

from __future__ import annotations

import errno
import grp
import os
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from hemline.doctor.finding import Finding, State
from hemline.doctor.software import answer, probe
from hemline.printable import public_address, without_password
from hemline.v4l2 import capability

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hemline.doctor.machine import Machine, Ran

Kind = Literal["camera", "ribbon", "legacy", "other"]

# By what their drivers call them: what a Raspberry Pi has of nodes that give no frames to OpenCV.
_RIBBON = ("unicam", "rp1-cfe")
_INNER = ("bcm2835-codec", "bcm2835-isp", "pispbe", "rpi-hevc-dec", "rpivid")
_LEGACY = "mmal service"

# What hemline says of V4L2, and what libcamera says.
_IN_USE = re.compile("another program has it|in use by another|failed to acquire camera")
_BLACK = 3.0  # of 255


class Node(NamedTuple):
    """A V4L2 node.

    Attributes:
        path: Such as `/dev/video0`.
        name: What its driver calls it.
        kind: `camera`: OpenCV can read it; `ribbon`: the ribbon camera's sensor, which only libcamera can
            drive; `legacy`: the old firmware's ribbon camera; `other`: codecs, metadata and the like.
        refused: Whether this user may not open it.
        holders: Programs that have it open, such as `python3 (812)`.
    """

    path: Path
    name: str
    kind: Kind
    refused: bool
    holders: tuple[str, ...]


def nodes(machine: Machine) -> list[Node]:
    """All V4L2 nodes of the machine."""
    found = []
    for path in machine.paths("dev/video[0-9]*"):
        name = machine.text(f"sys/class/video4linux/{path.name}/name") or "no name"
        kind, refused = _looked_at(path, name)
        holders = tuple(_holders(machine, path)) if kind == "camera" else ()
        found.append(Node(path, name, kind, refused, holders))
    return found


def _looked_at(path: Path, name: str) -> tuple[Kind, bool]:
    if name.startswith(_RIBBON):
        return "ribbon", False
    if name.startswith(_INNER):
        return "other", False
    try:
        node = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return "camera", error.errno in (errno.EACCES, errno.EPERM)
    try:
        gives_pictures = capability(node).gives_pictures
    except OSError:
        return "camera", False  # a driver that does not answer: let it show whether it gives frames
    finally:
        os.close(node)
    if not gives_pictures:
        return "other", False  # a USB camera has a second node, of metadata
    return ("legacy" if name.startswith(_LEGACY) else "camera"), False


def _holders(machine: Machine, device: Path) -> Iterator[str]:
    """Programs that have the device open; those of other users are seen by root alone."""
    for process in machine.paths("proc/[0-9]*"):
        try:
            held = any(os.path.realpath(link) == str(device) for link in (process / "fd").iterdir())
        except OSError:
            continue
        if held and int(process.name) != os.getpid():
            yield f"{machine.text(f'proc/{process.name}/comm') or '?'} ({process.name})"


def full_name(camera: str) -> str:
    """What `--camera` takes, with the path of the device for its index."""
    return f"/dev/video{int(camera)}" if camera.isdecimal() else camera


def _without_secrets(text: str, camera: str) -> str:
    """A report may be sent to others: no password of a stream is in it."""
    if "://" not in camera:
        return text
    for known_as in (camera, without_password(camera)):  # messages have the second
        text = text.replace(known_as, public_address(camera))
    return text


def commands(found: list[Node]) -> dict[str, list[str]]:
    """What tries whether the cameras give frames; not those that are refused or in use."""
    return {
        str(node.path): probe("camera", str(node.path))
        for node in found
        if node.kind in ("camera", "legacy") and not node.refused and not node.holders
    }


def findings(found: list[Node], rans: dict[str, Ran]) -> Iterator[Finding]:
    """What there is of cameras that V4L2 serves."""
    for node in found:
        name = f"{node.path} ({node.name})"
        if node.kind == "legacy":
            yield Finding(
                "camera",
                "warn",
                f"{name} is the ribbon camera by the legacy camera stack, which is no longer kept",
                "turn it off: sudo raspi-config (Interface Options, Legacy Camera); then --camera picamera",
            )
        if node.refused:
            yield _refused(node, name)
        elif node.holders:
            what = f"{name} is in use by {', '.join(node.holders)}, so it was not tried"
            yield Finding("camera", "note", what, f"to try it, end that first: kill {_pid(node)}")
        elif str(node.path) in rans:
            yield frames_of(name, node.path.name.removeprefix("video"), rans[str(node.path)])


def _pid(node: Node) -> str:
    return node.holders[0].rpartition("(")[2].rstrip(")")


def _refused(node: Node, name: str) -> Finding:
    group_id = node.path.stat().st_gid
    group = grp.getgrgid(group_id).gr_name
    what = f"{name} is a camera that you may not open"
    mend = f"sudo usermod -aG {group} $USER, then log out and in again"
    if os.environ.get("USER", "") in grp.getgrgid(group_id).gr_mem:
        what += f": you are in the group {group}, but not yet in this session"
        mend = "log out and in again (or start the board anew: sudo reboot)"
    return Finding("camera", "warn", what, mend, {"device": str(node.path), "group": group})


def frames_of(name: str, camera: str, ran: Ran, *, needed: bool = False) -> Finding:
    """Whether a camera gave a frame.

    Args:
        name: For the sentence.
        camera: As `--camera` takes it.
        ran: What came of the probe.
        needed: Whether somebody asked for this camera, so that it must work.
    """
    found = answer(ran)
    name = _without_secrets(name, camera)
    if "error" in found:
        found["error"] = _without_secrets(found["error"], camera)
    facts = {"camera": _without_secrets(camera, camera), **found}
    if "error" in found:
        hint = (
            found.get("hint") or "see who holds it: fuser -v /dev/video*; unplug it and plug it in"
        )
        what = f"{name} gives no frame: {found['error']}"
        bad: State = "note" if _IN_USE.search(found["error"]) else "warn"
        return Finding("camera", "fail" if needed else bad, what, hint, facts)
    width, height = found["size_wh"]
    what = (
        f"{name} gives frames of {width}x{height}, the first after {found['first_frame_s']:.1f} s"
    )
    if found["brightness"] < _BLACK:
        mend = "take the cap off the lens, or give it light"
        return Finding("camera", "warn", f"{what}; they are black", mend, facts)
    return Finding("camera", "ok", f"{what}: --camera {camera}", facts=facts)
