"""Our int8 ONNX file against the float32 one and two other ways to an int8 one. One thread."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import _measure
import numpy as np
from _measure import Comparison, Target
from numpy.typing import NDArray

from hemline import models
from hemline.backends import open_backend
from hemline.datasets import open_dataset
from hemline.errors import UserError
from hemline.quiet import holding_back_stderr

TARGET = Target("at most", 1.0)
CALIBRATION_IMAGES = 200
PROFILED_CALLS = 2000


def main() -> int:
    """Run the benchmark from the command line."""
    parser = _measure.parser(
        __doc__ or "", rounds=100, warm_up=5, model="shipped model, or a .keras file"
    )
    parser.add_argument("--calls", type=_measure.positive, default=30, help="calls in one timing")
    parser.add_argument("--data", default="drawn", help="data set that calibrates")
    parser.add_argument(
        "--profile", action="store_true", help="show where ONNX Runtime spends the time of a call"
    )
    return _measure.main(parser, measure)


def measure(arguments: argparse.Namespace) -> list[Comparison]:
    """All files of one float network, converted here and now, in turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with holding_back_stderr():
            files, tensors = convert(arguments.model, arguments.data, folder)
        image = tensors[:1]
        backend = open_backend(files["int8.onnx"])
        calls = {
            "int8.onnx": lambda: backend.run(image),
            "float32.onnx": onnx_call(files["float32.onnx"], image),
            "quantize_static": onnx_call(files["quantize_static"], image),
            "from_tflite": onnx_call(files["from_tflite"], image),
            "int8.tflite": litert_call(files["int8.tflite"], image),
        }
        if arguments.profile:
            for kind in ("float32.onnx", "int8.onnx"):
                print(
                    f"{kind}, median µs of each operator\n{profile(files[kind], image, folder)}\n"
                )
    candidates = {name: repeated(call, arguments.calls) for name, call in calls.items()}
    seconds = _measure.seconds_of_rounds(candidates, arguments.rounds, arguments.warm_up)
    ms = {name: [1e3 * s / arguments.calls for s in values] for name, values in seconds.items()}
    peers = [
        ("float32.onnx", "float32 ONNX of the same network", TARGET),
        ("quantize_static", "onnxruntime quantize_static (QDQ, S8S8, per channel)", TARGET),
        ("from_tflite", "tf2onnx from_tflite of the int8 TFLite", TARGET),
        ("int8.tflite", "LiteRT, int8 TFLite", None),
    ]
    return [
        Comparison("int8 ONNX", peer, "ms", ms["int8.onnx"], ms[name], target)
        for name, peer, target in peers
    ]


def convert(model: str, data: str, folder: Path) -> tuple[dict[str, Path], NDArray[np.uint8]]:
    """Every file, by what made it, and the pictures that calibrated."""
    try:
        convert_module: Any = import_module("hemline_convert.convert")
        source: Any = import_module("hemline_convert.keras_source")
        tf2onnx: Any = import_module("tf2onnx")
        quantization: Any = import_module("onnxruntime.quantization")
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed", "pip install 'hemline[convert]'"
        ) from error
    path = Path(models.source_path_of(model) or model)
    done = convert_module.convert(
        convert_module.ConversionConfig(
            path,
            folder,
            tflite=("int8",),
            onnx=("float32", "int8"),
            data=data,
            stated=source.StatedCard(name="net"),
        )
    )
    files = {path.name.removeprefix("net_"): path for path in done.files}
    split = open_dataset(data).split("train")
    places = np.linspace(0, len(split.targets) - 1, CALIBRATION_IMAGES).astype(int)
    tensors = split.tensors(done.card.input, np.unique(places).tolist())
    for name in ("from_tflite", "quantize_static"):
        files[name] = folder / f"{name}.onnx"
    tf2onnx.convert.from_tflite(
        str(files["int8.tflite"]), opset=17, output_path=str(files["from_tflite"])
    )

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        """Feeds the pictures one by one."""

        def __init__(self) -> None:
            self._feeds: Iterator[dict[str, Any]] = iter(
                {"image": tensor[None]} for tensor in tensors
            )

        def get_next(self) -> dict[str, Any] | None:
            return next(self._feeds, None)

    quantization.quantize_static(
        files["float32.onnx"],
        files["quantize_static"],
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        activation_type=quantization.QuantType.QInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    return files, tensors


def profile(path: Path, image: NDArray[np.uint8], folder: Path) -> str:
    """The operators that ONNX Runtime made of a file, in the order of the graph, with their times."""
    ort: Any = import_module("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")  # as hemline runs it
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / path.stem)
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: image}
    for _ in range(PROFILED_CALLS):
        session.run(None, feed)
    took_us: dict[tuple[str, str], list[int]] = defaultdict(list)
    for event in json.loads(Path(session.end_profiling()).read_text()):
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            took_us[event["args"]["op_name"], event["name"]].append(event["dur"])
    lines = [
        f"  {operator:<18}{statistics.median(us):5.0f}" for (operator, _), us in took_us.items()
    ]
    return "\n".join(lines)


def onnx_call(path: Path, image: NDArray[np.uint8]) -> Callable[[], object]:
    """What a user would write: a session with the default settings, but one thread."""
    ort: Any = import_module("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: image}
    return lambda: session.run(None, feed)


def litert_call(path: Path, image: NDArray[np.uint8]) -> Callable[[], object]:
    """The interpreter's three calls."""
    with holding_back_stderr():
        interpreter: Any = import_module(_measure.INTERPRETER).Interpreter(
            model_content=path.read_bytes(), num_threads=1
        )
        interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]

    def call() -> Any:
        interpreter.set_tensor(source, image)
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return call


def repeated(call: Callable[[], object], times: int) -> Callable[[], None]:
    """Several calls as one, since a single one is too short to time."""

    def run() -> None:
        for _ in range(times):
            call()

    return run


if __name__ == "__main__":
    sys.exit(main())
