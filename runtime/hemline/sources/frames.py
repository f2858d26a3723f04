"""What every source of many frames gives, and how it is closed."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple, Protocol

from hemline.errors import UserError
from hemline.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from hemline.errors import DeviceError
    from hemline.preprocess import Frame

    Tell = Callable[[str], None]

MAX_SIDE = 16_384
MAX_FPS = 1000
WITHOUT_FRAME_S = 5.0  # so long may come what is no frame, until that is told


class TimedFrame(NamedTuple):
    """One frame, and when it was.

    Attributes:
        bgr: uint8, (H, W, 3), BGR. Reused: it is valid until the next frame is asked for, so copy it
            to keep it.
        number: Number among the frames that were given, from 0.
        at_s: Seconds since the first frame: by the film's own time in a file, and by the monotonic clock
            where the frames come as they happen. A change of the clock does not touch it.
        monotonic_s: `time.monotonic()` when the frame was there.
        wall_s: `time.time()` when it was there; None in a file, of whose frames that says nothing.
        dropped: How many frames of this source were dropped so far, since a newer one was there.
    """

    bgr: Frame
    number: int
    at_s: float
    monotonic_s: float
    wall_s: float | None
    dropped: int


class FrameSource(ABC):
    """An iterator of `TimedFrame`, and a context manager that closes it whatever happens.

    Attributes:
        name: What it is called in messages and answers.
    """

    name: str

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    @abstractmethod
    def __next__(self) -> TimedFrame:
        """The next frame.

        Raises:
            DeviceError: It gives no frame, or no more.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the device, the file or the connection. Closing twice does no harm."""


class Asked(NamedTuple):
    """What is asked of a camera; it gives the nearest that it can, which is told.

    Attributes:
        size_wh: Width and height of a frame, or None for the camera's own choice.
        fps: Frames per second, or None for the camera's own choice.
    """

    size_wh: tuple[int, int] | None = None
    fps: float | None = None

    def checked(self) -> Asked:
        """Itself.

        Raises:
            UserError: No camera can have such a size or rate.
        """
        if self.size_wh is not None and not all(1 <= side <= MAX_SIDE for side in self.size_wh):
            width, height = self.size_wh
            raise UserError(
                f"the size of frames is {width}x{height}", f"each side is from 1 to {MAX_SIDE}"
            )
        if self.fps is not None and not 0 < self.fps <= MAX_FPS:
            raise UserError(
                f"the frame rate is {self.fps:g}", f"it must be above 0 and at most {MAX_FPS}"
            )
        return self

    def __str__(self) -> str:
        size = "" if self.size_wh is None else f"{self.size_wh[0]}x{self.size_wh[1]}"
        rate = "" if self.fps is None else f"{self.fps:g} frames/s"
        return " at ".join(filter(None, (size, rate)))


class Device(Protocol):
    """What a `LiveSource` reads from. Only its thread calls it, but for `interrupt`.

    Attributes:
        name: What it is called in messages.
    """

    name: str

    @property
    def damaged(self) -> int:
        """How many pictures it gave that could not be decoded, since it was made."""

    def open(self) -> None:
        """Open it, or open it again.

        Raises:
            DeviceError: It cannot be opened; the message has the mend.
        """

    def read(self, into: Frame | None) -> Frame | None:
        """The next frame, in `into` where that is possible; None if there is none any more.

        Pictures that cannot be decoded are left out, but not for longer than `WITHOUT_FRAME_S`.
        """

    def fps(self) -> float | None:
        """The rate that it says it has, or None if it does not say."""

    def no_frame(self) -> DeviceError:
        """Why it opens and gives no frame, as far as can be known, with the mend."""

    def interrupt(self) -> None:
        """Have a `read` that waits return soon; called by another thread."""

    def close(self) -> None:
        """Release it. Closing twice does no harm."""


def tell_on_standard_error(message: str) -> None:
    """Where sources tell what happens to them unless another way is given."""
    print(f"hemline: {printable(message)}", file=sys.stderr, flush=True)
