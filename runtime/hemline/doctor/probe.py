"""What is tried in a process of its own, since it may crash or hang: `python -m hemline.doctor.probe`.

One JSON object on standard output says what came of it.
"""

from __future__ import annotations

import json
import os
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

from hemline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "paper"  # what the sample pictures show, this model knows


def base() -> dict[str, Any]:
    """Import NumPy and OpenCV, see what OpenCV was built with, and which backends are installed."""
    import numpy as np

    from hemline import backends
    from hemline._opencv import cv2

    built_with: dict[str, str] = {}
    for line in cv2.getBuildInformation().splitlines():
        name, colon, value = line.strip().partition(":")
        if colon:
            built_with.setdefault(name.lower(), value.split()[0] if value.split() else "")
    return {
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "gui": built_with.get("gui", "NONE"),
        "ffmpeg": built_with.get("ffmpeg") == "YES",
        "v4l2": built_with.get("v4l/v4l2") == "YES",
        "backends": backends.available(),
    }


def backend(name: str) -> dict[str, Any]:
    """Name the sample pictures with the shipped model, from the file to the label."""
    from hemline import Classifier
    from hemline.samples import picture_paths

    start = perf_counter()
    classifier = Classifier(MODEL, backend=name)
    loaded_s = perf_counter() - start
    wrong = []
    for path in picture_paths():
        label = classifier.classify_file(path).label
        if not path.stem.startswith(_as_file_name(label)):
            wrong.append(f"{path.name} as {label}")
    return {
        "version": classifier.backend.version,
        "pictures": len(picture_paths()),
        "wrong": wrong,
        "loaded_s": round(loaded_s, 3),
    }


def _as_file_name(label: str) -> str:
    return label.lower().replace("/", "-").replace(" ", "-")


def camera(name: str) -> dict[str, Any]:
    """Open a camera and wait for its first frame."""
    from hemline.sources import open_camera

    start = perf_counter()
    with open_camera(name, reopen_s=0) as frames:
        frame = next(frames)
        height, width = frame.bgr.shape[:2]
        return {
            "size_wh": [width, height],
            "first_frame_s": round(perf_counter() - start, 2),
            "brightness": round(float(frame.bgr.mean()), 1),
        }


def picamera2() -> dict[str, Any]:
    """Import Picamera2 and ask it for its cameras."""
    from picamera2 import Picamera2

    return {"cameras": [str(info.get("Model", "?")) for info in Picamera2.global_camera_info()]}


PROBES: dict[str, Callable[..., dict[str, Any]]] = {
    "base": base,
    "backend": backend,
    "camera": camera,
    "picamera2": picamera2,
}


def main(arguments: list[str]) -> None:
    """Try one thing, and print what came of it; whatever is raised is an answer too."""
    answer: dict[str, Any]
    try:
        answer = PROBES[arguments[0]](*arguments[1:])
    except UserError as error:
        answer = {"error": error.problem, "hint": error.hint}
    except Exception as error:  # a broken library may raise anything
        answer = {"error": f"{type(error).__name__}: {error}"}
    # Libraries may print; a thread that hangs in a driver must not hold up the end.
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
