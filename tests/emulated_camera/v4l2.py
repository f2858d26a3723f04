"""The few requests to V4L2 devices that the tests need; see linux/videodev2.h."""

from __future__ import annotations

import fcntl
import struct

_OUTPUT = 2  # V4L2_BUF_TYPE_VIDEO_OUTPUT
_S_FMT, _S_CTRL, _QUERYCTRL = 0xC0D05605, 0xC008561C, 0xC0445624
_NEXT = 0x80000000  # V4L2_CTRL_FLAG_NEXT_CTRL


def set_output_format(device: int, size_wh: tuple[int, int], fourcc: bytes, size: int) -> None:
    """What a program that writes frames into a v4l2loopback device says before the first of them."""
    pixels = struct.pack("<8I", *size_wh, int.from_bytes(fourcc, "little"), 1, 0, size, 8, 0)
    fcntl.ioctl(device, _S_FMT, struct.pack("<Q", _OUTPUT) + pixels.ljust(200, b"\0"))


def set_control(device: int, name: str, value: int) -> None:
    """Set a control of a driver by the name that it shows."""
    number = 0
    while True:
        query = bytearray(struct.pack("<I", number | _NEXT).ljust(68, b"\0"))
        fcntl.ioctl(device, _QUERYCTRL, query)  # OSError when there are no more
        (number,) = struct.unpack_from("<I", query)
        if query[8:40].rstrip(b"\0").decode() == name:
            fcntl.ioctl(device, _S_CTRL, struct.pack("<Ii", number, value))
            return
