"""The shipped models: small, each with its card inside, made by `make models`."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent
DEFAULT = "paper"


def names() -> list[str]:
    """The names that `-m` and `Classifier` take."""
    return sorted(path.name.removesuffix("_int8.tflite") for path in _FOLDER.glob("*_int8.tflite"))


def path_of(name: str, backend: str | None = None) -> Path | None:
    """The int8 file of a shipped model that suits the backend, or None if there is no such model.

    Without a backend named it is the `.tflite` file, unless only ONNX Runtime is installed.
    """
    if name not in names():
        return None
    if backend == "keras":
        return source_path_of(name)
    wants_onnx = backend == "onnxruntime" or (backend is None and _only_onnxruntime())
    return _FOLDER / f"{name}_int8.{'onnx' if wants_onnx else 'tflite'}"


def source_path_of(name: str) -> Path | None:
    """The float `.keras` source of a shipped model."""
    path = _FOLDER / f"{name}.keras"
    return path if path.is_file() else None


def golden_path_of(name: str) -> Path | None:
    """The golden pack of a shipped model; it holds only pictures that the project made."""
    path = _FOLDER / f"{name}.golden.npz"
    return path if path.is_file() else None


def _only_onnxruntime() -> bool:
    from hemline.backends import available  # it is needed by those who import this module

    installed = available()
    return "onnxruntime" in installed and not {"litert", "tflite-runtime", "tensorflow"} & {
        *installed
    }
