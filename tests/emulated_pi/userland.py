"""Debian's packages for another architecture, unpacked into a folder; nothing of this system is changed."""

from __future__ import annotations

import shutil
from pathlib import Path

from emulated_pi import debian
from emulated_pi.boards import Board
from emulated_pi.cache import UnavailableError, cached

_QEMU = {"arm64": "qemu-aarch64", "armhf": "qemu-arm"}
# What a Raspberry Pi has before anyone installs hemline. 32 bit: wheels of NumPy and OpenCV do not exist.
_PACKAGES = {
    "arm64": ("python3-venv", "libstdc++6"),
    "armhf": ("python3-venv", "libstdc++6", "python3-numpy", "python3-opencv"),
}


def emulator(board: Board) -> str:
    """The path of QEMU's user mode for this board.

    Raises:
        UnavailableError: It is not installed.
    """
    name = _QEMU[board.architecture]
    path = shutil.which(f"{name}-static") or shutil.which(name)
    if path is None:
        raise UnavailableError(f"{name}-static is not installed: apt-get install qemu-user-static")
    return path


def userland(board: Board) -> Path:
    """The root folder of the board's system: Python, and what Debian's packages of it need.

    Raises:
        UnavailableError: apt is not here or cannot reach a Debian mirror.
    """
    packages = _PACKAGES[board.architecture]
    code = [path.read_text() for path in (Path(__file__), Path(debian.__file__))]
    ingredients = [board.architecture, board.release, *packages, *code]
    name = f"userland-{board.release}-{board.architecture}"
    return cached(name, ingredients, lambda folder: _unpack(board, packages, folder))


def _unpack(board: Board, packages: tuple[str, ...], root: Path) -> None:
    state = root / "apt"
    apt = debian.Apt(board.architecture, board.release, state)
    apt.fetch(*packages)
    apt.unpack(root)
    shutil.rmtree(state)
    _set_up(root)


def _set_up(root: Path) -> None:
    """What the packages' own scripts and the package base-files would do, as far as it is needed."""
    for name in ("lib", "bin", "sbin"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    for alternative in ("blas/libblas.so.3", "lapack/liblapack.so.3"):
        for path in root.glob(f"usr/lib/*/{alternative}"):
            (path.parents[1] / path.name).symlink_to(alternative)
