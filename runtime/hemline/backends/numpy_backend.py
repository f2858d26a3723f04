"""hemline's own interpreter, for `.tflite` files where no runtime has a wheel; NumPy is all it needs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.backends._base import Backend, TensorSpec
from hemline.errors import ModelError
from hemline.integrity import must_be_unaltered
from hemline.numpy_interpreter import NumpyInterpreter
from hemline.tflite_reader import Tensor
from hemline.zipcard import read_zip_card


class NumpyBackend(Backend):
    """`hemline.numpy_interpreter`. Its speed does not depend on `num_threads`."""

    name = "numpy"
    can_crash = False
    can_be_forked = True
    suffixes = (".tflite",)
    module = "numpy"

    def __init__(self, path: str, content: bytes, num_threads: int) -> None:  # noqa: ARG002
        self.version = np.__version__
        self.card_json = read_zip_card(path, content)
        must_be_unaltered(path, content, self.card_json)
        self.interpreter = NumpyInterpreter(path, content)
        inputs, outputs = self.interpreter.inputs, self.interpreter.outputs
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"{path} has {len(inputs)} inputs and {len(outputs)} outputs",
                "an image classifier has one of each",
            )
        self.input, self.output = _spec(inputs[0]), _spec(outputs[0])

    def run(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """One inference; the returned array is the caller's."""
        return self.interpreter.run(tensor)[0]


def _spec(tensor: Tensor) -> TensorSpec:
    quantization = tensor.quantization
    if quantization is None:
        return TensorSpec(tensor.shape, tensor.dtype)
    scale, zero_point = float(quantization.scales[0]), int(quantization.zero_points[0])
    return TensorSpec(tensor.shape, tensor.dtype, scale, zero_point)
