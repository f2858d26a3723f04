"""Running a float network on pictures, and looking at what its activations do."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from hemline.card import Normalization
from hemline.progress import progress
from hemline.quiet import holding_back_stderr


class FloatRun:
    """A float32 TFLite network that takes normalized pixels, loaded.

    Args:
        content: The network's bytes.
        normalization: How pixels become what it takes.
        keeps_activations: Whether activations can be read afterwards; it is slower then.
    """

    def __init__(
        self, content: bytes, normalization: Normalization, keeps_activations: bool = False
    ) -> None:
        with warnings.catch_warnings(), holding_back_stderr():
            warnings.simplefilter("ignore")  # it warns that keeping all tensors is for debugging
            self._interpreter = Interpreter(
                model_content=content,
                experimental_preserve_all_tensors=keeps_activations,
                num_threads=1,
            )
            self._interpreter.allocate_tensors()
        self._normalization = normalization
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def run(self, tensor: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The logits of one picture: uint8 (H, W, C) to float32 (classes,)."""
        self._interpreter.set_tensor(self._input, normalized(tensor[None], self._normalization))
        self._interpreter.invoke()
        logits: NDArray[np.float32] = self._interpreter.get_tensor(self._output)[0]
        return logits

    def activation(self, index: int) -> NDArray[np.float32]:
        """What a tensor held in the last run; a copy."""
        value: NDArray[np.float32] = self._interpreter.get_tensor(index)
        return value


def normalized(pixels: NDArray[np.uint8], normalization: Normalization) -> NDArray[np.float32]:
    """What the network takes for these pixels: scale × (pixel − zero point)."""
    shifted = pixels.astype(np.float32) - np.float32(normalization.zero_point)
    return shifted * np.float32(normalization.scale)


def float_logits(
    content: bytes, tensors: NDArray[np.uint8], normalization: Normalization
) -> NDArray[np.float32]:
    """Logits of a float network: uint8 (N, H, W, C) to float32 (N, classes)."""
    loaded = FloatRun(content, normalization)
    return np.array([loaded.run(tensor) for tensor in tensors])


def observed(
    content: bytes,
    tensors: NDArray[np.uint8],
    normalization: Normalization,
    indices: Collection[int],
    description: str,
) -> Iterator[dict[int, NDArray[np.float32]]]:
    """What the tensors of these indices hold for each picture, picture by picture."""
    loaded = FloatRun(content, normalization, keeps_activations=True)
    for tensor in progress(tensors, description, len(tensors)):
        loaded.run(tensor)
        yield {index: loaded.activation(index) for index in indices}
