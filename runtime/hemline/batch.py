"""Many sources through one model, in order: pictures in parallel, videos frame by frame."""

from __future__ import annotations

import os
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from hemline._opencv import cv2
from hemline.errors import UserError
from hemline.printable import without_password
from hemline.sources.listing import read_standard_input

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from hemline.classifier import Classification, Classifier
    from hemline.judgement import Judgement
    from hemline.sources import FrameSource, Source, TimedFrame


MAX_WORKERS = 256  # more than any board has processors


class Outcome(NamedTuple):
    """What came of one picture or frame: an answer, or an error in words.

    Attributes:
        source: Path, address, or `-`.
        frame: Number of the frame in a video, from 0; None for a picture.
        answer: The classification, or None.
        error: Why there is none.
        timed: The frame itself, valid until the next outcome is asked for; None for a picture.
        own: What the frame alone would be answered with, where `answer` is judged over time.
    """

    source: str
    frame: int | None
    answer: Classification | None
    error: str = ""
    timed: TimedFrame | None = None
    own: Classification | None = None


def classify_sources(
    sources: list[Source],
    classifier: Classifier,
    make: Callable[[], Classifier],
    workers: int,
    max_frames: int | None = None,
    judgement: Judgement | None = None,
    open_frames: Callable[[Source], FrameSource] | None = None,
) -> Generator[Outcome, None, None]:
    """Classify every source; one that cannot be read gives an error and does not stop the rest.

    Args:
        sources: From `hemline.sources.expand`.
        classifier: Used for single pictures and videos.
        make: Makes a classifier of the same model for each further thread.
        workers: Processes or threads that read pictures, see `hemline.workers`.
        max_frames: Take no more frames than that of each video or stream.
        judgement: How frames of one source are judged together; by default each alone.
        open_frames: Opens a source of the kind `video`, `stream` or `sequence`; by default with
            `open_video` and `open_stream`.
    """
    run: list[Source] = []
    for source in sources:
        if source.kind == "picture":
            run.append(source)
            continue
        yield from _pictures(run, classifier, make, workers)
        run = []
        if source.kind in ("nothing", "standard input"):
            yield _without_frames(source, classifier)
            continue
        try:
            with (open_frames or _open_frames)(source) as frames:
                yield from classify_frames(frames, classifier, max_frames, judgement)
        except UserError as error:
            yield Outcome(without_password(source.name), None, None, _in_one_line(error))
    yield from _pictures(run, classifier, make, workers)


def classify_frames(
    frames: FrameSource,
    classifier: Classifier,
    limit: int | None = None,
    judgement: Judgement | None = None,
) -> Iterator[Outcome]:
    """Classify frame after frame of one source.

    Args:
        frames: Whoever opened it closes it.
        classifier: Its threshold is that of a judgement as well.
        limit: Take no more frames than that.
        judgement: How they are judged together; by default each alone.
    """
    judge = None if judgement is None else judgement.judge(classifier)
    for timed in frames:
        own = classifier.classify(timed.bgr)
        answer = own
        if judge is not None:
            assert classifier.probabilities is not None
            answer = judge(own, classifier.probabilities, timed.at_s)
        yield Outcome(frames.name, timed.number, answer, "", timed, own)
        if limit is not None and timed.number + 1 >= limit:
            return


def default_workers() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _without_frames(source: Source, classifier: Classifier) -> Outcome:
    if source.kind == "nothing":
        return Outcome(source.name, None, None, source.problem)
    return _attempt(source.name, lambda: _classify_standard_input(classifier))


def _open_frames(source: Source) -> FrameSource:
    from hemline.sources import open_stream, open_video  # not needed for a picture

    return open_stream(source.name) if source.kind == "stream" else open_video(source.name)


def _pictures(
    sources: list[Source], classifier: Classifier, make: Callable[[], Classifier], workers: int
) -> Iterator[Outcome]:
    if len(sources) < 2 or workers < 2:
        for source in sources:
            yield _picture(source.name, classifier)
        return
    from hemline import workers as parallel  # not needed for one picture

    workers = min(workers, len(sources))
    # The pictures themselves are what runs in parallel; OpenCV's own threads would only contend.
    opencv_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        if classifier.backend.can_be_forked and parallel.can_fork():
            yield from parallel.in_processes(
                len(sources),
                workers,
                lambda part: [_picture(s.name, classifier) for s in sources[slice(*part)]],
                lambda number, reason: _crashed(sources[number].name, reason),
            )
            return
        # Interpreters and preprocess buffers are not for two threads at once: each has its own.
        idle = deque([classifier, *(make() for _ in range(workers - 1))])

        def work(part: parallel.Part) -> list[Outcome]:
            own = idle.pop()
            try:
                return [_picture(source.name, own) for source in sources[slice(*part)]]
            finally:
                idle.append(own)

        yield from parallel.in_threads(len(sources), workers, work)
    finally:
        cv2.setNumThreads(opencv_threads)


def _crashed(name: str, reason: str) -> Outcome:
    return Outcome(name, None, None, f"{name} crashed the decoder ({reason}); remove the picture")


def _picture(name: str, classifier: Classifier) -> Outcome:
    return _attempt(name, lambda: classifier.classify_file(name))


def _attempt(name: str, classify: Callable[[], Classification]) -> Outcome:
    try:
        return Outcome(name, None, classify())
    except UserError as error:
        return Outcome(name, None, None, _in_one_line(error))


def _classify_standard_input(classifier: Classifier) -> Classification:
    return classifier.classify_content(read_standard_input(), "standard input")


def _in_one_line(error: UserError) -> str:
    return f"{error.problem}; {error.hint}" if error.hint else error.problem


class FrameRate:
    """Frames per second over the last second or so.

    n frames span n − 1 intervals, which is what the time between the first and the last is of.
    """

    def __init__(self, window: int = 30) -> None:
        self._times: deque[float] = deque(maxlen=window)

    def tick(self) -> float:
        """Count a frame; the rate so far, 0 until there are two."""
        self._times.append(perf_counter())
        if len(self._times) < 2:
            return 0.0
        return (len(self._times) - 1) / (self._times[-1] - self._times[0])
