"""Resident memory of `hemline classify` over many frames of a film, with a page that is watched and without.

python benchmarks/memory.py                             # 100,000 frames each way, half an hour on two cores
python benchmarks/memory.py --frames 5000 --warm-up 2000
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import _measure
import cv2
import numpy as np

from hemline.atomic import write_text
from hemline.errors import UserError

TARGET_KB = 2048
FRAMES_OF_FILM = 500
FPS = 1000.0  # what the film states: with --serve it is played no faster
OVER_TIME = ["--smooth", "0.5", "--hysteresis", "0.1"]
TIMEOUT_S = 60


@dataclass(frozen=True)
class Measured:
    """One process.

    Attributes:
        name: What it did.
        frames: How many were classified in all.
        warm_up: After how many of them the memory was looked at first.
        start_kb: Resident memory then.
        most_kb: The most at any look after that.
        end_kb: At the last one.
        shown: Pictures that the viewers were sent, together.
    """

    name: str
    frames: int
    warm_up: int
    start_kb: int
    most_kb: int
    end_kb: int
    shown: int

    @property
    def growth_kb(self) -> int:
        """From the end of the warm-up to the most."""
        return self.most_kb - self.start_kb


def main() -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100_000, help="default: 100000")
    parser.add_argument("--warm-up", type=int, default=10_000, help="of these; default: 10000")
    parser.add_argument(
        "--viewers", type=int, default=2, help="every second one is slow; default: 2"
    )
    parser.add_argument("--looks", type=int, default=90, help="at the memory; default: 90")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the numbers")
    arguments = parser.parse_args()
    try:
        measured = measure(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, value in _measure.machine().items():
        print(f"{name}: {value}")
    for row in measured:
        print(
            f"{row.name}: {row.start_kb / 1024:.1f} MB after {row.warm_up} frames, at most "
            f"{row.most_kb / 1024:.1f} MB until frame {row.frames}, {row.end_kb / 1024:.1f} MB then: "
            f"{row.growth_kb / 1024:+.2f} MB (target ≤ {TARGET_KB / 1024:g} MB: "
            f"{'met' if row.growth_kb <= TARGET_KB else 'missed'})"
            + (f"; {row.shown} pictures were sent to viewers" if row.shown else "")
        )
    if arguments.json is not None:
        rows = [asdict(row) | {"growth_kb": row.growth_kb} for row in measured]
        content = {"machine": _measure.machine(), "measured": rows}
        write_text(arguments.json, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return 0


def measure(arguments: argparse.Namespace) -> list[Measured]:
    """Whole processes, each looked at from outside.

    Raises:
        UserError: There is no /proc, or the numbers cannot be meant.
    """
    if not Path("/proc/self/status").exists():
        raise UserError("there is no /proc here", "resident memory is read there: run it on Linux")
    after = arguments.frames - arguments.warm_up
    if arguments.warm_up < 1 or not 1 <= arguments.looks <= after:
        raise UserError(
            f"--frames {arguments.frames}, --warm-up {arguments.warm_up} and --looks {arguments.looks}",
            "after the warm-up there must be a frame for each look",
        )
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.avi"
        write_film(film)
        plain = watch_process("classify", film, arguments, [], 0)
        name = f"classify --serve, {arguments.viewers} viewers"
        served = watch_process(name, film, arguments, ["--serve", "127.0.0.1:0"], arguments.viewers)
    return [plain, served]


def write_film(path: Path) -> None:
    """A garment that wanders, 640×480."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), FPS, (640, 480))
    picture = _measure.photo(0, (640, 480))
    for number in range(FRAMES_OF_FILM):
        writer.write(np.roll(picture, 640 * number // FRAMES_OF_FILM, axis=1))
    writer.release()


def watch_process(
    name: str, film: Path, arguments: argparse.Namespace, options: list[str], viewers: int
) -> Measured:
    """Have the film classified again and again, and look at the process's memory meanwhile."""
    loops = -(-arguments.frames // FRAMES_OF_FILM)
    command = [sys.executable, "-m", "hemline", "classify", *[str(film)] * loops, "--json"]
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [*command, *OVER_TIME, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        )
        stack.callback(process.kill)
        assert process.stdout is not None
        assert process.stderr is not None
        watching: list[Viewer] = []
        if viewers:
            said = process.stderr.readline().decode()
            found = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
            if found is None:
                raise UserError(f"hemline does not serve: {said}", process.stderr.read().decode())
            watching = [Viewer(int(found[1]), is_slow=bool(n % 2)) for n in range(viewers)]
        after = arguments.frames - arguments.warm_up
        looks = [
            arguments.warm_up + after * n // arguments.looks for n in range(arguments.looks + 1)
        ]
        seen = [resident_kb(process.pid) for _ in counted(process.stdout, looks)]
        if len(seen) < len(looks):
            raise UserError(f"hemline has ended early: {process.stderr.read().decode()}")
        shown = [viewer.pictures for viewer in watching]
        if not all(shown):
            raise UserError(f"a viewer has seen nothing: {shown}")
    return Measured(
        name, arguments.frames, arguments.warm_up, seen[0], max(seen[1:]), seen[-1], sum(shown)
    )


def counted(lines: IO[bytes], looks: list[int]) -> Iterator[int]:
    """Stop at each of these numbers of lines; a line is a frame."""
    wanted = iter(looks)
    look = next(wanted, None)
    for number, _ in enumerate(lines, 1):
        if number == look:
            yield number
            look = next(wanted, None)
            if look is None:
                return


def resident_kb(process: int) -> int:
    """What the system says that it has in memory."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise UserError(f"the process {process} has no VmRSS", "it has ended")


class Viewer:
    """Watches the stream as a browser does, and asks for the latest answer; a slow one lags behind.

    Args:
        port: Of the page.
        is_slow: Takes 20 kB a second.
    """

    def __init__(self, port: int, is_slow: bool) -> None:
        self._port = port
        self._is_slow = is_slow
        self.pictures = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        pause = threading.Event()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        with contextlib.suppress(OSError, http.client.HTTPException):  # it ends when hemline does
            connection.request("GET", "/stream.mjpg")
            stream = connection.getresponse()
            latest = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
            while piece := stream.read1(4096):
                before, self.pictures = self.pictures, self.pictures + piece.count(b"image/jpeg")
                if self._is_slow:
                    pause.wait(0.2)
                if self._is_slow or (self.pictures > before and not self.pictures % 5):
                    latest.request("GET", "/api/latest")
                    latest.getresponse().read()


if __name__ == "__main__":
    sys.exit(main())
