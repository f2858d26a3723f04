"""tflite-runtime, the predecessor of LiteRT: the wheel for 32-bit Raspberry Pi OS."""

from __future__ import annotations

from typing import Any

from hemline.backends._flatbuffer import is_whole
from hemline.backends._tflite import TFLITE_IDENTIFIER, TfliteBackend
from hemline.errors import ModelError


class TfliteRuntimeBackend(TfliteBackend):
    """`tflite-runtime`: Python up to 3.11 and NumPy below 2."""

    name = "tflite-runtime"
    module = "tflite_runtime"

    def __init__(self, path: str, content: bytes, num_threads: int) -> None:
        if content[4:8] == TFLITE_IDENTIFIER and not is_whole(content):
            raise ModelError(
                f"{path} is damaged: a part of it is missing", "copy or convert the model again"
            )
        super().__init__(path, content, num_threads)

    def _interpreter_class(self) -> tuple[Any, str]:
        import tflite_runtime
        from tflite_runtime import interpreter

        return interpreter.Interpreter, str(tflite_runtime.__version__)
