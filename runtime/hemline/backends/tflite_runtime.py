"""tflite-runtime, the predecessor of LiteRT: the wheel for 32-bit Raspberry Pi OS."""

from __future__ import annotations

from typing import Any

from hemline.backends._tflite import TfliteBackend


class TfliteRuntimeBackend(TfliteBackend):
    """`tflite-runtime`: Python up to 3.11 and NumPy below 2."""

    name = "tflite-runtime"
    module = "tflite_runtime"

    def _interpreter_class(self) -> tuple[Any, str]:
        import tflite_runtime
        from tflite_runtime import interpreter

        return interpreter.Interpreter, str(tflite_runtime.__version__)
