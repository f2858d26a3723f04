"""From the start of the process to the label, against importing what every such program imports."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import _measure
import cv2
from _measure import Comparison, Target

from hemline.errors import UserError

TARGET = Target("at most", 1.15)
IMPORTS = f"import numpy, cv2, {_measure.INTERPRETER}"


def main() -> int:
    """Run the benchmark from the command line."""
    parser = _measure.parser(__doc__ or "", rounds=15, warm_up=2)
    return _measure.main(parser, measure)


def measure(arguments: argparse.Namespace) -> list[Comparison]:
    """Whole processes, each timed from outside."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "one.png"
        cv2.imwrite(str(picture), _measure.photo(0, (400, 533)))
        classify = ["classify", str(picture), "--model", arguments.model]
        commands = {"python -m hemline": [sys.executable, "-m", "hemline", *classify]}
        script = Path(sys.executable).with_name("hemline")
        if script.is_file():
            commands["hemline"] = [str(script), *classify]
        else:
            print(f"there is no {script}, so the console script is left out")
        commands[IMPORTS] = [sys.executable, "-c", IMPORTS]
        environment = _measure.child_environment(folder)
        candidates = {name: _process(command, environment) for name, command in commands.items()}
        seconds = _measure.seconds_of_rounds(candidates, arguments.rounds, arguments.warm_up)
    milliseconds = {name: [1e3 * s for s in values] for name, values in seconds.items()}
    return [
        Comparison(
            f"{name} classify one.png",
            f'python -c "{IMPORTS}"',
            "ms",
            milliseconds[name],
            milliseconds[IMPORTS],
            TARGET,
        )
        for name in commands
        if name != IMPORTS
    ]


def _process(command: list[str], environment: dict[str, str]) -> Callable[[], None]:
    def run() -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode != 0:
            raise UserError(f"{' '.join(command)} returned {done.returncode}", done.stderr.strip())

    return run


if __name__ == "__main__":
    sys.exit(main())
