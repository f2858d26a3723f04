"""What `hemline inspect` says of other programs, held against those programs on each kind of file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hemline.backends import open_backend
from hemline.inspection import inspect_model
from hemline.parity.golden import GoldenPack

pytestmark = pytest.mark.slow

KINDS = [
    "float32.tflite",
    "float16.tflite",
    "dynamic_range.tflite",
    "int8.tflite",
    "mediapipe.tflite",
    "float32.onnx",
    "int8.onnx",
]
# OpenCV crashes on some files, so it gets a process of its own.
OPENCV = """
import sys
import cv2, numpy as np
tensors = np.load(sys.argv[2])
if sys.argv[1].endswith(".tflite"):
    tensors = np.ascontiguousarray(tensors.astype(np.float32).transpose(0, 3, 1, 2))
net = cv2.dnn.readNet(sys.argv[1])
answers = []
for tensor in tensors:
    net.setInput(tensor[None])
    answers.append(net.forward().reshape(-1))
np.save(sys.argv[3], answers)
"""


@pytest.fixture(scope="module", params=KINDS)
def file(request, made) -> Path:
    return made.out / f"paper_{request.param}"


@pytest.fixture(scope="module")
def tensors(file, made) -> np.ndarray:
    gray = GoldenPack.load(made.out / "paper.golden.npz").tensors[::3]
    return np.repeat(gray, 3, axis=3) if "mediapipe" in file.name else gray


@pytest.fixture(scope="module")
def expected(file, tensors) -> np.ndarray:
    backend = open_backend(file)
    return np.array([backend.run(tensor[None])[0] for tensor in tensors])


def said_of(file: Path, program: str):
    return next(c for c in inspect_model(file).clients if c.name.startswith(program))


def test_opencv_runs_exactly_the_files_that_inspect_says(file, tensors, expected, tmp_path):
    np.save(tmp_path / "tensors.npy", tensors)
    paths = (file, tmp_path / "tensors.npy", tmp_path / "answers.npy")
    done = subprocess.run(
        [sys.executable, "-c", OPENCV, *map(str, paths)], capture_output=True, timeout=120
    )
    assert (done.returncode == 0) == (not said_of(file, "OpenCV").refusals), done.stderr
    if done.returncode == 0:
        assert np.abs(np.load(tmp_path / "answers.npy") - expected).max() < 1e-3


def test_litert_and_onnx_runtime_run_the_files_without_hemline(file, tensors, expected):
    if file.suffix == ".tflite":
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(file))
        runner = interpreter.get_signature_runner("serving_default")
        (answer_name,) = runner.get_output_details()
        answers = [runner(image=tensor[None])[answer_name][0].copy() for tensor in tensors]
        assert answer_name == ("probabilities" if "mediapipe" in file.name else "logits")
    else:
        import onnxruntime as ort

        assert said_of(file, "ONNX Runtime").refusals == ()
        options = ort.SessionOptions()
        if "int8" in file.name:
            assert "session.x64quantprecision" in said_of(file, "ONNX Runtime").remark
            options.add_session_config_entry("session.x64quantprecision", "1")
        session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        answers = [session.run(["logits"], {"image": tensor[None]})[0][0] for tensor in tensors]
    assert np.array_equal(answers, expected)


def test_what_inspect_calls_the_needs_of_a_file_is_met_by_what_is_installed(file):
    from importlib.metadata import version

    inspection = inspect_model(file)
    runtime = "ai-edge-litert" if file.suffix == ".tflite" else "onnxruntime"
    need = inspection.needs[-1]
    assert need.oldest is not None
    installed = [int(part) for part in version(runtime).split(".")[:2]]
    assert [int(part) for part in need.oldest.split(".")[:2]] <= installed
