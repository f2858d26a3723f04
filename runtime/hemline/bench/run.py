"""One run of the measurement: several models, one frame, this machine."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from hemline import samples
from hemline.bench.frames import STAGES, FrameTimes, time_frames
from hemline.bench.process import peak_memory_bytes, seconds_to_first_label
from hemline.bench.result import BenchResult, ModelResult, Quantiles
from hemline.bench.where import conditions_now, where_measured
from hemline.classifier import Classifier
from hemline.errors import UserError
from hemline.images import read_image
from hemline.preprocess import Frame
from hemline.sources.frames import MAX_SIDE

Tell = Callable[[str], None]


@dataclass(frozen=True)
class BenchConfig:
    """What to measure.

    Attributes:
        models: Shipped names or model files; the first one is what the others are held against.
        backends: Which backends run each, or () for the one that `hemline classify` would take.
        num_threads: Threads of one inference.
        warmup_runs: Frames of each model before anything is counted.
        num_runs: Frames of each model that count.
        size_wh: Of the frame, if no picture is given.
        image: A picture file that is the frame.
        starts: Processes that are started to time the first label; 0 leaves that and the memory out.

    Raises:
        UserError: A number that cannot be meant.
    """

    models: tuple[str, ...]
    backends: tuple[str, ...] = ()
    num_threads: int = 1
    warmup_runs: int = 20
    num_runs: int = 1000
    size_wh: tuple[int, int] = (640, 480)
    image: str | None = None
    starts: int = 5

    def __post_init__(self) -> None:
        for option, value, least in (
            ("--num-runs", self.num_runs, 10),
            ("--warmup-runs", self.warmup_runs, 0),
            ("--starts", self.starts, 0),
        ):
            if value < least:
                raise UserError(f"{option} is {value}", f"it must be at least {least}")
        if not all(1 <= side <= MAX_SIDE for side in self.size_wh):
            width, height = self.size_wh
            raise UserError(
                f"the size of the frame is {width}x{height}", f"each side is from 1 to {MAX_SIDE}"
            )


def measure_models(config: BenchConfig, tell: Tell = lambda _: None) -> BenchResult:
    """Time the models in turns, then their processes.

    Args:
        config: What to measure.
        tell: Takes a line about what is being done.

    Raises:
        UserError: A model, its backend or the picture cannot be used.
    """
    frame_bgr, frame_name = _frame(config)
    before = conditions_now()
    chosen = [(m, b) for m in config.models for b in (config.backends or (None,))]
    classifiers = [
        Classifier(model, backend=backend, num_threads=config.num_threads)
        for model, backend in chosen
    ]
    tell(f"{config.num_runs} frames of each of {len(classifiers)} models, in turns")
    threads = cv2.getNumThreads()
    cv2.setNumThreads(config.num_threads)
    try:
        times = time_frames(
            classifiers, frame_bgr, warmup_runs=config.warmup_runs, runs=config.num_runs
        )
    finally:
        cv2.setNumThreads(threads)
    processes = _measure_processes(config, classifiers, frame_bgr, tell)
    rows = [
        _row(classifier, taken, times[0], seconds, memory)
        for classifier, taken, (seconds, memory) in zip(classifiers, times, processes, strict=True)
    ]
    height, width = frame_bgr.shape[:2]
    settings = {
        "frame": frame_name,
        "size": [width, height],
        "num_threads": config.num_threads,
        "warmup_runs": config.warmup_runs,
        "num_runs": config.num_runs,
        "starts": config.starts,
    }
    measured_at = datetime.now(UTC).isoformat(timespec="seconds")
    return BenchResult(
        measured_at, where_measured(), before, conditions_now(), settings, tuple(rows)
    )


def _frame(config: BenchConfig) -> tuple[Frame, str]:
    """The frame, uint8 (H, W, 3) BGR, and what it is."""
    if config.image is not None:
        return read_image(config.image), Path(config.image).name
    sample = samples.picture_paths()[0]
    frame: Frame = np.asarray(cv2.resize(read_image(sample), config.size_wh), np.uint8)
    return frame, f"the sample picture {sample.name}"


def _measure_processes(
    config: BenchConfig, classifiers: Sequence[Classifier], frame_bgr: Frame, tell: Tell
) -> list[tuple[list[float], int | None]]:
    """Seconds to the first label of each start, and the peak of memory in bytes; starts in turns."""
    seconds: list[list[float]] = [[] for _ in classifiers]
    if not config.starts:
        return [(taken, None) for taken in seconds]
    options = [
        ["-m", c.path, "--backend", c.backend.name, "--num-threads", str(config.num_threads)]
        for c in classifiers
    ]
    tell(f"{config.starts} starts of each, to the first label")
    with tempfile.TemporaryDirectory(prefix="hemline-bench-") as folder:
        picture = Path(folder) / "frame.png"
        cv2.imwrite(str(picture), frame_bgr)
        for start in range(config.starts + 1):
            for model, words in enumerate(options):
                took = seconds_to_first_label(picture, words)
                if start:  # the first one fills the file cache
                    seconds[model].append(took)
    memory = [peak_memory_bytes(frame_bgr, words) for words in options]
    return list(zip(seconds, memory, strict=True))


def _row(
    classifier: Classifier,
    times: FrameTimes,
    first: FrameTimes,
    seconds: list[float],
    memory: int | None,
) -> ModelResult:
    stages = {name: Quantiles.of(times.ms[:, at]) for at, name in enumerate(STAGES)}
    # What slows a whole round cancels out in the ratio of its turns.
    ratio = float(np.median(times.blocks / first.blocks))
    path = Path(classifier.path)
    return ModelResult(
        model=classifier.card.name,
        file=path.name,
        file_bytes=path.stat().st_size,
        backend=classifier.backend.name,
        backend_version=classifier.backend.version,
        stages=stages,
        ratio_to_first=ratio,
        slowing=times.slowing,
        first_label_ms=1e3 * statistics.median(seconds) if seconds else None,
        peak_memory_bytes=memory,
    )
