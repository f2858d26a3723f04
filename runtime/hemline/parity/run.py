"""Several candidates against their references, and against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemline.errors import UserError
from hemline.parity.compare import DEFAULT_GATE, compare
from hemline.parity.layers.localise import compare_layers_of
from hemline.parity.metrics import top1_agreement
from hemline.parity.reference import Reference
from hemline.parity.result import Gate, ParityReport, rate_json
from hemline.parity.stages.stage import SCORES

if TYPE_CHECKING:
    from hemline.modelfile import LoadedModel


@dataclass(frozen=True)
class LayerRequest:
    """Whose layers are compared with those of the float network.

    Attributes:
        everywhere: Those of each candidate; by default only where the way from tensor to scores fails.
        float_model: The float network; by default it is looked for beside the candidate.
    """

    everywhere: bool = False
    float_model: Path | None = None

    def wants(self, report: ParityReport) -> bool:
        """Whether the layers of this candidate are to be compared."""
        return self.everywhere or any(s.name == SCORES and not s for s in report.stages)


@dataclass(frozen=True)
class CandidateError:
    """A candidate that could not be measured, why, and what mends it."""

    candidate: str
    problem: str
    hint: str = ""


@dataclass(frozen=True)
class PairAgreement:
    """On how many pictures two candidates give the same answer."""

    first: str
    second: str
    agreeing: int
    images: int

    def __str__(self) -> str:
        return f"{self.first} and {self.second} agree on {self.agreeing} of {self.images} pictures"


@dataclass(frozen=True)
class Measurement:
    """What was found against one reference.

    Attributes:
        reference: The reference.
        reports: One per candidate.
        pairs: Each candidate with each other.
    """

    reference: Reference
    reports: tuple[ParityReport, ...]
    pairs: tuple[PairAgreement, ...]


@dataclass(frozen=True)
class ParityRun:
    """All that one call of `hemline parity` found; true when everything passes."""

    gate: Gate
    measurements: tuple[Measurement, ...]
    errors: tuple[CandidateError, ...] = ()
    left_out: tuple[CandidateError, ...] = ()

    @property
    def reports(self) -> list[ParityReport]:
        """The reports of all references."""
        return [report for found in self.measurements for report in found.reports]

    @property
    def passed(self) -> bool:
        """Whether each candidate could be measured and passes."""
        return bool(self.reports) and not self.errors and all(self.reports)

    def __bool__(self) -> bool:
        return self.passed

    @property
    def verdict(self) -> str:
        """One line: PASS or FAIL, and why."""
        reports = self.reports
        if self.passed:
            return f"PASS: {all_candidates(len(reports))} within the gate ({self.gate})"
        reasons = [
            f"{report.candidate}: {'; '.join(report.failures)}" for report in reports if not report
        ]
        reasons += [f"{error.candidate}: {error.problem}" for error in self.errors]
        return "FAIL: " + " | ".join(reasons)

    def to_json(self) -> dict[str, Any]:
        """All numbers, ready for `json.dumps`."""
        return {
            "passed": self.passed,
            "gate": asdict(self.gate),
            "candidates": [report.to_json() for report in self.reports],
            "errors": [asdict(error) for error in self.errors],
            "left_out": [asdict(entry) for entry in self.left_out],
            "agreement_among_candidates": [
                {
                    "candidates": [pair.first, pair.second],
                    **(rate_json(pair.agreeing, pair.images) or {}),
                }
                for found in self.measurements
                for pair in found.pairs
            ],
        }


def measure(
    groups: Sequence[tuple[Reference, Sequence[LoadedModel]]],
    gate: Gate = DEFAULT_GATE,
    errors: Sequence[CandidateError] = (),
    left_out: Sequence[CandidateError] = (),
    layers: LayerRequest | None = None,
) -> ParityRun:
    """Measure each candidate against the reference of its group.

    A candidate that cannot be compared (other classes, for instance) becomes one of the `errors`
    and does not stop the others.

    Args:
        groups: References with the candidates that belong to them.
        gate: What is asked of each candidate.
        errors: Candidates that could not even be loaded.
        left_out: Files of a folder that nothing installed here runs.
        layers: Where the layers of candidates are compared with the float network's; None for nowhere.
    """
    measurements, all_errors = [], list(errors)
    for reference, candidates in groups:
        reports = []
        for candidate in candidates:
            try:
                report = compare(candidate, reference, gate)
                if layers is not None and layers.wants(report):
                    found = compare_layers_of(candidate, reference, layers.float_model)
                    report = replace(report, layers=found)
                reports.append(report)
            except UserError as error:
                all_errors.append(CandidateError(candidate.file_name, error.problem, error.hint))
        pairs = tuple(_pair(a, b) for a, b in combinations(reports, 2))
        measurements.append(Measurement(reference, tuple(reports), pairs))
    return ParityRun(gate, tuple(measurements), tuple(all_errors), tuple(left_out))


def all_candidates(count: int) -> str:
    """`the candidate is`, `both candidates are`, `all 3 candidates are`."""
    if count == 1:
        return "the candidate is"
    return "both candidates are" if count == 2 else f"all {count} candidates are"


def _pair(a: ParityReport, b: ParityReport) -> PairAgreement:
    return PairAgreement(a.candidate, b.candidate, top1_agreement(a.answers, b.answers), a.images)
