"""Writes one frame into a v4l2loopback device, ten times a second, as a camera would give it."""

from __future__ import annotations

import os
import sys
import time

from v4l2 import set_output_format


def main(device: str, width: str, height: str, path: str) -> None:
    """Write the frame of the file: grey values, one byte a pixel."""
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes a second of an emulated processor
        gray = file.read()
    yuyv = bytearray(2 * len(gray))
    yuyv[::2], yuyv[1::2] = gray, bytes([128]) * len(gray)
    out = os.open(device, os.O_RDWR)
    set_output_format(out, (int(width), int(height)), b"YUYV", len(yuyv))
    os.write(out, yuyv)
    print("there is a frame", flush=True)
    while True:
        time.sleep(0.1)
        os.write(out, yuyv)


if __name__ == "__main__":
    main(*sys.argv[1:])
