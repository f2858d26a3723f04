"""The pictures of a golden pack as files, so that a runtime that is not ours can be given them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from hemline import atomic
from hemline.errors import UserError
from hemline.parity.golden import GoldenPack
from hemline.parity.metrics import UNKNOWN

LIST_NAME = "pictures.csv"
_ENDINGS = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG", "png"),
    (b"RIFF", "webp"),
    (b"BM", "bmp"),
    (b"GIF8", "gif"),
    (b"II*\0", "tif"),
    (b"MM\0*", "tif"),
)


def export_pictures(pack: GoldenPack, folder: Path) -> tuple[Path, ...]:
    """Write the pictures as they are in the pack, numbered from 0, and a list of them.

    Returns:
        The picture files, in the order of the pack.

    Raises:
        UserError: The folder has something in it, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"{folder} is {'not empty' if folder.is_dir() else 'no folder'}",
            "name a new folder, so that nothing else lies among the pictures",
        )
    digits = len(str(len(pack) - 1))
    paths = []
    listing = io.StringIO()
    rows = csv.writer(listing)
    rows.writerow(("row", "file", "name", "truth"))
    for row in range(len(pack)):
        content = pack.encoded(row)
        path = folder / f"{row:0{digits}}.{_ending(content)}"
        atomic.write_bytes(path, content)
        paths.append(path)
        target = int(pack.targets[row])
        truth = "" if target == UNKNOWN else pack.card.labels[target]
        rows.writerow((row, path.name, pack.source(row), truth))
    atomic.write_text(folder / LIST_NAME, listing.getvalue())
    return tuple(paths)


def _ending(content: bytes) -> str:
    return next((ending for magic, ending in _ENDINGS if content.startswith(magic)), "img")
