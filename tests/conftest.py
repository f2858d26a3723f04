"""What tests of the command line share: real processes, real pictures, disks that are full or read-only."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hemline import models, samples
from hemline.card import ModelCard
from hemline.zipcard import CARD_MEMBER

Run = Callable[..., subprocess.CompletedProcess[str]]

# Makes modules look as if they were not installed: `find_spec` gives None and an import fails.
_HIDING = """
import importlib.machinery, os
hidden = set(os.environ["HIDDEN_MODULES"].split())
find = importlib.machinery.PathFinder.find_spec
def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in hidden else find(name, path, target)
importlib.machinery.PathFinder.find_spec = find_spec
"""


class Environment:
    """An empty virtual environment."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=True)
        self._bin = folder / ("Scripts" if os.name == "nt" else "bin")

    @staticmethod
    def run(*command: object, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program away from the source tree, with nothing of this environment."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        settings = {"cwd": Path(sys.prefix), "timeout": 600, "env": clean, **options}
        return subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            **settings,
        )

    def install(self, *arguments: object) -> None:
        done = self.python("-m", "pip", "install", "--quiet", *arguments)
        if "No matching distribution" in done.stderr or "ConnectionError" in done.stderr:
            pytest.skip(f"the package index does not have what is needed: {done.stderr[-300:]}")
        assert done.returncode == 0, done.stderr

    def python(self, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.run(self._bin / "python", *arguments, **options)

    def python_offline(
        self, *arguments: object, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """The same without a network, where the system lets that be taken away."""
        alone = ("unshare", "--map-root-user", "--net")
        if shutil.which("unshare") is None or self.run(*alone, "true").returncode:
            return self.python(*arguments, **options)
        return self.run(*alone, self._bin / "python", *arguments, **options)

    def hemline(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return self.run(self._bin / "hemline", *arguments)

    def packages(self) -> set[str]:
        listed = self.python("-m", "pip", "list", "--format", "json").stdout
        return {package["name"].lower().replace("_", "-") for package in json.loads(listed)}


def pytest_configure() -> None:
    """Heed Ctrl-C, and let children heed it, where the tests run in the background (`make test &`)."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def environment_type() -> type[Environment]:
    """Makes environments of their own for packages that must not be in this one."""
    return Environment


@pytest.fixture
def hemline() -> Run:
    """Runs the real command line: `hemline("classify", path)`."""

    def run(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hemline", *map(str, arguments)]
        settings: dict[str, Any] = {"text": True, "timeout": 120, "encoding": "utf-8"}
        if "stdout" not in options:
            settings["stdout"] = subprocess.PIPE
        if "input" not in options:
            settings["stdin"] = subprocess.DEVNULL
        return subprocess.run(
            command, stderr=subprocess.PIPE, check=False, **{**settings, **options}
        )

    return run


@pytest.fixture
def hiding(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, str]]:
    """An environment in which the named modules are not installed."""

    def environment(*modules: str) -> dict[str, str]:
        folder = tmp_path_factory.mktemp("hiding")
        (folder / "sitecustomize.py").write_text(_HIDING)
        paths = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
        return {**os.environ, "PYTHONPATH": paths, "HIDDEN_MODULES": " ".join(modules)}

    return environment


@pytest.fixture(scope="session")
def paper_tflite() -> Path:
    """The shipped int8 TFLite file."""
    path = Path(models.path_of("paper"))
    assert path is not None
    return path


@pytest.fixture(scope="session")
def paper_onnx() -> Path:
    """The shipped int8 ONNX file."""
    path = Path(models.path_of("paper", "onnxruntime"))
    assert path is not None
    return path


@pytest.fixture(scope="session")
def garments() -> list[Path]:
    """The sample pictures; each shows one garment, and its name says which."""
    return samples.picture_paths()


@pytest.fixture
def picture(tmp_path: Path, garments: list[Path]) -> Path:
    """A picture of a bag, in a folder of its own."""
    source = next(path for path in garments if path.name == "bag.jpg")
    path = tmp_path / "pictures" / source.name
    path.parent.mkdir()
    return Path(shutil.copy(source, path))


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """Drawn garments of two classes, a folder per split and class."""
    with np.load(samples.drawn_garments_path()) as drawn:
        images, targets = drawn["train_images"], drawn["train_targets"]
    folder = tmp_path / "data"
    for number, label in ((5, "Sandal"), (8, "Bag")):
        chosen = images[targets == number]
        for split, start, stop in (("train", 0, 12), ("test", 12, 18)):
            (folder / split / label).mkdir(parents=True)
            for index, image in enumerate(chosen[start:stop]):
                assert cv2.imwrite(str(folder / split / label / f"{index}.png"), image)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    with _tmpfs(tmp_path / "small disk", "size=64k") as folder:
        yield folder


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write to; root may write anywhere but on a read-only disk."""
    folder = tmp_path / "read only"
    if os.geteuid() != 0:
        folder.mkdir(mode=0o555)
        yield folder
        folder.chmod(0o755)
        return
    with _tmpfs(folder, "size=64k,ro"):
        yield folder


@contextlib.contextmanager
def _tmpfs(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def with_card() -> Callable[..., Path]:
    """Writes a `.tflite` file anew with another card, or with none: `with_card(source, path, card)`."""

    def write(source: Path, path: Path, card: ModelCard | None) -> Path:
        with zipfile.ZipFile(source) as archive:
            start = min(member.header_offset for member in archive.infolist())
        path.write_bytes(source.read_bytes()[:start])
        if card is not None:
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr(CARD_MEMBER, card.to_json())
        return path

    return write
