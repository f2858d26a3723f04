"""Where frames come from: picture files, folders, globs, videos, standard input, cameras, streams."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal, NamedTuple

from hemline._opencv import cv2
from hemline.errors import DeviceError, ImageError, UserError
from hemline.images import IMAGE_SUFFIXES, read_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemline.preprocess import Frame

VIDEO_SUFFIXES = frozenset(".mp4 .avi .mov .mkv .webm .m4v .mpg .mpeg .mjpeg .mjpg".split())
STREAM_SCHEMES = ("rtsp://", "rtsps://", "http://", "https://", "udp://", "tcp://")
STANDARD_INPUT = "-"

Kind = Literal["picture", "video", "stream", "standard input", "nothing"]


class Source(NamedTuple):
    """One thing to classify.

    Attributes:
        name: Path, address, or `-`.
        kind: How it is read; `nothing` if it cannot be.
        problem: Why it is `nothing`.
    """

    name: str
    kind: Kind
    problem: str = ""


def expand(arguments: list[str]) -> list[Source]:
    """The sources that command-line arguments mean; folders and globs become their files, sorted.

    What cannot be used becomes a source of the kind `nothing`, so that the rest is still done.
    """
    found: list[Source] = []
    for argument in arguments:
        found.extend(_expand_one(argument))
    return found


def _expand_one(argument: str) -> list[Source]:
    if argument == STANDARD_INPUT:
        return [Source(argument, "standard input")]
    if argument.startswith(STREAM_SCHEMES):
        return [Source(argument, "stream")]
    if os.path.isdir(argument):
        return _in_folder(argument)
    if os.path.exists(argument):
        return [Source(argument, _kind(argument))]
    if any(sign in argument for sign in "*?["):
        return _matches(argument)
    return [Source(argument, "nothing", f"{argument}: there is no such file or folder")]


def _matches(pattern: str) -> list[Source]:
    import glob

    matches = sorted(glob.glob(pattern, recursive=True))
    if not matches:
        return [Source(pattern, "nothing", f"{pattern}: no file has such a name")]
    found: list[Source] = []
    for name in matches:
        # Not by way of `_expand_one`: a matched name can itself look like a pattern, `shoe[1].png`.
        found.extend(_in_folder(name) if os.path.isdir(name) else [_regular(name)])
    return found


def _kind(name: str) -> Kind:
    return "video" if _suffix(name) in VIDEO_SUFFIXES else "picture"


def _in_folder(folder: str) -> list[Source]:
    """The pictures in a folder and its sub-folders, sorted; what cannot be read is told, not left out."""
    found = sorted(_walk(folder))
    if not found:
        known = " ".join(sorted(IMAGE_SUFFIXES))
        return [Source(folder, "nothing", f"{folder}: no picture in this folder ({known})")]
    return found


def _walk(folder: str) -> Iterator[Source]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        yield Source(folder, "nothing", f"the folder {folder} cannot be read: {error.strerror}")
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if not entry.is_symlink():  # it could lead back here
                yield from _walk(entry.path)
        elif _suffix(entry.name) in IMAGE_SUFFIXES:
            yield _regular(entry.path) if not entry.is_file() else Source(entry.path, "picture")


def _regular(name: str) -> Source:
    """A file that was found, not named: of a pipe or a device nobody said that it should be read."""
    if os.path.isfile(name):
        return Source(name, _kind(name))
    what = "a pipe or a device" if os.path.exists(name) else "a link to nothing"
    return Source(name, "nothing", f"{name} is {what}, not a picture; to read a pipe, name it")


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def read_standard_input() -> bytes:
    """The content of the picture file on standard input.

    Raises:
        ImageError: There is none, or no end of it.
    """
    if sys.stdin is None:
        raise ImageError("standard input is closed", "pipe a picture into it, or name a file")
    if sys.stdin.isatty():
        raise ImageError(
            "standard input is a terminal", "pipe a picture into it: hemline classify - < shoe.jpg"
        )
    return read_pieces(sys.stdin.fileno(), "standard input")


def frames_of_video(name: str) -> Iterator[Frame]:
    """All frames of a video file or a stream, each uint8 (H, W, 3) BGR; released whatever happens.

    Raises:
        DeviceError: It cannot be opened, or has no frame.
    """
    capture = cv2.VideoCapture(name)
    try:
        if not capture.isOpened():
            raise DeviceError(
                f"{name} cannot be opened as a video",
                "check the address, or that the file is a video that plays elsewhere",
            )
        yield from _frames(capture, f"{name} has no frame that can be decoded", "")
    finally:
        capture.release()


def frames_of_camera(camera: str) -> Iterator[Frame]:
    """Frames of a camera, without end: an index (`0`), a device path, or the address of a stream.

    Raises:
        DeviceError: There is no such camera, or it opens and gives no frame.
        UserError: The camera is named in a way that is not known.
    """
    if camera.startswith(STREAM_SCHEMES):
        yield from frames_of_video(camera)
        return
    capture = _opened_camera(camera)
    try:
        yield from _frames(
            capture,
            f"camera {camera} opens but gives no frame",
            "another program may hold it (fuser -v /dev/video*), or it is a ribbon camera, which "
            "V4L2 shows but does not serve: stream it with rpicam-vid",
        )
    finally:
        capture.release()


def _opened_camera(camera: str) -> cv2.VideoCapture:
    if camera.isdecimal():
        device = f"/dev/video{int(camera)}"
        capture = cv2.VideoCapture(int(camera)) if sys.platform != "linux" else None
    elif camera.startswith("/"):
        device, capture = camera, None
    else:
        raise UserError(
            f"--camera {camera!r} is not a camera that hemline knows",
            "give an index (0), a device path (/dev/video0), or an address (rtsp://…, http://…)",
        )
    if capture is None:
        if not os.path.exists(device):
            raise DeviceError(
                f"there is no camera {device}",
                f"{_cameras()}; plug one in, or see: ls /dev/video*",
            )
        capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
    if not capture.isOpened():
        capture.release()
        raise DeviceError(
            f"camera {device} cannot be opened",
            "it may be held by another program, or you may lack the right: "
            "sudo usermod -aG video $USER, then log in again",
        )
    return capture


def _cameras() -> str:
    found = sorted(f"/dev/{name}" for name in os.listdir("/dev") if name.startswith("video"))
    return f"this machine has {', '.join(found)}" if found else "this machine shows no camera"


def _frames(capture: cv2.VideoCapture, problem: str, hint: str) -> Iterator[Frame]:
    any_frame = False
    while True:
        good, frame = capture.read()
        if not good:
            break
        any_frame = True
        yield frame  # type: ignore[misc]  # OpenCV's stubs know only "some array"
    if not any_frame:
        raise DeviceError(problem, hint)
