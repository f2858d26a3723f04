"""`hemline search`: parse, call `search` or `resume_search`, print what came out."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hemline.cli.command import DONE, Command
from hemline.errors import UserError
from hemline.extras import require
from hemline.start import INTERRUPTED
from hemline_train.search.settings import FAMILIES, OBJECTIVES, Effort, Limits, SearchSettings

if TYPE_CHECKING:
    from hemline_train.search.results import TrialRow
    from hemline_train.search.run import SearchResult

_SHARED = "data epochs batch_size objective family seed study".split()  # with `SearchSettings`
_LIMITS = {"max_parameters": "parameters", "max_macs": "macs", "max_bytes": "file_bytes"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options. One that is not given is left out, so that --resume can refuse the others."""
    parser.argument_default = argparse.SUPPRESS
    default, limits = SearchSettings(), Limits()
    parser.add_argument(
        "--data",
        metavar="NAME|FOLDER",
        help=f"as for hemline train; its test images are never read (default: {default.data})",
    )
    parser.add_argument(
        "--trials",
        type=int,
        metavar="N",
        help=f"train so many networks; those above a limit do not count (default: {Effort().trials})",
    )
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="begin no other trial after so long"
    )
    parser.add_argument(
        "--epochs", type=int, metavar="N", help=f"of each trial (default: {default.epochs})"
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help=f"images per step (default: {default.batch_size})",
    )
    parser.add_argument(
        "--max-parameters",
        type=int,
        metavar="N",
        help=f"no network has more (default: {limits.parameters})",
    )
    parser.add_argument(
        "--max-macs",
        type=int,
        metavar="N",
        help=f"no network takes more multiply-accumulates (default: {limits.macs})",
    )
    parser.add_argument(
        "--max-bytes", type=int, metavar="N", help="no int8 file is larger (default: any size)"
    )
    parser.add_argument(
        "--objective",
        choices=OBJECTIVES,
        help="front: the best validation accuracy of the int8 file at every size; accuracy: the best within "
        f"the limits (default: {default.objective})",
    )
    parser.add_argument(
        "--family", choices=FAMILIES, help=f"which networks (default: {default.family})"
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help=f"with its number, it decides what a trial draws (default: {default.seed})",
    )
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="keep the trials in this database, which several machines may share: any that Optuna takes, "
        "such as postgresql+psycopg://USER:PASSWORD@HOST/DATABASE (default: a file in the search's folder)",
    )
    parser.add_argument(
        "--study", metavar="NAME", help=f"of the search in the database (default: {default.study})"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="the search's own folder is made in here (default: runs)",
    )
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="FOLDER",
        help="go on with the search of this folder; --trials, --timeout, --data and --storage go with it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Search, and print the front to standard output."""
    given = {name: value for name, value in vars(arguments).items() if name != "command"}
    effort = Effort(
        **{name: given[key] for key, name in _EFFORT.items() if key in given},
    )
    settings = None if "resume" in given else _settings(given)
    _must_go_with_resume(given)
    require(("tensorflow", "keras", "matplotlib", "optuna"), "search", "hemline search")
    from hemline_train.search.run import SearchInterrupted, resume_search, search

    storage = given.get("storage")
    try:
        if settings is None:
            result = resume_search(given["resume"], effort, given.get("data"), storage)
        else:
            result = search(settings, effort, given.get("out", Path("runs")), storage)
    except SearchInterrupted as interruption:
        command = f"hemline search --resume {shlex.quote(str(interruption.folder))}"
        if storage is not None:
            command += " --storage URL"
        print(f"\ninterrupted; go on with: {command}", file=sys.stderr)
        return INTERRUPTED
    print(outcome(result))
    return DONE


_EFFORT = {"trials": "trials", "timeout": "timeout_s"}


def outcome(result: SearchResult) -> str:
    """The front, and what to do next."""
    from hemline_train.search.results import architecture_path

    states = [row.state for row in result.rows]
    lines = [
        f"{len(states)} trials: {states.count('complete')} complete, {states.count('pruned')} too large or "
        f"stopped early, {states.count('failed')} failed, {states.count('running')} running"
    ]
    front = result.front
    if not front:
        return "\n".join([*lines, f"search folder: {result.folder}"])
    lines += [
        "",
        f"{'trial':>5} {'family':<9} {'bytes':>8} {'parameters':>10} {'MACs':>11} {'ms':>7}  int8",
    ]
    lines += [_line(row) for row in front]
    best = architecture_path(result.folder, f"{result.settings.study}-{front[-1].number}")
    return "\n".join(
        [
            *lines,
            f"accuracies are those of {result.settings.length} on the validation images, which chose: "
            "train in full to know",
            f"search folder: {result.folder}, with front.png",
            f"next: hemline train --arch {shlex.quote(str(best))} "
            f"--data {shlex.quote(result.settings.data)}",
        ]
    )


def _line(row: TrialRow) -> str:
    return (
        f"{row.number:>5} {row.family:<9} {row.int8_bytes:>8,} {row.parameters:>10,} {row.macs:>11,} "
        f"{row.inference_ms:>7.3f}  {row.int8_accuracy:.4f}"
    )


def _settings(given: dict[str, object]) -> SearchSettings:
    limits = {name: given[key] for key, name in _LIMITS.items() if key in given}
    values = {name: given[name] for name in _SHARED if name in given}
    return SearchSettings(**values, limits=Limits(**limits))  # type: ignore[arg-type]


def _must_go_with_resume(given: dict[str, object]) -> None:
    if "resume" not in given:
        return
    others = [
        f"--{name.replace('_', '-')}"
        for name in (*_SHARED, *_LIMITS, "out")
        if name in given and name != "data"
    ]
    if others:
        raise UserError(
            f"--resume goes with no {', '.join(others)}",
            "a search is resumed with the settings that it was begun with; only --trials, --timeout, --data "
            "and --storage may be given",
        )


COMMAND = Command("search", "search for networks and recipes within limits", add_arguments, run)
