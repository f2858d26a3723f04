"""What the benchmarks share: interleaved rounds, medians, the picture, the machine, the table."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import cv2
import numpy as np

from hemline.atomic import write_text
from hemline.errors import UserError
from hemline.preprocess import Frame

SEED = 20240501
MODEL = "paper"  # by default: the targets are stated for the paper's network

# The interpreter that hemline would choose, and so the one that its peers use.
INTERPRETER = next(
    (
        f"{module}.interpreter"
        for module in ("ai_edge_litert", "tflite_runtime")
        if util.find_spec(module) is not None
    ),
    "",
)


@dataclass(frozen=True)
class Target:
    """A bound on the ratio of ours to the peer."""

    kind: Literal["at most", "at least"]
    ratio: float

    def is_met(self, ratio: float) -> bool:
        """Whether the ratio keeps to the bound."""
        return ratio <= self.ratio if self.kind == "at most" else ratio >= self.ratio

    def __str__(self) -> str:
        return f"{'≤' if self.kind == 'at most' else '≥'} {self.ratio:g}"


@dataclass(frozen=True)
class Comparison:
    """Ours beside its peer, measured in the same rounds.

    Attributes:
        name: What was measured.
        peer_name: What it is held against.
        unit: Of `ours` and `peer`: `ms`, or `pictures/s`.
        ours: One number a round.
        peer: The same rounds of the peer.
        target: None where the row only explains another.
    """

    name: str
    peer_name: str
    unit: str
    ours: list[float]
    peer: list[float]
    target: Target | None = None

    @property
    def ratio(self) -> float:
        """The median over the rounds of ours / peer: what slows a whole round cancels out."""
        return statistics.median(self._ratios)

    @property
    def ratio_quartiles(self) -> tuple[float, float]:
        """Where the middle half of the rounds' ratios lies: how far to trust the median."""
        if len(self._ratios) < 2:
            return self.ratio, self.ratio
        low, _, high = statistics.quantiles(self._ratios, n=4, method="inclusive")
        return low, high

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without one."""
        return None if self.target is None else self.target.is_met(self.ratio)

    @property
    def _ratios(self) -> list[float]:
        return [ours / peer for ours, peer in zip(self.ours, self.peer, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """Every number, and what follows from them."""
        return asdict(self) | {
            "median_ours": statistics.median(self.ours),
            "median_peer": statistics.median(self.peer),
            "ratio": self.ratio,
            "ratio_quartiles": self.ratio_quartiles,
            "is_met": self.is_met,
        }


def seconds_of_rounds(
    candidates: Mapping[str, Callable[[], object]], rounds: int, warm_up: int
) -> dict[str, list[float]]:
    """Time each candidate once a round, in an order that is shuffled (with a fixed seed) every round.

    Args:
        candidates: What to call, by name.
        rounds: How often each is timed, at least 1.
        warm_up: Rounds before that, which are not counted.

    Returns:
        The seconds of each call, by name; the same index is the same round.
    """
    order = list(candidates)
    shuffle = random.Random(SEED).shuffle
    seconds: dict[str, list[float]] = {name: [] for name in order}
    for number in range(warm_up + rounds):
        shuffle(order)
        for name in order:
            start = perf_counter()
            candidates[name]()
            took = perf_counter() - start
            if number >= warm_up:
                seconds[name].append(took)
    return seconds


def photo(seed: int, size_wh: tuple[int, int]) -> Frame:
    """A picture that costs what a photo costs: a garment-like shape on a bright, uneven ground, with grain.

    Returns:
        uint8, (H, W, 3), BGR; the same for the same seed and size.
    """
    width, height = size_wh
    random_ = np.random.default_rng((SEED, seed))
    corners = random_.uniform(165, 245, (2, 2, 3)).astype(np.float32)
    clouds = random_.normal(0, 9, (14, 11, 3)).astype(np.float32)
    image = cv2.resize(corners, size_wh, interpolation=cv2.INTER_LINEAR)
    image = image + cv2.resize(clouds, size_wh, interpolation=cv2.INTER_CUBIC)
    extent = np.array((width, height))
    for scale in (0.3, 0.12, 0.08, 0.05):
        centre = (random_.uniform(0.35, 0.65, 2) * extent).astype(int).tolist()
        axes = (random_.uniform(0.6, 1.1, 2) * scale * extent + 1).astype(int).tolist()
        colour = random_.uniform(15, 150, 3).tolist()
        cv2.ellipse(image, centre, axes, random_.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA)
    image += random_.normal(0, 4, image.shape[:2]).astype(np.float32)[..., None]
    grained: Frame = np.clip(image, 0, 255).astype(np.uint8)
    return grained


def child_environment(folder: str) -> dict[str, str]:
    """The environment of the measured processes: Python keeps all bytecode below `folder`.

    pip compiles what it installs. A checkout is compiled when it first runs, and never where
    PYTHONDONTWRITEBYTECODE is set; ours would then be compiled at each start, and the peer would not.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return environment | {"PYTHONPYCACHEPREFIX": str(Path(folder) / "bytecode")}


def parser(
    description: str, rounds: int, warm_up: int, model: str = "shipped model, or a .tflite file"
) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    made.add_argument("-m", "--model", default=MODEL, help=model)
    made.add_argument("--rounds", type=positive, default=rounds, help="how often each is timed")
    made.add_argument("--warm-up", type=int, default=warm_up, help="rounds that are not counted")
    made.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE")
    return made


def positive(text: str) -> int:
    """An argument that must be at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def size_wh(text: str) -> tuple[int, int]:
    """An argument such as `400x533`, width first."""
    width, _, height = text.partition("x")
    return positive(width), positive(height)


def main(
    made: argparse.ArgumentParser, measure: Callable[[argparse.Namespace], list[Comparison]]
) -> int:
    """Say where this runs, measure, print the table.

    Returns:
        0, whatever the numbers are; 2 if it cannot run.
    """
    arguments = made.parse_args()
    where = machine()
    print("\n".join(f"{name + ':':<10}{value}" for name, value in where.items()), end="\n\n")
    try:
        if not INTERPRETER:
            raise UserError("no TFLite interpreter is installed", "pip install ai-edge-litert")
        comparisons = measure(arguments)
    except UserError as error:
        print(f"cannot run: {error}", file=sys.stderr)
        return 2
    print(table(comparisons))
    load = os.getloadavg()[0]
    print(
        f"\n{arguments.rounds} rounds after {arguments.warm_up} of warm-up, "
        f"load average now {load:.1f}"
    )
    if arguments.json is not None:
        settings = {name: str(value) for name, value in vars(arguments).items() if name != "json"}
        content = {
            "benchmark": Path(sys.argv[0]).stem,
            "machine": where,
            "settings": settings | {"seed": SEED},
            "comparisons": [comparison.as_json() for comparison in comparisons],
        }
        write_text(arguments.json, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return 0


def table(comparisons: list[Comparison]) -> str:
    """Medians, ratio and target, a line for each comparison."""
    lines = [("measured", "median", "against", "median", "ratio", "middle half", "target", "")]
    for row in comparisons:
        low, high = row.ratio_quartiles
        lines.append(
            (
                row.name,
                _with_unit(statistics.median(row.ours), row.unit),
                row.peer_name,
                _with_unit(statistics.median(row.peer), row.unit),
                f"{row.ratio:.2f}",
                f"{low:.2f}–{high:.2f}",
                "" if row.target is None else str(row.target),
                {None: "", True: "met", False: "missed"}[row.is_met],
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rows = (
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) for line in lines
    )
    return "\n".join(row.rstrip() for row in rows)


def _with_unit(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 3
    return f"{value:.{digits}f} {unit}"


def machine() -> dict[str, str]:
    """What a number depends on: processor, governor, load, versions."""
    interpreter = INTERPRETER.partition(".")[0].replace("_", "-")
    versions = {
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "OpenCV": cv2.__version__,
        interpreter: _version(interpreter),
        "ONNX Runtime": _version("onnxruntime"),
        "hemline": _version("hemline"),
    }
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "machine": f"{_processor()}, {usable} usable cores, {platform.machine()}",
        "system": platform.platform(),
        "governor": _governor(),
        "load": f"{os.getloadavg()[0]:.1f} (one-minute average before the start)",
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
    }


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    board = Path("/proc/device-tree/model")  # a Raspberry Pi names itself here
    if board.is_file():
        return board.read_text().rstrip("\0")
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _governor() -> str:
    try:
        governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return "not readable"
    if governor == "performance":
        return governor
    return f"{governor} (the clock may change while it measures; `performance` holds it)"
