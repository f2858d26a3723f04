"""IDX files, the format of MNIST and Fashion-MNIST: a header, then the bytes of one array.

The header is two zero bytes, the type (8: unsigned byte), the number of dimensions, and each
dimension as a big-endian 32-bit integer. Source: the format's description on the page of the MNIST
database.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemline.datasets.split import TEST, TRAIN
from hemline.errors import DataError

FILE_STEMS = {
    TRAIN: ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    TEST: ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
ALL_STEMS = tuple(stem for pair in FILE_STEMS.values() for stem in pair)

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # tells zlib to expect the header and the checksum of gzip
_DEFLATE_MAX_RATIO = 1100  # 1032 at most, says zlib's documentation; keeps absurd headers in bounds
_UNSIGNED_BYTE = 8
_LONGEST_HEADER = 4 + 255 * 4
_CONTENT = {1: "labels", 3: "images"}
_GET_AGAIN = "get the file again, or delete it if hemline downloaded it"


class DamagedGzipError(ValueError):
    """The bytes are no whole gzip file; the message says what is wrong with them."""


def file_of(folder: Path, stem: str) -> Path | None:
    """The file of that name in the folder, as it is or compressed with gzip."""
    for name in (stem, f"{stem}.gz"):
        if (folder / name).is_file():
            return folder / name
    return None


def gunzip(content: bytes, max_bytes: int) -> bytes:
    """Decompress a gzip file, and never more than `max_bytes`: a few bytes can announce gigabytes.

    Raises:
        DamagedGzipError: It is no gzip file, damaged, cut off, or holds more than `max_bytes`.
    """
    if not content.startswith(_GZIP_MAGIC):
        raise DamagedGzipError("it is no gzip file")
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        data = stream.decompress(content, max_bytes + 1)
    except zlib.error as error:
        raise DamagedGzipError("its gzip data are damaged") from error
    if len(data) > max_bytes:
        raise DamagedGzipError(f"it holds more than the {max_bytes} bytes expected")
    if not stream.eof:
        raise DamagedGzipError("it is cut off: the end of the gzip data is missing")
    return data


def read_content(path: Path) -> bytes:
    """The IDX content of a file, decompressed if it is a gzip file.

    Returns:
        Header and data; exactly as many bytes as the header announces.

    Raises:
        DataError: The file is unreadable, empty, damaged, no IDX file, or too short or too long.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}",
            "check the file and its permissions",
        ) from error
    if not raw:
        raise DataError(f"{path} is empty (0 bytes)", _GET_AGAIN)
    if not raw.startswith(_GZIP_MAGIC):
        return _checked_length(raw, path)
    try:
        # As much of the file as surely holds the header tells how long the whole must be.
        start = zlib.decompressobj(_GZIP_WINDOW).decompress(raw[:4096], _LONGEST_HEADER)
        if not start:
            raise DamagedGzipError("it is cut off, or there is nothing in it")
        announced = math.prod(_shape(start, path)) + _header_bytes(start)
        data = gunzip(raw, min(announced, len(raw) * _DEFLATE_MAX_RATIO))
    except (DamagedGzipError, zlib.error) as error:
        reason = str(error) if isinstance(error, DamagedGzipError) else "its gzip data are damaged"
        raise DataError(f"{path} cannot be used: {reason}", _GET_AGAIN) from error
    return _checked_length(data, path)


def read_idx(content: bytes, dimensions: int, path: Path) -> NDArray[np.uint8]:
    """The array in the content of an IDX file, which is not copied.

    Args:
        content: As `read_content` gives it.
        dimensions: 3 for images, 1 for labels.
        path: Names the file in messages.

    Returns:
        uint8, (N, H, W) or (N,), read-only.

    Raises:
        DataError: The file holds another number of dimensions, or nothing.
    """
    shape = _shape(content, path)
    if len(shape) != dimensions:
        got = _CONTENT.get(len(shape), f"an array of {len(shape)} dimensions")
        raise DataError(
            f"{path} holds {got}, not {_CONTENT[dimensions]} (magic number {content[:4].hex()})",
            f"{_CONTENT[dimensions]} have the magic number 0000080{dimensions}; "
            "perhaps two files have been swapped or renamed",
        )
    if 0 in shape:
        raise DataError(f"{path} holds no {_CONTENT[dimensions]}: its shape is {shape}", _GET_AGAIN)
    return np.frombuffer(content, np.uint8, offset=_header_bytes(content)).reshape(shape)


def refuse_bad_labels(
    targets: NDArray[np.uint8], images: NDArray[np.uint8], path: Path, labels: tuple[str, ...]
) -> None:
    """Check labels against their images and class names.

    Raises:
        DataError: There are more or fewer labels than images, or a label has no name.
    """
    if len(targets) != len(images):
        raise DataError(
            f"{path} holds {len(targets)} labels, but there are {len(images)} images",
            "the two files must belong together; get both again from the same source",
        )
    if targets.max() >= len(labels):
        raise DataError(
            f"{path} holds the label {targets.max()}, and there are names for 0 to "
            f"{len(labels) - 1} only",
            "for more classes put a file labels.txt beside it, one class name a line",
        )


def _shape(content: bytes, path: Path) -> tuple[int, ...]:
    """The dimensions in the header."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[3] == 0:
        raise DataError(
            f"{path} is no IDX file: it begins with {content[:4].hex(' ') or 'nothing'}",
            "IDX images begin with 00 00 08 03, labels with 00 00 08 01; get the file again",
        )
    if content[2] != _UNSIGNED_BYTE:
        raise DataError(
            f"{path} holds numbers of the IDX type {content[2]:#04x}",
            "only unsigned bytes (0x08) can be read, as in MNIST and Fashion-MNIST",
        )
    if len(content) < _header_bytes(content):
        raise DataError(f"{path} is cut off inside its header", _GET_AGAIN)
    return tuple(
        int.from_bytes(content[at : at + 4], "big") for at in range(4, _header_bytes(content), 4)
    )


def _header_bytes(content: bytes) -> int:
    return 4 + 4 * content[3]


def _checked_length(content: bytes, path: Path) -> bytes:
    shape = _shape(content, path)
    expected, got = math.prod(shape), len(content) - _header_bytes(content)
    if got != expected:
        state = "is cut off" if got < expected else "is too long"
        raise DataError(
            f"{path} {state}: its header announces {expected} bytes of data, it has {got}",
            _GET_AGAIN,
        )
    return content
