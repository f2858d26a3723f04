"""A file that makes its runtime crash, and that no checksum tells from a sound one."""

from __future__ import annotations

import os
import signal
import time

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from hemline.backends import trial
from hemline.errors import ModelError


def test_what_runs_or_raises_an_exception_survives():
    trial.must_survive("m.tflite: litert", lambda: None)
    trial.must_survive("m.tflite: litert", lambda: 1 // 0)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_is_told_with_the_file_and_the_signal(number):
    with pytest.raises(ModelError, match=r"m\.tflite: litert cannot run it") as caught:
        trial.must_survive("m.tflite: litert", lambda: os.kill(os.getpid(), number))
    assert signal.strsignal(number) in caught.value.problem


def test_what_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr(trial, "TIME_LIMIT_S", 0.2)
    with pytest.raises(ModelError, match=r"no end within 0\.2 s"):
        trial.must_survive("m.tflite: litert", lambda: time.sleep(60))


def test_a_file_that_crashes_litert_is_refused_in_words(hemline, paper_tflite, picture, tmp_path):
    """A zero point outside of int8: LiteRT 2.3 reads outside of its tables."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(paper_tflite.read_bytes()), 0)
    graph = model.subgraphs[0]
    quantize = graph.operators[0]
    graph.tensors[quantize.outputs[0]].quantization.zeroPoint[0] = -1_179_776
    builder = flatbuffers.Builder(1 << 18)
    builder.Finish(model.Pack(builder), b"TFL3")
    path, labels = tmp_path / "others.tflite", tmp_path / "labels.txt"
    path.write_bytes(builder.Output())
    labels.write_text("".join(f"{number}\n" for number in range(10)))
    stated = ("--labels", labels, "--input-color", "gray")
    done = hemline("classify", picture, "-m", path, *stated)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "cannot run it" in done.stderr
    assert "Traceback" not in done.stderr
