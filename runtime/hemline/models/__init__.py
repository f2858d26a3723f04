"""The shipped models: small, each with its card inside, made by `make models`."""

from __future__ import annotations

import os

_FOLDER = os.path.dirname(__file__)
_INT8 = "_int8.tflite"
DEFAULT = "wardrobe"


def names() -> list[str]:
    """The names that `-m` and `Classifier` take."""
    return sorted(name.removesuffix(_INT8) for name in os.listdir(_FOLDER) if name.endswith(_INT8))


def path_of(name: str, backend: str | None = None) -> str | None:
    """The int8 file of a shipped model that suits the backend, or None if there is no such model.

    Without a backend named it is the `.tflite` file, unless only ONNX Runtime is installed.
    """
    if name not in names():
        return None
    if backend == "keras":
        return source_path_of(name)
    wants_onnx = backend == "onnxruntime" or (backend is None and _only_onnxruntime())
    return os.path.join(_FOLDER, f"{name}_int8.onnx" if wants_onnx else name + _INT8)


def source_path_of(name: str) -> str | None:
    """The float `.keras` source of a shipped model."""
    return _file(f"{name}.keras")


def golden_path_of(name: str) -> str | None:
    """The golden pack of a shipped model; it holds only pictures that the project made."""
    return _file(f"{name}.golden.npz")


def _file(name: str) -> str | None:
    path = os.path.join(_FOLDER, name)
    return path if os.path.isfile(path) else None


def _only_onnxruntime() -> bool:
    from hemline.backends import available  # it is needed by those who import this module

    installed = available()
    return "onnxruntime" in installed and not {"litert", "tflite-runtime", "tensorflow"} & {
        *installed
    }
