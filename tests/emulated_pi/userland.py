"""Debian's packages for another architecture, unpacked into a folder; nothing of this system is changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emulated_pi.boards import Board
from emulated_pi.cache import UnavailableError, cached

_QEMU = {"arm64": "qemu-aarch64", "armhf": "qemu-arm"}
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
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
    ingredients = [board.architecture, board.release, *packages, Path(__file__).read_text()]
    name = f"userland-{board.release}-{board.architecture}"
    return cached(name, ingredients, lambda folder: _unpack(board, packages, folder))


def _unpack(board: Board, packages: tuple[str, ...], root: Path) -> None:
    state = root / "apt"
    environment = _private_apt(board, state)
    _run(["apt-get", "update", "-q"], environment)
    install = ["apt-get", "install", "-q", "-y", "--download-only", "--no-install-recommends"]
    _run([*install, *packages], environment)
    archives = sorted((state / "archives").glob("*.deb"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        unpacked = [
            pool.submit(_run, ["dpkg", "-x", str(archive), str(root)], environment)
            for archive in archives
        ]
        for task in unpacked:
            task.result()
    shutil.rmtree(state)
    _set_up(root)


def _private_apt(board: Board, state: Path) -> dict[str, str]:
    """An apt of its own: another architecture and release, and no package installed."""
    for folder in ("lists/partial", "archives/partial", "parts"):
        (state / folder).mkdir(parents=True)
    (state / "status").touch()
    source = f"deb [signed-by={_keyring()}] {_mirror()} {board.release} main\n"
    (state / "sources.list").write_text(source)
    settings = {
        "APT::Architecture": board.architecture,
        "APT::Architectures": board.architecture,
        "APT::Sandbox::User": "root",  # the files of this apt belong to whoever runs the tests
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": state / "parts",
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "Dir::Cache::archives": state / "archives",
        "Acquire::Retries": 3,
    }
    configuration = state / "apt.conf"
    configuration.write_text("".join(f'{key} "{value}";\n' for key, value in settings.items()))
    return {**os.environ, "APT_CONFIG": str(configuration), "DEBIAN_FRONTEND": "noninteractive"}


def _mirror() -> str:
    """The Debian mirror that this machine's own apt uses."""
    if named := os.environ.get("HEMLINE_DEBIAN_MIRROR"):
        return named
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise UnavailableError(
            "apt-get and dpkg are not here; they fetch and unpack the Arm packages"
        )
    listed = subprocess.run(
        ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    mirrors = [address for address in listed if address.rstrip("/").endswith("/debian")]
    if not mirrors:
        raise UnavailableError("apt knows no Debian mirror: name one in HEMLINE_DEBIAN_MIRROR")
    return mirrors[0]


def _keyring() -> Path:
    if not _KEYRING.is_file():
        raise UnavailableError(f"{_KEYRING} is not here: apt-get install debian-archive-keyring")
    return _KEYRING


def _set_up(root: Path) -> None:
    """What the packages' own scripts and the package base-files would do, as far as it is needed."""
    for name in ("lib", "bin", "sbin"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    for alternative in ("blas/libblas.so.3", "lapack/liblapack.so.3"):
        for path in root.glob(f"usr/lib/*/{alternative}"):
            (path.parents[1] / path.name).symlink_to(alternative)


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode == 0:
        return
    said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
    problem = f"{' '.join(command[:2])} failed with {done.returncode}: {said}"
    raise UnavailableError(problem) if command[0] == "apt-get" else RuntimeError(problem)
