"""tflite-runtime, the predecessor of LiteRT: the wheel for 32-bit Raspberry Pi OS."""

from __future__ import annotations

from typing import Any

from hemline.backends._tflite import TfliteBackend
from hemline.tflite_reader import read_tflite


class TfliteRuntimeBackend(TfliteBackend):
    """`tflite-runtime`: Python up to 3.11 and NumPy below 2."""

    name = "tflite-runtime"
    module = "tflite_runtime"

    def __init__(self, path: str, content: bytes, num_threads: int) -> None:
        # It does not look whether the file is whole, and crashes where it was cut off; the reader looks.
        read_tflite(path, content)
        super().__init__(path, content, num_threads)

    def _interpreter_class(self) -> tuple[Any, str]:
        import tflite_runtime
        from tflite_runtime import interpreter

        return interpreter.Interpreter, str(tflite_runtime.__version__)
