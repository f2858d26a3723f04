"""A frame that is in memory already, to its label, against the bare OpenCV and LiteRT calls. One thread."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import _measure
import cv2
import numpy as np
from _measure import Comparison, Target

from hemline import Classifier, Preprocessor
from hemline.preprocess import Frame
from hemline.quiet import holding_back_stderr

TARGET = Target("at most", 0.3)
SIZES_WH = [(640, 480), (1280, 720), (1920, 1080)]


def main() -> int:
    """Run the benchmark from the command line."""
    parser = _measure.parser(__doc__ or "", rounds=60, warm_up=5)
    parser.add_argument("--calls", type=_measure.positive, default=20, help="calls in one timing")
    parser.add_argument(
        "--sizes", type=_measure.size_wh, nargs="+", default=SIZES_WH, help="WIDTHxHEIGHT …"
    )
    return _measure.main(parser, measure)


def measure(arguments: argparse.Namespace) -> list[Comparison]:
    """Every size, each with its two parts beside the whole."""
    cv2.setNumThreads(1)
    classifier = Classifier(arguments.model)
    bare = Bare(classifier)
    comparisons = []
    for width, height in arguments.sizes:
        frame_bgr = _measure.photo(0, (width, height))
        comparisons += compare(classifier, bare, frame_bgr, arguments)
    return comparisons


class Bare:
    """What a user would write for this very model, and nothing else.

    Args:
        classifier: Tells the file, and the size and colour of its input.
    """

    def __init__(self, classifier: Classifier) -> None:
        spec = classifier.card.input
        self._code = cv2.COLOR_BGR2GRAY if spec.color == "gray" else cv2.COLOR_BGR2RGB
        self._size_wh = spec.size_wh
        self._shape = spec.tensor_shape
        with holding_back_stderr():
            self._interpreter: Any = import_module(_measure.INTERPRETER).Interpreter(
                model_path=str(classifier.path), num_threads=1
            )
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def preprocess(self, frame_bgr: Frame) -> Frame:
        """Colour, then size."""
        coloured = cv2.cvtColor(frame_bgr, self._code)
        small = cv2.resize(coloured, self._size_wh, interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8).reshape(self._shape)

    def infer(self, pixels: Frame) -> Any:
        """The logits."""
        self._interpreter.set_tensor(self._input, pixels)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)

    def classify(self, frame_bgr: Frame) -> Any:
        """Both, one after the other."""
        return self.infer(self.preprocess(frame_bgr))


def compare(
    classifier: Classifier, bare: Bare, frame_bgr: Frame, arguments: argparse.Namespace
) -> list[Comparison]:
    """One frame through everything, in turns."""
    preprocess = Preprocessor(classifier.card.input)
    pixels = preprocess(frame_bgr).copy()

    def repeated(call: Callable[[Frame], object], argument: Frame) -> Callable[[], None]:
        def run() -> None:
            for _ in range(arguments.calls):
                call(argument)

        return run

    candidates = {
        "classify": repeated(classifier.classify, frame_bgr),
        "bare classify": repeated(bare.classify, frame_bgr),
        "preprocess": repeated(preprocess, frame_bgr),
        "bare preprocess": repeated(bare.preprocess, frame_bgr),
        "infer": repeated(classifier.classify_tensor, pixels),
        "bare infer": repeated(bare.infer, pixels),
    }
    seconds = _measure.seconds_of_rounds(candidates, arguments.rounds, arguments.warm_up)
    ms = {name: [1e3 * s / arguments.calls for s in values] for name, values in seconds.items()}
    size = f"{frame_bgr.shape[1]}×{frame_bgr.shape[0]}"
    parts = [
        ("Classifier.classify", "bare calls, summed", "classify", TARGET),
        ("  of that Preprocessor", "cvtColor, resize", "preprocess", None),
        ("  of that classify_tensor", "set_tensor, invoke, get_tensor", "infer", None),
    ]
    return [
        Comparison(f"{size} {name}", peer, "ms", ms[key], ms[f"bare {key}"], target)
        for name, peer, key, target in parts
    ]


if __name__ == "__main__":
    sys.exit(main())
