"""What picture decoders say on standard error, and whether it means that the picture is damaged.

libjpeg and libtiff decode what they can of a damaged file, fill up the rest, and tell of it only there;
libjpeg tells of the first trouble in each picture.
"""

from __future__ import annotations

# The beginnings of the warnings of libjpeg (its table jerror.h), of libpng, and of OpenCV's own log.
_JPEG_WARNINGS = (
    "Application transferred",
    "Corrupt JPEG data",
    "Inconsistent progression",
    "Invalid SOS parameters",
    "Premature end of JPEG",
    "Unknown Adobe color transform",
    "Warning: unknown JFIF revision",
)
_OPENCV_ERROR = "[ERROR:"
_DECODERS = (*_JPEG_WARNINGS, "libpng ", _OPENCV_ERROR, "[ WARN:")
_DAMAGE = ("Corrupt JPEG data", "Inconsistent progression", "Premature end of JPEG")
_NOT_OF_THE_PIXELS = "bad ICC marker"  # only the colour profile is lost
_LEFT_OVER = (
    " extraneous bytes before marker 0xd9"  # behind the last block, before the end of the picture
)
_END = b"\xff\xd9"
# Some cameras pad the image data; a decoder that lost its way leaves more behind, and no padding.
_MOST_PADDING = 15


def is_of_a_decoder(line: str) -> bool:
    """Whether a line on standard error comes from OpenCV or one of its decoders."""
    return line.startswith(_DECODERS)


def damage_told_by(lines: list[str], content: bytes) -> str:
    """What is damaged in a picture that was decoded nevertheless, or "" if nothing is.

    Args:
        lines: What its decoder said.
        content: The picture file.
    """
    for line in lines:
        if line.startswith(_OPENCV_ERROR):
            return line.split(" ", 4)[-1]  # [ERROR:0@1.8] global grfmt_tiff.cpp:117 TIFF_Error …
        if not line.startswith(_DAMAGE) or _NOT_OF_THE_PIXELS in line:
            continue
        if line.endswith(_LEFT_OVER) and _is_padding(line, content):
            continue
        return line
    return ""


def _is_padding(line: str, content: bytes) -> bool:
    count = int(line.removesuffix(_LEFT_OVER).rpartition(" ")[2])
    end = content.rfind(_END)
    return count <= _MOST_PADDING or len(set(content[max(0, end - count) : end])) <= 1
