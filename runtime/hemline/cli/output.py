"""Where the answers of `hemline classify` go; a sink that is not asked for is not loaded."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from hemline.errors import UserError
from hemline.sinks import CsvSink, JsonSink, PrintingSink, Sink, TextSink

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hemline.classifier import Classifier
    from hemline.sources.frames import Tell
    from hemline.web.state import Mode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the sinks that take more than text."""
    group = parser.add_argument_group("where else the answers go")
    group.add_argument(
        "--serve",
        nargs="?",
        const="",
        metavar="HOST:PORT",
        help="a page with the live picture, and an API (default: 127.0.0.1:8080; :8080 is the network)",
    )
    group.add_argument(
        "--token",
        help="what clients of --serve must know; better: HEMLINE_TOKEN in the environment",
    )


def check(arguments: argparse.Namespace) -> None:
    """Refuse what has no use.

    Raises:
        UserError: An option says nothing without another one.
    """
    if arguments.token is not None and arguments.serve is None:
        raise UserError("--token is given without --serve")


def printing_sink(arguments: argparse.Namespace, classifier: Classifier) -> PrintingSink:
    """What prints the answers, of which `--on-change` leaves some out."""
    model, backend = classifier.card.name, classifier.backend.name
    if arguments.json:
        return JsonSink(sys.stdout, model, backend)
    if arguments.csv:
        return CsvSink(sys.stdout, model, backend, classifier.top_k)
    return TextSink(sys.stdout, model, backend)


def watching_sinks(
    arguments: argparse.Namespace,
    classifier: Classifier,
    make: Callable[[], Classifier],
    tell: Tell,
    stack: contextlib.ExitStack,
) -> list[Sink]:
    """What takes every outcome, whatever is printed.

    Args:
        arguments: Of the command line.
        classifier: Whose answers they are.
        make: Makes another of the same model.
        tell: Takes messages.
        stack: Closes the sinks.
    """
    sinks: list[Sink] = []

    def add(sink: Sink) -> None:
        sinks.append(stack.enter_context(contextlib.closing(sink)))

    if arguments.serve is not None:
        from hemline.sinks.web import WebSink

        mode: Mode = (
            "camera" if arguments.camera is not None else "files" if arguments.source else "api"
        )
        token = arguments.token
        add(WebSink(arguments.serve, mode, classifier, make, token=token, tell=tell))
    return sinks
