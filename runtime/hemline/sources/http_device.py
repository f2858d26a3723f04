"""Motion JPEG over HTTP, as most network cameras stream it.

FFmpeg would show the half picture of a stream that was cut as a whole one, filled up with grey, so hemline
reads this kind itself.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import socket
import urllib.error
import urllib.parse
import urllib.request
from time import monotonic
from typing import TYPE_CHECKING

from hemline.errors import DeviceError
from hemline.sources.frames import WITHOUT_FRAME_S
from hemline.sources.mjpeg import PIECE, JpegFrames
from hemline.sources.opencv_device import StreamDevice, cannot_be_opened

if TYPE_CHECKING:
    from hemline.preprocess import Frame

_TIMEOUT_S = 5.0


class HttpDevice(StreamDevice):
    """An address of `http://` or `https://`: Motion JPEG is read here, all else by FFmpeg."""

    _response: http.client.HTTPResponse | None = None

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._frames = JpegFrames()

    @property
    def damaged(self) -> int:
        """Pictures of Motion JPEG that could not be decoded."""
        return self._frames.damaged

    def open(self) -> None:
        """Connect, and see what it is."""
        self._frames.restart()
        try:
            # An https address must have a certificate that this machine trusts.
            response = urllib.request.urlopen(_request(self._address), timeout=_TIMEOUT_S)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != http.client.UNAUTHORIZED:  # FFmpeg knows more ways to log in
                raise cannot_be_opened(self.name, f"{error.code} {error.reason}") from error
            super().open()
            return
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise cannot_be_opened(self.name, str(reason)) from error
        if response.headers.get_content_maintype() == "multipart":
            self._response = response
            return
        response.close()
        super().open()

    def read(self, into: Frame | None) -> Frame | None:
        """The next whole picture."""
        if self._response is None:
            return super().read(into)
        give_up_s = monotonic() + WITHOUT_FRAME_S
        damaged = self.damaged
        while True:
            if (frame := self._frames.next()) is not None:
                return frame
            # A large picture over a slow line is waited for.
            waits = self.damaged == damaged and self._frames.is_inside
            if monotonic() > give_up_s and not waits:
                return None
            try:
                piece = self._response.read1(PIECE)
            except (OSError, http.client.HTTPException, ValueError, AttributeError):
                return None  # cut, silent for too long, or closed by `interrupt`
            if not piece:
                return None
            try:
                self._frames.feed(piece)
            except DeviceError:
                return None

    def interrupt(self) -> None:
        """Cut the connection."""
        response = self._response
        if response is not None:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                with_own = socket.socket(fileno=os.dup(response.fileno()))
                with with_own:
                    with_own.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up."""
        if self._response is not None:
            self._response.close()
            self._response = None
        super().close()


def _request(address: str) -> urllib.request.Request:
    """`http://user:password@host/` gives the password in a header, as browsers do."""
    parts = urllib.parse.urlsplit(address)
    if parts.username is None:
        return urllib.request.Request(address)
    where = parts.netloc.rpartition("@")[2]
    pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
    token = base64.b64encode(pair.encode()).decode()
    return urllib.request.Request(
        urllib.parse.urlunsplit(parts._replace(netloc=where)),
        headers={"Authorization": f"Basic {token}"},
    )
