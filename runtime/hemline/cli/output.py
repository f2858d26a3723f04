"""Where the answers of `hemline classify` go; a sink that is not asked for is not loaded."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from hemline.sinks import CsvSink, JsonSink, PrintingSink, Sink, TextSink

if TYPE_CHECKING:
    import argparse

    from hemline.classifier import Classifier
    from hemline.sources.frames import Tell


def printing_sink(arguments: argparse.Namespace, classifier: Classifier) -> PrintingSink:
    """What prints the answers, of which `--on-change` leaves some out."""
    model, backend = classifier.card.name, classifier.backend.name
    if arguments.json:
        return JsonSink(sys.stdout, model, backend)
    if arguments.csv:
        return CsvSink(sys.stdout, model, backend, classifier.top_k)
    return TextSink(sys.stdout, model, backend)


def watching_sinks(
    arguments: argparse.Namespace,  # noqa: ARG001 - of the sinks that come next
    classifier: Classifier,  # noqa: ARG001
    tell: Tell,  # noqa: ARG001
    stack: contextlib.ExitStack,  # noqa: ARG001
) -> list[Sink]:
    """What takes every outcome, whatever is printed.

    Args:
        arguments: Of the command line.
        classifier: Whose answers they are.
        tell: Takes messages.
        stack: Closes the sinks.
    """
    sinks: list[Sink] = []
    return sinks
