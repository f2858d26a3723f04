"""Fashion-MNIST over the network: resumed where it broke off, checked, placed whole or not at all.

A file is written to a hidden `.part` file, one for each address, since the gzip bytes of two
mirrors may differ. It takes its place by renaming, once the decompressed content has the right
checksum. What an interruption leaves is resumed by the next call.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hemline.datasets.fashion_mnist import BY_HAND, CONTENT_MD5
from hemline.datasets.idx import DamagedGzipError, file_of, gunzip
from hemline.datasets.transfer import MAX_BYTES, BrokenOffError, RefusedError, storing, transfer
from hemline.errors import DataError

MIRROR_VARIABLE = "HEMLINE_MIRROR"
MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # its makers'; http only
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",  # the one that Keras uses
)
TIMEOUT_S = 20.0  # without a single byte
PAUSES_S = (1.0, 4.0)  # before the second and the third attempt at the same address


def download_fashion_mnist(
    folder: Path,
    *,
    mirrors: Sequence[str] | None = None,
    content_md5: Mapping[str, str] = CONTENT_MD5,
    timeout_s: float = TIMEOUT_S,
    pauses_s: Sequence[float] = PAUSES_S,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Download the files of Fashion-MNIST that `folder` lacks, 30 MB in all.

    Several processes may do so at once: one downloads, the others wait for it.

    Args:
        folder: Where to put them, as `NAME.gz`; it is made if need be.
        mirrors: Addresses of folders that hold the files; by default those in the environment
            variable `HEMLINE_MIRROR`, separated by blanks, or else `MIRRORS`.
        content_md5: MD5 of the decompressed content of each file, by name without `.gz`.
        timeout_s: A server that is silent for so long is given up.
        pauses_s: Waits between attempts at one address; there is one attempt more than waits.
        sleep: Does the waiting.

    Raises:
        DataError: No mirror gives the right content, the disk is full, or the folder is not
            writable. The folder then holds whole files only, apart from hidden `.part` files.
    """
    addresses = _checked(mirrors or os.environ.get(MIRROR_VARIABLE, "").split() or MIRRORS)
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        for stem, md5 in content_md5.items():
            if file_of(folder, stem) is not None:
                continue
            fetch = _Fetch(folder, f"{stem}.gz", md5, timeout_s, pauses_s, sleep)
            good = fetch.from_first_of(addresses)
            # The next file is asked for first where this one was got.
            addresses.remove(good)
            addresses.insert(0, good)


class _WrongContentError(Exception):
    """What was got is not the file wanted."""


class _Fetch:
    """The way of one file from a mirror to its place."""

    def __init__(
        self,
        folder: Path,
        name: str,
        md5: str,
        timeout_s: float,
        pauses_s: Sequence[float],
        sleep: Callable[[float], None],
    ) -> None:
        self.folder = folder
        self.name = name
        self.md5 = md5
        self.timeout_s = timeout_s
        self.pauses_s = pauses_s
        self.sleep = sleep

    def from_first_of(self, mirrors: Sequence[str]) -> str:
        """Get the file from the first mirror that has it; returns that mirror."""
        failures = []
        for mirror in mirrors:
            url = f"{mirror.rstrip('/')}/{self.name}"
            try:
                self._from_address(url)
            except (BrokenOffError, RefusedError, _WrongContentError) as error:
                failures.append(f"{url}: {error}")
            else:
                for part in self.folder.glob(f".{self.name}.*.part"):
                    part.unlink(missing_ok=True)  # of mirrors that failed before
                return mirror
        raise DataError(
            f"{self.name} cannot be downloaded:" + "".join(f"\n    {line}" for line in failures),
            f"try again (what was got is kept and resumed), set {MIRROR_VARIABLE} to the address "
            f"of another mirror, or {BY_HAND}",
        )

    def _from_address(self, url: str) -> None:
        part = self.folder / f".{self.name}.{zlib.crc32(url.encode()):08x}.part"
        for pause in (*self.pauses_s, None):
            try:
                resumed = transfer(url, part, self.timeout_s)
                try:
                    return self._place(part)
                except _WrongContentError:
                    if not resumed:
                        raise
                # The beginning came from an earlier file of that address, so get it all again.
                transfer(url, part, self.timeout_s)
                return self._place(part)
            except BrokenOffError:
                if pause is None:
                    raise
                self.sleep(pause)
        return None

    def _place(self, part: Path) -> None:
        """Move the part to its place if its content is right, and delete it otherwise."""
        with storing(part):
            content = part.read_bytes()
        try:
            md5 = hashlib.md5(gunzip(content, MAX_BYTES), usedforsecurity=False).hexdigest()
            if md5 != self.md5:
                raise _WrongContentError(f"the content has the MD5 {md5}, expected is {self.md5}")
        except (DamagedGzipError, _WrongContentError) as error:
            part.unlink(missing_ok=True)
            raise _WrongContentError(f"{error} ({len(content)} bytes were got)") from error
        with storing(part):
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(self.folder / self.name)


def _checked(mirrors: Sequence[str]) -> list[str]:
    for mirror in mirrors:
        if not mirror.startswith(("http://", "https://")):
            raise DataError(
                f"the mirror {mirror!r} is no address to download from",
                "it must begin with http:// or https:// and be that of a folder with the files; "
                f"several in {MIRROR_VARIABLE} are separated by blanks",
            )
    return list(mirrors)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process downloads to the folder, and keep others waiting."""
    with storing(folder):
        lock = (folder / ".lock").open("wb")
    with lock:  # the lock goes with the file, even if this process is killed
        with storing(folder):
            _wait_for(lock, folder)
        yield


def _wait_for(lock: BinaryIO, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if sys.stderr.isatty():
            print(f"another hemline downloads to {folder}; waiting for it", file=sys.stderr)
        fcntl.flock(lock, fcntl.LOCK_EX)
