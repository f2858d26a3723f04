"""A network as the comparison of layers sees it: operators in order, and every activation on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Use = tuple[int, int]  # the place of a layer in the order, and the tensor that it takes


class Scale(NamedTuple):
    """real = scale * (value - zero_point) of one activation."""

    scale: float
    zero_point: int
    dtype: np.dtype[Any]

    @property
    def ends(self) -> tuple[int, int]:
        """The smallest and the largest value of the type."""
        limits = np.iinfo(self.dtype)
        return int(limits.min), int(limits.max)

    def real(self, values: Array) -> NDArray[np.float64]:
        """What the integers stand for."""
        return (values.astype(np.float64) - self.zero_point) * self.scale

    def steps(self, real: Array) -> NDArray[np.float64]:
        """The integers that stand for real values, before they are cut at the ends."""
        return np.rint(np.asarray(real, np.float64) / self.scale) + self.zero_point

    def quantized(self, real: Array) -> Array:
        """The integers that stand for real values."""
        return np.clip(self.steps(real), *self.ends).astype(self.dtype)


class Layer(NamedTuple):
    """One operator.

    Attributes:
        operator: As the file calls it: `CONV_2D`, `Conv`.
        kind: What it does, in TFLite's words, where depthwise convolutions are convolutions.
        name: Of the layer in the source model, as far as the file tells it.
        inputs: The activations that it takes, in order; no constants.
        output: The activation that it computes.
        shape: Of its output, channels last.
        takes_constants: Whether it has weights or other constants.
    """

    operator: str
    kind: str
    name: str
    inputs: tuple[int, ...]
    output: int
    shape: tuple[int, ...]
    takes_constants: bool


class Network(ABC):
    """A model that shows each activation. Tensors go by numbers; values are channels last.

    Attributes:
        runs_on: What computes it, for reports.
        layers: In the order in which they run.
        input: The picture.
        input_dtype: Its type.
        scales: Of the activations that are quantized.
        bias_scales: For the places of layers with integer biases the scales of their weights and of their
            biases.
        moves_integers: Kinds of layers that give integers as they take them, whatever scale they stand for.
    """

    runs_on: str
    layers: tuple[Layer, ...]
    input: int
    input_dtype: np.dtype[Any]
    scales: dict[int, Scale]
    bias_scales: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]
    moves_integers: tuple[str, ...]

    @abstractmethod
    def run(self, picture: Array) -> dict[int, Array]:
        """One inference: the picture and every activation, by the number of the tensor."""

    @abstractmethod
    def run_apart(self, values: Mapping[Use, Array]) -> list[Array]:
        """Each layer by itself, on given inputs; what each computes, in their order.

        Args:
            values: What each layer is fed, for each activation that it takes.
        """

    def real(self, tensor: int, values: Array) -> NDArray[np.float64]:
        """Values of an activation as real numbers."""
        scale = self.scales.get(tensor)
        return values.astype(np.float64) if scale is None else scale.real(values)

    def stored(self, tensor: int, real: Array) -> Array:
        """Real numbers as this network holds them in an activation."""
        scale = self.scales.get(tensor)
        return real.astype(np.float32) if scale is None else scale.quantized(real)
