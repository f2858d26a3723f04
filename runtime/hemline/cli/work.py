"""What `hemline classify` is asked to do, from its arguments to outcomes; cameras are loaded where needed."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from time import monotonic, sleep
from typing import TYPE_CHECKING

from hemline.batch import classify_frames, classify_sources
from hemline.cli.parsing import parsed_size
from hemline.errors import UserError
from hemline.progress import progress
from hemline.sources.listing import STANDARD_INPUT, Source, expand

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from hemline.batch import Outcome
    from hemline.classifier import Classifier
    from hemline.hook import Hook
    from hemline.judgement import Judgement
    from hemline.sinks import Sink
    from hemline.sources import FrameSource
    from hemline.sources.frames import Tell

_OVER_TIME = (
    "smooth",
    "hysteresis",
    "on_change",
    "exec",
    "exec_timeout",
    "save_doubtful",
    "doubtful_below",
)  # fmt: skip
_FOR_FRAMES = (*_OVER_TIME, "mqtt_interval")
# A film that is slower to classify than to play, or has a gap, goes on from where it is.
_LATE_S = 0.5
_LONGEST_WAIT_S = 5.0
# What says something only beside another option.
_BESIDE = {
    "exec_timeout": "exec",
    "doubtful_below": "save_doubtful",
    "token": "serve",
    "mqtt_interval": "mqtt",
    "mqtt_qos": "mqtt",
    "mqtt_client_id": "mqtt",
    "mqtt_discovery": "mqtt",
}


class Work:
    """The sources or the camera, and how their frames are judged.

    Raises:
        UserError: Arguments that cannot be meant together.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._size_wh = None if arguments.size is None else parsed_size(arguments.size)
        self._sources = [] if arguments.camera is not None else expand(arguments.source)
        if arguments.stdin not in (None, "picture"):
            self._sources = [
                source._replace(kind="sequence") if source.kind == "standard input" else source
                for source in self._sources
            ]
        self._refuse_what_has_no_use()
        if any(source.kind == "sequence" for source in self._sources):
            from hemline.sources import Asked
            from hemline.sources.sequence import refuse_form

            refuse_form(arguments.stdin, Asked(self._size_wh, arguments.fps))
        if arguments.camera is not None:
            from hemline.sources import Asked
            from hemline.sources.opening import refuse_camera

            refuse_camera(arguments.camera, Asked(self._size_wh, arguments.fps), self._reopen_s)
        self._judgement()  # which refuses what it cannot do

    @property
    def _reopen_s(self) -> float:
        return math.inf if self._arguments.reopen is None else self._arguments.reopen

    def _refuse_what_has_no_use(self) -> None:
        arguments = self._arguments
        kinds = {source.kind for source in self._sources}
        if [source.name for source in self._sources].count(STANDARD_INPUT) > 1:
            raise UserError(
                "- is named more than once, and standard input can be read once only",
                "name it once; many pictures at a time are read with --stdin mjpeg",
            )
        if arguments.stdin is not None and not kinds & {"sequence", "standard input"}:
            raise UserError("--stdin is given, and no - to read", "name - as a source")
        if arguments.reopen is not None and arguments.camera is None:
            raise UserError("--reopen is given without --camera", "a source ends where it ends")
        for name in ("size", "fps"):
            if getattr(arguments, name) is not None and not (
                arguments.camera is not None or "sequence" in kinds
            ):
                raise UserError(
                    f"--{name} is given without --camera",
                    "files have a size of their own; of frames on standard input state --stdin too",
                )
        for name in _FOR_FRAMES:
            if getattr(arguments, name) in (None, False):
                continue
            if arguments.camera is None and not kinds & {"video", "stream", "sequence"}:
                raise UserError(
                    f"{_option(name)} is for many frames of one thing",
                    "give a camera, stream or video",
                )
        for name, beside in _BESIDE.items():
            if getattr(arguments, name) is not None and getattr(arguments, beside) is None:
                raise UserError(
                    f"{_option(name)} is given without {_option(beside)}",
                    f"give {_option(beside)} too, or leave it out",
                )
        if arguments.on_change and arguments.mqtt_interval is not None:
            raise UserError(
                "--on-change and --mqtt-interval are both given",
                "with --on-change only new labels are published: leave the interval out",
            )

    def outcomes(
        self,
        classifier: Classifier,
        make: Callable[[], Classifier],
        tell: Tell,
        sinks: Sequence[Sink] = (),
    ) -> Generator[Outcome, None, None]:
        """Classify everything, and do what is to be done with its frames.

        Args:
            classifier: For single pictures and frames.
            make: Makes another of the same model.
            tell: Takes messages.
            sinks: Take every outcome, also those that `--on-change` leaves out. It is over when one has
                ended.
        """
        with contextlib.ExitStack() as stack:
            outcomes = self._classified(classifier, make, tell, stack)
            if "NOTIFY_SOCKET" in os.environ:  # of systemd, which wants to hear of each frame
                from hemline.service.notify import telling_manager

                told = telling_manager(outcomes)
                stack.callback(told.close)
                outcomes = told
            if any(sink.at_own_speed for sink in sinks):
                outcomes = _played(outcomes)
            if sinks:
                outcomes = _written(outcomes, sinks)
            if self._arguments.on_change or self._arguments.exec is not None:
                outcomes = self._watched(outcomes, tell, stack)
            yield from outcomes

    def _classified(
        self,
        classifier: Classifier,
        make: Callable[[], Classifier],
        tell: Tell,
        stack: contextlib.ExitStack,
    ) -> Iterator[Outcome]:
        arguments = self._arguments
        judgement = self._judgement()
        if arguments.camera is not None:
            from hemline.sources.opening import open_camera

            frames = open_camera(
                arguments.camera,
                size_wh=self._size_wh,
                fps=arguments.fps,
                reopen_s=self._reopen_s,
                await_first=arguments.reopen is not None,
                tell=tell,
            )
            stack.enter_context(frames)
            return classify_frames(frames, classifier, arguments.max_frames, judgement)
        outcomes = classify_sources(
            self._sources,
            classifier,
            make,
            arguments.workers,
            arguments.max_frames,
            judgement,
            lambda source: self._opened(source, tell),
        )
        stack.callback(outcomes.close)
        # A bar would be drawn across the answers where both go to the same terminal.
        if len(self._sources) > 1 and not sys.stdout.isatty():
            return progress(outcomes, "classifying", len(self._sources))
        return outcomes

    def _opened(self, source: Source, tell: Tell) -> FrameSource:
        from hemline.sources import Asked, Sequence, open_stream, open_video

        if source.kind == "sequence":
            asked = Asked(self._size_wh, self._arguments.fps)
            return Sequence(self._arguments.stdin, asked, tell=tell)
        if source.kind == "stream":
            return open_stream(source.name, tell=tell)
        return open_video(source.name)

    def _judgement(self) -> Judgement | None:
        smooth_s, hysteresis = self._arguments.smooth, self._arguments.hysteresis
        if smooth_s is None and hysteresis is None:
            return None
        from hemline.judgement import Judgement

        return Judgement(smooth_s or 0.0, hysteresis or 0.0)

    def _watched(
        self,
        outcomes: Iterable[Outcome],
        tell: Tell,
        stack: contextlib.ExitStack,
    ) -> Iterator[Outcome]:
        from hemline.judgement import LabelChange

        hook = self._hook(tell)
        if hook is not None:
            stack.enter_context(hook)
        is_new = LabelChange()
        for outcome in outcomes:
            new = is_new(outcome)
            if new and hook is not None:
                hook.event(outcome)
            if new or outcome.frame is None or not self._arguments.on_change:
                yield outcome

    def _hook(self, tell: Tell) -> Hook | None:
        if self._arguments.exec is None:
            return None
        from hemline import hook

        timeout_s = self._arguments.exec_timeout
        return hook.Hook(
            self._arguments.exec, hook.DEFAULT_TIMEOUT_S if timeout_s is None else timeout_s, tell
        )


def _played(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """The frames of films no sooner than they are due; none is left out."""
    start_s = 0.0
    for outcome in outcomes:
        timed = outcome.timed
        if timed is not None and timed.wall_s is None:
            early_s = start_s + timed.at_s - monotonic()
            if timed.number == 0 or not -_LATE_S < early_s < _LONGEST_WAIT_S:
                start_s = monotonic() - timed.at_s
            elif early_s > 0:
                sleep(early_s)
        yield outcome


def _written(outcomes: Iterable[Outcome], sinks: Sequence[Sink]) -> Iterator[Outcome]:
    for outcome in outcomes:
        for sink in sinks:
            sink.write(outcome)
        yield outcome
        if any(sink.ended for sink in sinks):
            return


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
