"""ONNX Runtime, for `.onnx` files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.backends._base import Backend, TensorSpec, cannot_run, first_line
from hemline.errors import ModelError
from hemline.integrity import must_be_unaltered
from hemline.onnxcard import read_onnx_card

_TYPES = {
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(float)": np.float32,
}
_CPU_INFORMATION = Path("/proc/cpuinfo")


class OnnxRuntimeBackend(Backend):
    """`onnxruntime` on the CPU."""

    name = "onnxruntime"
    suffixes = (".onnx",)
    module = "onnxruntime"

    def __init__(self, path: str, content: bytes, num_threads: int) -> None:
        self.card_json = read_onnx_card(path, content)
        must_be_unaltered(path, content, self.card_json)
        self._session, self.version = open_session(path, content, num_threads)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"{path} has {len(inputs)} inputs and {len(outputs)} outputs",
                "an image classifier has one of each",
            )
        self.input, self.output = _spec(path, inputs[0]), _spec(path, outputs[0])
        self._input_name, self._output_names = inputs[0].name, [outputs[0].name]

    def run(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """One inference; the returned array is the caller's."""
        try:
            output: NDArray[Any] = self._session.run(
                self._output_names, {self._input_name: tensor}
            )[0]
        except Exception as error:  # as in `open_session`; of files without a checksum
            raise cannot_run(self.name, self.version, error) from error
        return output


def open_session(path: str, content: bytes, num_threads: int) -> tuple[Any, str]:
    """A session on the CPU, and the version of ONNX Runtime.

    Args:
        path: For messages.
        content: The whole file.
        num_threads: Threads of one inference.

    Raises:
        ModelError: It is no model that ONNX Runtime can load.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; they are raised as well
    if not _has_vnni():
        options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no base class but this
        raise ModelError(
            f"{path} cannot be loaded by onnxruntime {ort.__version__}: {first_line(error)}",
            "the file is damaged, no ONNX model, or needs a newer runtime: convert it again",
        ) from error
    return session, ort.__version__


def _has_vnni() -> bool:
    """Whether this is known to be an x86-64 processor that adds uint8 × int8 products in 32 bits.

    Without VNNI such processors add them in pairs of 16 bits, and they saturate: the paper's network then
    answers differently on nearly every picture. ONNX Runtime's setting for exact sums takes about 1.8
    times as long, also where VNNI makes it needless, so it is left away there. Elsewhere
    than on x86-64 it does nothing.
    """
    try:
        with _CPU_INFORMATION.open(encoding="utf-8", errors="replace") as file:
            flags = next((line.split() for line in file if line.startswith("flags")), [])
    except OSError:  # not Linux
        return False
    return "avx512_vnni" in flags or "avx_vnni" in flags


def _spec(path: str, value: Any) -> TensorSpec:
    if value.type not in _TYPES:
        raise ModelError(
            f"{path}: the tensor {value.name} is {value.type}",
            f"hemline runs models with {', '.join(_TYPES)}",
        )
    if not all(isinstance(n, int) for n in value.shape):
        raise ModelError(
            f"{path}: the tensor {value.name} has the open shape {value.shape}",
            "deployable models have a static batch of 1: export it so, or use hemline convert",
        )
    return TensorSpec(tuple(value.shape), np.dtype(_TYPES[value.type]))
