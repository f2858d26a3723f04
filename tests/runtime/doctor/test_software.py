"""Backends and packages, tried in processes of their own: real ones, and ones that crash or hang."""

from __future__ import annotations

import json
import time

import pytest

from hemline.doctor import examine, software


@pytest.fixture
def only(monkeypatch):
    """The doctor tries these backends alone, so that a test takes seconds."""

    def limit(*names: str) -> None:
        monkeypatch.setattr(software, "backends_to_try", lambda _: list(names))

    return limit


def test_the_backends_that_are_installed_name_the_sample_pictures(machine, about):
    report = examine(machine(timeout_s=60))
    for name in ("litert", "onnxruntime", "numpy"):
        (found,) = about(report, name)
        assert (found.state, found.facts["wrong"]) == ("ok", []), found
        assert found.facts["pictures"] >= 10
    (found,) = about(report, "packages")
    assert found.state == "ok"
    assert "FFmpeg, V4L2, without windows" in found.what
    assert report


def broken(source):
    """What is in `ai_edge_litert.interpreter`, which is all that hemline imports of LiteRT."""
    return f"import os, time\n__version__ = '0'\n{source}\n"


@pytest.mark.parametrize(
    ("source", "said", "mend"),
    [
        ("os.kill(os.getpid(), 4)", "crashed with SIGILL", "does not suit this processor"),
        ("os.kill(os.getpid(), 11)", "crashed with SIGSEGV", "--backend numpy"),
        ("time.sleep(600)", "did not answer in time", "--timeout"),
        ("raise ImportError('libfoo.so.1: cannot open shared object file')", "libfoo.so.1",
         "--force-reinstall ai-edge-litert"),
        ("raise ImportError('numpy.core.multiarray failed to import')", "multiarray", "numpy<2"),
    ],
)  # fmt: skip
def test_a_backend_that_crashes_hangs_or_cannot_be_imported_is_told_and_the_others_are_tried(
    machine, about, package, only, source, said, mend
):
    package("ai_edge_litert", broken(source))
    only("litert", "numpy")
    report = examine(machine(timeout_s=5 if "sleep" in source else 60))
    (found,) = about(report, "litert")
    assert found.state == "fail"  # `hemline classify` takes it, and would fail as well
    assert said in found.what
    assert mend in found.mend
    assert about(report, "numpy")[0].state == "ok"
    assert not report
    assert "FAIL" in report.text()


BACK_TO_FRONT = """
from ai_edge_litert.interpreter import Interpreter

__version__ = "2.13"

class interpreter:
    class Interpreter(Interpreter):
        def get_tensor(self, index):
            return super().get_tensor(index)[:, ::-1].copy()
"""


@pytest.mark.parametrize(
    ("order", "state"),
    [(("tflite-runtime", "numpy"), "fail"), (("numpy", "tflite-runtime"), "warn")],
)
def test_a_backend_that_answers_wrongly_is_told_with_the_pictures(
    machine, about, package, only, order, state
):
    package("tflite_runtime", BACK_TO_FRONT)
    only(*order)
    report = examine(machine(timeout_s=60))
    (found,) = about(report, "tflite-runtime")
    assert found.state == state  # only the first one is what `hemline classify` takes
    assert "bag.jpg as Trouser" in found.what
    assert "hemline parity paper" in found.mend
    assert bool(report) == (state == "warn")


def test_where_opencv_cannot_be_imported_that_is_the_one_failure(machine, about, package):
    package("cv2", "raise ImportError('libGL.so.1: cannot open shared object file')")
    report = examine(machine(timeout_s=60))
    (found,) = about(report, "packages")
    assert found.state == "fail"
    assert "pip uninstall opencv-python;" in found.mend
    assert [f.topic for f in report.findings if f.state == "fail"] == ["packages"]


def test_where_numpy_crashes_the_doctor_itself_does_not(hemline, package):
    package("numpy", "import os; os.kill(os.getpid(), 4)")
    done = hemline("doctor")
    assert done.returncode == 1, done.stderr
    assert "crashed with SIGILL" in done.stdout


@pytest.mark.parametrize(
    ("text", "sees"),
    [
        ("include-system-site-packages = true\n", True),
        ("include-system-site-packages = false\n", False),
        ("", False),
    ],
)
def test_it_is_told_whether_an_environment_sees_the_systems_packages(
    tmp_path, monkeypatch, text, sees
):
    (tmp_path / "pyvenv.cfg").write_text(text)
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    found = software.interpreter()
    assert (found.facts["venv"], found.facts["system_site_packages"]) == (True, sees)


def test_extras_are_those_of_the_distribution():
    (found,) = software.extras()
    assert found.facts["extras"]["onnx"] is True
    assert "train" in found.what


def test_the_report_is_the_same_as_text_and_for_programs(hemline, package):
    package("ai_edge_litert", broken("raise ImportError('a \\x1b[31m line\\nand another')"))
    text, shown = hemline("doctor"), hemline("doctor", "--json")
    assert text.returncode == shown.returncode == 1
    content = json.loads(shown.stdout)
    assert content["works"] is False
    assert [f["state"] for f in content["findings"] if f["topic"] == "litert"] == ["fail"]
    assert "\x1b" not in text.stdout
    for finding in content["findings"]:
        assert any(line.split()[1:2] == [finding["topic"]] for line in text.stdout.splitlines())


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "1e9"])
def test_a_time_that_is_none_is_refused(hemline, timeout):
    done = hemline("doctor", "--timeout", timeout)
    assert done.returncode == 2
    assert "--timeout" in done.stderr


def test_where_everything_hangs_it_is_told_soon_after_the_time_of_one(
    machine, about, package, only, programs
):
    hangs = "time.sleep(600)"
    programs(vcgencmd=hangs, rpicam_hello=hangs, rpicam_vid=hangs)
    package("ai_edge_litert", broken(hangs))
    package("picamera2", "import time; time.sleep(600)")
    only("litert")
    start = time.monotonic()
    report = examine(machine(timeout_s=4))
    assert time.monotonic() - start < 10  # NumPy and OpenCV are loaded first
    for topic in ("litert", "power", "ribbon"):
        assert any("did not answer in time" in found.what for found in about(report, topic)), topic
    assert not report
