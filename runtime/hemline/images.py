"""From a picture file to a frame: what can be read is read right, and the rest is refused in words.

OpenCV decodes. Around it: transparent pictures are laid on white, since OpenCV would drop the
alpha channel and show whatever colour lies below; a picture that was cut off or damaged is refused, since
OpenCV would fill up with grey; text, nothing, and pictures too large are named for what they are.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import numpy as np

from hemline import exif, jpeg
from hemline._opencv import cv2
from hemline.decoder_messages import damage_told_by, is_of_a_decoder
from hemline.errors import ImageError
from hemline.preprocess import jpeg_reduction
from hemline.quiet import listening

if TYPE_CHECKING:
    from hemline.card import InputSpec
    from hemline.preprocess import Frame, Preprocessor

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .png .webp .bmp .dib .gif .tif .tiff .pgm .ppm .pbm .pnm .avif .jp2".split()
)

_PNG = b"\x89PNG\r\n\x1a\n"
_PICTURES = (jpeg.MAGIC, _PNG, b"RIFF", b"BM", b"GIF8", b"II*\0", b"MM\0*", b"P4", b"P5", b"P6")
_PIECE = 1 << 20  # bytes of a pipe that are read at a time
_MAX_BYTES = 256 << 20  # of what is not read in one piece
_REDUCED = {
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_UNSUPPORTED = (
    (0, b"%PDF", "a PDF document"),
    (0, b"<svg", "an SVG drawing"),
    (4, b"ftyphei", "a HEIC photo"),
    (4, b"ftypmif1", "a HEIF photo"),
    (0, b"PK\x03\x04", "a zip archive"),
)
_SOUNDS = (
    *((0, magic) for magic in (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"fLaC", b"OggS")),
    (8, b"WAVE"),
    (4, b"ftypM4A"),
)


def read_image(path: str | os.PathLike[str]) -> Frame:
    """Read a picture file.

    Returns:
        uint8, (H, W, 3), BGR: turned upright by its EXIF orientation; 16 bit scaled to 8; CMYK
        converted; transparent parts on white; of an animation the first frame.

    Raises:
        ImageError: The file is missing, empty, cut off, no picture, or too large.
    """
    name = os.fspath(path)
    return decode_image(read_content(name), name)


def read_content(name: str) -> bytes:
    """The content of a picture file.

    Raises:
        ImageError: The file is missing, or cannot be read.
    """
    try:
        # Unbuffered and in one piece: for the small pictures of a large folder it counts.
        file = os.open(name, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            size = os.fstat(file).st_size  # 0 of a pipe
            content = os.read(file, size or _PIECE)
            if len(content) != size:
                content = read_pieces(file, name, content)
        finally:
            os.close(file)
    except FileNotFoundError as error:
        raise ImageError(f"{name}: there is no such file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name} cannot be read: {reason}") from error
    return content


def read_pieces(file: int, name: str, start: bytes = b"") -> bytes:
    """Read a pipe to its end, or a file that comes in pieces.

    Args:
        file: The file descriptor.
        name: For messages.
        start: What was read of it already.

    Returns:
        `start` and all that follows it.

    Raises:
        ImageError: There is more than any picture has.
    """
    pieces = [start or os.read(file, _PIECE)]
    size = len(pieces[0])
    while pieces[-1]:
        if size > _MAX_BYTES:  # /dev/zero has no end
            raise ImageError(
                f"{name} is too large: more than {_MAX_BYTES >> 20} MiB",
                "give a picture file, or a pipe that ends",
            )
        pieces.append(os.read(file, _PIECE))
        size += len(pieces[-1])
    return b"".join(pieces)


def preprocess_content(content: bytes, name: str, preprocess: Preprocessor) -> Frame:
    """From the content of a picture file to the input tensor, as the runtime does it.

    A large JPEG is decoded at reduced scale, see `hemline.preprocess.jpeg_reduction`.

    Returns:
        uint8, (1, height, width, channels), 0–255; reused by the next call of `preprocess`.

    Raises:
        ImageError: As `read_image`; `name` is for messages.
    """
    return preprocess(*decode_for(content, name, preprocess.spec))


def decode_for(content: bytes, name: str, spec: InputSpec) -> tuple[Frame, tuple[int, int]]:
    """Decode no more of a picture than a model needs.

    Args:
        content: The content of a picture file.
        name: For messages.
        spec: The input of the model.

    Returns:
        The frame as `read_image` gives it, a large JPEG reduced; and the width and height that the
        whole picture has. Both are what a `Preprocessor` takes.

    Raises:
        ImageError: As `read_image`.
    """
    if content.startswith(jpeg.MAGIC) and (header := jpeg.read_header(content)) is not None:
        orientation = exif.UPRIGHT
        if header.exif_at is not None:
            orientation = exif.orientation(content, header.exif_at)
        width, height = header.size_wh
        if width * height > _max_pixels():  # OpenCV looks at the size that is left
            raise _too_large(name)
        whole_wh = (height, width) if exif.is_lying(orientation) else (width, height)
        reduction = jpeg_reduction(spec, whole_wh)
        if orientation != exif.UPRIGHT:
            # Turned, a block that the picture fills only in part would lie left or above, and leaving it
            # out would shift the picture.
            while width % reduction or height % reduction:
                reduction //= 2
        if reduction > 1:
            _refuse_cut_off(content, name)
            frame = _decoded(content, name, _REDUCED[reduction] | cv2.IMREAD_IGNORE_ORIENTATION)
            # Blocks that the picture fills only in part are left out, as halving leaves out odd rows.
            frame = frame[: height // reduction, : width // reduction]
            return exif.turned(frame, orientation), whole_wh
    frame = decode_image(content, name)
    return frame, (frame.shape[1], frame.shape[0])


def decode_image(content: bytes, name: str) -> Frame:
    """Decode the content of a picture file; `name` is for messages. Otherwise as `read_image`."""
    return _on_white(decode_cutout(content, name))


def decode_cutout(content: bytes, name: str) -> Frame:
    """Decode the content of a picture file, but keep what is transparent.

    Returns:
        uint8, (H, W, 3), BGR, or (H, W, 4), BGRA, of a file with an alpha channel.

    Raises:
        ImageError: As `read_image`.
    """
    if not content:
        raise ImageError(f"{name} is empty (0 bytes)", "copy the picture again")
    _refuse_cut_off(content, name)
    if not _may_have_alpha(content):
        return _decoded(content, name, cv2.IMREAD_COLOR)
    image = _eight_bits(_decoded(content, name, cv2.IMREAD_UNCHANGED), name)
    return exif.turned(image, _orientation(content))


def _decoded(content: bytes, name: str, flags: int) -> Frame:
    array = np.frombuffer(content, np.uint8)
    try:
        image, said = listening(lambda: cv2.imdecode(array, flags), is_of_a_decoder)
    except cv2.error as error:
        raise _too_large_or_broken(error, name) from error
    if image is None:
        raise _unreadable(content, name)
    if said and (damage := damage_told_by(said, content)):
        raise ImageError(
            f"{name} is a damaged picture ({damage})",
            "copy it again; if other programs show it whole, save it anew with one of them",
        )
    frame: Frame = np.asarray(image)
    return frame


def _refuse_cut_off(content: bytes, name: str) -> None:
    """OpenCV decodes what there is of a cut picture and fills up the rest; so look for the end."""
    if content.startswith(jpeg.MAGIC):
        complete = jpeg.is_complete(content)
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


def _eight_bits(image: np.ndarray, name: str) -> Frame:
    """An undecided decode, with or without alpha and of any depth, as 8-bit BGR or BGRA."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    elif image.dtype != np.uint8:
        if not np.isfinite(image).all():
            raise ImageError(
                f"{name} holds pixels that are no numbers (NaN or infinite)",
                "save it as 8 or 16 bit",
            )
        top = float(image.max()) or 1.0
        image = (np.clip(image / top, 0, 1) * 255).astype(np.uint8)
    if image.ndim == 2:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    if image.shape[2] == 2:  # grey with alpha
        image = np.dstack((image[:, :, 0],) * 3 + (image[:, :, 1],))
    return image


def _on_white(image: Frame) -> Frame:
    """BGR as it is; what is transparent in BGRA becomes white."""
    if image.shape[2] == 3:
        return image
    alpha = image[:, :, 3:].astype(np.uint16)
    mixed = image[:, :, :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _orientation(content: bytes) -> int:
    """The EXIF orientation of a PNG or WebP file; OpenCV heeds it, but not with the alpha channel.

    (TIFF it turns always.)
    """
    if not content.startswith((_PNG, b"RIFF")):
        return exif.UPRIGHT
    chunk = content.find(b"eXIf" if content.startswith(_PNG) else b"EXIF")
    return exif.orientation(content, chunk + 4) if chunk >= 0 else exif.UPRIGHT


def _too_large_or_broken(error: cv2.error, name: str) -> ImageError:
    if "CV_IO_MAX_IMAGE" in str(error):
        return _too_large(name)
    return ImageError(f"{name} is a damaged picture", "copy the picture again")


def _too_large(name: str) -> ImageError:
    return ImageError(
        f"{name} is too large: more than {_max_pixels() // 1_000_000} megapixels",
        "make it smaller, or raise the limit: OPENCV_IO_MAX_IMAGE_PIXELS=… hemline classify …",
    )


def _max_pixels() -> int:
    return int(os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"])


def _unreadable(content: bytes, name: str) -> ImageError:
    for at, magic, kind in _UNSUPPORTED:
        if content[at : at + len(magic)] == magic:
            return ImageError(f"{name} is {kind}, which is not read", "save it as JPEG or PNG")
    if any(content[at : at + len(magic)] == magic for at, magic in _SOUNDS):
        return ImageError(f"{name} is sound, not a picture", "give a JPEG, PNG, WebP, … file")
    head = content[:512]
    if all(byte >= 9 for byte in head):
        return ImageError(f"{name} is text, not a picture", "give a JPEG, PNG, WebP, … file")
    if content.startswith(_PICTURES):
        return ImageError(f"{name} is a damaged picture", "copy the picture again")
    from hemline.sources.listing import VIDEO_SUFFIXES  # which imports this module

    return ImageError(
        f"{name} is not a picture that can be read",
        f"save it as JPEG or PNG; a film is known by its ending: {' '.join(sorted(VIDEO_SUFFIXES))}",
    )
