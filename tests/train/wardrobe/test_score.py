from __future__ import annotations

import numpy as np
import pytest

from hemline.card import InputSpec, ModelCard
from hemline.classifier import UNKNOWN, named
from hemline.datasets.wardrobe import WARDROBE_LABELS
from hemline.scores import softmax
from hemline_train.wardrobe.classes import group_matrix
from hemline_train.wardrobe.score import (
    Share,
    auroc,
    auroc_interval,
    auroc_summary,
    confidence_loss,
    confidences,
    fit_temperature,
    fit_threshold,
    garment_score,
    refused,
)

MATRIX = group_matrix()
SHOES = 13


def one_hot(*labels: str, height: float = 5.0) -> np.ndarray:
    logits = np.zeros((len(labels), 13), np.float32)
    logits[np.arange(len(labels)), [WARDROBE_LABELS.index(label) for label in labels]] = height
    return logits


def test_shoes_are_right_by_any_kind_of_shoe() -> None:
    logits = one_hot("sandal", "sneaker", "ankle boot", "bag", "hat")
    groups = np.array([SHOES, SHOES, SHOES, SHOES, WARDROBE_LABELS.index("hat")])
    score = garment_score(logits, groups, MATRIX)
    assert (score.top1.hits, score.top1.of) == (4, 5)
    assert score.recalls() == {WARDROBE_LABELS.index("hat"): Share(1, 1), SHOES: Share(3, 4)}
    assert score.macro_recall == pytest.approx((1 + 0.75) / 2)
    assert score.confusion[SHOES, WARDROBE_LABELS.index("bag")] == 1


def test_a_share_has_its_interval() -> None:
    summary = Share(88, 100).summary()
    assert (summary["rate"], summary["hits"], summary["of"]) == (0.88, 88, 100)
    assert summary["interval_95"] == pytest.approx([0.802, 0.930], abs=0.001)
    assert Share(0, 0).summary()["rate"] is None


def test_confidence_counts_by_the_class_that_is_named_not_by_the_sum_of_its_group() -> None:
    logits = np.zeros((1, 13))
    logits[0, [WARDROBE_LABELS.index(kind) for kind in ("sandal", "sneaker", "ankle boot")]] = 50
    assert confidence_loss(logits, np.array([SHOES]), MATRIX) == pytest.approx(np.log(3))
    assert confidence_loss(logits, np.array([0]), MATRIX) == pytest.approx(-np.log(2 / 3))


def test_the_temperature_that_spoilt_the_logits_is_found() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (6000, 13))
    chances = softmax(logits)
    targets = (chances.cumsum(axis=1) > rng.random((6000, 1))).argmax(axis=1)
    assert fit_temperature(logits * 3, targets, MATRIX) == pytest.approx(3, rel=0.06)
    honest = garment_score(logits * 3, targets, MATRIX, 3.0)
    boasting = garment_score(logits * 3, targets, MATRIX)
    assert honest.calibration_error < 0.02 < boasting.calibration_error


def test_the_calibration_error_is_the_mean_gap_between_confidence_and_truth() -> None:
    logits = one_hot(*["hat"] * 10, height=20.0)  # quite sure each time
    targets = np.full(10, WARDROBE_LABELS.index("hat"))
    targets[:3] = 0
    assert garment_score(logits, targets, MATRIX).calibration_error == pytest.approx(0.3, abs=1e-4)


def test_the_threshold_loses_as_many_garments_as_it_may_and_the_runtime_agrees() -> None:
    logits = np.random.default_rng(2).normal(0, 2, (200, 13)).astype(np.float32)
    found = confidences(logits, 1.7)
    threshold = fit_threshold([found])
    card = ModelCard(
        "m", WARDROBE_LABELS, InputSpec((64, 64)), temperature=1.7, rejection_threshold=threshold
    )
    answers = [named(softmax(row, card.temperature), card, 1, threshold)[0] for row in logits]
    assert answers.count(UNKNOWN) == 10  # 5 % of 200
    assert refused(found, threshold) == Share(10, 200)


def test_the_threshold_spares_every_kind_of_picture() -> None:
    sure, unsure = np.linspace(0.9, 1, 100), np.linspace(0.3, 1, 100)
    assert fit_threshold([sure, unsure]) == fit_threshold([unsure])


# garments, frames without one, how likely the first is the surer
@pytest.mark.parametrize(
    ("garments", "nothing", "expected"),
    [
        ([0.9, 0.8], [0.1, 0.2], 1.0),  # always
        ([0.1, 0.2], [0.9, 0.8], 0.0),  # never
        ([0.5, 0.5], [0.5, 0.5], 0.5),  # equals count half
        ([0.9, 0.4], [0.5, 0.3], 0.75),  # three of four pairs
    ],
)
def test_auroc_counts_pairs(garments: list[float], nothing: list[float], expected: float) -> None:
    assert auroc(np.array(garments), np.array(nothing)) == pytest.approx(expected)


def test_the_interval_of_the_auroc_holds_the_true_one_nineteen_times_of_twenty() -> None:
    rng = np.random.default_rng(3)
    true = 0.921  # P(x > y) of two normal distributions whose means are two apart
    held = 0
    for _ in range(200):
        area = auroc(rng.normal(2, 1, 60), rng.normal(0, 1, 60))
        low, high = auroc_interval(area, 60, 60)
        held += low <= true <= high
    assert held >= 180


def test_the_area_is_told_with_its_interval_and_counts() -> None:
    told = auroc_summary(np.array([0.9, 0.4]), np.array([0.5, 0.3, 0.2]))
    assert told["area"] == pytest.approx(5 / 6, abs=1e-6)
    assert told["interval_95"][0] < 5 / 6 < told["interval_95"][1]
    assert (told["garments"], told["frames"]) == (2, 3)
