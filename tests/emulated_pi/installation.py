"""hemline's wheel in a virtual environment of an emulated board, installed there by the board's own pip."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import tomllib
import zipfile
from pathlib import Path

from emulated_pi.boards import Board
from emulated_pi.cache import UnavailableError, cached
from emulated_pi.userland import emulator, userland

ROOT = Path(__file__).parents[2]
_CONSTRAINTS = ROOT / "constraints" / "tested.txt"
_UNREACHABLE = re.compile(
    "ConnectionError|NewConnectionError|name resolution|timed out|Max retries"
)
_PIP = ("-m", "pip", "install", "--quiet", "--only-binary", ":all:")
# In place of an extra: the smallest install of docs/installation.md.
SMALLEST = "smallest"
_SMALLEST = ("tqdm", "tflite-runtime", "numpy<2", "opencv-python-headless<4.12")


class Environment:
    """A virtual environment in Debian's userland, on any board of its architecture and release.

    Args:
        folder: Where to make it.
        board: Gives architecture and release.
        layers: Folders of packages that are installed already.

    Attributes:
        packages: Where pip installs.
        layers: As given.
    """

    def __init__(self, folder: Path, board: Board, layers: list[Path]) -> None:
        self._root = userland(board)
        self._folder = folder
        self._made_for = board
        (self._python,) = (self._root / "usr/bin").glob("python3.[0-9]*[0-9]")
        self.packages = folder / "lib" / self._python.name / "site-packages"
        self.packages.mkdir(parents=True)
        if layers:
            (self.packages / "layers.pth").write_text("".join(f"{layer}\n" for layer in layers))
        self.layers = layers
        # The true path, not /usr/bin: QEMU 7.2 does not redirect every system call of 32-bit programs.
        (folder / "pyvenv.cfg").write_text(
            f"home = {self._python.parent}\n"
            f"include-system-site-packages = {str(board.architecture == 'armhf').lower()}\n"
        )
        self._make_programs()

    def _make_programs(self) -> None:
        programs = self._folder / "bin"
        programs.mkdir()
        # What `sys.executable` is for programs that start another Python.
        wrapper = programs / "python"
        wrapper.write_text(
            f'#!/bin/sh\nexec {emulator(self._made_for)} -0 "$0" "{self._python}" "$@"\n'
        )
        wrapper.chmod(0o755)
        # What it is for pip, which looks there for the kind of machine that the wheels must fit.
        (programs / "python3").symlink_to(self._python)

    def install(self, *arguments: object) -> None:
        """`pip install` on the board, of wheels alone: a Raspberry Pi needs no compiler."""
        self._bring_pip()
        emulated = [emulator(self._made_for), "-0", self._folder / "bin/python3", self._python]
        done = self._start(self._made_for, [*emulated, *_PIP, *arguments], timeout=600)
        if done.returncode and _UNREACHABLE.search(done.stderr):
            raise UnavailableError(f"the package index cannot be reached: {done.stderr[-500:]}")
        if done.returncode:
            raise RuntimeError(f"pip failed on {self._made_for.name}:\n{done.stderr[-3000:]}")

    def _bring_pip(self) -> None:
        """Debian's pip, as `python3 -m venv` brings it."""
        if not any((folder / "pip").is_dir() for folder in (self.packages, *self.layers)):
            (wheel,) = (self._root / "usr/share/python-wheels").glob("pip-*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(self.packages)

    def size_bytes(self) -> int:
        """What the installed packages take, without pip itself, which the smallest install does without."""
        return sum(
            path.stat().st_size
            for folder in (self.packages, *self.layers)
            for path in folder.rglob("*")
            if path.is_file() and not path.relative_to(folder).parts[0].startswith("pip")
        )

    def python(
        self, board: Board, *arguments: object, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the board's Python, by default away from the source tree."""
        return self._start(board, [self._folder / "bin/python", *arguments], cwd=cwd)

    def hemline(
        self, board: Board, *arguments: object, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command that pip made."""
        return self.python(board, self._folder / "bin/hemline", *arguments, cwd=cwd)

    def begin(self, board: Board, *arguments: object) -> subprocess.Popen[str]:
        """Begin the command, such as a server, and let it run; the caller ends it."""
        command = [self._folder / "bin/python", self._folder / "bin/hemline", *arguments]
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            cwd=self._folder,
            env=self._variables(board),
        )

    def _start(
        self, board: Board, command: list[object], timeout: float = 240, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            cwd=cwd or self._folder,
            env=self._variables(board),
            timeout=timeout,
            check=False,
        )

    def _variables(self, board: Board) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        return {**clean, "QEMU_CPU": board.cpu, "QEMU_LD_PREFIX": str(self._system_of(board))}

    def _system_of(self, board: Board) -> Path:
        """The root folder as this board sees it: with its own files in `/proc` and `/sys`."""
        system = self._folder / "systems" / board.name
        if not system.exists():
            for name, content in board.files.items():
                (system / name).parent.mkdir(parents=True, exist_ok=True)
                (system / name).write_text(content)
            for entry in self._root.iterdir():
                (system / entry.name).symlink_to(entry)
        return system


def installed(folder: Path, board: Board, wheel: Path, extra: str = "") -> Environment:
    """An environment with the wheel, as `pip install hemline` or `pip install 'hemline[extra]'` leaves it.

    What hemline needs comes from the cache; pip must find there that nothing is missing.
    """
    layers = [_layer(board, wheel, SMALLEST if extra == SMALLEST else "", [])]
    if extra not in ("", SMALLEST):
        layers.append(_layer(board, wheel, extra, layers[:1]))
    environment = Environment(folder, board, layers)
    if extra == SMALLEST:
        environment.install("--no-compile", "--no-deps", wheel)
    elif board.architecture == "armhf":
        # Debian's packages do not tell pip that they are OpenCV, and their NumPy is older.
        environment.install("--no-deps", wheel)
    else:
        environment.install("--no-index", _wanted(wheel, extra))
    return environment


def _layer(board: Board, wheel: Path, extra: str, below: list[Path]) -> Path:
    """What pip installs beside hemline itself; the lines of docs/ for 32 bit."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ingredients = [
        str(userland(board)),
        *project["dependencies"],
        *project["optional-dependencies"].get(extra, ()),
        _CONSTRAINTS.read_text(),
        Path(__file__).read_text(),
    ]

    def fill(layer: Path) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            environment = Environment(Path(temporary) / "venv", board, below)
            if extra == SMALLEST:
                environment.install("--no-compile", *_SMALLEST)
            elif board.architecture == "armhf":
                environment.install("tqdm", "tflite-runtime")
            else:
                environment.install("--constraint", _CONSTRAINTS, _wanted(wheel, extra))
            for path in environment.packages.glob("hemline*"):
                shutil.rmtree(path)
            (environment.packages / "layers.pth").unlink(missing_ok=True)
            shutil.copytree(environment.packages, layer, dirs_exist_ok=True)

    name = f"packages-{board.release}-{board.architecture}{'-' + extra if extra else ''}"
    return cached(name, ingredients, fill)


def _wanted(wheel: Path, extra: str) -> str:
    return f"{wheel}[{extra}]" if extra else str(wheel)
