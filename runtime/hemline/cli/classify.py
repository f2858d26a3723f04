"""`hemline classify`: pictures, folders, videos, standard input or a camera, to labels."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, get_args

from hemline.batch import MAX_WORKERS, default_workers
from hemline.card import Foreground, InputSpec, ModelCard, Normalization
from hemline.classifier import Classifier
from hemline.cli.command import DONE, FAILED, Command, loading
from hemline.cli.output import add_arguments, check, printing_sink, watching_sinks
from hemline.cli.work import Work
from hemline.errors import UserError
from hemline.models import DEFAULT

if TYPE_CHECKING:
    import argparse
_MAX_LABEL_BYTES = 1 << 20
# What may be said of a model without a card.
_STATED = (
    "labels",
    "input_color",
    "input_resize",
    "input_foreground",
    "input_scale",
    "input_zero_point",
)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", nargs="*", help="picture, folder, glob, video, stream address, or - for stdin"
    )
    parser.add_argument(
        "--camera",
        nargs="?",
        const="0",
        metavar="ID",
        help="index, device path, picamera, or stream address",
    )
    parser.add_argument(
        "-m", "--model", default=DEFAULT, help="name of a shipped model, or a model file"
    )
    parser.add_argument("-k", "--top-k", type=int, default=3, help="how many labels to show")
    parser.add_argument(
        "-t", "--threshold", type=float, help="answer 'unknown' below this confidence, 0 to 1"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line")
    form.add_argument("--csv", action="store_true", help="a table with a header")
    parser.add_argument(
        "--backend", help="litert, tflite-runtime, onnxruntime, numpy, tensorflow or keras"
    )
    parser.add_argument("--num-threads", type=int, default=1, help="threads of one inference")
    parser.add_argument(
        "--workers", type=int, default=default_workers(), help="pictures read at the same time"
    )
    _add_frame_arguments(parser)
    add_arguments(parser)
    foreign = parser.add_argument_group("for a model file without a card")
    foreign.add_argument("-l", "--labels", metavar="FILE", help="text file with a label a line")
    foreign.add_argument("--input-color", choices=("gray", "rgb"), help="what the model takes")
    foreign.add_argument("--input-resize", choices=("pad", "stretch", "crop"), help="default: pad")
    foreign.add_argument("--input-foreground", choices=get_args(Foreground), help="default: as-is")
    foreign.add_argument(
        "--input-scale",
        type=float,
        help="float input = scale × (pixel − zero point); default: 1",
    )
    foreign.add_argument("--input-zero-point", type=int, help="default: 0")


def _add_frame_arguments(parser: argparse.ArgumentParser) -> None:
    frames = parser.add_argument_group("for cameras, streams, videos and frames on standard input")
    frames.add_argument("--max-frames", type=int, metavar="N", help="stop after N frames")
    frames.add_argument("--size", metavar="WxH", help="ask the camera for frames of this size")
    frames.add_argument("--fps", type=float, metavar="N", help="ask it for that many a second")
    frames.add_argument(
        "--reopen",
        type=float,
        metavar="SECONDS",
        help="wait so long for a camera that is gone (default: without end), or is not there yet "
        "(default: not at all)",
    )
    frames.add_argument(
        "--stdin",
        metavar="FORMAT",
        help="what - gives: mjpeg, or bgr24, rgb24, gray, yuv420p with --size (default: a picture)",
    )
    frames.add_argument("--smooth", type=float, metavar="SECONDS", help="average over such a time")
    frames.add_argument(
        "--hysteresis",
        type=float,
        metavar="P",
        help="change the label when another is ahead by P, 0 to 1",
    )
    frames.add_argument(
        "--on-change", action="store_true", help="show a frame only when the label changes"
    )
    frames.add_argument("--exec", metavar="COMMAND", help="run it when the label changes, no shell")
    frames.add_argument("--exec-timeout", type=float, metavar="SECONDS", help="default: 10")
    frames.add_argument(
        "--save-doubtful", metavar="DIR", help="keep unsure frames in a folder for each class"
    )
    frames.add_argument(
        "--doubtful-below", type=float, metavar="P", help="what is unsure (default: 0.6)"
    )
    frames.add_argument("--max-disk", metavar="SIZE", help="of the kept frames (default: 1G)")


def checked(arguments: argparse.Namespace) -> Work:
    """What is asked for, after everything that can be refused before a model or a camera is opened.

    Raises:
        UserError: The arguments cannot be meant, or not together.
    """
    if arguments.source and arguments.camera is not None:
        raise UserError("sources and --camera both given", "give one of the two")
    if not arguments.source and arguments.camera is None and arguments.serve is None:
        raise UserError(
            "nothing to classify", "give pictures, folders, videos or -, or else --camera"
        )
    check(arguments)
    if not 1 <= arguments.workers <= MAX_WORKERS:
        raise UserError(f"--workers is {arguments.workers}", f"it must be from 1 to {MAX_WORKERS}")
    if arguments.max_frames is not None and arguments.max_frames < 1:
        raise UserError(f"--max-frames is {arguments.max_frames}", "it must be at least 1")
    return Work(arguments)


def _run(arguments: argparse.Namespace) -> int:
    work = checked(arguments)
    with loading():
        classifier = classifier_of(arguments)
    with_error = 0
    with contextlib.ExitStack() as stack:
        printed = stack.enter_context(contextlib.closing(printing_sink(arguments, classifier)))
        make = lambda: classifier_of(arguments)  # noqa: E731
        sinks = watching_sinks(arguments, classifier, make, printed.tell, stack)
        outcomes = work.outcomes(classifier, make, printed.tell, sinks)
        with contextlib.closing(outcomes):
            for outcome in outcomes:
                with_error += outcome.answer is None
                printed.write(outcome)
        if not any(sink.ended for sink in sinks):
            for sink in sinks:
                sink.stay()
    return FAILED if with_error or any(sink.incomplete for sink in sinks) else DONE


def classifier_of(arguments: argparse.Namespace) -> Classifier:
    """The classifier that is asked for.

    Raises:
        UserError: It cannot be had, or not in that way.
    """
    return Classifier(
        arguments.model,
        backend=arguments.backend,
        num_threads=arguments.num_threads,
        top_k=arguments.top_k,
        threshold=arguments.threshold,
        card=_stated_card(arguments),
    )


def _stated_card(arguments: argparse.Namespace) -> ModelCard | None:
    """A card from the command line, for a model that has none."""
    given = [
        f"--{name.replace('_', '-')}" for name in _STATED if getattr(arguments, name) is not None
    ]
    if not given:
        return None
    if arguments.labels is None or arguments.input_color is None:
        raise UserError(
            f"of what a model without a card needs, only {', '.join(given)} is given",
            "state both --labels FILE and --input-color gray|rgb",
        )
    from hemline.backends import open_backend
    from hemline.modelfile import find_model

    labels = read_labels(arguments.labels)
    path = find_model(arguments.model, arguments.backend)
    opened = open_backend(path, backend=arguments.backend)
    if opened.card_json is not None:
        raise UserError(
            f"{path} carries its own model card, which says what {', '.join(given)} would",
            "leave that out",
        )
    shape = opened.input.shape
    if len(shape) != 4:
        raise UserError(
            f"{path} takes a tensor of shape {shape}", "an image has (1, height, width, channels)"
        )
    return ModelCard(
        name=os.path.splitext(os.path.basename(path))[0],
        labels=labels,
        input=InputSpec(
            (shape[2], shape[1]),
            arguments.input_color,
            arguments.input_resize or "pad",
            arguments.input_foreground or "as-is",
        ),
        normalization=Normalization(
            1.0 if arguments.input_scale is None else arguments.input_scale,
            arguments.input_zero_point or 0,
        ),
    )


def read_labels(path: str) -> tuple[str, ...]:
    """The labels of a text file, one a line; empty lines and a byte order mark are left out.

    Raises:
        UserError: The file cannot be read, is no UTF-8 text, or larger than 1 MiB.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_LABEL_BYTES + 1)
        lines = content.decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"the label file {path} cannot be read: {error}", "give a text file, one label a line"
        ) from error
    if len(content) > _MAX_LABEL_BYTES:
        raise UserError(
            f"the label file {path} is larger than {_MAX_LABEL_BYTES >> 20} MiB",
            "give a text file, one label a line",
        )
    return tuple(line.strip() for line in lines if line.strip())


COMMAND = Command("classify", "name what pictures, videos or a camera show", _add_arguments, _run)
