"""An `.npz` file that is byte for byte the same each time, and that is read with no trust in it."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.errors import UserError

MAX_UNPACKED_BYTES = 1 << 30  # more than any pack needs; a small file could unpack to terabytes
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold
_UNIX = 3
_MODE = 0o644 << 16
# What zipfile, zlib and NumPy raise on content that is not what it claims to be.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The content of an `.npz` file with these arrays, compressed; `numpy.load` reads it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", _DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = _UNIX
            member.external_attr = _MODE
            packed = io.BytesIO()
            np.lib.format.write_array(packed, np.asarray(array, order="C"), (1, 0), False)
            archive.writestr(member, packed.getvalue())
    return content.getvalue()


def read_npz(path: Path, what: str, writer: str = "hemline convert") -> dict[str, NDArray[Any]]:
    """Read all arrays of an `.npz` file; nothing in it can run code.

    Args:
        path: The file.
        what: What the file should be, for messages: "golden pack".
        writer: What writes such files, for messages.

    Raises:
        UserError: The file is missing, cannot be read, is no `.npz` file, or is damaged.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"there is no {what} {path}", "check the path") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    if not content.startswith(b"PK\x03\x04"):
        got = "is empty (0 bytes)" if not content else "is no .npz file, whatever its name says"
        raise UserError(f"{path} {got}", f"a {what} is written by {writer}")
    try:
        return _arrays(content)
    except _DAMAGE as error:
        raise UserError(
            f"{path} is damaged or cut off: {_first_line(error)}",
            f"copy it again, or write the {what} anew with {writer}",
        ) from error


def _arrays(content: bytes) -> dict[str, NDArray[Any]]:
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        unpacked_bytes = sum(member.file_size for member in members)
        if unpacked_bytes > MAX_UNPACKED_BYTES:
            raise ValueError(
                f"it would unpack to {unpacked_bytes} bytes, allowed are {MAX_UNPACKED_BYTES}"
            )
        for member in members:
            packed = io.BytesIO(archive.read(member))
            name = member.filename.removesuffix(".npy")
            arrays[name] = np.lib.format.read_array(packed, allow_pickle=False)
    return arrays


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
