"""Memory over many frames; `python tests/runtime/test_memory.py 100000` does the same for longer."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline import Classifier
from hemline.batch import Outcome, classify_frames
from hemline.judgement import Judgement
from hemline.sources import open_video

WARM_UP = 1000


def outcomes_of_a_looped_film(film: Path) -> Iterator[Outcome]:
    """The film again and again, opened anew each time, with everything that judges over time."""
    classifier = Classifier("paper")
    while True:
        with open_video(str(film)) as frames:
            yield from classify_frames(frames, classifier, judgement=Judgement(0.5, 0.1))


def resident_kb() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("there is no VmRSS in /proc/self/status")


def measure(count: int, folder: Path) -> tuple[int, int]:
    """Resident memory in kB after warm-up, and the most that it was at twenty looks after that."""
    film = folder / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*"MJPG"), 10, (640, 480))
    rng = np.random.default_rng(0)
    for _ in range(100):
        small = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        writer.write(cv2.resize(small, (640, 480)))
    writer.release()
    outcomes = outcomes_of_a_looped_film(film)
    for _ in itertools.islice(outcomes, WARM_UP):
        pass
    start, most = resident_kb(), 0
    for _ in range(20):
        for _ in itertools.islice(outcomes, count // 20):
            pass
        most = max(most, resident_kb())
    return start, most


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")
def test_memory_is_flat_over_a_looped_film():
    # In a process of its own: the other tests have left room in this one.
    done = subprocess.run(
        [sys.executable, __file__, "3000"], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    start, most = map(int, done.stdout.split()[:2])
    assert most - start < 2048, done.stdout


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        start, most = measure(int(sys.argv[1]), Path(folder))
    print(start, most, "kB resident after warm-up, and at most")
