"""From pixels to the input tensor: is it what the network was made for?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.card import InputSpec, Normalization
from hemline.parity.stages.mistakes import Picture, explanation
from hemline.parity.stages.stage import TENSORS, Stage, Tolerances

MOST_EXPLAINED = 4  # pictures that causes are tried on


@dataclass(frozen=True)
class InputDomain:
    """What the file wants in its input tensor: pixels 0–255 as they are, shifted, or normalized.

    Attributes:
        dtype: uint8, int8 or float32.
        normalization: What a float32 input wants.
    """

    dtype: np.dtype[Any]
    normalization: Normalization = Normalization()  # noqa: RUF009 - it is frozen

    @property
    def step(self) -> float:
        """What one step of a pixel is here."""
        return self.normalization.scale if self.dtype.kind == "f" else 1.0

    def values(self, pixels: NDArray[Any]) -> NDArray[np.float64]:
        """Pixels as the input wants them."""
        real = pixels.astype(np.float64)
        if self.dtype.kind == "f":
            return (real - self.normalization.zero_point) * self.normalization.scale
        return real - 128 if self.dtype == np.int8 else real

    def pixels(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """The pixels that such values stand for, cut to 0–255."""
        real = values.astype(np.float64)
        if self.dtype.kind == "f":
            real = real / self.normalization.scale + self.normalization.zero_point
        elif self.dtype == np.int8:
            real = real + 128
        return np.clip(np.rint(real), 0, 255).astype(np.uint8)


PIXELS_AS_THEY_ARE = InputDomain(np.dtype(np.uint8))


@dataclass(frozen=True)
class BrokenTensor:
    """One tensor that is not what it must be.

    Attributes:
        row: Of the picture.
        expected: uint8, (H, W, C): what it must be, as pixels.
        made: (H, W, C): what it is.
    """

    row: int
    expected: NDArray[np.uint8]
    made: NDArray[Any]


def steps_between(
    expected: NDArray[np.uint8], made: NDArray[Any], domain: InputDomain
) -> NDArray[np.float64]:
    """For each tensor the greatest difference, in steps of a pixel: float, (N,).

    Args:
        expected: uint8, (N, H, W, C): pixels.
        made: (N, H, W, C): as the input of the file wants them.
        domain: What it wants.
    """
    difference = np.abs(made.astype(np.float64) - domain.values(expected)) / domain.step
    found = difference.reshape(len(difference), -1).max(axis=1)
    return np.asarray(np.where(np.isfinite(found), found, 255.0), np.float64)


def judge_tensors(
    steps: NDArray[Any],
    broken: list[BrokenTensor],
    spec: InputSpec,
    picture: Callable[[int], Picture],
    tolerances: Tolerances,
    domain: InputDomain = PIXELS_AS_THEY_ARE,
) -> Stage:
    """The verdict, and what explains a failure.

    Args:
        steps: (N,): for each picture whose pixels are right the greatest difference of its tensor.
        broken: Some of those that differ by more than is allowed.
        spec: How the tensors must be made.
        picture: Gives a picture as it was decoded, by its row.
        tolerances: What is allowed.
        domain: What the input of the file wants.
    """
    bad = int((steps > tolerances.tensor_steps).sum())
    equal = int((steps == 0).sum())
    most = float(steps.max())
    numbers = {"pictures": len(steps), "equal": equal, "broken": bad, "max_steps": round(most, 3)}
    allowed = f"each pixel within {tolerances.tensor_steps} steps of 255"
    if not bad:
        finding = f"{equal} of {len(steps)} tensors are equal"
        if equal < len(steps):
            finding += f", the others within {most:.3g} steps"
        return Stage(TENSORS, "pass", finding, allowed, numbers=numbers)
    finding = f"{bad} of {len(steps)} tensors differ, by up to {most:.4g} steps of 255"
    cause = explanation(broken[:MOST_EXPLAINED], spec, picture, tolerances.tensor_steps, domain)
    return Stage(TENSORS, "fail", finding, allowed, cause, numbers)


def other_shape(made: tuple[int, ...], expected: tuple[int, ...]) -> Stage:
    """The verdict on tensors of another shape: (H, W, C) each."""
    words = ["×".join(map(str, shape)) for shape in (made, expected)]
    swapped = made == (expected[1], expected[0], *expected[2:]) and made != expected
    first = len(made) == 3 and made == (expected[2], *expected[:2])
    cause = "as if width and height were exchanged" if swapped else ""
    cause = "as if the channels stood in front (CHW)" if first and not swapped else cause
    return Stage(
        TENSORS,
        "fail",
        f"the tensors are {words[0]}, they must be {words[1]} (height, width, channels)",
        "the same shape",
        cause,
    )
