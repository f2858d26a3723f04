"""What runs on the boards, each command once; the tests look at what came of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from emulated_pi import on_device
from emulated_pi.boards import BOARDS, Board
from emulated_pi.cache import UnavailableError
from emulated_pi.installation import ROOT, SMALLEST, Environment, installed
from hemline import models

Runs = Mapping[str, subprocess.CompletedProcess[str]]
Install = Callable[..., Environment]
Measure = Callable[..., dict[str, NDArray[Any]]]

# In the order in which tests ask for them.
_INSTALLATIONS = (
    ("pi4", ""),
    ("pi5-debian13", ""),
    ("pi4", "onnx"),
    ("pi4", "web"),
    ("pi5-debian13", "onnx"),
    ("pi2-32bit", ""),
    ("pi4", SMALLEST),
)
_TURNED_RIGHT = 6  # EXIF orientation: the camera was held upright


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Install]:
    """Gives the wheel installed for a board, with an extra or without: `install("pi4", "onnx")`.

    Boards of the same architecture and release share an installation. All are begun at once: an emulated pip
    is slow, and takes one processor only.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        begun = {}
        for name, extra in _INSTALLATIONS:
            folder = tmp_path_factory.mktemp(f"{name}{extra}") / "venv"
            begun[_kind(name, extra)] = pool.submit(installed, folder, BOARDS[name], wheel, extra)

        def get(name: str, extra: str = "") -> Environment:
            try:
                return begun[_kind(name, extra)].result()
            except UnavailableError as reason:
                # In CI a check that did not run must not look like one that passed.
                tell = pytest.fail if os.environ.get("CI") else pytest.skip
                tell(f"no emulated Raspberry Pi: {reason}")

        yield get


def _kind(name: str, extra: str) -> tuple[str, str, str]:
    return BOARDS[name].architecture, BOARDS[name].release, extra


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory, garments: list[Path]) -> Path:
    """Pictures of every kind (`good*`), one that was cut off, and a video."""
    folder = tmp_path_factory.mktemp("pictures")
    sample = {path.stem: path for path in garments}
    shutil.copy(sample["bag"], folder / "good.jpg")
    shutil.copy(sample["pullover-transparent"], folder / "good-transparent.png")
    large = cv2.resize(cv2.imread(str(sample["sneaker"])), (1600, 1600))
    cv2.imwrite(str(folder / "good-large.jpg"), large)
    exif = Image.Exif()
    exif[0x0112] = _TURNED_RIGHT
    lying = Image.open(sample["dress"]).transpose(Image.Transpose.ROTATE_90)
    lying.save(folder / "good-turned.jpg", exif=exif, quality=95)
    whole = sample["coat"].read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    _write_video(folder / "clip.avi", garments)
    return folder


def _write_video(path: Path, pictures: list[Path]) -> None:
    size_wh = (640, 480)
    # Of all codecs that OpenCV brings, only this one gives the same pixels on every processor.
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), 10, size_wh)
    assert video.isOpened()
    for picture in pictures:
        video.write(cv2.resize(cv2.imread(str(picture)), size_wh))
    video.release()


@pytest.fixture(scope="session")
def hemline_here() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs hemline on this machine, to compare with."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hemline", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)

    return run


@pytest.fixture(scope="session")
def more_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network with 16-bit activations, and with int8 at its ends."""
    from hemline_convert.convert import ConversionConfig, convert
    from hemline_convert.keras_source import StatedCard

    source = models.source_path_of("paper")
    assert source is not None
    out = tmp_path_factory.mktemp("models")
    kinds = ("w8a16", "int8_io")
    name = StatedCard(name="paper")
    convert(ConversionConfig(Path(source), out, kinds, onnx=(), data="drawn", stated=name))
    return out


@pytest.fixture(scope="session")
def here(pictures: Path, more_models: Path) -> dict[str, NDArray[Any]]:
    """What `on_device` measures on this machine."""
    return on_device.measure(pictures, more_models, ["litert", "onnxruntime", "numpy"])


@pytest.fixture(scope="session")
def measured(
    install: Install, pictures: Path, more_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Measure:
    """What `on_device` measures on a board: `measured("pi4", "litert", extra="onnx")`."""

    def get(name: str, *backends: str, extra: str = "") -> dict[str, NDArray[Any]]:
        out = tmp_path_factory.mktemp(name) / "measured.npz"
        environment = install(name, extra)
        words = (on_device.__file__, pictures, more_models, out, *backends)
        done = environment.python(BOARDS[name], *words)
        assert done.returncode == 0, done.stderr
        with np.load(out) as arrays:
            return dict(arrays)

    return get


@pytest.fixture(scope="session")
def run_all() -> Callable[[Environment, Board, Mapping[str, tuple[object, ...]]], Runs]:
    """Runs several commands of hemline on a board, as many at a time as there are processors."""

    def run(
        environment: Environment, board: Board, commands: Mapping[str, tuple[object, ...]]
    ) -> Runs:
        environment.hemline(board, "models")  # writes the byte code, so that the others need not
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            started = {
                name: pool.submit(environment.hemline, board, *command)
                for name, command in commands.items()
            }
            return {name: task.result() for name, task in started.items()}

    return run
