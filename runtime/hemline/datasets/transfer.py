"""One request for one file over HTTP, continued where an earlier one broke off."""

from __future__ import annotations

import errno
import http.client
import re
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hemline.errors import DataError

MAX_BYTES = 64 * 2**20  # the largest file of Fashion-MNIST has 47 MB, decompressed
CHUNK_BYTES = 64 * 1024

_TRY_LATER = frozenset([408, 425, 429])  # the client errors that mean "not now"; so do all 5xx


class BrokenOffError(Exception):
    """The transfer failed, and may succeed when tried again; what was got is in the part file."""


class RefusedError(Exception):
    """The server will not give the file however often it is asked."""


def transfer(url: str, part: Path, timeout_s: float) -> bool:
    """Get the file at `url` to `part`, asking only for what `part` lacks.

    Args:
        url: Address of the file, http or https.
        part: Holds the beginning of the file, or does not exist. On return it holds the file.
        timeout_s: A server that is silent for so long is given up.

    Returns:
        Whether the beginning of `part` is from an earlier call.

    Raises:
        BrokenOffError: The connection failed or ended early, or the server has a passing trouble.
        RefusedError: The server does not have the file, or does not give it.
        DataError: `part` cannot be written.
    """
    try:
        return _request(url, part, timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        answer = f"the server answered {error.code} {error.reason}"
        if error.code >= 500 or error.code in _TRY_LATER:
            raise BrokenOffError(answer) from error
        raise RefusedError(answer) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise RefusedError(f"its certificate is not trusted: {error.reason}") from error
        raise BrokenOffError(f"no connection: {error.reason}") from error
    except ValueError as error:
        raise RefusedError(f"the address is not valid: {error}") from error
    except TimeoutError as error:
        raise BrokenOffError(f"the server was silent for {timeout_s:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise BrokenOffError(f"the connection broke off: {error}") from error


def _request(url: str, part: Path, timeout_s: float) -> bool:
    start = _size(part)
    request = urllib.request.Request(url, headers={"User-Agent": "hemline"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            if start and not (response.status == 206 and _range_start(response) == start):
                if response.status == 206:  # another range than asked for is of no use
                    part.unlink(missing_ok=True)
                    raise BrokenOffError("the server sent another part of the file than asked for")
                start = 0
            _save(response, part, start)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:
            raise
        error.close()
        if _total(error.headers.get("Content-Range", "")) == start:
            return True  # the part was whole already, and only its renaming was missing
        part.unlink(missing_ok=True)
        return _request(url, part, timeout_s)
    return start > 0


def _save(response: http.client.HTTPResponse, part: Path, start: int) -> None:
    """Append the response at `start`, and make sure that it came to its end."""
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdigit() else None
    got = start
    with storing(part):
        file = part.open("ab" if start else "wb", buffering=0)
    with file, _bar(part, start, total) as advance:
        while chunk := response.read1(CHUNK_BYTES):
            with storing(part):
                _write(file, chunk)
            got += len(chunk)
            advance(len(chunk))
            if got > MAX_BYTES:
                break
    if got > MAX_BYTES:
        part.unlink(missing_ok=True)
        raise RefusedError(f"the file is larger than {MAX_BYTES} bytes, so it is another")
    if total is not None and got < total:
        raise BrokenOffError(f"the connection ended after {got} of {total} bytes")


def _write(file: BinaryIO, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:  # a disk that is nearly full takes a part of it, and refuses the rest
        view = view[file.write(view) :]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _range_start(response: http.client.HTTPResponse) -> int | None:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _total(content_range: str) -> int | None:
    found = re.search(r"/(\d+)$", content_range)
    return int(found[1]) if found else None


@contextmanager
def _bar(part: Path, start: int, total: int | None) -> Iterator[Callable[[int], object]]:
    """A progress bar on standard error, if that is a terminal; gives what each advance calls."""
    if not sys.stderr.isatty():
        yield lambda _count: None
        return
    from tqdm import tqdm  # only where somebody watches: importing it costs 20 ms

    name = part.name.split(".")[1]
    with tqdm(
        desc=f"downloading {name}",
        initial=start,
        total=total,
        unit="B",
        unit_scale=True,
        file=sys.stderr,
        leave=False,
    ) as bar:
        yield bar.update


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses while `path` is written into a `DataError`."""
    try:
        yield
    except OSError as error:
        problem = f"the download cannot be stored at {path}: {error.strerror or error}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            if path.is_file():
                path.unlink()  # a beginning to resume from is worth less than a disk with some room
            problem = f"the download cannot be stored at {path}: no space is left on the disk"
        raise DataError(
            problem,
            "free 30 MB there, or let XDG_CACHE_HOME name a folder on another disk that you may "
            "write to",
        ) from error
