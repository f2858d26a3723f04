"""What happens to hemline's camera in the emulated machine: `python scenarios.py PICTURE RESULTS`.

Nothing is asserted here; the tests look at the results.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from v4l2 import set_control

from hemline import Classifier
from hemline._opencv import cv2  # before others import it, since it is set up here
from hemline.errors import DeviceError
from hemline.sources import open_camera

SIZE_WH = (320, 240)
NODE = Path("/dev/video0")
_FRAME = Path("/run/frame")


class Told:
    """The messages of a camera, and when they came."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def __call__(self, message: str) -> None:
        self.messages.append(message)

    def wait_for(self, text: str, within_s: float = 60) -> float:
        """Wait until one has the text; how long that took."""
        start = time.monotonic()
        while not any(text in message for message in self.messages):
            if time.monotonic() - start > within_s:
                raise TimeoutError(f"not told {text!r}: {self.messages}")
            time.sleep(0.05)
        return time.monotonic() - start


def load(module: str, *options: str) -> None:
    """Plug the cameras of a driver in."""
    subprocess.run(["/run/busybox", "insmod", f"/run/modules/{module}.ko", *options], check=True)


def unload(module: str) -> None:
    """Pull them; not while somebody has one open, so it is tried again."""
    for _ in range(100):
        done = subprocess.run(["/run/busybox", "rmmod", module], capture_output=True, text=True)
        if done.returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError(done.stderr)


@contextlib.contextmanager
def fed() -> Iterator[None]:
    """The picture comes into the device, ten times a second."""
    feeder = Path(__file__).with_name("feeder.py")
    command = [sys.executable, feeder, NODE, *map(str, SIZE_WH), _FRAME]
    with subprocess.Popen(command, stdout=-1) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # there is a frame
            yield
        finally:
            process.kill()


def frames(count: int, camera: str = "0", **asked: Any) -> dict[str, Any]:
    """Some frames of the camera, or why there are none."""
    told, start = Told(), time.monotonic()
    result: dict[str, Any] = {"messages": told.messages}
    try:
        with open_camera(camera, tell=told, **asked) as source:
            for frame in source:
                result["shape"] = frame.bgr.shape
                result["label"] = CLASSIFIER.classify(frame.bgr).label
                result["number"] = frame.number
                if frame.number + 1 == count:
                    break
    except DeviceError as error:
        result["error"], result["hint"] = error.problem, error.hint
    result["seconds"] = time.monotonic() - start
    return result


def command_line() -> dict[str, Any]:
    """`hemline classify --camera 0 --json`, ended by SIGTERM after three answers."""
    command = [
        sys.executable,
        "-m",
        "hemline",
        "classify",
        "-m",
        "paper",
        "--camera",
        "0",
        "--json",
    ]
    process = subprocess.Popen(command, stdout=-1, stderr=-1, text=True)
    assert process.stdout is not None
    answers = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGTERM)
    rest, said = process.communicate(timeout=60)
    lines = "".join(answers) + rest
    return {"code": process.returncode, "answers": lines.splitlines(), "said": said}


def stopped_and_unplugged() -> dict[str, Any]:
    """No more frames, and then some; then the device is gone altogether, and comes back."""
    told, feeding = Told(), contextlib.ExitStack()
    feeding.enter_context(fed())
    with open_camera("0", tell=told) as camera:
        next_label(camera)
        feeding.close()
        noticed_s = told.wait_for("gives no more frames")
        with fed():
            told.wait_for("is back after")
            labels = [next_label(camera)]
        first, told.messages = told.messages, []
        told.wait_for("gives no more frames")
        unload("v4l2loopback")
        was_there = NODE.exists()
        time.sleep(3)
        load("v4l2loopback")
        with fed():
            told.wait_for("is back after")
            labels.append(next_label(camera))
    unload("v4l2loopback")
    return {
        "stopped": first,
        "noticed_s": noticed_s,
        "unplugged": told.messages,
        "was_there": was_there,
        "labels": labels,
    }


def next_label(camera: Any) -> str:
    """What a frame shows that came from now on."""
    next(camera)
    return CLASSIFIER.classify(next(camera).bgr).label


def pulled() -> dict[str, Any]:
    """The driver says that the device is gone, while frames are read."""
    told = Told()
    with open_camera("0", tell=told) as camera:
        next(camera)
        control("Disconnect", 1)
        told.wait_for("gives no more frames")
        told.wait_for("is back after")
        after = next(camera).number
    return {"messages": told.messages, "number": after}


def held() -> dict[str, Any]:
    """Another program has the camera."""
    with open_camera("0") as camera:
        next(camera)
        return frames(1)


def control(name: str, value: int) -> None:
    """Set one of the driver's own controls."""
    device = os.open(NODE, os.O_RDWR)
    set_control(device, name, value)
    os.close(device)


def doctor() -> dict[str, Any]:
    """What `hemline doctor` says of a camera that works, and of one that another program has."""
    command = [sys.executable, "-m", "hemline", "doctor", "--json", "--timeout", "200"]
    with open_camera("0") as camera:
        next(camera)
        held = subprocess.run(command, stdout=-1, text=True, check=False)
    free = subprocess.run([*command, "--camera", "0"], stdout=-1, text=True, check=False)
    return {
        "pid": os.getpid(),
        "held": [held.returncode, json.loads(held.stdout)],
        "free": [free.returncode, json.loads(free.stdout)],
    }


def silent() -> dict[str, Any]:
    """It opens, and every frame is lost on the way."""
    keep = os.open(NODE, os.O_RDWR)
    set_control(keep, "Percentage of Dropped Buffers", 100)
    result = frames(1)
    os.close(keep)
    return result


def main(picture: str, results: str) -> None:
    """One scenario after the other; what came of each is written at once."""
    gray = cv2.imread(picture, cv2.IMREAD_GRAYSCALE)
    _FRAME.write_bytes(cv2.resize(gray, SIZE_WH).tobytes())
    found: dict[str, Any] = {}

    def note(name: str, scenario: Callable[[], Any]) -> None:
        print(name, flush=True)
        found[name] = scenario()
        Path(results).write_text(json.dumps(found))

    note("absent", lambda: frames(1))
    load("v4l2loopback")
    note("unfed", lambda: frames(1))
    with fed():
        note("fed", lambda: frames(5))
        note("asked in vain", lambda: frames(2, size_wh=(640, 480), fps=5))
        note("command line", command_line)
    note("stopped and unplugged", stopped_and_unplugged)
    # One camera with the sizes of a web camera, and a second node that gives no pictures.
    load("vivid", "n_devs=1", "node_types=0x101", "num_inputs=1", "input_types=0x0")
    note("other node", lambda: frames(1, "1"))
    note("asked", lambda: frames(5, size_wh=(320, 180), fps=15))
    note("pulled", pulled)
    note("held", held)
    note("doctor", doctor)
    note("silent", silent)


if __name__ == "__main__":
    CLASSIFIER = Classifier("paper")
    main(*sys.argv[1:])
