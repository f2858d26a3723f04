"""hemline beside what a user would pick instead: cold start, a frame, a folder, memory, installed size.

Every peer is a program of its own (`peer_programs/`), in an environment of its own that holds no more than
it needs, made with pip the first time. All run on the same pictures, one thread each, in turns.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import _measure
import cv2

from hemline import models
from hemline.atomic import write_text
from hemline.errors import UserError

PROGRAMS = Path(__file__).with_name("peer_programs")
ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints" / "tested.txt"
OURS = "hemline"
FOLDER_ROUNDS = 3


@dataclass(frozen=True)
class Peer:
    """One way to classify a picture.

    Attributes:
        name: What it is called in the table.
        program: Its file in `peer_programs`.
        model: Which file it runs.
        requirements: What pip installs for it.
        constrained: Whether the versions are those that hemline is tested with.
    """

    name: str
    program: str
    model: str
    requirements: tuple[str, ...]
    constrained: bool = True


PEERS = (
    Peer(OURS, "hemline_classifier", "int8.tflite", (str(ROOT),)),
    Peer(
        "LiteRT by hand, int8",
        "litert_plain",
        "int8.tflite",
        ("numpy", "opencv-python-headless", "ai-edge-litert"),
    ),
    Peer(
        "tflite-runtime by hand, int8",
        "litert_plain",
        "int8.tflite",
        ("numpy<2", "opencv-python-headless<4.12", "tflite-runtime==2.14.0"),
        constrained=False,
    ),
    Peer(
        "ONNX Runtime by hand, float32",
        "onnxruntime_plain",
        "float32.onnx",
        ("numpy", "opencv-python-headless", "onnxruntime"),
    ),
    Peer(
        "cv2.dnn by hand, float32",
        "opencv_dnn",
        "float32.onnx",
        ("numpy", "opencv-python-headless"),
    ),
    Peer(
        "MediaPipe ImageClassifier, int8",
        "mediapipe_classifier",
        "mediapipe.tflite",
        ("mediapipe==1.2.3",),
        constrained=False,
    ),
    Peer(
        "Keras predict, float32",
        "keras_predict",
        "keras",
        ("tensorflow", "keras", "numpy", "opencv-python-headless"),
    ),
)


class Running:
    """A peer's process, from its start to its end."""

    def __init__(self, python: Path, program: str, model: Path, picture: Path) -> None:
        words = [str(python), str(PROGRAMS / f"{program}.py"), str(model), str(picture)]
        start = perf_counter()
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.label = self._answer()
        self.cold_start_s = perf_counter() - start

    def ask(self, command: str) -> float:
        """Seconds, or bytes."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return float(self._answer())

    def end(self) -> None:
        """Let it go."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            assert self._process.stderr is not None
            told = self._process.stderr.read().strip().splitlines()
            raise UserError(told[-1] if told else "it ended without a word")
        return line


def main() -> int:
    """Run the benchmark from the command line."""
    parser = _measure.parser(__doc__ or "", rounds=20, warm_up=2, model="shipped model, or .keras")
    parser.add_argument("--frames", type=_measure.positive, default=50, help="in one timing")
    parser.add_argument("--size", type=_measure.size_wh, default=(640, 480), help="of the frame")
    parser.add_argument("--pictures", type=_measure.positive, default=100, help="of the folder")
    parser.add_argument(
        "--picture-size", type=_measure.size_wh, default=(1600, 1200), help="of those, JPEG"
    )
    parser.add_argument("--starts", type=_measure.positive, default=5, help="cold starts of each")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="peers whose name has a WORD")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hemline-peers",
        help="folder of the environments (some 3 GB with all of them)",
    )
    arguments = parser.parse_args()
    where = _measure.machine()
    print("\n".join(f"{name + ':':<10}{value}" for name, value in where.items()), end="\n\n")
    try:
        rows, missing = measure(arguments)
    except UserError as error:
        print(f"cannot run: {error}", file=sys.stderr)
        return 2
    print(table(rows))
    for name, why in missing.items():
        print(f"not measured: {name}: {why}")
    if arguments.json is not None:
        content = {"benchmark": "peers", "machine": where, "peers": rows, "missing": missing}
        write_text(arguments.json, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return 0


def measure(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str]]:
    """The figures of every peer that could be had, by name; and why the others could not."""
    words = [word.lower() for word in arguments.only or ()]
    chosen = [
        peer
        for peer in PEERS
        if peer.name == OURS or not words or any(word in peer.name.lower() for word in words)
    ]
    environments, missing = prepared(chosen, arguments.cache)
    peers = [peer for peer in chosen if peer.name in environments]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = converted(arguments.model, folder / "models")
        picture, photos = made_pictures(folder, arguments)

        def begin(peer: Peer) -> Running:
            try:
                return Running(environments[peer.name], peer.program, files[peer.model], picture)
            except UserError as error:
                raise UserError(f"{peer.name}: {error}") from error

        cold_start_s: dict[str, list[float]] = {peer.name: [] for peer in peers}
        for start in range(arguments.starts + 1):
            for peer in peers:
                running = begin(peer)
                running.end()
                if start:  # the first one fills the file cache and writes the bytecode
                    cold_start_s[peer.name].append(running.cold_start_s)
        processes = {peer.name: begin(peer) for peer in peers}
        frames = answers(
            processes, f"frames {arguments.frames}", arguments.rounds, arguments.warm_up
        )
        memory = {name: running.ask("memory") for name, running in processes.items()}
        folders = answers(processes, f"folder {photos}", FOLDER_ROUNDS, 1)
        for running in processes.values():
            running.end()
        rows = {
            name: {
                "label": running.label,
                "cold_start_s": cold_start_s[name],
                "frame_s": [seconds / arguments.frames for seconds in frames[name]],
                "folder_s": [seconds / arguments.pictures for seconds in folders[name]],
                "memory_bytes": memory[name],
                "installed_bytes": installed_bytes(environments[name]),
            }
            for name, running in processes.items()
        }
    return rows, missing


def answers(
    processes: dict[str, Running], command: str, rounds: int, warm_up: int
) -> dict[str, list[float]]:
    """What each process answers to a command, in turns; by its own clock."""
    seconds: dict[str, list[float]] = {name: [] for name in processes}
    calls = {
        name: lambda name=name, running=running: seconds[name].append(running.ask(command))
        for name, running in processes.items()
    }
    _measure.seconds_of_rounds(calls, rounds, warm_up)
    return {name: taken[warm_up:] for name, taken in seconds.items()}


def made_pictures(folder: Path, arguments: argparse.Namespace) -> tuple[Path, Path]:
    """The picture of the frame, and a folder of photos."""
    picture, photos = folder / "frame.png", folder / "photos"
    cv2.imwrite(str(picture), _measure.photo(0, arguments.size))
    photos.mkdir()
    for number in range(arguments.pictures):
        photo = _measure.photo(number, arguments.picture_size)
        cv2.imwrite(str(photos / f"{number:04}.jpg"), photo, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return picture, photos


def converted(model: str, folder: Path) -> dict[str, Path]:
    """All files of one float network, by what the peers call them."""
    try:
        convert: Any = import_module("hemline_convert.convert")
        source: Any = import_module("hemline_convert.keras_source")
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed", "pip install 'hemline[convert]'"
        ) from error
    path = Path(models.source_path_of(model) or model)
    done = convert.convert(
        convert.ConversionConfig(
            path,
            folder,
            tflite=("int8", "mediapipe"),
            onnx=("float32",),
            data="drawn",
            stated=source.StatedCard(name="net"),
        )
    )
    return {"keras": path, **{file.name.removeprefix("net_"): file for file in done.files}}


def prepared(peers: list[Peer], cache: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """The Python of each peer's environment, and why some have none."""
    environments, missing = {}, {}
    for peer in peers:
        key = json.dumps(
            [peer.requirements, peer.constrained, CONSTRAINTS.read_text(), sys.version]
        )
        name = f"{peer.program}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
        folder = cache / name
        python = folder / "bin" / "python"
        if not (folder / "complete").exists() or peer.name == OURS:
            print(f"installing {peer.name} …", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            words = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            if peer.constrained:
                words += ["--constraint", str(CONSTRAINTS)]
            done = subprocess.run([*words, *peer.requirements], capture_output=True, text=True)
            if done.returncode:
                shutil.rmtree(folder, ignore_errors=True)
                missing[peer.name] = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
                continue
            (folder / "complete").touch()
        environments[peer.name] = python
    return environments, missing


def installed_bytes(python: Path) -> int:
    """What pip installed, without pip itself and without bytecode."""
    site = next((python.parents[1] / "lib").glob("python*/site-packages"))
    mine = ("pip", "setuptools", "_distutils_hack", "pkg_resources", "distutils-precedence.pth")
    return sum(
        file.stat().st_size
        for top in site.iterdir()
        if not top.name.startswith(mine)
        for file in ([top] if top.is_file() else top.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    )


def table(rows: dict[str, Any]) -> str:
    """A row for each peer; in brackets how many times ours it is."""
    columns = {
        "cold start": lambda row: (1e3 * median(row["cold_start_s"]), "ms"),
        "frame": lambda row: (1e3 * median(row["frame_s"]), "ms"),
        "picture of a folder": lambda row: (1e3 * median(row["folder_s"]), "ms"),
        "memory": lambda row: (row["memory_bytes"] / 1e6, "MB"),
        "installed": lambda row: (row["installed_bytes"] / 1e6, "MB"),
    }
    lines = [["", *columns, "label"]]
    for name, row in rows.items():
        cells = [name]
        for figure in columns.values():
            value, unit = figure(row)
            ratio = value / figure(rows[OURS])[0]
            digits = 0 if value >= 100 else 1 if value >= 10 else 3
            cells.append(f"{value:.{digits}f} {unit} ({ratio:.2f})")
        lines.append([*cells, row["label"]])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


if __name__ == "__main__":
    sys.exit(main())
