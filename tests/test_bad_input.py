"""What goes wrong in practice, through the real command line: the exit code, the words, and the disk after.

0 done; 1 some inputs could not be read, and the others are done; 2 impossible; 130 interrupted. A
mistake of the user never shows a traceback, and no file is left half-written.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline import Classifier, ImageError, InputSpec, models
from hemline.modelfile import load_model
from hemline.parity.golden import GoldenPack


@pytest.fixture(scope="module")
def mess(tmp_path_factory, paper_tflite, garments, with_card) -> Path:
    """A folder with one good picture and everything that can be wrong."""
    folder = tmp_path_factory.mktemp("mess")
    good = next(path for path in garments if path.name == "bag.jpg").read_bytes()
    model, card = paper_tflite.read_bytes(), Classifier("paper").card
    files = {
        "bag.jpg": good,
        "empty.jpg": b"",
        "cut.jpg": good[: len(good) // 2],
        "cut.bmp": b"BM"
        + struct.pack("<IIIIiiHHI", 30054, 0, 54, 40, 100, 100, 1, 24, 0)
        + bytes(99),
        "text.png": b"This is no picture.\n",
        "texts/readme.txt": b"no pictures here",
        "text.tflite": b"This is no model.\n",
        "text.onnx": b"This is no model.\n",
        "cut.tflite": model[: len(model) // 2],
        "empty.tflite": b"",
        "cut.keras": b"PK\x03\x04" + bytes(5000),
        "paper.tflite": model,
        "float.keras": Path(models.source_path_of("paper")).read_bytes(),
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "empty folder").mkdir()
    wide = InputSpec((32, 32), "gray")
    with_card(paper_tflite, folder / "other shape.tflite", card.replace(input=wide))
    with_card(paper_tflite, folder / "other classes.tflite", card.replace(labels=("a", "b", "c")))
    with_card(paper_tflite, folder / "no card.tflite", None)
    for split, label in (("train", "Bag"), ("train", "Coat"), ("test", "Bag"), ("test", "Hat")):
        (folder / "data" / split / label).mkdir(parents=True)
        for number in range(3):
            level = 40 * number + 10 * len(label) + len(split)
            path = folder / "data" / split / label / f"{number}.png"
            assert cv2.imwrite(str(path), np.full((28, 28), level, np.uint8))
    return folder


def state_of(folder: Path) -> dict[str, str]:
    """Every file below the folder, hidden ones too, with its hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        # Inputs: an error line for each, the good picture is done all the same, and 1 at the end.
        ("classify bag.jpg missing.jpg", 1, ["missing.jpg: there is no such file"]),
        (
            "classify empty.jpg bag.jpg cut.jpg cut.bmp text.png",
            1,
            ["empty.jpg is empty", "cut.jpg is cut off", "cut.bmp is a damaged", "text.png is text"],
        ),
        ("classify texts bag.jpg", 1, ["texts: no picture in this folder"]),
        ("classify bag.jpg texts/*.jpg", 1, ["texts/*.jpg: no file has such a name"]),
        # Models: nothing can be done, 2.
        ("classify bag.jpg -m missing.tflite", 2, ["no model file missing.tflite", "paper"]),
        ("classify bag.jpg -m text.tflite", 2, ["text.tflite is no TFLite model"]),
        ("classify bag.jpg -m text.onnx", 2, ["text.onnx is no ONNX model"]),
        ("classify bag.jpg -m cut.tflite", 2, ["cut.tflite cannot be loaded", "convert it again"]),
        ("classify bag.jpg -m empty.tflite", 2, ["empty.tflite is empty (0 bytes)"]),
        ("classify bag.jpg -m data", 2, ["data is a folder, not a model"]),
        ("classify bag.jpg -m other~shape.tflite", 2, ["card says input (1, 32, 32, 1)"]),
        ("classify bag.jpg -m other~classes.tflite", 2, ["the card has 3 labels, the model has 10"]),
        ("classify bag.jpg -m no~card.tflite", 2, ["carries no model card", "--labels FILE"]),
        ("convert missing.keras --int8", 2, ["there is no model file missing.keras"]),
        ("convert paper.tflite --int8", 2, ["paper.tflite is not a .keras file"]),
        # Checking a model.
        ("parity missing.tflite", 2, ["there is no model file missing.tflite"]),
        ("parity texts", 2, ["the folder texts has no .tflite or .onnx file in it"]),
        ("parity paper --data data --reference float.keras", 2, ["test/Hat is a class that data/"]),
        ("parity paper --data missing --reference float.keras", 2, ["missing"]),
        ("parity paper --reference paper", 2, ["paper_int8.tflite is its own reference"]),
        ("parity paper --golden bag.jpg", 2, ["bag.jpg"]),
    ],
)  # fmt: skip
def test_bad_input_is_told_in_words_and_leaves_the_disk_as_it_was(
    hemline, mess, command, code, said
):
    if "onnx" in command:
        pytest.importorskip("onnxruntime")
    before = state_of(mess)
    arguments = [word.replace("~", " ") for word in command.split()]
    done = hemline(*arguments, cwd=mess)
    assert done.returncode == code, done.stderr
    for words in said:
        assert words in done.stderr
    assert "Traceback" not in done.stderr
    if code == 1:
        assert done.stdout.startswith("bag.jpg: bag ")
        assert len(done.stderr.splitlines()) == len(said)
    else:
        assert done.stdout == ""
        assert done.stderr.startswith("hemline: error: ")
        assert len(done.stderr.splitlines()) <= 2
    assert state_of(mess) == before


def test_an_image_of_the_wrong_shape_is_told_in_words():
    classifier = Classifier("paper")
    for frame in (np.zeros((28, 28, 4), np.uint8), np.zeros((0, 0, 3), np.uint8), np.zeros(784)):
        with pytest.raises(ImageError, match="the frame"):
            classifier.classify(frame)
    with pytest.raises(ImageError, match="the tensor"):
        classifier.classify_tensor(np.zeros((1, 32, 32, 1), np.uint8))


def test_a_full_disk_leaves_the_old_file_and_no_half_one(hemline, small_disk):
    (small_disk / "numbers.json").write_text("old")
    (small_disk / "filler").write_bytes(bytes(60_000))
    done = hemline("parity", "paper", "--json", small_disk / "numbers.json")
    assert done.returncode == 2
    assert "no space is left on the disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert (small_disk / "numbers.json").read_text() == "old"
    assert sorted(path.name for path in small_disk.iterdir()) == ["filler", "numbers.json"]


def test_a_read_only_folder_is_told(hemline, read_only):
    done = hemline("parity", "paper", "--json", read_only / "numbers.json")
    assert done.returncode == 2
    assert "is not writable" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "hidden", "installs"),
    [
        ("train --epochs 1", "tensorflow keras", "pip install 'hemline[train]'"),
        ("convert paper --int8 --data drawn", "tensorflow", "pip install 'hemline[convert]'"),
        ("demo", "ai_edge_quantizer", "pip install 'hemline[convert]'"),
        ("classify bag.jpg --backend onnxruntime", "onnxruntime", "pip install 'hemline[onnx]'"),
        ("classify bag.jpg --backend keras", "tensorflow", "pip install 'hemline[convert]'"),
    ],
)
def test_a_missing_extra_is_told_with_the_command_that_installs_it(
    hemline, hiding, mess, command, hidden, installs
):
    before = state_of(mess)
    done = hemline(*command.split(), cwd=mess, env=hiding(*hidden.split()))
    assert done.returncode == 2
    assert installs in done.stderr
    assert "Traceback" not in done.stderr
    assert state_of(mess) == before


# Conversions: each starts TensorFlow


def convert(out: Path, *arguments: object) -> list[str]:
    command = ["convert", *arguments, "--out", out, "--int8", "--golden-images", "20"]
    return [sys.executable, "-m", "hemline", *map(str, command)]


@pytest.fixture
def source() -> Path:
    if importlib.util.find_spec("tensorflow") is None:  # importing it here would take seconds
        pytest.skip("TensorFlow is not installed")
    path = Path(models.source_path_of("paper"))
    assert path is not None
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("disk", "said"),
    [
        ("small_disk", "no space is left on the disk"),  # 64 kB, and the model has 108
        ("read_only", "is not writable"),
    ],
)
def test_a_disk_that_takes_no_model_ends_a_conversion_in_words(
    request, source, class_folders, disk, said
):
    out = request.getfixturevalue(disk)
    command = convert(out, source, "--data", class_folders)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(out.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cut.keras", "--data", "drawn"), "is no Keras model"),
        (("paper", "--data", "data"), "is a class that data/train does not have"),
    ],
)
@pytest.mark.usefixtures("source")
def test_a_conversion_of_what_is_broken_leaves_nothing(mess, tmp_path, arguments, said):
    out = tmp_path / "out"
    done = subprocess.run(
        convert(out, *arguments), capture_output=True, text=True, timeout=300, cwd=mess
    )
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kill", "code", "when"),
    [
        (signal.SIGINT, 130, "libtensorflow"),  # while TensorFlow is being loaded
        (signal.SIGINT, 130, "calibrating"),  # in the middle of the work
        (signal.SIGKILL, -9, "calibrating"),  # a power cut, as near as a test comes
    ],
)
def test_an_interrupted_conversion_leaves_the_old_file_or_a_whole_new_one(
    source, class_folders, tmp_path, kill, code, when
):
    out = tmp_path / "out"
    out.mkdir()
    old = out / "paper_int8.tflite"
    shutil.copy(models.path_of("paper"), old)
    command = convert(out, source, "--all", "--name", "paper", "--data", class_folders)
    terminal, other_end = os.openpty()  # progress is shown on a terminal only,
    termios.tcsetwinsize(other_end, (24, 80))  # and where there is room for it
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=other_end) as process:
        os.close(other_end)
        said = _read_until(terminal, "calibrating") if when == "calibrating" else ""
        if when == "libtensorflow":
            _wait_for_library(process, when)
        process.send_signal(kill)
        said += _read_until(terminal, None)
        assert process.wait(120) == code, said
    os.close(terminal)
    assert "Traceback" not in said
    assert ("hemline: interrupted" in said) == (kill == signal.SIGINT)
    for path in out.iterdir():
        if path.name.startswith("."):  # what a kill can leave: hidden, and named as a part
            assert kill == signal.SIGKILL
            assert ".part" in path.name
        elif path.suffix == ".npz":
            GoldenPack.load(path)
        else:
            load_model(path)
    assert old.exists()


def _read_until(terminal: int, word: str | None) -> str:
    """What is written to a terminal, until a word comes or until its other end is closed."""
    text = ""
    while word is None or word not in text:
        try:
            text += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # closed
            break
    return text


def _wait_for_library(process: subprocess.Popen[bytes], name: str) -> None:
    maps = Path(f"/proc/{process.pid}/maps")
    if not maps.exists():
        process.kill()
        pytest.skip("there is no /proc here")
    while process.poll() is None and name not in maps.read_text():
        time.sleep(0.05)
