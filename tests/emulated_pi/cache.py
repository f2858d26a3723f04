"""Folders that are made once and kept: keyed by what goes in, filled whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_KEPT_DAYS = 30


class UnavailableError(Exception):
    """This machine lacks what the emulation needs, or cannot reach it; the message says what."""


def cache_folder() -> Path:
    """Where the folders are: outside of the repository."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "hemline-emulated-pi"


def cached(name: str, ingredients: list[str], fill: Callable[[Path], None]) -> Path:
    """The folder of these ingredients; made by `fill` if it is not there yet.

    Two processes may ask at once: one fills, the other waits.

    Args:
        name: Start of the folder's name, for people.
        ingredients: Everything that decides about the content.
        fill: Fills the empty folder that it is given.
    """
    key = hashlib.sha256("\0".join(ingredients).encode()).hexdigest()[:16]
    folder = cache_folder() / f"{name}-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock_path = folder.parent / f"{folder.name}.lock"
    with lock_path.open("w") as lock:
        os.utime(lock_path)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _remove_unused()
            part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.part-", dir=folder.parent))
            try:
                fill(part)
                part.rename(folder)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
    return folder


def _remove_unused() -> None:
    """Remove what nobody has used for long; also parts that a killed process left behind.

    The lock tells when a folder was used last; the folder's own time is the packages'.
    """
    for lock in cache_folder().glob("*.lock"):
        if time.time() - lock.stat().st_mtime > _KEPT_DAYS * 86_400:
            for path in cache_folder().glob(f"{lock.stem}*"):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
            lock.unlink(missing_ok=True)
