"""Finding the garment in a frame (rule `garment`), against resizing alone and against GrabCut. One thread."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace

import _grabcut
import _measure
import cv2
import numpy as np
from _measure import Comparison

from hemline.errors import UserError
from hemline.modelfile import load_model
from hemline.preprocess import GARMENT_SIDE, Frame, Preprocessor

SIZES_WH = [(320, 240), (640, 480)]


def main() -> int:
    """Run the benchmark from the command line."""
    parser = _measure.parser(__doc__ or "", rounds=20, warm_up=2)
    parser.add_argument("--calls", type=_measure.positive, default=20, help="calls in one timing")
    parser.add_argument(
        "--sizes", type=_measure.size_wh, nargs="+", default=SIZES_WH, help="WIDTHxHEIGHT …"
    )
    return _measure.main(parser, measure)


def measure(arguments: argparse.Namespace) -> list[Comparison]:
    """Every size against every peer."""
    cv2.setNumThreads(1)
    spec = load_model(arguments.model).card.input
    comparisons = []
    for width, height in arguments.sizes:
        frame_bgr = _measure.photo(0, (width, height))
        garment = Preprocessor(replace(spec, foreground="garment"))
        plain = Preprocessor(replace(spec, foreground="light-on-dark"))
        if np.array_equal(garment(frame_bgr), plain(frame_bgr)):
            raise UserError(f"no garment is found in the picture of {width}×{height}", "enlarge it")
        comparisons += compare(garment, plain, frame_bgr, arguments)
    return comparisons


def compare(
    garment: Preprocessor, plain: Preprocessor, frame_bgr: Frame, arguments: argparse.Namespace
) -> list[Comparison]:
    """One frame through everything, in turns."""
    peers: dict[str, Callable[[], object]] = {
        "light-on-dark, resized only": lambda: plain(frame_bgr),
        f"GrabCut at {GARMENT_SIDE} pixels": lambda: plain(
            _grabcut.cut_out(frame_bgr, GARMENT_SIDE)
        ),
        "GrabCut of the whole frame": lambda: plain(_grabcut.cut_out(frame_bgr)),
    }
    calls = dict.fromkeys(peers, arguments.calls)
    calls["GrabCut of the whole frame"] = 1  # it takes long
    candidates = {"garment": (lambda: garment(frame_bgr)), **peers}
    calls["garment"] = arguments.calls

    def repeated(name: str) -> Callable[[], None]:
        def run() -> None:
            for _ in range(calls[name]):
                candidates[name]()

        return run

    seconds = _measure.seconds_of_rounds(
        {name: repeated(name) for name in candidates}, arguments.rounds, arguments.warm_up
    )
    ms = {name: [1e3 * s / calls[name] for s in values] for name, values in seconds.items()}
    size = f"{frame_bgr.shape[1]}×{frame_bgr.shape[0]} garment"
    return [Comparison(size, peer, "ms", ms["garment"], ms[peer]) for peer in peers]


if __name__ == "__main__":
    sys.exit(main())
