"""From a picture file to a frame: what can be read is read right, and the rest is refused in words.

OpenCV decodes. Around it: transparent pictures are laid on white, since OpenCV would drop the
alpha channel and show whatever colour lies below; a picture that was cut off is refused, since OpenCV
would fill up with grey and say nothing; text, nothing, and pictures too large are named for what they are.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np

from hemline._opencv import cv2
from hemline.errors import ImageError
from hemline.preprocess import Frame

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .png .webp .bmp .dib .gif .tif .tiff .pgm .ppm .pbm .pnm .avif .jp2".split()
)

_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"
_PICTURES = (_JPEG, _PNG, b"RIFF", b"BM", b"GIF8", b"II*\0", b"MM\0*", b"P4", b"P5", b"P6")
_UNSUPPORTED = (
    (0, b"%PDF", "a PDF document"),
    (0, b"<svg", "an SVG drawing"),
    (4, b"ftyphei", "a HEIC photo"),
    (4, b"ftypmif1", "a HEIF photo"),
    (0, b"PK\x03\x04", "a zip archive"),
)


def read_image(path: str | Path) -> Frame:
    """Read a picture file.

    Returns:
        uint8, (H, W, 3), BGR: turned upright by its EXIF orientation; 16 bit scaled to 8; CMYK
        converted; transparent parts on white; of an animation the first frame.

    Raises:
        ImageError: The file is missing, empty, cut off, no picture, or too large.
    """
    frame = _whole_jpeg(path)
    if frame is not None:
        return frame
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{path}: there is no such file") from error
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}") from error
    return decode_image(content, str(path))


def _whole_jpeg(path: str | Path) -> Frame | None:
    """A JPEG that ends as it should, decoded by OpenCV from the file; None for all else.

    This is what nearly every file of a large folder is. OpenCV reads a file faster than it decodes the
    same bytes out of Python's memory, and gives the same pixels.
    """
    name = str(path)
    try:
        name.encode()  # OpenCV crashes on a name that is not UTF-8; this raises a ValueError
        with open(name, "rb", buffering=0) as file:  # noqa: PTH123 - a Path for each costs time
            if file.read(3) != _JPEG:
                return None
            file.seek(-2, os.SEEK_END)
            if file.read(2) != b"\xff\xd9":
                return None
        image = cv2.imread(name, cv2.IMREAD_COLOR)
    except (OSError, ValueError, cv2.error):  # told in words by the longer way
        return None
    return None if image is None else np.asarray(image)


def decode_image(content: bytes, name: str) -> Frame:
    """Decode the content of a picture file; `name` is for messages. Otherwise as `read_image`."""
    if not content:
        raise ImageError(f"{name} is empty (0 bytes)", "copy the picture again")
    _refuse_cut_off(content, name)
    flags = cv2.IMREAD_UNCHANGED if _may_have_alpha(content) else cv2.IMREAD_COLOR
    buffer = np.frombuffer(content, np.uint8)
    try:
        image = cv2.imdecode(buffer, flags)
    except cv2.error as error:
        raise _too_large_or_broken(error, name) from error
    if image is None:
        raise _unreadable(content, name)
    if flags == cv2.IMREAD_UNCHANGED:
        image = _upright(_on_white(np.asarray(image)), _orientation(content))
    frame: Frame = np.asarray(image)
    return frame


def _refuse_cut_off(content: bytes, name: str) -> None:
    """OpenCV decodes what there is of a cut picture and fills up the rest; so look for the end."""
    if content.startswith(_JPEG):
        complete = content.rstrip(b"\0").endswith(b"\xff\xd9") or _has_jpeg_end(content)
    elif content.startswith(_PNG):
        complete = content.rfind(b"IEND") > 0
    elif content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        complete = len(content) >= 8 + struct.unpack("<I", content[4:8])[0]
    else:
        complete = True
    if not complete:
        raise ImageError(
            f"{name} is cut off: the end of the picture is missing", "copy the picture again"
        )


def _has_jpeg_end(content: bytes) -> bool:
    """Whether an end marker follows the image data; some cameras append more after it.

    A thumbnail in the header has an end marker of its own, so the segments of the header are stepped
    over. Inside the image data 0xFF is always followed by 0x00 or a marker (ITU-T T.81, B.1.1.2).
    """
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xDA:  # start of scan
            return content.find(b"\xff\xd9", at) > 0
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return False


def _may_have_alpha(content: bytes) -> bool:
    if content.startswith(_PNG):
        # Colour types 4 and 6 have an alpha channel; a palette or a plain colour can have tRNS.
        return content[25:26] in (b"\x04", b"\x06") or b"tRNS" in content[: content.find(b"IDAT")]
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        if content[12:16] == b"VP8X":
            return bool(content[20] & 0x10)
        return content[12:16] == b"VP8L"
    if content[4:12] == b"ftypavif":
        # With 10 or 12 bits OpenCV would not say which of the two, so there the alpha is left out.
        head = content[:4096]
        return b":auxiliary:alpha" in head and b"pixi\0\0\0\0\x03\x08" in head
    return content[:4] in (b"GIF8", b"II*\0", b"MM\0*")


def _on_white(image: np.ndarray) -> Frame:
    """An undecided decode, with or without alpha and of any depth, as 8-bit BGR on white."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    elif image.dtype != np.uint8:
        top = float(image.max()) or 1.0
        image = (np.clip(image / top, 0, 1) * 255).astype(np.uint8)
    if image.ndim == 2:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    if image.shape[2] == 2:  # grey with alpha
        image = np.dstack((image[:, :, 0],) * 3 + (image[:, :, 1],))
    if image.shape[2] == 3:
        return image
    alpha = image[:, :, 3:].astype(np.uint16)
    mixed = image[:, :, :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _orientation(content: bytes) -> int:
    """The EXIF orientation of a PNG or WebP file, 1 to 8; 1 is upright.

    OpenCV heeds it, but not where it is asked for the alpha channel. (TIFF it turns always.)
    """
    kind = b"eXIf" if content.startswith(_PNG) else b"EXIF"
    if not content.startswith((_PNG, b"RIFF")) or (chunk := content.find(kind)) < 0:
        return 1
    for magic, order in ((b"II*\0", "<"), (b"MM\0*", ">")):
        at = content.find(magic, chunk, chunk + 20)  # WebP may have `Exif` and a length before it
        if at < 0:
            continue
        try:
            (first,) = struct.unpack_from(f"{order}I", content, at + 4)
            (count,) = struct.unpack_from(f"{order}H", content, at + first)
            for entry in range(at + first + 2, at + first + 2 + 12 * count, 12):
                tag, _, _, value = struct.unpack_from(f"{order}HHIH", content, entry)
                if tag == 0x0112:
                    return int(value)
        except struct.error:  # the EXIF data is damaged; the picture need not be
            return 1
    return 1


def _upright(image: Frame, orientation: int) -> Frame:
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def _too_large_or_broken(error: cv2.error, name: str) -> ImageError:
    if "CV_IO_MAX_IMAGE" in str(error):
        limit = int(os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"]) // 1_000_000
        return ImageError(
            f"{name} is too large: more than {limit} megapixels",
            "make it smaller, or raise the limit: OPENCV_IO_MAX_IMAGE_PIXELS=… hemline classify …",
        )
    return ImageError(f"{name} is a damaged picture", "copy the picture again")


def _unreadable(content: bytes, name: str) -> ImageError:
    for at, magic, kind in _UNSUPPORTED:
        if content[at : at + len(magic)] == magic:
            return ImageError(f"{name} is {kind}, which is not read", "save it as JPEG or PNG")
    head = content[:512]
    if all(byte >= 9 for byte in head):
        return ImageError(f"{name} is text, not a picture", "give a JPEG, PNG, WebP, … file")
    if content.startswith(_PICTURES):
        return ImageError(f"{name} is a damaged picture", "copy the picture again")
    return ImageError(f"{name} is not a picture that can be read", "save it as JPEG or PNG")
