"""The zip archive that a `.keras` file is, and that a `.tflite` file has behind its network."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """What is packed into a file.

    Attributes:
        sizes: Packed bytes by name.
        start: Where the archive begins; the file's length where there is none.
        is_compressed: Whether a member is not just stored.
    """

    sizes: dict[str, int]
    start: int
    is_compressed: bool


def read_archive(content: bytes) -> Archive:
    """Look into a file; an archive that cannot be read is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, RuntimeError):  # a changed bit can ask for a newer zip
        members = []
    return Archive(
        sizes={member.filename: member.compress_size for member in members},
        start=min((member.header_offset for member in members), default=len(content)),
        is_compressed=any(member.compress_type != zipfile.ZIP_STORED for member in members),
    )
