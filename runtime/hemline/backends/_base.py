"""What every backend is: it loads one model file and turns an input tensor into logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from hemline.card import ModelCard, Normalization
from hemline.errors import ModelError
from hemline.scores import log_probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TensorSpec(NamedTuple):
    """Shape, type, and the quantization real = scale * (value - zero_point); scale 0 means none."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float = 0.0
    zero_point: int = 0


class Backend(ABC):
    """A model ready to run.

    Attributes:
        name: The name that `--backend` takes.
        suffixes: The file endings it runs.
        module: The module that must be installed for it.
        can_crash: Whether a damaged file could end the process, and not just raise an exception.
        can_be_forked: Whether a loaded model runs on in a forked process.
        version: Version of the library that runs the model.
        card_json: The model card inside the file, or None.
        input: The input tensor.
        output: The output tensor.
        gives_probabilities: Whether the network ends in softmax, by its card.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    module: ClassVar[str]
    can_crash: ClassVar[bool] = True
    can_be_forked: bool = False

    version: str
    card_json: str | None
    input: TensorSpec
    output: TensorSpec

    @abstractmethod
    def __init__(self, path: str, content: bytes, num_threads: int) -> None:
        """Load the model whose file is `path` and holds `content`.

        Raises:
            ModelError: The content is no model that this backend can run.
        """

    @abstractmethod
    def run(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """One inference on a tensor of exactly the input's shape and type; the raw output tensor."""

    def try_out(self) -> None:
        """One inference on a black picture."""
        self.run(np.zeros(self.input.shape, self.input.dtype))

    @cached_property
    def _int8_pixels(self) -> NDArray[np.uint8]:
        """Room for the pixels of an int8 input; runtimes copy what they are given."""
        return np.empty(self.input.shape, np.uint8)

    def feed(self, normalization: Normalization) -> None:
        """Say what pixels mean to the network; only used where the input is not uint8."""
        self._normalization = normalization

    _normalization = Normalization()
    gives_probabilities: bool = False

    def float_tflite(self, card: ModelCard) -> bytes:
        """The network as float32 TFLite, uint8 pixels to logits; only of a float model that is a source.

        Args:
            card: Of the model.

        Raises:
            ModelError: It is none.
        """
        raise ModelError(
            f"the float network of {card.name} cannot be had from {self.name}",
            "give the .keras model, or NAME_float32.tflite",
        )

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits of one picture.

        Args:
            pixels: uint8, the input's shape, 0–255; or grey for a network that `gives_probabilities` and
                takes RGB.

        Returns:
            float32, (classes,), dequantized if the output is an integer tensor, and the logarithm if
            it is probabilities, since softmax of that gives them back. The caller may keep it.
        """
        if self.gives_probabilities:
            pixels = np.ascontiguousarray(np.broadcast_to(pixels, self.input.shape))
        raw = self.run(pixels if self.input.dtype == np.uint8 else self._converted(pixels))
        values = raw.reshape(-1)
        if self.output.dtype != np.float32:
            shifted = values.astype(np.float32) - np.float32(self.output.zero_point)
            values = shifted * np.float32(self.output.scale)
        if self.gives_probabilities:
            values = log_probabilities(values)
        return values

    def _converted(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """Pixels for a float32 or int8 input."""
        if self.input.dtype == np.float32:
            shifted = pixels.astype(np.float32) - np.float32(self._normalization.zero_point)
            return shifted * np.float32(self._normalization.scale)
        if self.input.dtype == np.int8:
            # In two's complement, pixel − 128 is the pixel with its highest bit flipped.
            return np.bitwise_xor(pixels, 128, out=self._int8_pixels).view(np.int8)
        raise ModelError(
            f"the model's input is {self.input.dtype}",
            "hemline feeds uint8, int8 or float32 images",
        )


def cannot_run(name: str, version: str, error: Exception) -> ModelError:
    """What to raise where a runtime loads a model and then fails to run it."""
    return ModelError(
        f"the model cannot be run by {name} {version}: {first_line(error)}",
        "the file is damaged, or needs another runtime: copy or convert the model again",
    )


def first_line(error: Exception) -> str:
    """The reason that a runtime gives, without what follows it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
