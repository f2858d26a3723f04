"""An operator as kernels see it: with its tensors, its constants, and words for what it cannot do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.errors import ModelError
from hemline.flatbuffer import Table
from hemline.numpy_interpreter.fixed_point import Multiplier, ShortMultiplier
from hemline.tflite_reader import Operator, Quantization, Tensor

# Above it, an array of float64 takes more than 512 MB. Sizes in a damaged file can be anything.
_MOST_ELEMENTS = 1 << 26
_LEAST_SCALE = 2.0**-64
_CONVERT_AGAIN = "copy or convert the model again"


@dataclass(frozen=True)
class Scale:
    """real = scale * (value - zero_point), for a whole tensor."""

    scale: np.float32
    zero_point: int


@dataclass(frozen=True)
class Node:
    """One operator of one graph.

    Attributes:
        file: Name of the file, for messages.
        operator: The operator.
        inputs: Its inputs; None where one is left out.
        output: Its one output.
        constants: Values known before the first inference, by tensor index.
    """

    file: str
    operator: Operator
    inputs: tuple[Tensor | None, ...]
    output: Tensor
    constants: dict[int, NDArray[Any]]

    def refused(self, why: str, hint: str = _CONVERT_AGAIN) -> ModelError:
        """The error that says what this operator cannot do here."""
        return ModelError(
            f"{self.file}: operator {self.operator.index} ({self.operator.name}) {why}", hint
        )

    @property
    def options(self) -> Table:
        """The operator's options."""
        if self.operator.options is None:
            raise self.refused("has no options")
        return self.operator.options

    def input(self, position: int) -> Tensor:
        """An input that must be there."""
        tensor = self.optional_input(position)
        if tensor is None:
            raise self.refused(f"lacks its input {position}")
        return tensor

    def optional_input(self, position: int) -> Tensor | None:
        """An input, or None where it is left out."""
        return self.inputs[position] if position < len(self.inputs) else None

    def constant(self, position: int, dtype: Any) -> NDArray[Any]:
        """The value of an input that must be constant and of this type."""
        tensor = self.input(position)
        if tensor.index not in self.constants:
            raise self.refused(f"takes {tensor.name} as it is computed, and not as a constant")
        value = self.constants[tensor.index]
        if value.dtype != dtype:
            raise self.refused(f"takes {tensor.name} as {tensor.type_name}")
        return value

    def bias(self, channels: int, dtype: Any) -> NDArray[Any]:
        """The third input, (channels,), or zeros where it is left out."""
        if self.optional_input(2) is None:
            return np.zeros(channels, dtype)
        value = self.constant(2, dtype)
        if value.shape != (channels,):
            raise self.refused(f"has a bias of the shape {value.shape} for {channels} channels")
        return value

    def image_shape(self) -> tuple[int, int, int, int]:
        """Batch, height, width and channels of the first input."""
        shape = self.input(0).shape
        if len(shape) != 4:
            raise self.refused(f"takes an input of the shape {shape}, which is no picture")
        batch, height, width, channels = shape
        return batch, height, width, channels

    def scale(self, tensor: Tensor) -> Scale:
        """The quantization of an activation."""
        quantization = self._quantization(tensor)
        zero_point = int(quantization.zero_points[0])
        limits = np.iinfo(tensor.dtype)
        if quantization.is_per_channel or not limits.min <= zero_point <= limits.max:
            raise self.refused(f"has {tensor.name} with a quantization that no activation has")
        if zero_point and tensor.dtype == np.int16:
            raise self.refused(f"has {tensor.name} with a zero point", "int16 is symmetric")
        return Scale(np.float32(quantization.scales[0]), zero_point)

    def weight_scales(self, position: int, channels: int, axis: int) -> NDArray[np.float32]:
        """The scales of int8 weights: float32, (1,) or (channels,)."""
        quantization = self._quantization(self.input(position))
        if quantization.zero_points.any():
            raise self.refused("has weights with zero points", "8-bit weights are symmetric")
        got, wanted = (len(quantization.scales), quantization.axis), (channels, axis)
        if quantization.is_per_channel and got != wanted:
            raise self.refused(
                f"has {got[0]} scales along axis {got[1]} for {channels} channels along axis {axis}"
            )
        return quantization.scales

    def multiplier(self, real: Any) -> Multiplier:
        """The multiplier of a factor, or of one for each channel."""
        try:
            return Multiplier.from_real(real)
        except ValueError as error:
            raise self.refused(f"has scales that do not go together: {error}") from error

    def short_multiplier(self, real: Any) -> ShortMultiplier:
        """The same with 16 bits."""
        try:
            return ShortMultiplier.from_real(real)
        except ValueError as error:
            raise self.refused(f"has scales that do not go together: {error}") from error

    def must_give(self, shape: tuple[int, ...]) -> None:
        """Check the shape of the result against the one in the file."""
        if shape != self.output.shape:
            raise self.refused(f"gives {shape}, and the file says {self.output.shape}")

    def must_fit(self, *sizes: int) -> None:
        """Refuse an array that is empty, or too large to be meant."""
        if min(sizes, default=1) < 1:
            raise self.refused(f"has a tensor of the shape {sizes}")
        count = int(np.prod(sizes, dtype=object))
        if count > _MOST_ELEMENTS:
            raise self.refused(
                f"needs {count} values at once, more than {_MOST_ELEMENTS}",
                "run the model with --backend litert; if it is a small one, the file is damaged",
            )

    def _quantization(self, tensor: Tensor) -> Quantization:
        quantization = tensor.quantization
        if quantization is None:
            raise self.refused(f"has {tensor.name} without scale")
        scales = quantization.scales
        if not ((scales >= _LEAST_SCALE) & (scales <= 1 / _LEAST_SCALE)).all():
            raise self.refused(f"has {tensor.name} with a scale that cannot be meant")
        return quantization
