"""`hemline demo`: the whole main job on what is shipped, without a network."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hemline import atomic, models, samples
from hemline.cli.command import DONE, FAILED, Command
from hemline.errors import UserError
from hemline.extras import require

if TYPE_CHECKING:
    from hemline.parity.run import ParityRun

_NEEDED = ("tensorflow", "keras", "ai_edge_quantizer", "ai_edge_litert", "tf2onnx", "onnx")
_MODEL = "paper"
_WITHOUT = (
    "that is for a PC; what a Raspberry Pi does needs none of it: "
    "hemline doctor, hemline parity paper, hemline classify PICTURE"
)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        help="fashion-mnist or a folder (default: Fashion-MNIST where it is at hand, else the drawn "
        "garments that are shipped)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("hemline-demo"), help="folder for the files"
    )


def _run(arguments: argparse.Namespace) -> int:
    require(_NEEDED, "convert", "hemline demo", _WITHOUT)
    started = time.perf_counter()
    data = arguments.data or _data_at_hand()
    shipped = models.source_path_of(_MODEL)
    if shipped is None:
        raise UserError(f"the shipped model {_MODEL} is missing", "install hemline again")
    source = Path(shipped)
    _introduce(source, data)
    parity = _convert_and_check(source, data, arguments.out)
    _classify(arguments.out / f"{_MODEL}_int8.tflite")
    _conclude(arguments.out, data, time.perf_counter() - started)
    return DONE if parity else FAILED


def _data_at_hand() -> str:
    from hemline.datasets import find_fashion_mnist

    return "fashion-mnist" if find_fashion_mnist() is not None else "drawn"


def _introduce(source: Path, data: str) -> None:
    print(f"The shipped model {_MODEL!r}: a float Keras network, {_kilobytes(source)}.")
    if data == "drawn":
        print(
            "Fashion-MNIST is not at hand, so garments that hemline draws itself stand in: good enough\n"
            "to see the way, but their accuracy says nothing of real garments."
        )
    else:
        print(f"Pictures to calibrate and to check with: {data}.")


def _convert_and_check(source: Path, data: str, out: Path) -> ParityRun:
    from hemline.parity.plan import Request, prepare
    from hemline.parity.run import measure
    from hemline.parity.table import table
    from hemline_convert.convert import ConversionConfig, convert
    from hemline_convert.keras_source import StatedCard

    print("\n1. Convert to int8 (training pictures calibrate)", flush=True)
    stated = StatedCard(name=_MODEL)
    conversion = convert(ConversionConfig(model=source, out=out, data=data, stated=stated))
    for path in conversion.files:
        print(f"   {path}  {_kilobytes(path)}")

    print("\n2. Is it still the same model? (pictures that calibration never saw)\n", flush=True)
    candidates = tuple(
        str(path) for path in conversion.files if path.suffix in (".tflite", ".onnx")
    )
    plan = prepare(Request(candidates=candidates))
    parity = measure(plan.groups, errors=plan.errors)
    print(table(parity))
    print(f"\n{parity.verdict}")
    numbers = json.dumps(parity.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    atomic.write_text(out / f"{_MODEL}.parity.json", numbers + "\n")
    return parity


def _classify(model: Path) -> None:
    from hemline.classifier import Classifier

    print("\n3. Classify pictures, as the Raspberry Pi would (drawn by hemline, none is a photo)\n")
    classifier = Classifier(model)
    paths = samples.picture_paths()
    width = max(len(path.name) for path in paths)
    label_width = max(len(label) for label in classifier.card.labels)
    print(f"   {'picture':<{width}}  {'answer':<{label_width}}  sure     time")
    for path in paths:
        answer = classifier.classify_file(path)
        print(
            f"   {path.name:<{width}}  {answer.label:<{label_width}}  {answer.confidence:6.1%}  "
            f"{answer.latency_ms.total:5.2f} ms"
        )


def _conclude(out: Path, data: str, seconds: float) -> None:
    model = out / f"{_MODEL}_int8.tflite"
    print(f"\nDone in {seconds:.0f} s. The files are in {out}{os.sep}. What next:")
    # In a clone the command is inside .venv, which `make demo` does not put on the path.
    program = "hemline" if shutil.which("hemline") else sys.argv[0]
    steps = [
        (f"{program} classify PHOTO", f"name a photo of yours, with {models.DEFAULT}, for photos"),
        (f"{program} classify PICTURE -m {model}", "with the one above, for product pictures"),
        (f"{program} parity {out} --report {out / 'report'}", "the check as a page with pictures"),
        (
            f"{program} train --arch wardrobe --data FOLDER",
            "train on your own photos, a folder per class",
        ),
    ]
    if data == "drawn":
        steps.append((f"{program} train --data fashion-mnist", "downloads Fashion-MNIST (31 MB)"))
    width = max(len(command) for command, _ in steps)
    for command, meaning in steps:
        print(f"   {command:<{width}}   {meaning}")


def _kilobytes(path: Path) -> str:
    return f"{path.stat().st_size / 1000:.1f} kB"


COMMAND = Command(
    "demo", "convert, check and classify with what is shipped, offline", _add_arguments, _run
)
