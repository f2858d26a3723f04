"""The Raspberry Pi's ribbon camera by way of Picamera2, where it is installed."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from hemline.errors import DeviceError

if TYPE_CHECKING:
    from hemline.preprocess import Frame
    from hemline.sources.frames import Asked

_DEFAULT_SIZE_WH = (640, 480)


def is_installed() -> bool:
    """Whether this environment sees Picamera2."""
    return importlib.util.find_spec("picamera2") is not None


class Picamera2Device:
    """A camera that Picamera2 drives.

    Args:
        number: Which of the cameras, from 0.
        asked: Size and rate.
    """

    damaged = 0  # it gives arrays, not pictures that would have to be decoded

    def __init__(self, number: int, asked: Asked) -> None:
        self.name = f"camera picamera:{number}" if number else "camera picamera"
        self._number = number
        self._asked = asked
        self._camera: Any = None

    def open(self) -> None:
        """Configure and start it."""
        try:
            from picamera2 import Picamera2
        except (ImportError, ValueError) as error:  # ValueError: built for another NumPy
            raise DeviceError(
                f"Picamera2 is installed and cannot be imported: {error}",
                "in a virtual environment made with --system-site-packages it needs the NumPy of the "
                "system: pip uninstall numpy opencv-python-headless, sudo apt install python3-opencv",
            ) from error
        size_wh = self._asked.size_wh or _DEFAULT_SIZE_WH
        controls = {} if self._asked.fps is None else {"FrameRate": self._asked.fps}
        try:
            self._camera = Picamera2(self._number)
            # What libcamera calls RGB888 lies in memory as blue, green, red, which is OpenCV's order.
            main = {"size": size_wh, "format": "RGB888"}
            self._camera.configure(
                self._camera.create_video_configuration(main=main, controls=controls)
            )
            self._camera.start()
        except (RuntimeError, IndexError, OSError) as error:
            self.close()
            raise DeviceError(
                f"{self.name} cannot be opened: {error}",
                "see whether it is found: rpicam-hello --list-cameras; another program may hold it",
            ) from error

    def read(self, into: Frame | None) -> Frame | None:  # noqa: ARG002 - Picamera2 makes the array
        """The next frame."""
        if self._camera is None:
            return None
        try:
            frame: Frame = self._camera.capture_array("main")
        except (RuntimeError, OSError):
            return None
        return frame

    def fps(self) -> float | None:
        """Not asked for: the control is a wish, and the metadata are of single frames."""
        return None

    def no_frame(self) -> DeviceError:
        """It starts, and no frame comes."""
        return DeviceError(
            f"{self.name} opens but gives no frame",
            "check the ribbon cable at both ends with the power off, then: rpicam-hello",
        )

    def interrupt(self) -> None:
        """Frames come at the camera's rate, so a `read` does not wait for long."""

    def close(self) -> None:
        """Stop and release it."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()
