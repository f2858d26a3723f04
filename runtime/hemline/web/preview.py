"""The live picture: encoded once for all who watch, and not at all when nobody does."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from hemline._opencv import cv2
from hemline.errors import ImageError
from hemline.images import read_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemline.preprocess import Frame
    from hemline.web.limits import Limits

    Publish = Callable[[bytes, bool], None]

_QUALITY = 80
_JOIN_S = 0.5
# Of the time between two pictures, so that a camera of just that rate is not halved.
_PAUSE = 0.8


class Preview:
    """Turns frames into JPEG pictures in a thread of its own.

    The thread that classifies never waits here: a frame that comes while another is encoded is left out, as
    are more than `Limits.preview_fps`. It costs a copy of the frame, and nothing if nobody watches.

    Args:
        publish: Takes each picture, and whether it is a still one that stays; called by this thread.
        limits: How large and how often.
    """

    def __init__(self, publish: Publish, limits: Limits) -> None:
        self._publish = publish
        self._side = limits.preview_side
        self._pause_s = _PAUSE / limits.preview_fps
        self._changed = threading.Condition()
        self._watched = False
        self._closed = False
        self._pending: Frame | str | None = None  # a frame, or the path of a picture
        self._buffer: Frame = np.empty((0, 0, 3), np.uint8)
        self._is_still = False
        self.encoded = 0
        self._thread = threading.Thread(target=self._run, name="encodes the preview", daemon=True)
        self._thread.start()

    def offer_frame(self, frame_bgr: Frame) -> None:
        """Take a frame of a camera or video, if somebody watches and the one before is done."""
        if not self._watched or self._pending is not None:
            return
        if self._buffer.shape != frame_bgr.shape:
            self._buffer = np.empty_like(frame_bgr)
        np.copyto(self._buffer, frame_bgr)
        self._put(self._buffer, is_still=False)

    def offer_picture(self, path: str) -> None:
        """Take a picture file. It is read when somebody watches, if no other has come by then."""
        self._put(path, is_still=True)

    def hold(self, frame_bgr: Frame) -> None:
        """Take the last frame there is, for those who come later too."""
        self._put(frame_bgr.copy(), is_still=True)

    def watch(self, watched: bool) -> None:
        """Say whether anybody watches."""
        with self._changed:
            self._watched = watched
            self._changed.notify()

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(_JOIN_S)

    def _put(self, pending: Frame | str, *, is_still: bool) -> None:
        with self._changed:
            self._pending, self._is_still = pending, is_still
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and not (self._watched and self._pending is not None):
                    self._changed.wait()
                if self._closed:
                    return
                pending, is_still = self._pending, self._is_still
            begun_s = monotonic()
            content = self._encode(pending)
            with self._changed:
                if content and not self._closed:
                    self.encoded += 1
                    self._publish(content, is_still)
                self._changed.wait_for(
                    lambda: self._closed, max(0.0, begun_s + self._pause_s - monotonic())
                )
                if self._pending is pending:
                    self._pending = None

    def _encode(self, pending: Frame | str | None) -> bytes:
        if isinstance(pending, str):
            try:
                pending = read_image(pending)
            except ImageError:  # it is gone meanwhile
                return b""
        assert pending is not None
        height, width = pending.shape[:2]
        if (scale := self._side / max(height, width)) < 1:
            size_wh = max(1, round(width * scale)), max(1, round(height * scale))
            pending = np.asarray(cv2.resize(pending, size_wh, interpolation=cv2.INTER_AREA))
        good, content = cv2.imencode(".jpg", pending, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if not good:
            raise RuntimeError("OpenCV cannot write a JPEG picture")
        return content.tobytes()
