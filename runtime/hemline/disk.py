"""Files that are saved one after another: their names, and a bound on the space they take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from hemline.errors import UserError

if TYPE_CHECKING:
    from hemline.sources.frames import Tell

DEFAULT_MAX_BYTES = 1_000_000_000
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_LONGEST_NAME_BYTES = 120


def file_name(text: str) -> str:
    """What a text is called as a file: signs that would mean something become `_`, and a long one is cut."""
    name = re.sub(r"[^\w.-]+", "_", text).strip("._") or "picture"
    return name.encode()[:_LONGEST_NAME_BYTES].decode(errors="ignore")


def parse_bytes(text: str) -> int:
    """A number of bytes, such as `500M` or `2G` (powers of 1000).

    Raises:
        UserError: It is no such number.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?", text.strip())
    size = 0 if match is None else int(float(match[1]) * _UNITS[match[2]])
    if match is None or size < 1:
        raise UserError(f"{text!r} is no amount of disk space", "give one such as 500M or 2G")
    return size


class Budget:
    """How much space the files of a folder may take, older ones included.

    Args:
        folder: Which.
        pattern: Which files of it count.
        max_bytes: How much; None for no bound.
        tell: Takes the message that there is no more room, once until there is again.

    Raises:
        UserError: The bound is no positive number.
    """

    def __init__(self, folder: Path, pattern: str, max_bytes: int | None, tell: Tell) -> None:
        if max_bytes is not None and max_bytes < 1:
            raise UserError(f"the disk space is {max_bytes} bytes", "give 1 or more")
        self._folder = folder
        self._max_bytes = max_bytes
        self._tell = tell
        self._told = False
        self._bytes = sum(path.stat().st_size for path in folder.glob(pattern))

    def has_room(self, count: int) -> bool:
        """Whether a file of so many bytes may be added."""
        if self._max_bytes is None or self._bytes + count <= self._max_bytes:
            self._told = False
            return True
        if not self._told:
            self._told = True
            self._tell(
                f"{self._folder} has no room for more frames within {self._max_bytes / 1e6:g} MB; "
                "move some away, or raise --max-disk"
            )
        return False

    def add(self, count: int) -> None:
        """Count a file that was added."""
        self._bytes += count
