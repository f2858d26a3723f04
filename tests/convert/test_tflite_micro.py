"""What `hemline inspect` says of TFLite Micro, held against its interpreter, and what that answers."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hemline.backends import open_backend
from hemline.inspection import inspect_model
from hemline.parity.golden import GoldenPack

pytestmark = pytest.mark.slow

TFLITE_MICRO = "tflite-micro==0.dev20261023182759"
KINDS = ("float32", "float16", "dynamic_range", "int8", "w8a16", "mediapipe", "int8_io")
# Runs the model on each tensor. The arena is no larger than is said, so that it is too small at once.
RUN = """
import sys
import numpy as np
from tflite_micro import runtime
model, tensors, answers, arena = sys.argv[1:]
interpreter = runtime.Interpreter.from_file(model, arena_size=int(arena))
found = []
for tensor in np.load(tensors):
    interpreter.set_input(tensor[None], 0)
    interpreter.invoke()
    found.append(interpreter.get_output(0)[0].copy())
np.save(answers, found)
"""
# For each model, in a process of its own, since kernels crash on operators without their options: is
# its operator known?
KNOWN = """
import json, os, sys
from pathlib import Path
from tflite_micro import runtime
known = {}
for path in sorted(Path(sys.argv[1]).glob("*.tflite")):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1), os.dup2(writing, 2)
        try:
            runtime.Interpreter.from_file(str(path))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        known[path.stem] = b"find op" not in said.read()
    os.waitpid(child, 0)
print(json.dumps(known))
"""


@pytest.fixture(scope="module")
def environment(environment_type: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    environment = environment_type(tmp_path_factory.mktemp("tflite micro") / "venv")
    environment.install("--pre", TFLITE_MICRO)
    return environment


@pytest.fixture(scope="module")
def files(made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every kind of TFLite file."""
    from hemline_convert.convert import convert

    folder = tmp_path_factory.mktemp("kinds")
    convert(dataclasses.replace(made.config, out=folder, tflite=KINDS, onnx=()))
    return folder


def said_of(path: Path) -> Any:
    return next(c for c in inspect_model(path).clients if c.name.startswith("TFLite Micro"))


def run(
    environment: Any, path: Path, tensors: np.ndarray, folder: Path, arena: int = 200_000
) -> subprocess.CompletedProcess[str]:
    np.save(folder / "tensors.npy", tensors)
    words = (path, folder / "tensors.npy", folder / "answers.npy", arena)
    done: subprocess.CompletedProcess[str] = environment.python("-c", RUN, *words, timeout=120)
    return done


@pytest.mark.parametrize("kind", KINDS)
def test_it_runs_exactly_the_files_that_inspect_says(environment, files, kind, tmp_path):
    path = files / f"paper_{kind}.tflite"
    backend = open_backend(path)
    black = np.zeros((1, *backend.input.shape[1:]), backend.input.dtype)
    done = run(environment, path, black, tmp_path)
    assert (done.returncode == 0) == (not said_of(path).refusals), done.stderr[-1000:]
    assert done.returncode == 0 or "RuntimeError" in done.stderr


def test_with_int8_ends_it_answers_as_litert_within_one_step_and_labels_alike(
    environment, files, tmp_path
):
    path = files / "paper_int8_io.tflite"
    pixels = GoldenPack.load(files / "paper.golden.npz").tensors
    tensors = (pixels.astype(np.int16) - 128).astype(np.int8)
    done = run(environment, path, tensors, tmp_path)
    assert done.returncode == 0, done.stderr[-1000:]
    answers = np.load(tmp_path / "answers.npy")
    backend = open_backend(path)
    expected = np.array([backend.run(tensor[None])[0] for tensor in tensors])
    assert answers.dtype == np.int8
    assert np.abs(answers.astype(int) - expected).max() <= 1
    assert (answers.argmax(1) == expected.argmax(1)).all()
    assert len(np.unique(answers.argmax(1))) >= 8


def test_the_arena_is_the_memory_that_inspect_tells_and_some_kilobytes(
    environment, files, tmp_path
):
    path = files / "paper_int8_io.tflite"
    peak = inspect_model(path).network.peak.size_bytes
    black = np.zeros((1, 28, 28, 1), np.int8)
    assert run(environment, path, black, tmp_path, arena=peak + 6_000).returncode == 0
    assert run(environment, path, black, tmp_path, arena=peak).returncode != 0


def test_the_operators_that_inspect_counts_as_known_are_those_that_it_knows(environment, tmp_path):
    from ai_edge_litert import schema_py_generated as schema

    from hemline.inspection.tflite_micro import _OPERATORS
    from hemline_convert import tflite_file

    names = {name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    names -= {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}
    for name in names:
        model, graph = schema.ModelT(), schema.SubGraphT()
        model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
        model.operatorCodes = []
        graph.tensors = []
        ends = [tflite_file.add_tensor(graph, [1], schema.TensorType.INT8, None) for _ in range(2)]
        for index in ends:
            graph.tensors[index].name = str(index)
        code = getattr(schema.BuiltinOperator, name)
        graph.operators = [tflite_file.new_operator(model, code, ends[:1], ends[1:])]
        graph.inputs, graph.outputs = ends[:1], ends[1:]
        (tmp_path / f"{name}.tflite").write_bytes(tflite_file.pack(model))
    done = environment.python("-c", KNOWN, tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr[-1000:]
    known = json.loads(done.stdout.splitlines()[-1])
    assert len(known) == len(names) > 200
    assert {name for name, is_known in known.items() if is_known} == set(_OPERATORS)
