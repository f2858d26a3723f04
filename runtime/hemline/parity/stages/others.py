"""The four stages of a runtime that is not ours, each judged on the input that it had there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hemline.images import decode_image
from hemline.parity.fingerprint import Fingerprints, fingerprint
from hemline.parity.metrics import Answers, answers_of, finite_rows, top1_agreement
from hemline.parity.reference import Reference
from hemline.parity.result import rate_json
from hemline.parity.stages.labels import judge_labels
from hemline.parity.stages.mistakes import Picture
from hemline.parity.stages.observed import Observed
from hemline.parity.stages.pixels import judge_pixels
from hemline.parity.stages.scores import judge_scores
from hemline.parity.stages.stage import LABELS, PIXELS, SCORES, TENSORS, Stage, Tolerances
from hemline.parity.stages.tensors import (
    MOST_EXPLAINED,
    BrokenTensor,
    InputDomain,
    judge_tensors,
    other_shape,
    steps_between,
)
from hemline.preprocess import Frame, Preprocessor
from hemline.scores import log_probabilities

if TYPE_CHECKING:
    from hemline.modelfile import LoadedModel

_HALF_A_STEP = 0.51


@dataclass(frozen=True)
class ObservedRun:
    """What was found of a runtime that is not ours; true if no stage fails.

    Attributes:
        observed: Name of the file of observations.
        candidate: Name of the model file that it runs.
        reference: Name of the pack.
        images: How many pictures it was observed on.
        agreeing: Pictures with the float model's answer; None where neither scores nor labels are known.
        stages: All four.
    """

    observed: str
    candidate: str
    reference: str
    images: int
    agreeing: int | None
    stages: tuple[Stage, ...]

    def __bool__(self) -> bool:
        return all(self.stages)

    @property
    def verdict(self) -> str:
        """One line: PASS or FAIL, and why."""
        if self:
            judged = [stage.name for stage in self.stages if stage.state == "pass"]
            return f"PASS: {self.observed} does as {self.candidate} must: {', '.join(judged)}"
        broken = [stage.name for stage in self.stages if not stage]
        return f"FAIL: {self.observed} breaks at: {', '.join(broken)}"

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return {
            "passed": bool(self),
            "observed": self.observed,
            "candidate": self.candidate,
            "reference": self.reference,
            "images": self.images,
            "agreement": (None if self.agreeing is None else rate_json(self.agreeing, self.images)),
            "stages": [stage.to_json() for stage in self.stages],
        }


def judge_observed(candidate: LoadedModel, reference: Reference, observed: Observed) -> ObservedRun:
    """Judge what a runtime wrote down.

    Args:
        candidate: The model file that it runs, opened here.
        reference: All pictures of the golden pack.
        observed: What it wrote down.
    """
    judgement = _Judgement(candidate, reference, observed)
    stages = (
        judgement.pixels(),
        judgement.tensors(),
        judgement.scores(),
        judgement.labels(),
    )
    return ObservedRun(
        observed.name,
        candidate.file_name,
        reference.name,
        len(observed.rows),
        judgement.agreeing(),
        stages,
    )


class _Judgement:
    def __init__(self, candidate: LoadedModel, reference: Reference, observed: Observed) -> None:
        self._candidate, self._reference, self._observed = candidate, reference, observed
        self._tolerances = Tolerances()
        spec = candidate.backend.input
        self._domain = InputDomain(spec.dtype, candidate.card.normalization)
        self._spec = reference.card.input
        self._right_pixels: dict[int, bool] = {}

    def pixels(self) -> Stage:
        observed, reference = self._observed, self._reference
        if not observed.pixels:
            return Stage.not_judged(PIXELS, "no pixels were observed")
        places = sorted(observed.pixels)
        rows = [int(observed.rows[place]) for place in places]
        expected, apart = [], []
        for place, row in zip(places, rows, strict=True):  # one at a time: photos are large
            frame = self._whole(row)
            expected.append(fingerprint(frame))
            apart.append(_mean_difference(frame, observed.pixels[place]))
        stage, good = judge_pixels(
            Fingerprints.of_rows(expected),
            Fingerprints.of(observed.pixels[place] for place in places),
            [reference.source(row) for row in rows],
            self._tolerances,
            lambda k: reference.encoded(rows[k]),
            np.array(apart),
        )
        self._right_pixels = dict(zip(places, good.tolist(), strict=True))
        return stage

    def tensors(self) -> Stage:
        made = self._shaped()
        if made is None:
            return Stage.not_judged(TENSORS, "no tensors were observed")
        shape = self._spec.tensor_shape[1:]
        if made.shape[1:] != shape:
            return other_shape(made.shape[1:], shape)
        expected = np.concatenate([self._expected(place) for place in range(len(made))])
        steps = steps_between(expected, made, self._domain)
        for place in np.flatnonzero(steps > self._tolerances.tensor_steps).tolist():
            # A decoder that does not reduce large JPEG files is as right.
            whole = Preprocessor(self._spec)(self._picture(place).whole)
            apart = steps_between(whole, made[place : place + 1], self._domain)
            if apart[0] < steps[place]:
                expected[place], steps[place] = whole[0], apart[0]
        worst = np.argsort(-steps, kind="stable")[:MOST_EXPLAINED].tolist()
        broken = [
            BrokenTensor(place, expected[place], made[place])
            for place in worst
            if steps[place] > self._tolerances.tensor_steps
        ]
        return judge_tensors(
            steps, broken, self._spec, self._picture, self._tolerances, self._domain
        )

    def scores(self) -> Stage:
        made = self._logits()
        if made is None:
            return Stage.not_judged(SCORES, "no scores were observed")
        fed = self._fed()
        if fed is None:
            return Stage.not_judged(SCORES, "it was fed with tensors that the file cannot take")
        return judge_scores(fed, made, self._candidate, self._reference_answers(), self._tolerances)

    def labels(self) -> Stage:
        observed = self._observed
        if observed.labels is None:
            return Stage.not_judged(LABELS, "no labels were observed")
        scores = self._logits()
        if scores is None:
            fed = self._fed()
            if fed is None:
                why = "neither its scores nor tensors that the file can take are known"
                return Stage.not_judged(LABELS, why)
            scores = np.array([self._candidate.backend.logits(t[None]) for t in fed], np.float64)
        fine = finite_rows(scores)
        if not fine.any():
            return Stage.not_judged(LABELS, "no score is a number")
        labels = [label for label, is_fine in zip(observed.labels, fine, strict=True) if is_fine]
        confidences = None if observed.confidences is None else observed.confidences[fine]
        return judge_labels(
            scores[fine], labels, confidences, self._candidate.card, self._tolerances
        )

    def agreeing(self) -> int | None:
        """On how many pictures it gives the float model's answer."""
        scores, labels = self._logits(), self._observed.labels
        if labels is not None:
            names = self._reference.card.labels
            answers = self._reference_answers().tolist()
            same = [names[k] == label for k, label in zip(answers, labels, strict=True)]
            return same.count(True)
        return (
            None
            if scores is None
            else top1_agreement(self._reference_answers(), answers_of(scores))
        )

    def _reference_answers(self) -> Answers:
        answers: Answers = self._reference.answers[self._observed.rows]
        return answers

    def _whole(self, row: int) -> Frame:
        return decode_image(self._reference.encoded(row), self._reference.source(row))

    def _picture(self, place: int) -> Picture:
        row = int(self._observed.rows[place])
        if place in self._observed.pixels:
            frame = self._observed.pixels[place]
            return Picture(frame, (frame.shape[1], frame.shape[0]), frame)
        frame, picture_wh = self._reference.decoded(row)
        return Picture(frame, picture_wh, self._whole(row))

    def _expected(self, place: int) -> NDArray[np.uint8]:
        """The tensor that its pixels must give, or the pack's where those are right or not known."""
        if self._right_pixels.get(place, True):
            return self._reference.tensor(int(self._observed.rows[place]))
        return np.array(Preprocessor(self._spec)(self._observed.pixels[place]))

    def _shaped(self) -> NDArray[Any] | None:
        """The tensors as (N, H, W, C), where axes of length 1 are all that is missing or too many."""
        made = self._observed.tensors
        if made is None:
            return None
        if made.ndim == 5 and made.shape[1] == 1:
            made = made[:, 0]
        if made.ndim == 3 and self._spec.channels == 1:
            made = made[..., None]
        return made

    def _fed(self) -> NDArray[np.uint8] | None:
        """What the network was fed as far as it is known, as pixels; None if no pixels give that."""
        made = self._shaped()
        if made is None:
            rows = self._observed.rows.tolist()
            return np.concatenate([self._reference.tensor(row) for row in rows])
        if made.shape[1:] != self._spec.tensor_shape[1:]:
            return None
        pixels = self._domain.pixels(made)
        apart = steps_between(pixels, made, self._domain)
        return pixels if (apart <= _HALF_A_STEP).all() else None

    def _logits(self) -> NDArray[np.float64] | None:
        scores = self._observed.scores
        if scores is not None and self._candidate.card.output == "probabilities":
            logits: NDArray[np.float64] = log_probabilities(scores)
            return logits
        return scores


def _mean_difference(expected: Frame, made: Frame) -> float:
    """Over all pixels, in steps; 0 where the sizes differ, which tells by itself."""
    if expected.shape[:2] != made.shape[:2]:
        return 0.0
    a, b = (x if x.ndim == 3 else x[:, :, None] for x in (expected, made))
    return float(np.abs(a.astype(np.int16) - b).mean())
