"""What the arguments of a command mean: picture files, folders, globs, videos, streams, standard input."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal, NamedTuple

from hemline import jpeg
from hemline.errors import ImageError
from hemline.images import IMAGE_SUFFIXES, read_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

# Read as films; `.h264` is what rpicam-vid writes.
VIDEO_SUFFIXES = frozenset(
    ".mp4 .avi .mov .mkv .webm .m4v .mpg .mpeg .mjpeg .mjpg .ts .m2ts .mts .flv .h264 .3gp .ogv .wmv".split()
)
STREAM_SCHEMES = ("rtsp://", "rtsps://", "http://", "https://", "udp://", "tcp://")
STANDARD_INPUT = "-"
_MAX_JOINED_BYTES = 32 << 20  # so far the end of the first of several pictures is looked for

Kind = Literal["picture", "video", "stream", "standard input", "sequence", "nothing"]


class Source(NamedTuple):
    """One thing to classify.

    Attributes:
        name: Path, address, or `-`.
        kind: How it is read: `standard input` is one picture, a `sequence` many on standard input;
            `nothing` if it cannot be read.
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
        return [Source(argument, "video" if _is_film(argument) else "stream")]
    if os.path.isdir(argument):
        return _in_folder(argument)
    if os.path.exists(argument):
        return [Source(argument, _kind(argument))]
    if any(sign in argument for sign in "*?["):
        return _matches(argument)
    return [Source(argument, "nothing", _why_not_there(argument))]


def _why_not_there(argument: str) -> str:
    if not argument:
        return "an empty name is given, and there is no such file or folder; name one"
    if os.path.islink(argument):
        return f"{argument} is a link to nothing: there is no {os.path.realpath(argument)}"
    problem = f"{argument}: there is no such file or folder"
    if argument.startswith("file://"):
        from urllib.parse import unquote, urlsplit

        return f"{problem}; give the path alone: {unquote(urlsplit(argument).path)}"
    return problem


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


def _is_film(address: str) -> bool:
    """Whether an address is of a file with an end, each frame of which counts, and not of a camera."""
    path = address.partition("?")[0].partition("#")[0]
    return address.startswith("http") and _suffix(path) in VIDEO_SUFFIXES - {".mjpg", ".mjpeg"}


def _kind(name: str) -> Kind:
    suffix = _suffix(name)
    if suffix == ".gif" and os.path.isfile(name):  # the bytes of a pipe are not ours to take
        from hemline.sources.gif import is_animated  # not needed for other files

        return "video" if is_animated(name) else "picture"
    return "video" if suffix in VIDEO_SUFFIXES else "picture"


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
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        elif _suffix(entry.name) in IMAGE_SUFFIXES:
            if entry.is_file(follow_symlinks=False):
                yield Source(entry.path, "picture")
            elif not os.path.isdir(entry.path):  # a link to a folder could lead back here
                yield _regular(entry.path)


def _regular(name: str) -> Source:
    """A file that was found, not named: of a pipe or a device nobody said that it should be read."""
    if os.path.isfile(name):
        return Source(name, _kind(name))
    if not os.path.exists(name):
        return Source(name, "nothing", _why_not_there(name))
    problem = f"{name} is a pipe or a device, not a picture; to read a pipe, name it"
    return Source(name, "nothing", problem)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def read_standard_input() -> bytes:
    """The content of the picture file on standard input.

    Raises:
        ImageError: There is none, or no end of it, or another JPEG picture behind the first.
    """
    if sys.stdin is None:
        raise ImageError("standard input is closed", "pipe a picture into it, or name a file")
    if sys.stdin.isatty():
        raise ImageError(
            "standard input is a terminal", "pipe a picture into it: hemline classify - < shoe.jpg"
        )
    content = read_pieces(sys.stdin.fileno(), "standard input")
    if _is_followed_by_another(content):
        raise ImageError(
            "standard input holds more than one picture",
            "pipe one, or have all of them read with --stdin mjpeg",
        )
    return content


def _is_followed_by_another(content: bytes) -> bool:
    """Whether a JPEG picture has another behind it that is not its own.

    Phones put such behind a photo (depth, a map for bright screens) and say so in its header: by a
    multi-picture index (CIPA DC-007) or a container in its XMP.
    """
    if not content.startswith(jpeg.MAGIC):
        return False
    from hemline.sources.mjpeg import JpegSplitter

    splitter = JpegSplitter()
    splitter.feed(content[:_MAX_JOINED_BYTES])
    first = splitter.next()
    if first is None or splitter.next() is None:
        return False
    return b"MPF\0" not in first and b"/container/" not in first
