"""Where frames come from: files, folders, videos, standard input, cameras, streams.

    from hemline.sources import open_camera

    with open_camera("0", size_wh=(640, 480)) as frames:
        for frame in frames:
            print(frame.number, frame.at_s, classifier.classify(frame.bgr).label)

Pictures are only listed here (`expand`), and read by `Classifier.classify_file`. All that gives many frames
is a `FrameSource`. Each name is loaded when it is first used: a picture needs none of the cameras.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hemline.sources.listing import (
    STANDARD_INPUT,
    STREAM_SCHEMES,
    VIDEO_SUFFIXES,
    Kind,
    Source,
    expand,
    read_standard_input,
)

if TYPE_CHECKING:
    from hemline.sources.frames import Asked, FrameSource, TimedFrame
    from hemline.sources.live import LiveSource
    from hemline.sources.opening import (
        frames_of_camera,
        frames_of_video,
        open_camera,
        open_stream,
        open_video,
    )
    from hemline.sources.sequence import FORMATS, Sequence

_HOMES = {
    "FORMATS": "sequence",
    "Asked": "frames",
    "FrameSource": "frames",
    "LiveSource": "live",
    "Sequence": "sequence",
    "TimedFrame": "frames",
    "frames_of_camera": "opening",
    "frames_of_video": "opening",
    "open_camera": "opening",
    "open_stream": "opening",
    "open_video": "opening",
}

__all__ = [
    "FORMATS",
    "STANDARD_INPUT",
    "STREAM_SCHEMES",
    "VIDEO_SUFFIXES",
    "Asked",
    "FrameSource",
    "Kind",
    "LiveSource",
    "Sequence",
    "Source",
    "TimedFrame",
    "expand",
    "frames_of_camera",
    "frames_of_video",
    "open_camera",
    "open_stream",
    "open_video",
    "read_standard_input",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"hemline.sources.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'hemline.sources' has no attribute {name!r}")
