"""32-bit Raspberry Pi OS by the lines of docs/pi-32-bit.md: Debian's NumPy and OpenCV, and LiteRT's elder."""

from __future__ import annotations

import json

import numpy as np
import pytest

from emulated_pi.boards import BOARDS

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

PI = "pi2-32bit"


@pytest.fixture(scope="module")
def runs(install, run_all, pictures):
    good = sorted(pictures.glob("good*"))
    commands = {
        "tflite-runtime": ("classify", *good, "--json"),
        "numpy": ("classify", *good, "--json", "--backend", "numpy"),
        "video": ("classify", pictures / "clip.avi", "--json"),
        "parity of tflite-runtime": ("parity", "paper"),
        "parity of numpy": ("parity", "paper", "--backend", "numpy"),
        "inspect": ("inspect", "paper"),
        "doctor": ("doctor", "--json", "--timeout", "120"),
        "a cut picture": ("classify", pictures / "cut.jpg"),
        "onnx": ("classify", *good, "--backend", "onnxruntime"),
    }
    return run_all(install(PI), BOARDS[PI], commands)


def answers(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("backend", ["tflite-runtime", "numpy"])
def test_pictures_are_named_as_on_x86_64(runs, hemline_here, pictures, backend):
    here = answers(hemline_here("classify", *sorted(pictures.glob("good*")), "--json"))
    found = answers(runs[backend])
    assert {answer["backend"] for answer in found} == {backend}
    assert [a["label"] for a in found] == [a["label"] for a in here]


def test_a_video_is_read_to_its_end(runs, garments):
    assert len(answers(runs["video"])) == len(garments)


@pytest.mark.parametrize("backend", ["tflite-runtime", "numpy"])
def test_the_parity_check_passes_on_32_bit(runs, backend):
    done = runs[f"parity of {backend}"]
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout
    assert backend in done.stdout


def test_what_is_missing_on_32_bit_is_told(runs):
    assert runs["inspect"].returncode == 0, runs["inspect"].stderr
    assert runs["a cut picture"].returncode == 1
    assert runs["onnx"].returncode == 2
    assert "'hemline[onnx]'" in runs["onnx"].stderr


def test_the_doctor_tells_32_bit_and_what_runs_there(runs):
    assert runs["doctor"].returncode == 0, runs["doctor"].stdout + runs["doctor"].stderr
    content = json.loads(runs["doctor"].stdout)
    found = {finding["topic"]: finding for finding in content["findings"]}
    assert found["board"]["what"] == f"{BOARDS[PI].model}, 4 × Cortex-A7"
    assert "32-bit programs on a 32-bit kernel" in found["system"]["what"]
    assert found["system"]["state"] == "note"
    assert found["python"]["facts"]["system_site_packages"] is True
    assert found["tflite-runtime"]["state"] == found["numpy"]["state"] == "ok"


def test_the_numpy_interpreter_gives_the_bits_of_x86_64_and_tflite_runtime_is_one_step_away(
    measured, here
):
    found = measured(PI, "tflite-runtime", "numpy")
    for what in ("logits numpy", "logits numpy paper_w8a16", "logits numpy paper_int8_io"):
        assert np.array_equal(found[what], here[what]), what
    step = np.diff(np.unique(here["logits numpy"])).min()
    ours = found["logits numpy"]
    assert np.abs(found["logits tflite-runtime"][: len(ours)] - ours).max() <= step * 1.01
    labels = found["logits tflite-runtime"].argmax(axis=1)
    assert np.array_equal(labels, here["logits litert"].argmax(axis=1))
    for what in here:
        if what.startswith(("file", "frame")):
            assert np.abs(found[what].astype(int) - here[what]).max() <= 2, what
        elif what == "video":
            assert np.array_equal(found[what], here[what])
