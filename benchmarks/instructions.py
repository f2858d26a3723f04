"""Instructions that an emulated Raspberry Pi executes: hemline beside what a user would write by hand.

For want of a board: instructions are no times. How long one takes depends on caches, memory and the clock,
which the emulation does not have. They show what an Arm processor is given to do, and hardly vary.

Needs apt and gcc, as tests/emulated_pi does, and `pip install 'hemline[convert]'` for the peers' files.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import _measure
import cv2
import peers

from hemline.atomic import write_text
from hemline.errors import UserError

# The emulation belongs to the tests, which are no package that is installed.
sys.path.insert(0, str(peers.ROOT / "tests"))
from emulated_pi.boards import BOARDS, Board
from emulated_pi.cache import UnavailableError
from emulated_pi.counting import Count, instructions
from emulated_pi.installation import SMALLEST, Environment, installed

IMPORTS = "import numpy, cv2, ai_edge_litert.interpreter"
COMMAND = "hemline classify PICTURE"
# The extra of hemline whose environment has what the peer imports, by the peer's name.
EXTRAS = {
    peers.OURS: "",
    "LiteRT by hand, int8": "",
    "tflite-runtime by hand, int8": SMALLEST,
    "ONNX Runtime by hand, float32": "onnx",
}
WARM_UP = 3  # frames; the first ones allocate what the others use again


@dataclass(frozen=True)
class Counts:
    """Of one way to a label, on one board.

    Attributes:
        start: Of the first thread, from the start of the process to the first label, or to the end of the
            imports, in each run.
        start_of_others: Of the other threads until then. NumPy's wait in loops, as long as QEMU takes.
        frame: Of all threads, for one more frame in memory, in each run; empty where there are no frames.
    """

    start: list[int]
    start_of_others: list[int]
    frame: list[float]


def main() -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-m", "--model", default=_measure.MODEL, help="shipped, or .keras")
    parser.add_argument("--size", type=_measure.size_wh, default=(640, 480), help="of the frame")
    parser.add_argument("--frames", type=_measure.positive, default=10, help="that are counted")
    parser.add_argument("--runs", type=_measure.positive, default=3, help="of each program")
    boards = [board.name for board in BOARDS.values() if all_peers_run_on(board)]
    parser.add_argument("--boards", nargs="+", choices=boards, default=["pi4"], help="default: pi4")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE")
    arguments = parser.parse_args()
    try:
        rows = measure(arguments)
    except (UserError, UnavailableError) as error:
        print(f"cannot run: {error}", file=sys.stderr)
        return 2
    for name, counts in rows.items():
        print(f"\n{BOARDS[name].model}, {BOARDS[name].cpu}\n{table(counts)}")
    print(
        f"\nMillions of instructions that QEMU executed, in {arguments.runs} runs: no times, "
        "and a board may need more time for fewer"
    )
    if arguments.json is not None:
        content = {
            "benchmark": "instructions",
            "settings": {"model": arguments.model, "size_wh": arguments.size},
            "boards": {
                name: {row: vars(counted) for row, counted in counts.items()}
                for name, counts in rows.items()
            },
        }
        write_text(arguments.json, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return 0


def all_peers_run_on(board: Board) -> bool:
    """64 bit; and Python 3.11, the last one that tflite-runtime has wheels for."""
    return board.architecture == "arm64" and board.release == "bookworm"


def measure(arguments: argparse.Namespace) -> dict[str, dict[str, Counts]]:
    """The counts of every way, by board."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        print("converting, and installing on the emulated boards …", file=sys.stderr)
        files = peers.converted(arguments.model, folder / "files")
        picture = folder / "picture.png"
        cv2.imwrite(str(picture), _measure.photo(0, arguments.size))
        wheel = built_wheel(folder)
        # Boards of one architecture and release share what is installed.
        environments = {
            extra: installed(folder / f"venv-{extra}", BOARDS["pi4"], wheel, extra)
            for extra in dict.fromkeys(EXTRAS.values())
        }
        rows = {}
        for name in arguments.boards:
            ways = counted(BOARDS[name], environments, files, picture, arguments)
            rows[name] = dict(ways)
    return rows


def built_wheel(folder: Path) -> Path:
    """hemline as pip gets it."""
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*words, str(peers.ROOT)], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"the wheel cannot be built: {done.stderr[-500:]}", "run `make test` once")
    (wheel,) = folder.glob("*.whl")
    return wheel


def counted(
    board: Board,
    environments: dict[str, Environment],
    files: dict[str, Path],
    picture: Path,
    arguments: argparse.Namespace,
) -> Iterator[tuple[str, Counts]]:
    """The imports, the command, and each peer."""

    def runs(name: str, extra: str, *words: object, typed: str = "") -> list[list[Count]]:
        """Of a program, without its first run, which writes the byte code."""
        print(f"{board.name}: {name} …", file=sys.stderr)
        counts = [
            instructions(environments[extra], board, *words, typed=typed)
            for _ in range(1 + arguments.runs)
        ]
        return counts[1:]

    say = f"{IMPORTS}\nprint('imported', flush=True)"
    yield IMPORTS, counts_of(runs(IMPORTS, "", "-c", say))
    program = environments[""].packages.parents[2] / "bin" / "hemline"
    command = (program, "classify", picture, "-m", files["int8.tflite"])
    yield COMMAND, counts_of(runs(COMMAND, "", *command))
    typed = f"frames {WARM_UP}\nframes 1\nframes {1 + arguments.frames}\n"
    for peer in peers.PEERS:
        if peer.name in EXTRAS:
            words = (peers.PROGRAMS / f"{peer.program}.py", files[peer.model], picture)
            ran = runs(peer.name, EXTRAS[peer.name], *words, typed=typed)
            yield peer.name, counts_of(ran, arguments.frames)


def counts_of(runs: list[list[Count]], frames: int = 0) -> Counts:
    """What the counts at each line of a program's output come to.

    Args:
        runs: The label first, then warm-up, one frame, and `frames` more than one.
        frames: 0 where the label was all.
    """
    each = []
    for _, *served in runs:
        if frames:
            warm, one, more = map(sum, served)
            # Both have the same lines around their frames, which so cancel out.
            each.append(((more - one) - (one - warm)) / frames)
    first, others = zip(*(run[0] for run in runs), strict=True)
    return Counts(list(first), list(others), each)


def table(rows: dict[str, Counts]) -> str:
    """Medians in millions, with least and most, and how many times the imports, and hemline, they are."""
    imports = median(rows[IMPORTS].start)
    ours = median(rows[peers.OURS].frame)
    lines = [
        ["", "start to first label", "imports = 1", "other threads", "one frame", "hemline = 1"]
    ]
    for name, row in rows.items():
        cells = [name, millions(row.start, 0), f"{median(row.start) / imports:.2f}"]
        cells += [millions(row.start_of_others, 0), "", ""]
        if row.frame:
            cells[4:] = [millions(row.frame, 3), f"{median(row.frame) / ours:.2f}"]
        lines.append(cells)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def millions(counts: Sequence[float], digits: int) -> str:
    """The median, and in brackets the least and the most."""
    figures = (median(counts), min(counts), max(counts))
    middle, least, most = (f"{figure / 1e6:.{digits}f}" for figure in figures)
    return f"{middle} M ({least}–{most})"


if __name__ == "__main__":
    sys.exit(main())
