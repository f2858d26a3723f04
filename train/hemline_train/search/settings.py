"""What can be set about a search."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from hemline.errors import UserError
from hemline_train.config import MAX_SEED

Objective = Literal["front", "accuracy"]
Family = Literal["residual", "dense", "both"]
OBJECTIVES: tuple[Objective, ...] = ("front", "accuracy")
FAMILIES: tuple[Family, ...] = ("both", "residual", "dense")
_STUDY_NAME = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_.-]{0,47}"
)  # a trial is NAME-NUMBER, and so its files


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What no network of a search may exceed.

    Attributes:
        parameters: Weights of all kinds.
        macs: Multiply-accumulates of one picture.
        file_bytes: Size of the int8 file; None for any.

    Raises:
        UserError: A limit is not above 0.
    """

    parameters: int = 98_442
    macs: int = 20_000_000
    file_bytes: int | None = None

    def __post_init__(self) -> None:
        for option, value in (
            ("--max-parameters", self.parameters),
            ("--max-macs", self.macs),
            ("--max-bytes", self.file_bytes),
        ):
            if value is not None and value < 1:
                raise UserError(f"{option} is {value}", "it must be at least 1")

    def exceeded_by(self, parameters: int, macs: int) -> str:
        """What a network has too much of, in words; empty where it keeps within."""
        over = []
        if parameters > self.parameters:
            over.append(f"{parameters:,} parameters, above {self.parameters:,}")
        if macs > self.macs:
            over.append(f"{macs:,} multiply-accumulates, above {self.macs:,}")
        return "; ".join(over)


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """What all who search together have alike; it is kept in the study.

    Attributes:
        data: What `hemline.datasets.open_dataset` takes.
        epochs: Of each trial.
        batch_size: Images per step.
        limits: What no network may exceed.
        objective: `front` looks for the best accuracy at every size; `accuracy` for the best within the
            limits.
        family: Which networks: `residual`, `dense` or `both`.
        seed: With the number of a trial, it decides what the trial draws.
        study: Name of the study.

    Raises:
        UserError: A value is out of range.
    """

    data: str = "fashion-mnist"
    epochs: int = 9
    batch_size: int = 128
    limits: Limits = dataclasses.field(default_factory=Limits)
    objective: Objective = "front"
    family: Family = "both"
    seed: int = 0
    study: str = "search"

    def __post_init__(self) -> None:
        if not self.data:
            raise UserError("no data set is named", "give --data fashion-mnist, or a folder")
        _whole("--epochs", self.epochs, 1, 100_000)
        _whole("--batch-size", self.batch_size, 1, 65_536)
        _whole("--seed", self.seed, 0, MAX_SEED)
        _one_of("--objective", self.objective, OBJECTIVES)
        _one_of("--family", self.family, FAMILIES)
        if not _STUDY_NAME.fullmatch(self.study):
            raise UserError(
                f"the name of the study is {self.study!r}",
                "it must be made of letters, digits, '_', '-' and '.', at most 48 of them",
            )

    @property
    def length(self) -> str:
        """Of a trial, in words."""
        return f"{self.epochs} epoch{'s' if self.epochs > 1 else ''}"

    def to_json(self) -> dict[str, Any]:
        """As the study and the folder keep it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: Any) -> SearchSettings:
        """The settings of what `to_json` gave.

        Raises:
            TypeError: It is something else; ValueError and KeyError likewise.
        """
        values = dict(content)
        return cls(**{**values, "limits": Limits(**values["limits"])})


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long this process searches.

    Attributes:
        trials: Networks to train, or to stop while they are trained; others do not count.
        timeout_s: After so many seconds no other trial is begun; None for no end.

    Raises:
        UserError: A value is out of range.
    """

    trials: int = 50
    timeout_s: float | None = None

    def __post_init__(self) -> None:
        _whole("--trials", self.trials, 1, 1_000_000)
        if self.timeout_s is not None and not (
            math.isfinite(self.timeout_s) and self.timeout_s > 0
        ):
            raise UserError(f"--timeout is {self.timeout_s}", "it must be above 0 seconds")


def _whole(option: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise UserError(
            f"{option} is {value}", f"it must be a whole number from {low:,} to {high:,}"
        )


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UserError(f"{option} is {value!r}", f"it must be one of: {', '.join(allowed)}")
