"""The four stages of hemline's own runtime on this machine, judged from what `compare` measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hemline.card import InputSpec, ModelCard
from hemline.classifier import named
from hemline.images import decode_image
from hemline.parity.metrics import finite_rows
from hemline.parity.reference import Reference, Tensors
from hemline.parity.result import Gate
from hemline.parity.stages.labels import judge_labels
from hemline.parity.stages.mistakes import Picture
from hemline.parity.stages.pixels import judge_pixels
from hemline.parity.stages.scores import judge_network
from hemline.parity.stages.stage import LABELS, PIXELS, TENSORS, Stage, Tolerances
from hemline.parity.stages.tensors import BrokenTensor, judge_tensors, other_shape
from hemline.scores import softmax

if TYPE_CHECKING:
    from hemline.modelfile import LoadedModel

_FORMAT_1 = "the pack is of format 1, which does not tell what pictures are decoded to"
_MOST_KEPT = 32  # broken tensors, of which causes are sought


class OwnStages:
    """Takes what comes by while pictures are compared.

    Args:
        candidate: The file.
        reference: What it is measured against.
        gate: What is asked of it.
        has_own_pictures: Whether its client prepares pictures in a way that is not hemline's.
    """

    def __init__(
        self, candidate: LoadedModel, reference: Reference, gate: Gate, *, has_own_pictures: bool
    ) -> None:
        self._candidate, self._reference, self._gate = candidate, reference, gate
        self._has_own_pictures = has_own_pictures
        self._tolerances = Tolerances(tensor_steps=gate.max_tensor_steps)
        self._steps: list[NDArray[np.uint8]] = []
        self._broken: list[BrokenTensor] = []

    def see(self, start: int, made: Tensors, expected: Tensors, steps: NDArray[np.uint8]) -> None:
        """Tensors made here, and the greatest difference of each from the reference's."""
        self._steps.append(steps)
        for k in np.flatnonzero(steps > self._tolerances.tensor_steps).tolist():
            if len(self._broken) < _MOST_KEPT:
                self._broken.append(BrokenTensor(start + k, expected[k], np.array(made[k])))

    def judge(
        self, scores: NDArray[np.float32], scores_on_expected: NDArray[np.float32]
    ) -> tuple[Stage, ...]:
        """All four, in order.

        Args:
            scores: Of the whole way: float32, (N, classes).
            scores_on_expected: On the reference's tensors.
        """
        pixels, good = self._judged_pixels()
        network = judge_network(
            self._candidate, self._reference, scores_on_expected, self._gate, self._tolerances
        )
        return pixels, self._judged_tensors(good), network, self._judged_labels(scores)

    def _judged_pixels(self) -> tuple[Stage, NDArray[np.bool_]]:
        reference = self._reference
        everything = np.ones(len(reference), bool)
        if reference.pack is None:
            why = "without a golden pack nothing tells what the pictures are decoded to elsewhere"
            return Stage.not_judged(PIXELS, why), everything
        if reference.pack.decoded is None:
            return Stage.not_judged(PIXELS, _FORMAT_1), everything
        return judge_pixels(
            reference.pack.decoded.rows(reference.indices),
            reference.decoded_here(),
            [reference.source(row) for row in range(len(reference))],
            self._tolerances,
            reference.encoded,
        )

    def _judged_tensors(self, good: NDArray[np.bool_]) -> Stage:
        ours, theirs = self._candidate.card.input, self._reference.card.input
        if ours.tensor_shape != theirs.tensor_shape:
            return other_shape(ours.tensor_shape[1:], theirs.tensor_shape[1:])
        if self._has_own_pictures:
            return Stage.not_judged(TENSORS, "its client prepares pictures in a way of its own")
        if not self._reference.has_tensors and ours == theirs:
            return Stage.not_judged(TENSORS, "the tensors of both were made here, in the same way")
        if not good.any():
            return Stage.not_judged(TENSORS, "none of the pictures has the right pixels")
        steps = np.concatenate(self._steps)
        broken = [tensor for tensor in self._broken if good[tensor.row]]
        stage = judge_tensors(steps[good], broken, theirs, self._picture, self._tolerances)
        return stage if ours == theirs else _with_rules(stage, ours, theirs)

    def _picture(self, row: int) -> Picture:
        frame, picture_wh = self._reference.decoded(row)
        if self._reference.pack is None:
            return Picture(frame, picture_wh, frame)
        whole = decode_image(self._reference.encoded(row), self._reference.source(row))
        return Picture(frame, picture_wh, whole)

    def _judged_labels(self, scores: NDArray[np.float32]) -> Stage:
        card, theirs = self._candidate.card, self._reference.card
        fine = finite_rows(scores)
        if not fine.any():
            return Stage.not_judged(LABELS, "no score is a number")
        if card.output == "probabilities":  # the temperature is in the graph
            theirs = theirs.replace(temperature=card.temperature)
        threshold = card.rejection_threshold
        answers = [
            named(softmax(row, card.temperature), card, 1, threshold) for row in scores[fine]
        ]
        confidences = np.array([confidence for _, confidence, _ in answers], np.float64)
        stage = judge_labels(
            scores[fine], [label for label, _, _ in answers], confidences, theirs, self._tolerances
        )
        return stage if stage else _with_cards(stage, card, theirs)


def _with_rules(stage: Stage, ours: InputSpec, theirs: InputSpec) -> Stage:
    """Another rule in the card breaks the stage, even where these pictures are no different by it."""
    told = "; ".join(
        f"{name} of the file's card is {getattr(ours, name)!r}, the reference's is {getattr(theirs, name)!r}"
        for name in ("color", "resize", "foreground")
        if getattr(ours, name) != getattr(theirs, name)
    )
    finding = stage.finding if not stage else f"{stage.finding}, but other pictures will differ"
    cause = "; ".join(filter(None, (stage.cause, told)))
    return Stage(stage.name, "fail", finding, stage.tolerance, cause, stage.numbers)


def _with_cards(stage: Stage, ours: ModelCard, theirs: ModelCard) -> Stage:
    """The same with the cause that the cards tell, where they do."""
    told = [
        f"{words} of the file's card is {getattr(ours, name):g}, the reference's is "
        f"{getattr(theirs, name):g}"
        for name, words in (("temperature", "temperature"), ("rejection_threshold", "threshold"))
        if getattr(ours, name) != getattr(theirs, name)
    ]
    if ours.labels != theirs.labels:
        told.insert(0, "the file's card has the labels in another order than the reference's")
    if not told:
        return stage
    return Stage(
        stage.name, stage.state, stage.finding, stage.tolerance, "; ".join(told), stage.numbers
    )
