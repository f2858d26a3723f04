"""`hemline train`: parse, call `train` or `resume`, print what came out."""

from __future__ import annotations

import argparse
import inspect
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hemline.cli.command import DONE, Command
from hemline.errors import UserError
from hemline.extras import require
from hemline.start import INTERRUPTED
from hemline_train.cluster import Cluster, cluster_from_environment
from hemline_train.config import BEST_BY_TEXT, Settings, TrainingConfig
from hemline_train.qat_config import QatConfig
from hemline_train.recipes import BACKBONE_ALPHAS, RECIPES

if TYPE_CHECKING:
    from hemline_train.evaluation import Score
    from hemline_train.outcome import TrainingResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options. One that is not given is left out, so that --resume can refuse the others."""
    parser.argument_default = argparse.SUPPRESS
    archs = "; ".join(f"{name}: {recipe.summary}" for name, recipe in RECIPES.items())
    parser.add_argument(
        "--arch",
        metavar="NAME|FILE.json",
        help=f"{archs}; or a file that hemline search wrote (default: optimized)",
    )
    parser.add_argument(
        "--data",
        metavar="NAME|FOLDER",
        help="fashion-mnist, drawn, wardrobe, a folder of IDX files, or one with a sub-folder per class "
        "(default: fashion-mnist, wardrobe for the architecture of that name, or what the run of --qat was "
        "trained on)",
    )
    parser.add_argument("--epochs", type=int, metavar="N", help=_default("at most N", "epochs"))
    parser.add_argument(
        "--batch-size", type=int, metavar="N", help=_default("images per step", "batch_size")
    )
    parser.add_argument(
        "--patience",
        type=int,
        metavar="N",
        help=_default(
            "stop after N epochs without a better validation loss and keep the best weights; "
            "0 trains all epochs and keeps the last",
            "patience",
        ),
    )
    parser.add_argument(
        "--learning-rate",
        type=float,
        metavar="X",
        help="the highest of the schedule (default: 0.001 with Adam, 0.1 with SGD, 0.0001 with --qat)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="the same seed gives the same weights on the same machine (default: 0)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="the run's own folder is made in here (default: runs)",
    )
    parser.add_argument(
        "--teacher",
        dest="teachers",
        action="append",
        metavar="MODEL",
        help="learn from the answers of this trained network too (distillation): a .keras file, or the name "
        "of a shipped model; give it again for more, whose answers are averaged",
    )
    parser.add_argument(
        "--backbone",
        choices=list(BACKBONE_ALPHAS),
        help="with --arch wardrobe: train on from this network of Keras Applications, whose ImageNet weights "
        "are downloaded once; 96×96 input",
    )
    parser.add_argument(
        "--nothing",
        action="append",
        metavar="FOLDER",
        help="with --arch wardrobe: pictures that show none of the classes, such as your room, or things cut "
        "out as PNG; they are to be answered with unknown; give it again for more folders",
    )
    parser.add_argument(
        "--with-validation",
        action="store_true",
        help="train on the validation images too: for the last run, when nothing is to be chosen any more",
    )
    parser.add_argument(
        "--bfloat16",
        action="store_true",
        help="compute convolutions in bfloat16 while training, which takes a fraction of the time on "
        "processors with AMX",
    )
    parser.add_argument(
        "--qat",
        type=Path,
        metavar="RUN|MODEL.keras",
        help="train this network on with the rounding of its int8 file (quantization-aware training); "
        "hemline convert --int8 of the result needs no --data",
    )
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="continue the run of this folder with its own settings, to the same result",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, and print the outcome to standard output."""
    require(("tensorflow", "keras", "matplotlib"), "train", "hemline train")
    config = _config(arguments)
    cluster = cluster_from_environment()
    from hemline_train.training import TrainingInterrupted, resume, train

    if cluster and cluster.number:
        return _assist(config, arguments, cluster)
    try:
        result = (
            train(config) if config else resume(arguments.resume, getattr(arguments, "data", None))
        )
    except TrainingInterrupted as interruption:
        command = f"hemline train --resume {shlex.quote(str(interruption.folder))}"
        print(f"\ninterrupted; continue with: {command}", file=sys.stderr)
        return INTERRUPTED
    print(outcome(result))
    return DONE


def _assist(config: Settings | None, arguments: argparse.Namespace, cluster: Cluster) -> int:
    """Take part in the training that the first process of `TF_CONFIG` writes."""
    from hemline_train.run_folder import open_run_folder
    from hemline_train.training import assist

    if config is None:
        _, config, _ = open_run_folder(arguments.resume)
        config = replace(config, data=getattr(arguments, "data", None) or config.data)
    assist(config)
    which = f"process {cluster.number + 1} of {len(cluster.addresses)}"
    print(f"{which}: done; the first, {cluster.addresses[0]}, writes the run")
    return DONE


def outcome(result: TrainingResult) -> str:
    """The final table, where the run is, and what to do next."""
    wide = max(len(name) for name in ("validation", *result.scores))
    lines = [f"{'split':<{wide}}  {'images':>7} {'accuracy':>9}  {'95 % interval':<16} {'loss':>7}"]
    if result.int8_scores:
        lines = [f"{'':<12} {lines[0]}"]
        lines += _rows("int8 before", result.int8_scores_before, wide)
        lines += _rows("int8", result.int8_scores, wide)
        lines += _rows("float", result.scores, wide)
    else:
        lines += _rows("", result.scores, wide)
    kept = result.card.training["kept_epoch"]
    is_best = kept == result.best_epoch and "validation" in result.scores
    which = f"with the {BEST_BY_TEXT[result.best_by]}" if is_best else "the last"
    return "\n".join(
        [
            *lines,
            f"{result.epochs} epoch{'s' * (result.epochs > 1)}; the weights are those of epoch {kept}, "
            + which,
            f"run folder: {result.folder}",
            f"next: hemline convert {shlex.quote(str(result.model_path))} --int8 "
            f"--data {shlex.quote(result.data)}",
        ]
    )


def _rows(kind: str, scores: dict[str, Score], wide: int) -> list[str]:
    lines = []
    for name, score in scores.items():
        low, high = score.interval_95
        first = f"{kind:<12} " if kind else ""
        lines.append(
            f"{first}{name:<{wide}}  {score.images:>7,} {score.accuracy:>9.4f}  {low:.4f} – {high:.4f}"
            f"  {score.loss:>7.4f}"
        )
    return lines


def _config(arguments: argparse.Namespace) -> Settings | None:
    """The settings of a new run, or None to resume one."""
    names = (
        "arch backbone data epochs batch_size patience learning_rate seed out teachers with_validation "
        "nothing bfloat16 qat"
    ).split()
    given = {name: value for name, value in vars(arguments).items() if name in names}
    if "resume" not in arguments and "qat" in given:
        for name in ("arch", "backbone", "nothing", "teachers", "with_validation", "bfloat16"):
            if name in given:
                raise UserError(
                    f"--qat goes with no {_option(name)}",
                    "the model is trained on as it is; leave that out",
                )
        return QatConfig.recommended(given.pop("qat"), **given)
    if "resume" not in arguments:
        return TrainingConfig.recommended(**given)
    others = [_option(name) for name in given if name != "data"]
    if others:
        raise UserError(
            f"--resume goes with no {', '.join(others)}",
            "a run is resumed with the settings that it was begun with; only --data may be given, "
            "when the data has moved",
        )
    return None


def _option(name: str) -> str:
    return "--teacher" if name == "teachers" else f"--{name.replace('_', '-')}"


def _default(text: str, field: str) -> str:
    values = [f"{getattr(recipe, field)} for {name}" for name, recipe in RECIPES.items()]
    with_qat = inspect.signature(QatConfig.recommended).parameters[field].default
    return f"{text} (default: {', '.join(values)}, {with_qat} with --qat)"


COMMAND = Command("train", "train a network and write a run folder", add_arguments, run)
