"""What comes out of a run: the result, the card of the model, and the files that tell how good it is."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hemline import atomic
from hemline.card import ModelCard, Normalization
from hemline_train.config import BestBy, Settings, TrainingConfig
from hemline_train.evaluation import Score
from hemline_train.fit_state import FitState
from hemline_train.images import TrainingImages
from hemline_train.plots import draw_confusion, draw_curves
from hemline_train.qat_config import QatConfig
from hemline_train.run_folder import RunFolder

Scores = dict[str, Score]  # by split


@dataclass(frozen=True)
class TrainingResult:
    """What came out of a run.

    Attributes:
        folder: The run folder.
        card: The card that is embedded in the model.
        scores: Of the kept weights in float, by split, on the images as they are.
        evaluation_split: The split to quote; it decided nothing if it is `test`.
        epochs: How many were run.
        best_epoch: The best of them.
        best_by: The figure that made it the best.
        data: Name or folder of the data set, as it was given.
        int8_scores: After quantization-aware training: of the network with the rounding of its int8
            file. Empty after other training.
        int8_scores_before: The same for the model that it began with.
    """

    folder: Path
    card: ModelCard
    scores: Scores
    evaluation_split: str
    epochs: int
    best_epoch: int
    best_by: BestBy
    data: str
    int8_scores: Scores = field(default_factory=dict)
    int8_scores_before: Scores = field(default_factory=dict)

    @property
    def model_path(self) -> Path:
        """The `.keras` file."""
        return RunFolder(self.folder).model


def make_card(
    config: Settings,
    images: TrainingImages,
    state: FitState,
    parameters: int,
    scores: Scores,
    int8_scores: Scores,
    activation_ranges: tuple[dict[str, Any], ...],
) -> ModelCard:
    """The card of the trained model.

    Args:
        config: Settings of the run.
        images: What it was trained on.
        state: After the last epoch.
        parameters: How many the network has.
        scores: In float.
        int8_scores: With the rounding of int8; empty where that was not trained.
        activation_ranges: Trained ones, if any.
    """
    counts = {"train": len(images.train)}
    counts |= {name: len(split) for name, split in images.splits.items()}
    if config.all_images:
        counts["train"] += counts.pop("validation")
    training: dict[str, Any] = {
        "data": images.name,
        "data_sha256": images.sha256,
        "images": counts,
        "parameters": parameters,
        "epochs": len(state.log),
        "kept_epoch": state.best_epoch(config) if config.patience else len(state.log),
        "batch_size": config.batch_size,
        "learning_rate": config.learning_rate,
        "seed": config.seed,
        "evaluation_split": images.evaluation_split,
        "metrics": {name: score.summary() for name, score in scores.items()},
    }
    if isinstance(config, QatConfig):
        training["arch"] = config.card.training.get("arch", config.card.name)
        if "architecture" in config.card.training:
            training["architecture"] = config.card.training["architecture"]
        training["int8_metrics"] = {name: score.summary() for name, score in int8_scores.items()}
        training["trained_on_from"] = {
            "network_sha256": config.card.network_sha256,
            "training": config.card.training,
        }
        return config.card.replace(
            name=config.name, training=training, activation_ranges=activation_ranges
        )
    assert isinstance(config, TrainingConfig)
    training["arch"] = config.arch
    if config.backbone:
        training["backbone"] = f"{config.backbone}, weights of ImageNet"
    if config.architecture:
        training["architecture"] = config.architecture.to_json()
    if config.teachers:
        training["teachers"] = [
            {"name": Path(path).name, "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()}
            for path in config.teachers
        ]
    if config.nothing:
        training["nothing"] = [Path(folder).name for folder in config.nothing]
    if config.with_validation:
        training["trained_with_validation"] = (
            True  # its figure of the validation split tells nothing
        )
    return ModelCard(
        name=config.name,
        labels=images.labels,
        input=config.input,
        normalization=Normalization(scale=1 / 255, zero_point=0),
        training=training,
    )


def write_evaluation(result: TrainingResult, state: FitState, images: TrainingImages) -> None:
    """Write log, curves, confusion and metrics into the run folder."""
    folder = RunFolder(result.folder)
    name, split = folder.path.name, result.evaluation_split
    folder.write_log(state.log)
    title = f"{name} on {images.name}"
    draw_curves(folder.path / "curves.png", state.log, result.best_epoch, result.best_by, title)
    # Of what was trained: the figures on the curves are those of int8 then.
    evaluation = (result.int8_scores or result.scores)[split]
    _write_confusion(folder.path / "confusion.csv", evaluation, images)
    title = (
        f"{name} on {images.name}, {split} split: "
        f"{evaluation.correct:,} of {evaluation.images:,} right"
    )
    draw_confusion(
        folder.path / "confusion.png",
        evaluation.confusion,
        images.target_names,
        images.labels,
        title,
    )
    metrics: dict[str, Any] = _metrics(result.scores, images.target_names)
    if result.int8_scores:
        metrics["int8"] = _metrics(result.int8_scores, images.target_names)
        metrics["int8_before"] = _metrics(result.int8_scores_before, images.target_names)
    folder.write_json("metrics.json", metrics)


def _metrics(scores: Scores, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: {**score.summary(), "classes": score.recalls(names)} for name, score in scores.items()
    }


def _write_confusion(path: Path, score: Score, images: TrainingImages) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["true class \\ answer", *images.labels])
    for label, row in zip(images.target_names, score.confusion.tolist(), strict=True):
        writer.writerow([label, *row])
    atomic.write_text(path, text.getvalue())
