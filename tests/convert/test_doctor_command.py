"""`hemline convert --max-drop`: what the doctor lets through is written, and under an honest name."""

from __future__ import annotations

import json
import shlex
import zipfile
from typing import NamedTuple

import numpy as np
import pytest

from hemline.card import InputSpec, ModelCard, Normalization
from hemline.cli import main
from hemline.datasets import FASHION_MNIST_LABELS
from hemline.modelfile import load_model
from hemline.zipcard import CARD_MEMBER
from patients import networks, spoilt

pytestmark = pytest.mark.slow


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def hemline(capsys):
    """The command line in this process, where TensorFlow is loaded already."""

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        code = main([str(word) for word in arguments])
        return Done(code, *capsys.readouterr())

    return run


def saved(model, path, normalization=networks.NORMALIZATION):
    """The model as a `.keras` file with a card."""
    model.save(path)
    card = ModelCard("net", FASHION_MNIST_LABELS, InputSpec((28, 28), "gray"), normalization)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(CARD_MEMBER, card.to_json())
    return path


def test_the_command_writes_what_it_keeps_under_an_honest_name_and_the_card_says_so(
    hemline, tmp_path
):
    model = spoilt.with_outlying_weight(networks.trained("plain"))
    path, out = saved(model, tmp_path / "net.keras"), tmp_path / "out"
    gate = ("--max-drop", "3", "--min-agreement", "0.9")
    run = hemline("convert", path, "--data", "drawn", "--out", out, *gate)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("MENDED by logits in float")
    names = {p.name for p in out.iterdir()}
    assert "net_mixed.tflite" in names
    assert not any("int8" in name for name in names)
    quantization = load_model(out / "net_mixed.tflite").card.quantization
    assert (quantization["kind"], quantization["recipe"]["float_layers"]) == ("mixed", ["logits"])
    doctor = json.loads((out / "net.report.json").read_text())["doctor"]
    assert doctor["passed"]
    assert doctor["diagnosis"]["cause"] == "one layer"
    assert "int8 doctor" in (out / "net.report.html").read_text()


def test_the_command_writes_nothing_and_returns_1_where_nothing_passes(hemline, tmp_path):
    other = Normalization(1 / 127.5, 128)
    path, out = saved(networks.trained("plain"), tmp_path / "net.keras", other), tmp_path / "out"
    run = hemline("convert", path, "--data", "drawn", "--out", out, "--max-drop", "0.5")
    assert run.returncode == 1, run.stderr
    assert run.stdout.startswith("REFUSED")
    assert "cause: preprocessing" in run.stdout
    assert not out.exists()


def test_without_a_gate_of_its_own_what_fails_is_written_and_the_exit_code_says_so(
    hemline, tmp_path
):
    model = spoilt.with_outlying_weight(networks.trained("plain"))
    path, out = saved(model, tmp_path / "net.keras"), tmp_path / "out"
    run = hemline("convert", path, "--data", "drawn", "--out", out, "--per-tensor")
    assert "FAIL: " in run.stdout
    assert "with --max-drop POINTS the doctor finds out why" in run.stdout
    assert (out / "net_int8.tflite").is_file()
    assert run.returncode == 1
    assert hemline("parity", out).returncode == 1


def test_a_gate_without_pictures_or_without_int8_is_refused_in_words(hemline, tmp_path):
    for arguments in (("--int8",), ("--float32", "--data", "drawn")):
        run = hemline("convert", "paper", *arguments, "--max-drop", "0.2", "--out", tmp_path)
        assert run.returncode == 2
        assert "--max-drop" in run.stderr
        assert not list(tmp_path.iterdir())


def test_a_network_that_int16_activations_mend_is_written_as_w8a16_and_runs(hemline, tmp_path):
    model = spoilt.with_large_channel_beside_a_shortcut(networks.trained("residual"))
    path, out = saved(model, tmp_path / "net.keras"), tmp_path / "out"
    gate = ("--max-drop", "1.5", "--min-agreement", "0.97")
    run = hemline("convert", path, "--int8", "--data", "drawn", "--out", out, *gate)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "its activations are int16, and it is not called int8" in run.stdout.splitlines()[0]
    names = {p.name for p in out.iterdir()}
    assert "net_w8a16.tflite" in names
    assert not any("int8" in name for name in names)
    card = load_model(out / "net_w8a16.tflite").card
    assert card.quantization["kind"] == "w8a16"
    assert card.quantization["recipe"]["activation_bits"] == 16
    doctor = json.loads((out / "net.report.json").read_text())["doctor"]
    assert doctor["passed"]
    assert doctor["kept"]["kind"] == "w8a16"
    assert "w8a16" in (out / "net.report.html").read_text()
    checked = hemline("parity", out, *gate)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "net_w8a16.tflite" in checked.stdout


def test_an_int8_file_from_before_that_the_gate_does_not_let_through_is_named_and_not_removed(
    hemline, tmp_path
):
    model = spoilt.with_outlying_weight(networks.trained("plain"))
    path, out = saved(model, tmp_path / "net.keras"), tmp_path / "the out"
    asked = ("--data", "drawn", "--out", out, "--no-report")
    assert hemline("convert", path, "--int8", "--float32", *asked).returncode == 0
    old = [out / "net_int8.tflite", out / "net_int8.onnx"]
    gate = ("--max-drop", "3", "--min-agreement", "0.9")
    run = hemline("convert", path, *asked, *gate)
    assert run.returncode == 0, run.stderr
    (note,) = [line for line in run.stdout.splitlines() if "not let through by this gate" in line]
    assert shlex.split(note.partition("to remove: ")[2]) == ["rm", *map(str, old)]
    assert all(file.exists() for file in old)


def test_after_a_refusal_the_files_from_before_are_named(hemline, tmp_path):
    out = tmp_path / "out"
    asked = ("--data", "drawn", "--out", out, "--no-report")
    path = saved(networks.trained("plain"), tmp_path / "net.keras")
    assert hemline("convert", path, "--int8", "--float32", *asked).returncode == 0
    path = saved(networks.trained("plain"), tmp_path / "net.keras", Normalization(1 / 127.5, 128))
    run = hemline("convert", path, *asked, "--max-drop", "0.5")
    assert run.returncode == 1, run.stderr
    said = run.stdout.partition("no file was written")[2].splitlines()
    assert [
        line for line in said if "this gate: net_int8.tflite, net_int8.onnx; to remove: rm" in line
    ]
    assert [line for line in said if "another float model, or damaged: net_float32.tflite" in line]


def test_files_of_another_float_model_of_that_name_are_named(hemline, tmp_path):
    out = tmp_path / "out"
    for number, kind in ((1, "--float16"), (2, "--float32")):
        model = networks.trained("plain", number)
        path = saved(model, tmp_path / f"{number}.keras")
        run = hemline("convert", path, kind, "--out", out)
        assert run.returncode == 0, run.stderr
        notes = [line for line in run.stdout.splitlines() if "another float model" in line]
        assert len(notes) == number - 1
    assert "net_float16.tflite" in notes[0]
    again = hemline(
        "convert", path, "--dynamic-range", "--out", out
    )  # the same model: only the old one
    assert "net_float32.tflite" not in again.stdout.partition("another float model")[2]


def test_a_float_network_without_numbers_is_refused_in_words(hemline, tmp_path):
    model = networks.copied(networks.trained("plain"))
    weights, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([weights * np.nan, bias])
    path, out = saved(model, tmp_path / "net.keras"), tmp_path / "out"
    run = hemline("convert", path, "--data", "drawn", "--out", out, "--max-drop", "0.5")
    assert run.returncode == 2, run.stdout + run.stderr
    assert "NaN or infinite for 300 of 300 pictures" in run.stderr
    assert not out.exists()
