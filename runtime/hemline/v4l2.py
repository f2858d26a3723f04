"""What V4L2 says of a device: whether it gives pictures, and why it cannot be opened (linux/videodev2.h)."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import NamedTuple

_QUERYCAP = 0x80685600  # _IOR('V', 0, struct v4l2_capability)
_G_FMT = 0xC0D05604  # _IOWR('V', 4, struct v4l2_format)
_REQBUFS = 0xC0145608  # _IOWR('V', 8, struct v4l2_requestbuffers)
_CAPABILITY = struct.Struct("16s 32s 32s I I I 3I")
_CAPTURES = 0x0000_0001 | 0x0000_1000  # V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_CAPTURE_MPLANE
_DEVICE_CAPS = 0x8000_0000
_FORMAT = struct.pack("<Q200x", 1)  # of what it captures
_NO_BUFFERS = struct.pack("<5I", 0, 1, 1, 0, 0)  # of what it captures, by mmap
_LOOPBACK = "v4l2 loopback"


class Capability(NamedTuple):
    """What a driver says of a device.

    Attributes:
        driver: The driver's name.
        gives_pictures: Whether it captures video; codecs and the metadata of a USB camera are nodes as well.
    """

    driver: str
    gives_pictures: bool


def capability(node: int) -> Capability:
    """What the driver says of an open device.

    Raises:
        OSError: It is no V4L2 device.
    """
    answered = fcntl.ioctl(node, _QUERYCAP, bytes(_CAPABILITY.size))
    driver, _, _, _, capabilities, of_node, *_ = _CAPABILITY.unpack(answered)
    able = of_node if capabilities & _DEVICE_CAPS else capabilities
    return Capability(driver.rstrip(b"\0").decode(errors="replace"), bool(able & _CAPTURES))


def why_closed(device: str) -> tuple[str, str]:
    """Why OpenCV could not open a device, as far as can be known, and what mends it."""
    try:
        node = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        return "you may not open it", "sudo usermod -aG video $USER, then log in again"
    except IsADirectoryError:
        return "it is a folder", cameras()
    except OSError as error:
        return error.strerror or str(error), "unplug it and plug it in again"
    try:
        return _why_closed(device, node)
    finally:
        os.close(node)


def cameras() -> str:
    """Which cameras this machine has, in words."""
    found = [path for path in sorted(map(str, Path("/dev").glob("video*"))) if _may_be_camera(path)]
    return f"this machine has {', '.join(found)}" if found else "this machine shows no camera"


def _may_be_camera(path: str) -> bool:
    try:
        node = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return True  # one that others have, or that this user may not open
    try:
        return capability(node).gives_pictures
    except OSError:
        return False
    finally:
        os.close(node)


def _why_closed(device: str, node: int) -> tuple[str, str]:
    try:
        driver, gives_pictures = capability(node)
    except OSError:
        return "it is no camera", cameras()
    if not gives_pictures:
        return "it gives no pictures, as codecs and the second nodes of cameras do not", cameras()
    if driver == _LOOPBACK and _error(node, _G_FMT, _FORMAT):
        return "it is a loopback device, into which no program writes", "start the one that does"
    if _error(node, _REQBUFS, _NO_BUFFERS) == errno.EBUSY:
        return "another program has it", f"see which, and end it: fuser -v {device}"
    return "OpenCV cannot use it", f"see what it can do: v4l2-ctl --all --device {device}"


def _error(node: int, request: int, argument: bytes) -> int:
    """The number of the error that a request ends with, or 0."""
    try:
        fcntl.ioctl(node, request, argument)
    except OSError as error:
        return error.errno or errno.EIO
    return 0
