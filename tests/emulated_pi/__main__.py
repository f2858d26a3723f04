"""Run a command on an emulated board: `python -m emulated_pi pi4 hemline classify picture.jpg`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from emulated_pi.boards import BOARDS
from emulated_pi.cache import UnavailableError
from emulated_pi.installation import ROOT, installed


def main() -> int:
    """Build the wheel, install it on the board, and run the command there."""
    parser = argparse.ArgumentParser(prog="python -m emulated_pi", description=__doc__)
    parser.add_argument("board", choices=BOARDS)
    parser.add_argument("program", choices=("hemline", "python", "size"))
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    parser.add_argument(
        "--extra", default="", help="also install this extra, such as onnx; or: smallest"
    )
    chosen = parser.parse_args()
    board = BOARDS[chosen.board]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        build = [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            str(folder),
        ]
        subprocess.run([*build, str(ROOT)], check=True, stdout=subprocess.DEVNULL)
        (wheel,) = folder.glob("*.whl")
        try:
            environment = installed(folder / "venv", board, wheel, chosen.extra)
        except UnavailableError as reason:
            print(f"no emulated Raspberry Pi: {reason}", file=sys.stderr)
            return 2
        if chosen.program == "size":
            print(f"{environment.size_bytes() / 1e6:.1f} MB of packages, without pip")
            return 0
        run = environment.hemline if chosen.program == "hemline" else environment.python
        done = run(board, *chosen.arguments, cwd=Path.cwd())
    print(done.stdout, end="")
    print(done.stderr, end="", file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
