"""`hemline bench`: how fast is a model here?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hemline.backends import backend_names
from hemline.cli.command import DONE, Command
from hemline.errors import UserError
from hemline.printable import printable

if TYPE_CHECKING:
    import argparse


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        nargs="*",
        help="names of shipped models, or model files; the others are held against the first",
    )
    parser.add_argument(
        "--backend",
        action="append",
        choices=backend_names(),
        help="what runs them; several times to compare backends (default: what classify takes)",
    )
    parser.add_argument("--num-threads", type=int, default=1, metavar="N", help="per inference")
    parser.add_argument("--num-runs", type=int, default=1000, metavar="N", help="frames that count")
    parser.add_argument(
        "--warmup-runs", type=int, default=20, metavar="N", help="frames before that"
    )
    frame = parser.add_mutually_exclusive_group()
    frame.add_argument(
        "--size", metavar="WxH", default="640x480", help="of the frame, a sample picture"
    )
    frame.add_argument("--image", metavar="FILE", help="take this picture as it is")
    parser.add_argument(
        "--starts",
        type=int,
        default=5,
        metavar="N",
        help="processes started for the time to the first label; 0 leaves it and the memory out",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to FILE")
    parser.add_argument(
        "--compare",
        nargs=2,
        metavar=("A", "B"),
        help="show two files that --json wrote beside each other, and measure nothing",
    )


def _run(arguments: argparse.Namespace) -> int:
    from hemline import bench

    if arguments.compare is not None:
        if arguments.model:
            raise UserError(
                "--compare is given with a model to measure",
                "models that are named together are compared in one run; "
                "--compare takes two files that --json wrote",
            )
        a, b = (bench.read_result(path) for path in arguments.compare)
        print(printable(bench.comparison_of(a, b)))
        return DONE
    if not arguments.model:
        raise UserError("there is no model to measure", "name some: hemline bench paper")
    from hemline import atomic
    from hemline.cli.parsing import parsed_size

    if arguments.json is not None:
        atomic.check_writable(arguments.json)

    config = bench.BenchConfig(
        models=tuple(arguments.model),
        backends=tuple(dict.fromkeys(arguments.backend or ())),
        num_threads=arguments.num_threads,
        warmup_runs=arguments.warmup_runs,
        num_runs=arguments.num_runs,
        size_wh=parsed_size(arguments.size),
        image=arguments.image,
        starts=arguments.starts,
    )
    result = bench.measure_models(config, tell=_tell)
    print(printable(bench.table_of(result)))
    if arguments.json is not None:
        text = json.dumps(result.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        atomic.write_text(arguments.json, text + "\n")
    return DONE


def _tell(line: str) -> None:
    if sys.stderr.isatty():
        print(f"hemline: {line}", file=sys.stderr)


COMMAND = Command("bench", "measure how fast models are on this machine", _add_arguments, _run)
