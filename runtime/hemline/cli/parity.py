"""`hemline parity`: is the converted model still the same model?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from hemline import atomic
from hemline.backends import backend_names
from hemline.cli.command import DONE, FAILED, Command
from hemline.errors import UserError
from hemline.parity.layers.table import DEFAULT_SHOWN
from hemline.parity.result import Gate
from hemline.printable import printable

if TYPE_CHECKING:
    from hemline.modelfile import LoadedModel
    from hemline.parity.plan import Plan
    from hemline.parity.reference import Reference
    from hemline.parity.run import LayerRequest, ParityRun
    from hemline.parity.stages.others import ObservedRun


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
    parser.add_argument(
        "--layers",
        metavar="N",
        type=int,
        nargs="?",
        const=DEFAULT_SHOWN,
        help="compare the layers with those of the float network (NAME_float32.tflite or .keras beside it, "
        f"or --reference), and show the N worst ({DEFAULT_SHOWN}); it is done anyway where the network fails",
    )
    other = parser.add_argument_group(
        "a runtime that is not hemline's",
        "Give it the pictures of the golden pack, write down what it makes of them, and have that judged "
        "stage by stage.",
    )
    other.add_argument(
        "--export-pictures",
        metavar="FOLDER",
        type=Path,
        help="write the pictures of the golden pack into a new folder, and do nothing else",
    )
    other.add_argument(
        "--observed",
        metavar="FILE",
        type=Path,
        help="an .npz file with what it made of them, in their order, any of: pixels (BGR), tensors, "
        "scores, labels, confidences",
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

    _refuse_what_does_not_fit(arguments)
    if arguments.json is not None:
        atomic.check_writable(arguments.json)
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
    if arguments.export_pictures is not None:
        return _export(plan, arguments)
    if arguments.observed is not None:
        return _judge_observed(plan, arguments)
    layers = _layer_request(arguments)
    run = measure(plan.groups, gate, plan.errors, plan.left_out, layers)
    if not run.reports:  # so there is no gate that could have failed
        raise UserError(run.errors[0].problem, run.errors[0].hint)
    print(printable(table(run, arguments.layers or DEFAULT_SHOWN)))
    status = _finished(run, arguments)
    if not run:
        from hemline.parity.next_step import doctors_command

        candidates = [model for _, models in plan.groups for model in models]
        if command := doctors_command(candidates, run.reports):
            print(printable(f"next, why and what mends it: {command}"))
    return status


def _finished(run: ParityRun | ObservedRun, arguments: argparse.Namespace) -> int:
    """Write what was asked for, say the verdict, and give the status."""
    if arguments.json is not None:
        text = json.dumps(run.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        atomic.write_text(arguments.json, text + "\n")
    if arguments.report is not None:
        from hemline.parity.report import write_report

        print(f"\npage: {write_report(run, arguments.report)}")
    print(f"\n{printable(run.verdict)}")
    return DONE if run else FAILED


def _layer_request(arguments: argparse.Namespace) -> LayerRequest:
    from hemline.parity.run import LayerRequest

    if arguments.layers is not None and arguments.layers < 1:
        raise UserError(f"--layers is {arguments.layers}", "it must be at least 1")
    named = arguments.reference
    is_network = named is not None and named.endswith((".keras", ".tflite"))
    return LayerRequest(arguments.layers is not None, Path(named) if is_network else None)


def _refuse_what_does_not_fit(arguments: argparse.Namespace) -> None:
    """What is about the pictures of a golden pack needs one, and all of it."""
    asked = [
        option
        for option, value in (
            ("--export-pictures", arguments.export_pictures),
            ("--observed", arguments.observed),
        )
        if value is not None
    ]
    if len(asked) > 1:
        raise UserError(f"{' and '.join(asked)} are both given", "first the one, then the other")
    if not asked:
        return
    for name in ("data", "reference", "limit"):
        if getattr(arguments, name) is not None:
            raise UserError(
                f"{asked[0]} and --{name} are both given",
                f"{asked[0]} is about all pictures of a golden pack: leave --{name} out",
            )


def _export(plan: Plan, arguments: argparse.Namespace) -> int:
    from hemline.parity.export import LIST_NAME, export_pictures

    reference, _ = _only_group(plan, "--export-pictures")
    assert reference.pack is not None  # there are no data
    folder = arguments.export_pictures
    paths = export_pictures(reference.pack, folder)
    print(
        f"{len(paths)} pictures in {folder}, from {paths[0].name} to {paths[-1].name}; "
        f"{LIST_NAME} names them"
    )
    print(
        "next: numpy.savez('observed.npz', …) of what your runtime makes of them, in this order, and\n"
        f"  hemline parity {arguments.candidate[0]} --observed observed.npz"
    )
    return DONE


def _judge_observed(plan: Plan, arguments: argparse.Namespace) -> int:
    from hemline.parity.stages.observed import load_observed
    from hemline.parity.stages.others import judge_observed
    from hemline.parity.table import observed_table

    reference, candidates = _only_group(plan, "--observed")
    if len(candidates) != 1:
        raise UserError(
            f"--observed is of one model, and there are {len(candidates)}: "
            + ", ".join(model.file_name for model in candidates),
            "name the file that your runtime runs",
        )
    assert reference.pack is not None  # there are no data
    observed = load_observed(arguments.observed, reference.pack)
    run = judge_observed(candidates[0], reference, observed)
    print(printable(observed_table(run)))
    return _finished(run, arguments)


def _only_group(plan: Plan, option: str) -> tuple[Reference, list[LoadedModel]]:
    if plan.errors:
        raise UserError(plan.errors[0].problem, plan.errors[0].hint)
    if len(plan.groups) != 1:
        raise UserError(
            f"{option} is about one golden pack, and there are {len(plan.groups)}",
            "name one model, or --golden FILE",
        )
    return plan.groups[0]


COMMAND = Command(
    "parity", "check that a converted model is still the same model", _add_arguments, _run
)
