"""Files that are there whole or not at all, whatever is killed or unplugged meanwhile."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hemline.errors import UserError

_TRIAL_BYTES = 4096  # a full disk may still take the name of a file
_OURS = ".hemline-"  # how the names of temporaries begin
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP)  # as on a FAT file system


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`: the old file stays until the new one is complete on disk.

    Raises:
        UserError: The folder cannot be written to, or the disk is full. An existing `path` is
            unchanged, and nothing is left beside it.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` as UTF-8; otherwise as `write_bytes`."""
    write_bytes(path, content.encode())


def add_bytes(path: Path, content: bytes) -> Path:
    """Write `content` to a new file called `path`, or with a number behind its name where that is taken.

    Returns:
        What it is called. Of several processes that add the same name each gets its own.

    Raises:
        UserError: As `write_bytes`.
    """
    with explaining_os_errors(path), part_of(path) as temporary:
        temporary.write_bytes(content)
        return add(temporary, path)


def check_writable(path: Path) -> None:
    """Find out before long work whether its result can be written at the end.

    Raises:
        UserError: The folder cannot be written to, the disk is full, or `path` is a folder. Nothing is left
            behind, nor any folder made.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder", "name a file")
    if _is_device(path):
        return
    with explaining_os_errors(path):
        _try_to_write(_target(path).parent)


def check_folder(folder: Path) -> None:
    """Find out whether files can be written to a folder, which is made with the first of them.

    Raises:
        UserError: They cannot. Nothing is left behind, nor is the folder made.
    """
    with explaining_os_errors(folder):
        _try_to_write(folder)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; on success it takes the place of `path`.

    The temporary keeps the suffix of `path`, since some writers choose the format by it. When the
    block raises, the temporary is removed and `path` is left as it was. A link stays, and what it leads to
    is replaced. A device or pipe, such as `/dev/stdout`, is never replaced: it gets the content at the end.

    Raises:
        UserError: As `write_bytes`.
    """
    with explaining_os_errors(path):
        if _is_device(path):
            with tempfile.TemporaryDirectory() as folder:
                temporary = Path(folder, f"content{path.suffix}")
                temporary.touch()
                yield temporary
                with path.open("wb") as device:
                    device.write(temporary.read_bytes())
            return
        path = _target(path)
        with part_of(path) as temporary:
            yield temporary
            _complete(temporary)
            temporary.replace(path)


@contextlib.contextmanager
def part_of(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to, with its suffix; it is removed at the end.

    It is locked until then, by which `abandoned` knows it from those of processes that were killed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, lock = _locked_temporary(path)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        os.close(lock)


def add(temporary: Path, path: Path) -> Path:
    """Give what is written to a temporary its name: `path`, or that with a number where it is taken.

    Returns:
        What it is called.
    """
    _complete(temporary)
    stem, again, free = path.stem, 0, path
    while not _is_named(temporary, free):
        again += 1
        free = path.with_name(f"{stem}-{again}{path.suffix}")
    return free


def abandoned(folder: Path, suffix: str) -> Iterator[Path]:
    """Temporaries with that suffix, whose process was killed or had no power any more.

    What is not moved meanwhile is removed when the next one is asked for.
    """
    for path in sorted(folder.glob(f"{_OURS}*.part{suffix}")):
        with contextlib.suppress(OSError), path.open("rb") as file:
            # Fails where its process is alive, and where the file system has no locks.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield path
            path.unlink(missing_ok=True)


def remove_abandoned(folder: Path, suffix: str) -> None:
    """Remove what `abandoned` finds; a folder that is not there has nothing."""
    for _ in abandoned(folder, suffix):
        continue


def _locked_temporary(path: Path) -> tuple[Path, int]:
    while True:
        handle, name = tempfile.mkstemp(prefix=_OURS, suffix=f".part{path.suffix}", dir=path.parent)
        with contextlib.suppress(OSError):  # a file system without locks: nobody removes it then
            fcntl.flock(handle, fcntl.LOCK_EX)
        if Path(name).exists():
            return Path(name), handle
        os.close(handle)  # another process has found it before it was locked


def _is_named(temporary: Path, path: Path) -> bool:
    """Name the temporary, unless that name is taken; looking first would leave others time to take it."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return False
        temporary.replace(path)
    return True


def _complete(temporary: Path) -> None:
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.chmod(0o666 & ~_umask())


def _try_to_write(folder: Path) -> None:
    """In the folder, or in the nearest one above it that is there."""
    there = next(above for above in (folder, *folder.parents) if above.exists())
    handle, name = tempfile.mkstemp(prefix=_OURS, suffix=".part", dir=there)
    try:
        os.write(handle, bytes(_TRIAL_BYTES))
    finally:
        os.close(handle)
        Path(name).unlink()


def _is_device(path: Path) -> bool:
    """Whether something is there that is neither a file nor a folder."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _target(path: Path) -> Path:
    """Where a link leads, else the path itself."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


@contextlib.contextmanager
def explaining_os_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses while `path` is written into a `UserError`."""
    try:
        yield
    except OSError as error:
        raise UserError(_explain(path, error), _mend(error)) from error


def _explain(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"cannot write {path}: no space is left on the disk"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        there = _nearest_folder(path)
        return f"cannot write {path}: the folder {there} is not writable"
    if error.errno in (errno.ENOENT, errno.EOPNOTSUPP):  # as in /proc
        return f"cannot write {path}: no file can be made in the folder {_nearest_folder(path)}"
    if error.errno == errno.EISDIR or path.is_dir():
        return f"cannot write {path}: it is a folder"
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        above = next(above for above in (path, *path.parents) if above.exists())
        what = "a file" if above.is_file() else "a device"
        return f"cannot write {path}: {above} is {what}, not a folder"
    return f"cannot write {path}: {error.strerror or error}"


def _nearest_folder(path: Path) -> Path:
    return next((above for above in (path, *path.parents) if above.is_dir()), path.parent)


def _mend(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "free some space, or choose another place; nothing was left half-written"
    return "choose a folder that you may write to"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
