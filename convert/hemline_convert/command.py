"""`hemline convert`: a float Keras model to the files that a device runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from hemline.card import Foreground
from hemline.cli.command import DONE, FAILED, Command
from hemline.errors import ModelError, UserError
from hemline.extras import require
from hemline.printable import printable
from hemline_convert.recipe import CALIBRATION_METHODS, QuantizationRecipe

if TYPE_CHECKING:
    from hemline.parity.result import Gate
    from hemline_convert.convert import Conversion

_NEEDED = ("tensorflow", "keras", "ai_edge_quantizer", "ai_edge_litert", "tf2onnx", "onnx")

_TFLITE_KINDS = ("float32", "float16", "dynamic_range", "int8", "w8a16", "mediapipe", "int8_io")
# Not part of --all: slow, and not for every network, the one; for few programs the other.
_ON_REQUEST = ("w8a16", "int8_io")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL.keras", help="float model, or a shipped one's name")
    kinds = parser.add_argument_group("what to make (by default --int8)")
    kinds.add_argument("--int8", action="store_true", help="int8 TFLite and int8 ONNX")
    kinds.add_argument("--float32", action="store_true", help="float32 TFLite")
    kinds.add_argument("--float16", action="store_true", help="TFLite with float16 weights")
    kinds.add_argument("--dynamic-range", action="store_true", help="TFLite with int8 weights only")
    kinds.add_argument(
        "--mediapipe", action="store_true", help="int8 TFLite for MediaPipe: RGB in, softmax in it"
    )
    kinds.add_argument("--onnx", action="store_true", help="float32 ONNX")
    kinds.add_argument("--all", action="store_true", help="all of these")
    kinds.add_argument(
        "--w8a16",
        action="store_true",
        help="TFLite with int8 weights and int16 activations: nearer to the float model than int8, and many "
        "times slower; not in --all",
    )
    kinds.add_argument(
        "--int8-io",
        action="store_true",
        help="the int8 TFLite with int8 in and out, and the same as a C++ header, for microcontrollers; not "
        "in --all",
    )
    kinds.add_argument("--no-onnx", action="store_true", help="leave the int8 ONNX out of --int8")
    parser.add_argument(
        "--data", help="fashion-mnist, or a folder: calibrates, and gives the golden pack"
    )
    parser.add_argument(
        "--per-tensor",
        action="store_true",
        help="give the weights of a layer one scale, for hardware that knows no scale per channel",
    )
    parser.add_argument(
        "--calibration",
        choices=CALIBRATION_METHODS,
        help="how int8 takes the range of an activation from what the pictures do: the whole (min-max), "
        "99.99 %% of the values (percentile), or the range of least error (mse, entropy); trained takes "
        "those of hemline train --qat (default: auto, trained where there are any, else min-max)",
    )
    parser.add_argument(
        "--calibration-images", type=int, metavar="N", help="pictures that calibrate (default: 500)"
    )
    parser.add_argument(
        "--bias-correction",
        action=argparse.BooleanOptionalAction,
        help="take off the biases what rounded weights add on average over the pictures that calibrate "
        "(default: it is done, but not with --per-tensor)",
    )
    parser.add_argument("--golden-images", type=int, default=1000, metavar="N")
    parser.add_argument("--golden-data", help="data of the golden pack, if another than --data")
    parser.add_argument(
        "--no-report", action="store_true", help="leave out NAME.report.html and NAME.report.json"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder for the files (default: that of the model; the current one for a shipped model)",
    )
    doctor = parser.add_argument_group(
        "the int8 doctor",
        "With a gate the int8 network is examined and mended where it fails; where nothing passes, nothing "
        "is written, and the exit code is 1.",
    )
    doctor.add_argument(
        "--max-drop",
        type=float,
        metavar="POINTS",
        help="greatest loss of accuracy in percentage points",
    )
    doctor.add_argument(
        "--min-agreement",
        type=float,
        metavar="X",
        help="least share of the float model's answers, 0 to 1",
    )
    foreign = parser.add_argument_group("for a model that was not trained by hemline")
    foreign.add_argument("-l", "--labels", type=Path, metavar="FILE", help="a label a line")
    foreign.add_argument("--name", help="name of the model, and stem of the files")
    foreign.add_argument("--input-resize", choices=("pad", "stretch", "crop"))
    foreign.add_argument("--input-foreground", choices=get_args(Foreground))
    foreign.add_argument("--input-scale", type=float, help="input = scale × (pixel − zero point)")
    foreign.add_argument("--input-zero-point", type=int)


def _run(arguments: argparse.Namespace) -> int:
    require(_NEEDED, "convert", "hemline convert")
    from hemline.cli.classify import read_labels
    from hemline_convert.convert import ConversionConfig, convert
    from hemline_convert.keras_source import StatedCard

    model, name = _source(arguments.model)
    tflite, onnx = _kinds(arguments)
    stated = StatedCard(
        name=arguments.name or name,
        labels=read_labels(arguments.labels) if arguments.labels else None,
        input_resize=arguments.input_resize,
        input_foreground=arguments.input_foreground,
        input_scale=arguments.input_scale,
        input_zero_point=arguments.input_zero_point,
    )
    config = ConversionConfig(
        model=model,
        # What is shipped is never overwritten by a conversion of it.
        out=arguments.out or (model.parent if name is None else Path()),
        tflite=tflite,
        onnx=onnx,
        data=arguments.data,
        calibration_images=arguments.calibration_images,
        golden_images=arguments.golden_images,
        golden_data=arguments.golden_data,
        recipe=QuantizationRecipe(
            calibration=arguments.calibration or "auto",
            granularity="tensor" if arguments.per_tensor else "channel",
            bias_corrected=arguments.bias_correction,
        ),
        stated=stated,
        gate=_gate(arguments),
        report=not arguments.no_report,
    )
    if not config.needs_ranges:
        _refuse_calibration(arguments)
    conversion = convert(config)
    if conversion.checked is not None:
        from hemline_convert.doctor import letter

        print(printable(letter(conversion.checked)))
        if not conversion.checked:
            print("\nno file was written")
            _tell(conversion.notes)
            return FAILED
        print()
    return _report(conversion, config.out)


def _refuse_calibration(arguments: argparse.Namespace) -> None:
    """Where no file is calibrated, nothing may be said of how."""
    for name in ("calibration", "calibration_images", "bias_correction"):
        if getattr(arguments, name) is not None:
            raise UserError(
                f"--{name.replace('_', '-')} is for files with int8 activations, and none is asked for",
                "leave it out, or ask for one: --int8",
            )


def _gate(arguments: argparse.Namespace) -> Gate | None:
    """The gate of the doctor, if one of its numbers is given."""
    from hemline.parity.result import Gate

    stated = {"max_drop_points": arguments.max_drop, "min_agreement": arguments.min_agreement}
    given = {name: value for name, value in stated.items() if value is not None}
    return Gate(**given) if given else None


def _source(name: str) -> tuple[Path, str | None]:
    """The file, and for a shipped model its name, which its card cannot know."""
    from hemline import models

    path = Path(name)
    if path.exists():
        return path, None
    if path.suffix:
        raise ModelError(
            f"there is no model file {name}",
            "hemline train writes one, model.keras in its run folder",
        )
    shipped = models.source_path_of(name)
    if shipped is None:
        raise UserError(
            f"there is no model file {name}, and no shipped model of that name",
            f"give a .keras file, or one of: {', '.join(models.names())}",
        )
    return Path(shipped), name


def _kinds(arguments: argparse.Namespace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    chosen = {name for name in (*_TFLITE_KINDS, "onnx")
              if getattr(arguments, name) or (arguments.all and name not in _ON_REQUEST)}  # fmt: skip
    if not chosen:
        chosen = {"int8"}
    tflite = tuple(kind for kind in _TFLITE_KINDS if kind in chosen)
    onnx = ("float32",) if "onnx" in chosen else ()
    if "int8" in chosen and not arguments.no_onnx:
        onnx = (*onnx, "int8")
    return tflite, onnx


def _report(conversion: Conversion, out: Path) -> int:
    """Tell what was written and how it does; the exit code."""
    width = max(len(str(path)) for path in conversion.files)
    for path in conversion.files:
        print(f"{path!s:<{width}}  {path.stat().st_size / 1000:8.1f} kB")
    _tell(conversion.notes)
    failed = conversion.verdict.startswith("FAIL")
    if conversion.verdict:
        print(conversion.verdict)
    if failed:
        print("the files are written all the same; with --max-drop POINTS the doctor finds out why")
    if conversion.has_golden_pack:
        print(f"next: hemline parity {out}")
    return FAILED if failed else DONE


def _tell(notes: tuple[str, ...]) -> None:
    for note in notes:
        print(printable(f"note: {note}"))


COMMAND = Command(
    "convert", "make TFLite and ONNX files of a Keras model, int8 above all", _add_arguments, _run
)
