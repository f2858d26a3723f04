"""Runs on the board, and here: what must be the same number for number on both.

python on_device.py PICTURES MODELS OUT.npz BACKEND…
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hemline import models
from hemline.backends import open_backend
from hemline.card import InputSpec
from hemline.garment import GarmentFinder
from hemline.images import preprocess_content
from hemline.parity.golden import GoldenPack
from hemline.preprocess import Preprocessor

# As many pictures of the golden pack; NumPy is slow where every instruction is emulated.
PICTURES_OF = {"litert": 300, "tflite-runtime": 300, "onnxruntime": 300, "numpy": 100}
_MORE_MODELS_PICTURES_OF = {"litert": 60, "tflite-runtime": 60, "numpy": 24}
_OF_DEFAULT = 20
_SIZES_WH = ((640, 480), (1600, 1200), (320, 240), (333, 217), (40, 30), (20, 20))
_INPUTS = {
    "28 gray": InputSpec((28, 28), "gray", "pad", "as-is"),
    "64 rgb": InputSpec((64, 64), "rgb", "pad", "as-is"),
}


def measure(pictures: Path, more_models: Path, backends: list[str]) -> dict[str, NDArray[Any]]:
    """Logits of each backend, tensors of picture files and of frames, and the frames of the video.

    Args:
        pictures: Folder with picture files, and a video `clip.avi`.
        more_models: Folder with other `.tflite` files of the shipped network.
        backends: Names of backends that run the shipped model.
    """
    return {
        **{f"logits {name}": _logits(name) for name in backends},
        **{
            f"logits {name} {path.stem}": _logits(name, path)
            for name in backends
            if name in _MORE_MODELS_PICTURES_OF
            for path in sorted(more_models.glob("*.tflite"))
        },
        **{
            f"logits {name} {models.DEFAULT}": _logits_of_default()
            for name in backends
            if name == "litert"
        },
        **{f"file {path.name}": _tensor_of_file(path) for path in sorted(pictures.glob("good*"))},
        **_tensors_of_frames(),
        **_garments(),
        "video": _frames(pictures / "clip.avi"),
    }


def _logits(backend: str, path: Path | None = None) -> NDArray[np.float32]:
    """Of the shipped file, or of another one."""
    pack = GoldenPack.load(Path(str(models.golden_path_of("paper"))))
    model = open_backend(path or str(models.path_of("paper", backend)), backend=backend)
    count = (PICTURES_OF if path is None else _MORE_MODELS_PICTURES_OF)[backend]
    return np.array([model.logits(tensor[None]) for tensor in pack.tensors[:count]])


def _logits_of_default() -> NDArray[np.float32]:
    """Of the model for photos, which has other layers and 40 times the products."""
    pack = GoldenPack.load(Path(str(models.golden_path_of(models.DEFAULT))))
    model = open_backend(str(models.path_of(models.DEFAULT, "litert")), backend="litert")
    return np.array([model.logits(tensor[None]) for tensor in pack.tensors[:_OF_DEFAULT]])


def _tensor_of_file(path: Path) -> NDArray[np.uint8]:
    preprocess = Preprocessor(_INPUTS["28 gray"])
    return preprocess_content(path.read_bytes(), path.name, preprocess).copy()


def _tensors_of_frames() -> dict[str, NDArray[np.uint8]]:
    """Noise, the hardest that a resize can be given, of several sizes and for two inputs."""
    noise = np.random.default_rng(1).integers(0, 256, (1200, 1600, 3), dtype=np.uint8)
    found = {}
    for name, spec in _INPUTS.items():
        preprocess = Preprocessor(spec)
        for width, height in _SIZES_WH:
            frame = np.ascontiguousarray(noise[:height, :width])
            found[f"frame {width}x{height} to {name}"] = preprocess(frame).copy()
    return found


def _garments() -> dict[str, NDArray[np.uint8]]:
    """What is cut out of frames with something round on a ground that is grainy, and nearly of its colour."""
    random = np.random.default_rng(2)
    found = {}
    for width, height in ((64, 48), (80, 60), (127, 95)):
        for ground_bgr in ((60, 90, 150), (120, 110, 160), (170, 60, 70)):
            frame = np.full((height, width, 3), ground_bgr, np.uint8)
            cv2.ellipse(
                frame,
                (width // 2, height // 2),
                (width // 4, height // 3),
                20,
                0,
                360,
                (90, 80, 190),
                -1,
            )
            grainy = np.clip(frame + random.normal(0, 25, frame.shape), 0, 255).astype(np.uint8)
            garment = GarmentFinder().cut_out(grainy)
            assert garment is not None
            found[f"garment {width}x{height} on {ground_bgr}"] = garment
    return found


def _frames(path: Path) -> NDArray[np.uint8]:
    capture = cv2.VideoCapture(str(path))
    frames: list[Any] = []
    while True:
        good, frame = capture.read()
        if not good:
            return np.array(frames, np.uint8)
        frames.append(frame)


if __name__ == "__main__":
    found: dict[str, Any] = dict(measure(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[4:]))
    np.savez(sys.argv[3], **found)
