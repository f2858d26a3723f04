"""The README's commands and code are run, so that they cannot rot."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted((ROOT / "docs").glob("*.md"))


def hemline(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hemline", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        **options,
    )


def test_the_first_python_example_names_the_sneaker_and_the_dress():
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    result = subprocess.run(
        [sys.executable, "-c", code[1]], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert result.stderr == ""
    assert result.stdout.startswith("sneaker ")
    assert result.stdout.endswith("\ndress\n")


def test_the_example_of_another_runtime_is_judged(tmp_path):
    page = (ROOT / "docs" / "parity.md").read_text()
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert code is not None
    for arguments in (
        ["-m", "hemline", "parity", "paper", "--export-pictures", "pictures"],
        ["-c", code[1]],
        ["-m", "hemline", "parity", "paper", "--observed", "observed.npz"],
    ):
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "does as paper_int8.tflite must: file to pixels, pixels to tensor" in done.stdout


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_there(target):
    assert f"make {target}" in README
    dry = subprocess.run(
        ["make", "-n", target], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert dry.returncode == 0, dry.stderr


def test_every_command_and_option_of_the_readme_and_the_pages_exists():
    text = "\n".join([README, *(page.read_text() for page in PAGES)])
    lines = re.findall(r"hemline (\w+)((?:[^`#\n|]|\|(?! ))*)", text)
    commands = {
        "demo",
        "train",
        "convert",
        "parity",
        "classify",
        "inspect",
        "bench",
        "models",
        "doctor",
        "service",
    }
    assert {name for name, _ in lines if name in commands} == commands
    used: dict[tuple[str, ...], set[str]] = {}
    for name, rest in lines:
        if name in commands:
            own, _, of_classify = rest.partition(" -- ")  # a service is told what classify shall do
            action = own.split()[:1] if name == "service" and own[:1] == " " else []
            used.setdefault((name, *action), set()).update(options_in(own))
            used.setdefault(("classify",), set()).update(options_in(of_classify))
    for command, options in used.items():
        help_text = hemline(*command, "--help", check=True).stdout
        for option in options:
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", help_text), (command, option)


def options_in(words: str) -> list[str]:
    return re.findall(r"(?<=\s)--?[a-z][a-z0-9-]*", words)


def test_what_the_readme_links_to_is_there():
    for link in re.findall(r"\]\((?!https?://)([^)#]+)", README):
        assert (ROOT / link).exists(), link


def test_the_figures_of_the_shipped_model_are_those_of_its_card():
    from hemline.modelfile import load_model

    metrics = load_model("paper").card.training["metrics"]
    test = metrics["test"]
    low, high = test["interval_95"]
    assert f"{test['accuracy']:.4f} ({low:.4f}–{high:.4f})" in README
    validation = metrics["validation"]
    assert f"{validation['accuracy']:.4f} / {validation['loss']:.4f}" in README


def test_the_size_of_the_model_for_photos_is_that_of_its_file():
    from hemline import models
    from hemline.modelfile import load_model

    path = models.path_of("wardrobe")
    assert path is not None
    assert f"{Path(path).stat().st_size / 1000:.1f} kB as int8" in README
    assert f"{load_model('wardrobe').card.training['parameters']:,} parameters" in README


@pytest.mark.slow
def test_the_demo_works_without_a_data_set_and_says_what_it_did(tmp_path, monkeypatch):
    monkeypatch.delenv("HEMLINE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    result = hemline("demo", "--out", str(tmp_path / "demo"))
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert "Fashion-MNIST is not at hand" in result.stdout
    assert "PASS" in result.stdout
    assert "agree on 300 of 300 pictures" in result.stdout
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
        "paper.calibration.json",
        "paper.golden.npz",
        "paper.parity.json",
        "paper_int8.onnx",
        "paper_int8.tflite",
    ]
