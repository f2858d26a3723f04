"""`hemline parity`: is the converted model still the same model?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hemline import atomic
from hemline.backends import backend_names
from hemline.cli.command import DONE, FAILED, Command
from hemline.errors import UserError
from hemline.parity.result import Gate
from hemline.printable import printable


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "candidate",
        nargs="+",
        help="model file, name of a shipped model, or folder: every .tflite and .onnx file in it",
    )
    source = parser.add_argument_group(
        "what to measure against",
        "By default the golden pack NAME.golden.npz beside the candidate.",
    )
    source.add_argument(
        "--reference",
        metavar="MODEL",
        help="the float model, .keras, .tflite or .onnx; with --data by default NAME_float32 "
        "beside the candidate",
    )
    source.add_argument(
        "--data",
        metavar="NAME|FOLDER",
        help="fashion-mnist, or a folder with one sub-folder per class; its test split is used",
    )
    source.add_argument("--golden", metavar="FILE", type=Path, help="another golden pack")
    source.add_argument(
        "--limit", metavar="N", type=int, help="take only N pictures, evenly spread"
    )
    gate = parser.add_argument_group("the gate")
    gate.add_argument(
        "--min-agreement",
        metavar="X",
        type=float,
        default=Gate.min_agreement,
        help="least share of pictures with the reference's answer, 0 to 1",
    )
    gate.add_argument(
        "--max-drop",
        metavar="POINTS",
        type=float,
        default=Gate.max_drop_points,
        help="greatest loss of accuracy in percentage points",
    )
    parser.add_argument("--backend", choices=backend_names(), help="what runs the candidates")
    parser.add_argument("--num-threads", metavar="N", type=int, default=1, help="per inference")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all numbers to FILE")
    parser.add_argument(
        "--report", metavar="DIR", type=Path, help="write a page with the flipped pictures into DIR"
    )


def _run(arguments: argparse.Namespace) -> int:
    # The measuring parts load OpenCV; `hemline parity --help` need not.
    from hemline.parity.plan import Request, prepare
    from hemline.parity.run import measure
    from hemline.parity.table import table

    gate = Gate(min_agreement=arguments.min_agreement, max_drop_points=arguments.max_drop)
    request = Request(
        candidates=tuple(arguments.candidate),
        reference=arguments.reference,
        data=arguments.data,
        golden=arguments.golden,
        limit=arguments.limit,
        backend=arguments.backend,
        num_threads=arguments.num_threads,
    )
    plan = prepare(request)
    run = measure(plan.groups, gate, plan.errors, plan.left_out)
    if not run.reports:  # so there is no gate that could have failed
        raise UserError(run.errors[0].problem, run.errors[0].hint)
    print(printable(table(run)))
    if arguments.json is not None:
        text = json.dumps(run.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        atomic.write_text(arguments.json, text + "\n")
    if arguments.report is not None:
        from hemline.parity.report import PAGE_NAME, write_report

        write_report(run, arguments.report)
        print(f"\npage: {arguments.report / PAGE_NAME}")
    print(f"\n{printable(run.verdict)}")
    return DONE if run else FAILED


COMMAND = Command(
    "parity", "check that a converted model is still the same model", _add_arguments, _run
)
