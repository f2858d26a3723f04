"""Where the answers of `hemline classify` go; a sink that is not asked for is not loaded."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from typing import TYPE_CHECKING

from hemline.errors import UserError
from hemline.sinks import CsvSink, JsonSink, PrintingSink, Sink, TextSink
from hemline.sources.listing import STANDARD_INPUT, STREAM_SCHEMES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hemline.classifier import Classifier
    from hemline.sinks.mqtt import MqttSink
    from hemline.sources.frames import Tell
    from hemline.web.state import Mode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the sinks that take more than text."""
    group = parser.add_argument_group("where else the answers go")
    group.add_argument(
        "--save", metavar="PATH", help="annotated pictures in a folder, or a film: .mkv, .avi, .mp4"
    )
    group.add_argument(
        "--show",
        action="store_true",
        help="a window; q or Esc ends, any key shows the next picture",
    )
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
    _add_mqtt_arguments(parser)


def _add_mqtt_arguments(parser: argparse.ArgumentParser) -> None:
    mqtt = parser.add_argument_group(
        "for MQTT", "User and password: HEMLINE_MQTT_USERNAME, HEMLINE_MQTT_PASSWORD (or …_FILE)."
    )
    mqtt.add_argument(
        "--mqtt", metavar="URL", help="publish to mqtt://host[:port]/topic or mqtts://…"
    )
    mqtt.add_argument(
        "--mqtt-interval",
        type=float,
        metavar="SECONDS",
        help="between frames with the same label; 0: every frame (default: 1)",
    )
    mqtt.add_argument(
        "--mqtt-qos", type=int, choices=(0, 1), help="1: the broker acknowledges (default: 1)"
    )
    mqtt.add_argument("--mqtt-client-id", metavar="ID", help="default: a new one each time")
    mqtt.add_argument(
        "--mqtt-discovery",
        action="store_const",
        const="homeassistant",
        help="have Home Assistant find the sensor",
    )


def check(arguments: argparse.Namespace) -> None:
    """Refuse what has no use.

    Raises:
        UserError: An option says nothing without another one, or there would be nothing to see.
    """
    if arguments.max_disk is not None and not (arguments.save or arguments.save_doubtful):
        raise UserError("--max-disk is given without --save or --save-doubtful")
    if arguments.max_disk is not None:
        from hemline.disk import parse_bytes

        parse_bytes(arguments.max_disk)
    if not (arguments.save or arguments.show):
        return
    option = "--save" if arguments.save else "--show"
    if not arguments.source and arguments.camera is None:
        raise UserError(f"{option} is given, and nothing to classify", "give a source or --camera")
    if STANDARD_INPUT in arguments.source and arguments.stdin in (None, "picture"):
        raise UserError(
            f"{option} has no use for a picture from standard input", "name the file instead"
        )


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

    if arguments.save is not None or arguments.show:
        from hemline.annotate import Annotator

        if lacking := Annotator().undrawable(classifier.card.labels):
            tell(
                f"this OpenCV cannot draw all signs of {', '.join(lacking[:3])}: ? stands for them"
            )
    if arguments.save is not None:
        add(_saving_sink(arguments, tell))
    if arguments.save_doubtful is not None:
        add(_doubtful_frames(arguments, classifier, tell))
    if arguments.show:
        from hemline.sinks.window import WindowSink

        add(WindowSink())
    if arguments.serve is not None:
        from hemline.sinks.web import WebSink

        mode: Mode = (
            "camera" if arguments.camera is not None else "files" if arguments.source else "api"
        )
        token = arguments.token
        add(WebSink(arguments.serve, mode, classifier, make, token=token, tell=tell))
    if arguments.mqtt is not None:
        sinks.append(stack.enter_context(_mqtt_sink(arguments, classifier, tell)))
    return sinks


def _saving_sink(arguments: argparse.Namespace, tell: Tell) -> Sink:
    from hemline.disk import DEFAULT_MAX_BYTES, parse_bytes

    max_bytes = None if arguments.max_disk is None else parse_bytes(arguments.max_disk)
    if max_bytes is None and (arguments.camera is not None or _has_no_end(arguments.source)):
        max_bytes = DEFAULT_MAX_BYTES
    has_ending = os.path.splitext(arguments.save)[1] != ""
    if has_ending and not (arguments.save.endswith("/") or os.path.isdir(arguments.save)):
        from hemline.sinks.film import FilmSink

        return FilmSink(arguments.save, fps=arguments.fps, max_bytes=max_bytes, tell=tell)
    from hemline.sinks.pictures import PictureSink

    return PictureSink(arguments.save, max_bytes=max_bytes, tell=tell)


def _doubtful_frames(arguments: argparse.Namespace, classifier: Classifier, tell: Tell) -> Sink:
    from hemline import doubtful
    from hemline.disk import DEFAULT_MAX_BYTES, parse_bytes

    below, space = arguments.doubtful_below, arguments.max_disk
    return doubtful.DoubtfulFrames(
        arguments.save_doubtful,
        classifier.card.labels,
        below=doubtful.DEFAULT_BELOW if below is None else below,
        max_bytes=DEFAULT_MAX_BYTES if space is None else parse_bytes(space),
        tell=tell,
    )


def _has_no_end(sources: list[str]) -> bool:
    return any(source == STANDARD_INPUT or source.startswith(STREAM_SCHEMES) for source in sources)


def _mqtt_sink(arguments: argparse.Namespace, classifier: Classifier, tell: Tell) -> MqttSink:
    from hemline.extras import require

    require(("paho",), "mqtt", "--mqtt")
    from hemline.mqtt.broker import broker_of
    from hemline.sinks import mqtt

    interval_s = arguments.mqtt_interval
    if arguments.on_change:
        interval_s = math.inf
    elif interval_s is None:
        interval_s = mqtt.DEFAULT_INTERVAL_S
    return mqtt.MqttSink(
        broker_of(arguments.mqtt, os.environ),
        classifier.card,
        classifier.backend.name,
        qos=mqtt.DEFAULT_QOS if arguments.mqtt_qos is None else arguments.mqtt_qos,
        interval_s=interval_s,
        client_id=arguments.mqtt_client_id or "",
        discovery_prefix=arguments.mqtt_discovery,
        tell=tell,
    )
