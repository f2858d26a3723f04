"""LiteRT, the successor of TensorFlow Lite: the first choice for `.tflite` files."""

from __future__ import annotations

from typing import Any

from hemline.backends._tflite import TfliteBackend


class LiteRtBackend(TfliteBackend):
    """`ai-edge-litert`, with XNNPACK."""

    name = "litert"
    module = "ai_edge_litert"

    def _interpreter_class(self) -> tuple[Any, str]:
        import ai_edge_litert
        from ai_edge_litert import interpreter

        return interpreter.Interpreter, str(ai_edge_litert.__version__)
