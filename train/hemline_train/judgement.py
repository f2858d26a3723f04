"""How sure a model must be: temperature and threshold, fitted on the answers of its int8 file.

What is fitted sees validation images only. The float model is quantized as `hemline convert --int8` does it,
since the scores that the runtime judges by are those of the int8 file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.backends.litert import LiteRtBackend
from hemline.card import ModelCard
from hemline_train.evaluation import Score, score_logits
from hemline_train.images import Images, TrainingImages
from hemline_train.int8_file import answers_of, int8_network
from hemline_train.wardrobe.score import (
    GarmentScore,
    auroc_summary,
    confidences,
    fit_temperature,
    fit_threshold,
    garment_score,
    refused,
)


def fit_judgement(
    model: Any, card: ModelCard, images: TrainingImages, fitted: Sequence[str]
) -> tuple[ModelCard, dict[str, Score]]:
    """Fit temperature and threshold, and measure what they do.

    Args:
        model: The trained Keras model.
        card: Its card.
        images: What it was trained on; `nothing` is measured on, not fitted to.
        fitted: Names of the splits to fit on, which were not trained on.

    Returns:
        The card with both, and with the figures in `training["judgement"]`; and the scores of the int8 file
        by split.
    """
    file = LiteRtBackend("the int8 file", int8_network(model, card, images), 1)
    logits = {name: answers_of(file, split.pixels) for name, split in images.splits.items()}
    groups = images.groups if images.groups is not None else np.identity(len(images.labels)) > 0
    temperature = round(
        fit_temperature(*_as_many_of_each(logits, images.splits, fitted), groups), 3
    )
    threshold = fit_threshold([confidences(logits[name], temperature) for name in fitted])
    threshold = (
        np.floor(threshold * 1000) / 1000
    )  # a card for people: the next lower one of three digits
    nothing = {
        name: confidences(answers_of(file, pixels), temperature)
        for name, pixels in images.nothing.items()
    }
    figures: dict[str, Any] = {}
    weak_at: list[str] = []
    for name, split in images.splits.items():
        score = garment_score(logits[name], split.targets, groups, temperature)
        if name in fitted:
            weak_at += [
                f"{name}: {said}" for said in weaknesses(score, images.target_names, images.labels)
            ]
        figures[name] = {
            "macro_recall": round(score.macro_recall, 4),
            "calibration_error": round(score.calibration_error, 4),
            "refused": refused(score.confidences, threshold).summary(),
            "auroc": {
                kind: auroc_summary(score.confidences, found) for kind, found in nothing.items()
            },
        }
    for kind, found in nothing.items():
        share = refused(found, threshold)
        figures[f"no garment, {kind}"] = {"refused": share.summary()}
        weak_at.append(f"no garment, {kind}: {share.hits} of {share.of} answered with unknown")
    card = card.replace(
        temperature=temperature,
        rejection_threshold=float(threshold),
        training={
            **card.training,
            "fitted_on": list(fitted),
            "judgement": figures,
            "weak_at": weak_at,
        },
    )
    scores = {
        name: score_logits(logits[name], split.targets, images.groups)
        for name, split in images.splits.items()
    }
    return card, scores


def weaknesses(
    score: GarmentScore, names: Sequence[str], labels: Sequence[str], below: float = 0.85
) -> list[str]:
    """What a model is bad at, in words, the worst first.

    Args:
        score: Its answers.
        names: Of the groups.
        labels: Of the classes.
        below: Groups of which a smaller share is named rightly are told.
    """
    said = []
    recalls = score.recalls()
    for group in sorted(recalls, key=lambda group: recalls[group].rate):
        share = recalls[group]
        if share.rate >= below:
            break
        taken = score.taken_for(group, labels, 3)
        said.append(f"{names[group]}, {share.hits} of {share.of} right; else {taken}")
    return said


def _as_many_of_each(
    logits: dict[str, NDArray[np.float32]], splits: dict[str, Images], names: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits and targets of the splits, of each as many as the smallest has, evenly spread."""
    count = min(len(splits[name]) for name in names)
    rows = {
        name: np.linspace(0, len(splits[name]) - 1, count).round().astype(int) for name in names
    }
    return (
        np.concatenate([logits[name][rows[name]] for name in names]),
        np.concatenate([splits[name].targets[rows[name]] for name in names]),
    )
