"""Opening what gives many frames, by its name."""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING

from hemline.errors import UserError
from hemline.sources.frames import Asked, tell_on_standard_error
from hemline.sources.listing import STREAM_SCHEMES
from hemline.sources.live import LiveSource
from hemline.sources.video import Video

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemline.preprocess import Frame
    from hemline.sources.frames import Device, Tell

_PICAMERA = re.compile(r"picamera(?::(\d{1,2}))?")


def open_video(name: str) -> Video:
    """Open a video file, or a film behind an address: all its frames, none dropped.

    Raises:
        DeviceError: It cannot be opened.
    """
    return Video(name)


def open_stream(address: str, *, tell: Tell = tell_on_standard_error) -> LiveSource:
    """Open a stream (`rtsp://…`, `http://…`), whose end is the end.

    Raises:
        DeviceError: From the iteration: it cannot be opened, or gives no frame.
    """
    return LiveSource(_stream_device(address), tell=tell)


def open_camera(
    camera: str,
    *,
    size_wh: tuple[int, int] | None = None,
    fps: float | None = None,
    reopen_s: float = math.inf,
    await_first: bool = False,
    tell: Tell = tell_on_standard_error,
) -> LiveSource:
    """Open a camera, which gives its newest frame without end.

    Args:
        camera: An index (`0`), a device path, `picamera` (or `picamera:1`) for the Raspberry Pi's own, or
            the address of a stream.
        size_wh: Width and height to ask it for.
        fps: Frames per second to ask it for.
        reopen_s: How long to wait for it if it stops; by default without end.
        await_first: Wait likewise if it is not there at the beginning.
        tell: Takes messages: what it gives of what was asked, that it is gone, that it is back.

    Raises:
        UserError: The camera is named in a way that is not known, or cannot be asked for that.
        DeviceError: From the iteration: there is no such camera, it gives no frame, or it was waited for
            in vain.
    """
    asked = Asked(size_wh, fps)
    device = _checked_device(camera, asked, reopen_s)
    return LiveSource(device, asked, reopen_s=reopen_s, await_first=await_first, tell=tell)


def refuse_camera(camera: str, asked: Asked, reopen_s: float) -> None:
    """Refuse what `open_camera` would, and open nothing.

    Raises:
        UserError: As `open_camera`.
    """
    _checked_device(camera, asked, reopen_s)


def _checked_device(camera: str, asked: Asked, reopen_s: float) -> Device:
    if not reopen_s >= 0:
        raise UserError(f"the time to wait for a camera is {reopen_s} s", "it must not be negative")
    return _camera_device(camera, asked.checked())


def _camera_device(camera: str, asked: Asked) -> Device:
    if camera.startswith(STREAM_SCHEMES):
        if any(asked):
            raise UserError(
                f"{camera} cannot be asked for {asked}",
                "the camera decides what it streams: set it there, or ask it for another address",
            )
        return _stream_device(camera)
    if (ribbon := _PICAMERA.fullmatch(camera)) is not None:
        from hemline.sources import picamera, rpicam

        number = int(ribbon[1] or 0)
        if picamera.is_installed():
            return picamera.Picamera2Device(number, asked)
        return rpicam.RpicamDevice(number, asked)
    if camera.isdecimal() or os.path.isabs(camera):
        from hemline.sources.opencv_device import V4l2Device

        return V4l2Device(camera, asked)
    raise UserError(
        f"--camera {camera!r} is not a camera that hemline knows",
        "give an index (0), a device path (/dev/video0), picamera, or an address (rtsp://…, http://…)",
    )


def _stream_device(address: str) -> Device:
    if address.startswith(("http://", "https://")):
        from hemline.sources.http_device import HttpDevice

        return HttpDevice(address)
    from hemline.sources.opencv_device import StreamDevice

    return StreamDevice(address)


def frames_of_video(name: str) -> Iterator[Frame]:
    """The bare frames of `open_video`, each an array of its own."""
    with open_video(name) as frames:
        for frame in frames:
            yield frame.bgr.copy()


def frames_of_camera(camera: str) -> Iterator[Frame]:
    """The bare frames of `open_camera`, each an array of its own."""
    with open_camera(camera) as frames:
        for frame in frames:
            yield frame.bgr.copy()
