"""What the three interpreters of `.tflite` files share: they have the same Python interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hemline.backends._base import Backend, TensorSpec, cannot_run, first_line
from hemline.errors import ModelError
from hemline.integrity import must_be_unaltered
from hemline.quiet import holding_back_stderr
from hemline.zipcard import read_zip_card

if TYPE_CHECKING:
    from numpy.typing import NDArray

_IDENTIFIER = b"TFL3"  # bytes 4 to 8 of every .tflite file (FlatBuffers file identifier)


class TfliteBackend(Backend):
    """A `.tflite` model in an interpreter; subclasses say whose."""

    suffixes = (".tflite",)
    _is_light = True  # whether nothing but the interpreter is loaded

    def __init__(self, path: str, content: bytes, num_threads: int) -> None:
        must_be_tflite(path, content)
        # A cut file loses its end first, and that is where the card is. Interpreters have crashed on
        # cut files, so a damaged one should be found before it is loaded.
        self.card_json = read_zip_card(path, content)
        must_be_unaltered(path, content, self.card_json)
        interpreter_class, self.version = self._interpreter_class()
        try:
            with holding_back_stderr():  # it tells of its delegate at each start
                self._interpreter = interpreter_class(
                    model_content=content, num_threads=num_threads
                )
                self._interpreter.allocate_tensors()
            inputs = self._interpreter.get_input_details()
            outputs = self._interpreter.get_output_details()
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"{path} cannot be loaded by {self.name} {self.version}: {first_line(error)}",
                "the file is damaged, or needs a newer runtime: convert it again or update",
            ) from error
        self.can_be_forked = self._is_light and num_threads == 1  # so it has no threads to lose
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"{path} has {len(inputs)} inputs and {len(outputs)} outputs",
                "an image classifier has one of each",
            )
        self.input, self.output = _spec(inputs[0]), _spec(outputs[0])
        self._input_index: int = inputs[0]["index"]
        self._output_index: int = outputs[0]["index"]

    def _interpreter_class(self) -> tuple[Any, str]:
        """The interpreter's class, and the version of its library."""
        raise NotImplementedError

    def run(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """One inference; the returned array is the caller's."""
        self._interpreter.set_tensor(self._input_index, tensor)
        try:
            self._interpreter.invoke()
        except RuntimeError as error:  # of files without a checksum, which may hold anything
            raise cannot_run(self.name, self.version, error) from error
        output: NDArray[Any] = self._interpreter.get_tensor(self._output_index)
        return output


def must_be_tflite(name: str, content: bytes) -> None:
    """Refuse what is another kind of file, or none.

    Raises:
        ModelError: It has not the identifier of TFLite files.
    """
    if content[4:8] != _IDENTIFIER:
        raise ModelError(
            f"{name} is no TFLite model, whatever its name says",
            "a TFLite file has 'TFL3' at byte 4; copy or convert the model again",
        )


def _spec(details: dict[str, Any]) -> TensorSpec:
    scale, zero_point = details["quantization"]
    shape = tuple(int(n) for n in details["shape"])
    return TensorSpec(shape, np.dtype(details["dtype"]), float(scale), int(zero_point))
