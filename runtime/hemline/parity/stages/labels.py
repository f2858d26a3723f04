"""From scores to the label: the names, the temperature, and from where on nothing is sure enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemline.card import ModelCard
from hemline.classifier import UNKNOWN
from hemline.parity.stages.stage import LABELS, Stage, Tolerances
from hemline.scores import softmax

_Real = NDArray[np.float64]
_TEMPERATURES = np.geomspace(0.05, 20, 400)
_MOST_NAMED = 3  # of labels that are exchanged


def judge_labels(
    scores: NDArray[np.floating],
    made: Sequence[str],
    confidences: _Real | None,
    card: ModelCard,
    tolerances: Tolerances,
) -> Stage:
    """Compare labels and confidences with what the card makes of the same scores.

    Args:
        scores: (N, classes): logits.
        made: N labels; `unknown` where nothing was sure enough.
        confidences: (N,), 0–1, of the likeliest class; None if they are not known.
        card: That they must be made by.
        tolerances: What is allowed.
    """
    expected = softmax(scores, card.temperature)
    best = expected.max(axis=1)
    allowed = f"labels equal, confidences within {tolerances.confidence:g}"
    wrong = np.array(
        [
            not _may_be(label, row, card, tolerances)
            for label, row in zip(made, expected, strict=True)
        ]
    )
    unsure = np.zeros(len(best), bool)
    if confidences is not None:
        # A NaN is no confidence.
        unsure = ~(np.abs(confidences - best) <= tolerances.confidence)
    numbers = {
        "pictures": len(made),
        "other_labels": int(wrong.sum()),
        "other_confidences": int(unsure.sum()) if confidences is not None else None,
    }
    if not wrong.any() and not unsure.any():
        known = "labels and confidences" if confidences is not None else "labels"
        finding = f"{known} of {len(made)} pictures are what their scores say"
        return Stage(LABELS, "pass", finding, allowed, numbers=numbers)
    found, causes = [], []
    if wrong.any():
        found.append(
            f"{wrong.sum()} of {len(made)} pictures get another label than their scores say"
        )
        causes.append(_label_cause(expected, made, wrong, card))
    if confidences is not None and unsure.any():
        most = float(np.nanmax(np.abs(confidences - best), initial=0.0))
        found.append(
            f"{unsure.sum()} of {len(made)} pictures get another confidence, by up to {most:.3g}"
        )
        causes.append(_confidence_cause(scores, confidences, card, tolerances))
    cause = ", and ".join(dict.fromkeys(text for text in causes if text))
    cause = f"as if {cause}" if cause else "none of the usual mistakes explains it"
    return Stage(LABELS, "fail", "; ".join(found), allowed, cause, numbers)


def _may_be(label: str, probabilities: _Real, card: ModelCard, tolerances: Tolerances) -> bool:
    """Whether a label is right; of equals each is, and so near the threshold are both answers."""
    best = float(probabilities.max())
    near = abs(best - card.rejection_threshold) <= tolerances.confidence
    if label == UNKNOWN and UNKNOWN not in card.labels:
        return best < card.rejection_threshold or (near and card.rejection_threshold > 0)
    if best < card.rejection_threshold and not near:
        return False
    return label in card.labels and bool(probabilities[card.labels.index(label)] == best)


def _label_cause(
    expected: _Real, made: Sequence[str], wrong: NDArray[np.bool_], card: ModelCard
) -> str:
    right = [card.labels[k] for k in expected.argmax(axis=1).tolist()]
    best = expected.max(axis=1)
    named = np.array([label != UNKNOWN for label in made])
    if all(not n or a == b for n, a, b in zip(named, right, made, strict=True)):
        lowest = float(best[named].min(initial=1.0))
        highest = float(best[~named].max(initial=0.0))
        if highest <= lowest:
            return (
                f"the threshold were between {highest:.3g} and {lowest:.3g}; "
                f"the card's is {card.rejection_threshold:g}"
            )
    seen: dict[str, set[str]] = {}
    for a, b, is_named in zip(right, made, named, strict=True):
        if is_named:
            seen.setdefault(a, set()).add(b)
    others = [(a, next(iter(b))) for a, b in seen.items() if b != {a}]
    if not all(len(b) == 1 for b in seen.values()) or len({b for _, b in others}) < len(others):
        return _by_another_class(expected, made, wrong, card)
    foreign = [b for _, b in others if b not in card.labels]
    if foreign:
        return f"it had other names: {foreign[0]!r} is none of the card's labels"
    shift = {(card.labels.index(b) - card.labels.index(a)) % len(card.labels) for a, b in others}
    if len(shift) == 1 and len(others) == len(seen) > 1:
        distance = shift.pop()
        distance -= len(card.labels) if distance > len(card.labels) // 2 else 0
        return f"the labels were shifted by {distance:+d} in the list"
    some = ", ".join(f"{b!r} for {a!r}" for a, b in others[:_MOST_NAMED])
    return f"the labels stood in another order ({some}{', …' if len(others) > _MOST_NAMED else ''})"


def _by_another_class(
    expected: _Real, made: Sequence[str], wrong: NDArray[np.bool_], card: ModelCard
) -> str:
    """Whether the label is that of another rank."""
    places = [card.labels.index(label) if label in card.labels else -1 for label in made]
    if min(places) < 0:
        return ""
    named, ranked = expected[np.arange(len(places)), places], np.sort(expected, axis=1)
    for place, words in ((0, "the least likely class were named"), (-2, "the second were named")):
        if (named[wrong] == ranked[wrong, place]).all():
            return words
    return ""


def _confidence_cause(
    scores: NDArray[np.floating], confidences: _Real, card: ModelCard, tolerances: Tolerances
) -> str:
    raw = np.asarray(scores, np.float64)

    def gives(values: _Real) -> bool:
        return bool((np.abs(values - confidences) <= tolerances.confidence).all())

    probabilities = softmax(raw, card.temperature)
    if gives(raw.max(axis=1)):
        return "softmax were missing (a raw score for a probability)"
    if gives(softmax(probabilities).max(axis=1)) or gives(
        softmax(probabilities, card.temperature).max(axis=1)
    ):
        return "softmax were applied twice"
    if gives(1 / (1 + np.exp(-np.clip(raw.max(axis=1) / card.temperature, -500, 500)))):
        return "a sigmoid stood for softmax"
    if gives(100 * probabilities.max(axis=1)):
        return "they were in percent"
    temperatures = [1.0, *_TEMPERATURES.tolist()]
    errors = [np.abs(softmax(raw, t).max(axis=1) - confidences).mean() for t in temperatures]
    best = temperatures[int(np.argmin(errors))]
    for t in np.linspace(best * 0.98, best * 1.02, 81).tolist():
        if np.abs(softmax(raw, t).max(axis=1) - confidences).mean() < min(errors):
            errors.append(float(np.abs(softmax(raw, t).max(axis=1) - confidences).mean()))
            best = t
    if gives(softmax(raw, best).max(axis=1)):
        return f"the temperature were {best:.3g}; the card's is {card.temperature:g}"
    return ""
