"""A training run from the images to the finished run folder."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hemline import atomic
from hemline.card import ModelCard, Normalization
from hemline.errors import UserError
from hemline_train._tensorflow import make_deterministic
from hemline_train.architectures import build_network
from hemline_train.config import TrainingConfig
from hemline_train.evaluation import Forward, Score, score_logits
from hemline_train.fitting import EpochLog, FitState, Fitting
from hemline_train.images import TrainingImages, load_images
from hemline_train.model_file import save_model
from hemline_train.plots import draw_confusion, draw_curves
from hemline_train.run_folder import RunFolder, new_run_folder, open_run_folder, versions

Report = Callable[[str], None]


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C came during training; the run can be resumed.

    Attributes:
        folder: The folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(f"training was interrupted; resume {folder}")
        self.folder = folder


@dataclass(frozen=True)
class TrainingResult:
    """What came out of a run.

    Attributes:
        folder: The run folder.
        card: The card that is embedded in the model.
        scores: Of the kept weights, by split, on the images as they are.
        evaluation_split: The split to quote; it decided nothing if it is `test`.
        epochs: How many were run.
        best_epoch: The one with the lowest validation loss.
        data: Name or folder of the data set, as it was given.
    """

    folder: Path
    card: ModelCard
    scores: dict[str, Score]
    evaluation_split: str
    epochs: int
    best_epoch: int
    data: str

    @property
    def model_path(self) -> Path:
        """The `.keras` file."""
        return RunFolder(self.folder).model


def report_to_stderr(line: str) -> None:
    """Print a line of progress."""
    print(line, file=sys.stderr, flush=True)


def train(config: TrainingConfig, report: Report = report_to_stderr) -> TrainingResult:
    """Train a network and write its run folder.

    Seeds Python, NumPy and Keras and switches TensorFlow to deterministic kernels, for the rest of
    the process.

    Args:
        config: Settings of the run.
        report: Called with one line of progress per epoch.

    Raises:
        UserError: The data cannot be trained on, the folder cannot be written to, or training
            diverged.
        TrainingInterrupted: Ctrl-C; `resume` continues the run.
    """
    images = load_images(config.data, config.recipe.input, config.batch_size)
    folder = new_run_folder(config, images.sha256)
    report(f"run folder {folder.path}")
    return _run(config, images, folder, None, report)


def resume(
    folder: str | Path, data: str | None = None, report: Report = report_to_stderr
) -> TrainingResult:
    """Continue a run that was stopped or killed; it ends as if it had not been.

    Args:
        folder: The folder of the run.
        data: Where its data is now, if not where it was.
        report: As in `train`.

    Raises:
        UserError: As in `train`; and the folder is no run, the run is finished, or its data has
            changed.
        TrainingInterrupted: As in `train`.
    """
    run_folder, config, data_sha256 = open_run_folder(Path(folder))
    config = replace(config, data=data or config.data)
    images = load_images(config.data, config.recipe.input, config.batch_size)
    if images.sha256 != data_sha256:
        raise UserError(
            f"the images of {config.data} are not those that the run {folder} was begun with",
            "name the right data set with --data, or start a new run without --resume",
        )
    state = run_folder.load_progress()
    done = len(state.log) if state else 0
    report(f"run folder {run_folder.path}, resumed after epoch {done}")
    if run_folder.has_other_versions():
        report("note: it was begun with other versions, the last digits may differ: versions.json")
    return _run(config, images, run_folder, state, report)


def _run(
    config: TrainingConfig,
    images: TrainingImages,
    folder: RunFolder,
    state: FitState | None,
    report: Report,
) -> TrainingResult:
    try:
        make_deterministic(config.seed)
        model = build_network(config.arch, len(images.labels))
        fitting = Fitting(model, config, images.splits["train"], images.splits["validation"])

        def after_epoch(state: FitState) -> None:
            folder.save_progress(state)
            report(_epoch_line(state.log, config))

        state = fitting.run(state or fitting.start(), after_epoch)
        return _finish(config, images, folder, model, state)
    except KeyboardInterrupt as error:
        raise TrainingInterrupted(folder.path) from error


def _finish(
    config: TrainingConfig,
    images: TrainingImages,
    folder: RunFolder,
    model: Any,
    state: FitState,
) -> TrainingResult:
    """Evaluate once, and write what belongs to the model; the model itself comes last."""
    forward = Forward(model)
    scores = {
        name: score_logits(forward(split.pixels), split.targets)
        for name, split in images.splits.items()
    }
    evaluation = scores[images.evaluation_split]
    card = _card(config, images, state, scores, model.count_params())
    folder.write_log(state.log)
    _write_confusion(folder.path / "confusion.csv", evaluation, images.labels)
    draw_curves(
        folder.path / "curves.png",
        state.log,
        state.best_epoch,
        f"{folder.path.name} on {images.name}",
    )
    title = (
        f"{folder.path.name} on {images.name}, {images.evaluation_split} split: "
        f"{evaluation.correct:,} of {evaluation.images:,} right"
    )
    draw_confusion(folder.path / "confusion.png", evaluation.confusion, images.labels, title)
    metrics = {
        name: {**score.summary(), "classes": score.recalls(images.labels)}
        for name, score in scores.items()
    }
    folder.write_json("metrics.json", metrics)
    folder.write_json("versions.json", versions())
    atomic.write_text(folder.path / "card.json", card.to_json())
    save_model(folder.model, model, card)
    folder.remove_progress()
    return TrainingResult(
        folder.path,
        card,
        scores,
        images.evaluation_split,
        len(state.log),
        state.best_epoch,
        config.data,
    )


def _card(
    config: TrainingConfig,
    images: TrainingImages,
    state: FitState,
    scores: dict[str, Score],
    parameters: int,
) -> ModelCard:
    return ModelCard(
        name=config.arch,
        labels=images.labels,
        input=config.recipe.input,
        normalization=Normalization(scale=1 / 255, zero_point=0),
        training={
            "data": images.name,
            "data_sha256": images.sha256,
            "images": {name: len(split) for name, split in images.splits.items()},
            "arch": config.arch,
            "parameters": parameters,
            "epochs": len(state.log),
            "kept_epoch": state.best_epoch if config.patience else len(state.log),
            "batch_size": config.batch_size,
            "learning_rate": config.learning_rate,
            "seed": config.seed,
            "evaluation_split": images.evaluation_split,
            "metrics": {name: score.summary() for name, score in scores.items()},
        },
    )


def _write_confusion(path: Path, score: Score, labels: tuple[str, ...]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["true class \\ answer", *labels])
    for label, row in zip(labels, score.confusion.tolist(), strict=True):
        writer.writerow([label, *row])
    atomic.write_text(path, text.getvalue())


def _epoch_line(log: tuple[EpochLog, ...], config: TrainingConfig) -> str:
    row = log[-1]
    seconds_left = (config.epochs - row.epoch) * sum(r.seconds for r in log) / len(log)
    at_most = "at most " if config.patience else ""
    left = f"  {at_most}{_duration(seconds_left)} left" if row.epoch < config.epochs else ""
    return (
        f"epoch {row.epoch:>{len(str(config.epochs))}}/{config.epochs}"
        f"  accuracy {row.training_accuracy:.4f}  loss {row.training_loss:.4f}"
        f"  validation accuracy {row.validation_accuracy:.4f}  loss {row.validation_loss:.4f}"
        f"  {row.seconds:.1f} s{left}"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
