"""What runs the model: one small interface, chosen by what is installed and by file, or by name.

Order of choice for a `.tflite` file: LiteRT, tflite-runtime, hemline's own interpreter in NumPy, which is
always there, and TensorFlow where it is asked for; for an `.onnx` file: ONNX Runtime. TensorFlow's backends
live in `hemline_convert` and are found through the entry point group `hemline.backends`, since nothing
here may import TensorFlow.
"""

from __future__ import annotations

import importlib.util
import os
from importlib import import_module

from hemline.backends._base import Backend, TensorSpec
from hemline.errors import ModelError, UserError
from hemline.integrity import has_checksum

__all__ = [
    "Backend",
    "TensorSpec",
    "available",
    "backend_names",
    "check_num_threads",
    "lacking_for",
    "open_backend",
]

# name: (home, class, endings, module that must be installed, what installs it), in order of choice
_OWN = {
    "litert": (
        "hemline.backends.litert",
        "LiteRtBackend",
        (".tflite",),
        "ai_edge_litert",
        "ai-edge-litert",
    ),
    "tflite-runtime": (
        "hemline.backends.tflite_runtime",
        "TfliteRuntimeBackend",
        (".tflite",),
        "tflite_runtime",
        "tflite-runtime",
    ),
    "onnxruntime": (
        "hemline.backends.onnxruntime",
        "OnnxRuntimeBackend",
        (".onnx",),
        "onnxruntime",
        "'hemline[onnx]'",
    ),
    "numpy": (
        "hemline.backends.numpy_backend",
        "NumpyBackend",
        (".tflite",),
        "numpy",
        "numpy",
    ),
}
MAX_THREADS = 256  # more than any board has; runtimes start as many as they are told to

_PLUGIN_GROUP = "hemline.backends"
_PLUGINS = {
    "tensorflow": ((".tflite",), "tensorflow", "'hemline[convert]'"),
    "keras": ((".keras",), "tensorflow", "'hemline[convert]'"),
}


def backend_names() -> list[str]:
    """All names that `--backend` takes, in order of choice."""
    return [*_OWN, *_PLUGINS]


def available() -> list[str]:
    """The backends whose module is installed, without importing it."""
    return [name for name in backend_names() if _is_installed(_requirement(name)[1])]


def open_backend(
    path: str | os.PathLike[str], *, backend: str | None = None, num_threads: int = 1
) -> Backend:
    """Read a model file and load it into a backend.

    Args:
        path: A `.tflite`, `.onnx` or `.keras` file.
        backend: Name of the backend; by default the first installed one for this kind of file.
        num_threads: Threads of one inference, 1 to `MAX_THREADS`.

    Raises:
        UserError: There is no such backend, or it is not installed.
        ModelError: The file cannot be read, is no model, the backend does not run its kind, or it has no
            checksum and makes its runtime crash.
    """
    check_num_threads(num_threads)
    file = os.fspath(path)
    name = _chosen(file, backend)
    make, content = _class_of(name), _content(file)
    if make.can_crash and not has_checksum(file, content):
        from hemline.backends.trial import must_survive

        must_survive(f"{file}: {name}", lambda: make(file, content, num_threads).try_out())
    return make(file, content, num_threads)


def check_num_threads(num_threads: int) -> None:
    """Refuse a number of threads that is none, or more than any machine for this has.

    Raises:
        UserError: It is not from 1 to `MAX_THREADS`.
    """
    if not isinstance(num_threads, int) or not 1 <= num_threads <= MAX_THREADS:
        raise UserError(
            f"the number of threads is {num_threads!r}",
            f"it must be from 1 to {MAX_THREADS}, a whole number",
        )


def _chosen(path: str, backend: str | None) -> str:
    suffix = os.path.splitext(path)[1]
    fitting = [name for name in backend_names() if suffix in _requirement(name)[0]]
    if backend is not None:
        if backend not in backend_names():
            raise UserError(
                f"there is no backend {backend!r}", f"choose one of: {', '.join(backend_names())}"
            )
        if backend not in fitting:
            raise ModelError(
                f"the backend {backend} does not run {suffix} files ({path})",
                f"for this file choose one of: {', '.join(fitting)}",
            )
        fitting = [backend]
    for name in fitting:
        if _is_installed(_requirement(name)[1]):
            return name
    raise UserError(
        f"{path}: no installed backend runs this file", f"install one: {_installing(fitting)}"
    )


def lacking_for(path: str | os.PathLike[str]) -> str:
    """The command that installs a backend for this kind of file, or "" if one is installed."""
    suffix = os.path.splitext(os.fspath(path))[1]
    fitting = [name for name in backend_names() if suffix in _requirement(name)[0]]
    if any(_is_installed(_requirement(name)[1]) for name in fitting):
        return ""
    return _installing(fitting)


def _installing(names: list[str]) -> str:
    return " or ".join(f"pip install {_requirement(name)[2]}" for name in names)


def _requirement(name: str) -> tuple[tuple[str, ...], str, str]:
    """Endings, module, and what installs it."""
    if name in _OWN:
        return _OWN[name][2:]
    return _PLUGINS[name]


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _class_of(name: str) -> type[Backend]:
    if name in _OWN:
        home, class_name = _OWN[name][:2]
        own: type[Backend] = getattr(import_module(home), class_name)
        return own
    from importlib.metadata import entry_points  # slow to import, and seldom needed

    for point in entry_points(group=_PLUGIN_GROUP, name=name):
        plugin: type[Backend] = point.load()
        return plugin
    raise UserError(
        f"the backend {name} belongs to hemline's convert part, which is not installed",
        "install it with: pip install 'hemline[convert]'",
    )


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    if not content:
        raise ModelError(f"{path} is empty (0 bytes)", "copy or convert the model again")
    return content
