"""64-bit Raspberry Pi OS: what `pip install` gives, and that it answers as on x86-64."""

from __future__ import annotations

import json
import time
import urllib.request
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pytest

from emulated_pi.boards import BOARDS
from emulated_pi.installation import SMALLEST
from hemline import models

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

ONE_STEP = (
    0.01  # what one step of 255 in a few pixels may change: OpenCV's resizing rounds differently
)
STEPS_OF_THE_GATE = 2  # of 255, see `hemline parity`
ALL_BOARDS = ["pi3", "pi4", "pi5", "pi5-debian13"]


@pytest.fixture(scope="module", params=ALL_BOARDS)
def board(request):
    return BOARDS[request.param]


@pytest.fixture(scope="module")
def commands(pictures):
    """What each board is asked. A new command of hemline is one more line, and a test of its answer."""
    good = sorted(pictures.glob("good*"))
    return {  # the check of the larger model takes a minute: on one board, see below
        "pictures": ("classify", *good, "--json"),
        "pictures, grey": ("classify", *good, "-m", "paper", "--json"),
        "video": ("classify", pictures / "clip.avi", "-m", "paper", "--json"),
        "numpy": ("classify", *good, "-m", "paper", "--json", "--backend", "numpy"),
        "parity": ("parity", "paper"),
        "inspect": ("inspect", models.path_of("paper")),
        "models": ("models",),
        "doctor": ("doctor", "--json", "--timeout", "120"),
        "service": ("service", "show", "--name", "door", "--", "--camera", "picamera", "-k", "1"),
    }


@pytest.fixture(scope="module")
def runs(board, install, run_all, commands):
    return run_all(install(board.name), board, commands)


@pytest.fixture(scope="module")
def runs_here(hemline_here, commands):
    return {name: hemline_here(*command) for name, command in commands.items()}


@pytest.mark.parametrize("name", ["pi4", "pi5-debian13"])
def test_pip_installs_wheels_for_this_board_and_none_of_the_heavy_parts(install, name):
    environment = install(name)
    folders = [str(environment.packages), *environment.layers]
    packages = {found.metadata["Name"].lower() for found in distributions(path=folders)}
    assert {"hemline", "numpy", "opencv-python-headless", "ai-edge-litert", "tqdm"} <= packages
    heavy = {"tensorflow", "keras", "onnx", "onnxruntime", "tf2onnx", "matplotlib", "pillow"}
    assert not heavy & packages
    libraries = [path for folder in folders for path in Path(folder).rglob("*.so")]
    aarch64 = (183).to_bytes(2, "little")  # in the header of ELF files
    assert libraries
    assert {path.read_bytes()[18:20] for path in libraries} == {aarch64}


@pytest.mark.parametrize("what", ["pictures", "pictures, grey", "numpy", "video"])
def test_answers_are_those_of_x86_64_but_for_a_step_of_the_resized_pixels(runs, runs_here, what):
    assert runs[what].returncode == 0, runs[what].stderr
    candidates, references = (
        [json.loads(line) for line in done.stdout.splitlines()]
        for done in (runs[what], runs_here[what])
    )
    assert len(candidates) == len(references) >= 4
    for candidate, reference in zip(candidates, references, strict=True):
        assert candidate["source"] == reference["source"]
        assert candidate["backend"] == reference["backend"]
        assert candidate["label"] == reference["label"]
        assert candidate["confidence"] == pytest.approx(reference["confidence"], abs=ONE_STEP)


def test_the_parity_check_passes_on_the_board(runs):
    assert runs["parity"].returncode == 0, runs["parity"].stdout + runs["parity"].stderr
    assert "300 of 300  100.00 %" in runs["parity"].stdout
    assert "PASS" in runs["parity"].stdout


def test_the_parity_check_of_the_default_model_passes(install, run_all):
    command = {"parity": ("parity", models.DEFAULT)}
    done = run_all(install("pi4"), BOARDS["pi4"], command)["parity"]
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout


@pytest.mark.parametrize("what", ["inspect", "models"])
def test_what_a_model_holds_is_told_as_on_x86_64(runs, runs_here, what):
    assert runs[what].returncode == 0, runs[what].stderr
    assert runs[what].stdout == runs_here[what].stdout


def test_the_doctor_names_the_board_and_its_backends_run(runs, board):
    assert runs["doctor"].returncode == 0, runs["doctor"].stdout + runs["doctor"].stderr
    content = json.loads(runs["doctor"].stdout)
    found = {finding["topic"]: finding for finding in content["findings"]}
    assert content["works"] is True
    processor = {"cortex-a53": "Cortex-A53", "cortex-a72": "Cortex-A72", "cortex-a76": "Cortex-A76"}
    assert found["board"]["what"] == f"{board.model}, 4 × {processor[board.cpu]}"
    assert "64-bit programs on a 64-bit kernel (aarch64)" in found["system"]["what"]
    assert found["heat"]["what"] == "48 °C"
    assert "without windows" in found["packages"]["what"]
    for backend in ("litert", "numpy"):
        assert found[backend]["state"] == "ok", found[backend]
    assert "onnxruntime" not in found
    assert "ribbon" not in found  # rpicam-apps are not there, nor a sensor


def test_a_unit_of_a_service_can_be_shown(runs):
    assert runs["service"].returncode == 0, runs["service"].stderr
    assert " -P -m hemline classify --camera picamera -k 1\n" in runs["service"].stdout


@pytest.mark.parametrize(
    ("name", "extra", "megabytes"),
    [("pi4", "", 250), ("pi5-debian13", "", 250), ("pi4", SMALLEST, 145)],
)
def test_the_packages_take_no_more_of_the_card_than_is_documented(install, name, extra, megabytes):
    assert install(name, extra).size_bytes() < megabytes * 1e6


def test_the_smallest_install_runs_the_shipped_model(install, run_all, pictures):
    commands = {
        "pictures": ("classify", *sorted(pictures.glob("good*")), "--json"),
        "video": ("classify", pictures / "clip.avi", "--json"),
        "parity": ("parity", "paper"),
    }
    runs = run_all(install("pi4", SMALLEST), BOARDS["pi4"], commands)
    for done in runs.values():
        assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in runs["pictures"].stdout.splitlines()]
    assert {answer["backend"] for answer in answers} == {"tflite-runtime"}
    assert len(runs["video"].stdout.splitlines()) > 5
    assert "PASS" in runs["parity"].stdout


@pytest.mark.parametrize("name", ALL_BOARDS)
def test_logits_and_video_frames_are_those_of_x86_64_bit_for_bit(measured, here, name):
    found = measured(name, "litert", "onnxruntime", "numpy", extra="onnx")
    assert len(found["logits litert"]) == len(found["logits onnxruntime"]) == 300
    assert len(found["logits numpy"]) == 100
    assert len(found[f"logits litert {models.DEFAULT}"]) == 20
    for kind in ("w8a16", "int8_io"):
        assert len(found[f"logits litert paper_{kind}"]) == 60
        assert len(found[f"logits numpy paper_{kind}"]) == 24
    for what in here:
        if what.startswith(("file", "frame")):  # OpenCV's resizing rounds in another order there
            steps = np.abs(found[what].astype(int) - here[what])
            assert steps.max() <= STEPS_OF_THE_GATE, (what, steps.max())
        else:
            assert np.array_equal(found[what], here[what]), what


def test_the_web_preview_shows_a_film_and_classifies_what_is_sent(install, pictures, runs_here):
    process = install("pi4", "web").begin(
        BOARDS["pi4"], "classify", pictures / "clip.avi", "--serve", "127.0.0.1:0", "--json"
    )
    try:
        address = process.stderr.readline().split()[-1]
        assert address.startswith("http://127.0.0.1:"), process.stderr.read()

        def asked(path: str, body: bytes | None = None) -> bytes:
            with urllib.request.urlopen(address + path, body, timeout=120) as reply:
                return reply.read()

        with urllib.request.urlopen(f"{address}stream.mjpg", timeout=120) as stream:
            assert b"Content-Type: image/jpeg" in stream.read(1000)
        film = [json.loads(line) for line in runs_here["video"].stdout.splitlines()]
        end = time.monotonic() + 120
        while (latest := json.loads(asked("api/latest")))["state"] != "finished":
            assert time.monotonic() < end, latest
            time.sleep(0.2)
        assert (latest["frames"], latest["label"]) == (len(film), "trousers")
        sent = json.loads(asked("api/classify", (pictures / "good.jpg").read_bytes()))
        assert (sent["label"], sent["backend"]) == ("bag", "litert")
        assert json.loads(asked("healthz")) == {"status": "ok"}
        assert json.loads(asked("api/info"))["model"] == models.DEFAULT
        assert "hemline_errors_total 0" in asked("metrics").decode()
        assert b"<title>hemline</title>" in asked("")
        process.terminate()
        out, said = process.communicate(timeout=120)
        assert (process.returncode, len(out.splitlines())) == (130, len(film)), said
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def mistakes(pictures, tmp_path_factory):
    """Command, exit code, and what is said."""
    altered = bytearray(Path(models.path_of("paper")).read_bytes())
    altered[len(altered) // 2] ^= 1
    path = tmp_path_factory.mktemp("altered") / "altered.tflite"
    path.write_bytes(altered)
    some = pictures / "good.jpg"
    return {
        "no such file": (("classify", pictures / "none.jpg", some), 1, "there is no such file"),
        "a cut picture": (("classify", pictures / "cut.jpg", some), 1, "is cut off"),
        "no such model": (("classify", some, "-m", "none"), 2, "shipped models are"),
        "an altered model": (("classify", some, "-m", path), 2, "altered"),
        "no such backend": (("classify", some, "--backend", "onnxruntime"), 2, "'hemline[onnx]'"),
        "a command of another part": (("train",), 2, "'hemline[train]'"),
        "no such camera": (("classify", "--camera", "99"), 2, "there is no camera"),
        "a gate that fails": (("parity", "paper", "--min-agreement", "1.5"), 2, "agreement"),
    }


def test_mistakes_end_with_their_exit_code_and_a_line_that_says_why(install, run_all, mistakes):
    done = run_all(
        install("pi4"), BOARDS["pi4"], {name: command for name, (command, *_) in mistakes.items()}
    )
    for name, (_, code, said) in mistakes.items():
        assert done[name].returncode == code, (name, done[name].stderr)
        assert said in done[name].stderr, name
        assert "Traceback" not in done[name].stderr, name
    assert "bag" in done["a cut picture"].stdout  # the others are still done
