"""The wheel in environments of its own: what a Raspberry Pi installs, and nothing that it does not need."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hemline import models
from hemline.backends import open_backend
from hemline.parity.golden import GoldenPack

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints" / "tested.txt"


@pytest.fixture(scope="module")
def wheel(environment_type: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree."""
    pytest.importorskip("build")
    out = tmp_path_factory.mktemp("dist")
    done = environment_type.run(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def bare(environment_type: Any, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `pip install hemline` gives."""
    environment = environment_type(tmp_path_factory.mktemp("bare") / "venv")
    environment.install("--constraint", CONSTRAINTS, wheel)
    return environment


def test_the_base_install_has_litert_and_none_of_the_heavy_parts(bare):
    packages = bare.packages()
    assert {"hemline", "numpy", "opencv-python-headless", "ai-edge-litert"} <= packages
    heavy = {"tensorflow", "keras", "onnx", "onnxruntime", "tf2onnx", "matplotlib", "pillow"}
    assert not heavy & packages


def test_the_base_install_classifies_a_picture_with_the_shipped_model(bare, picture):
    done = bare.hemline("classify", picture, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["label"], answer["backend"]) == ("bag", "litert")


def test_the_base_install_has_the_models_and_they_pass_their_parity_check(bare):
    assert "paper" in bare.hemline("models").stdout
    done = bare.hemline("parity", "paper")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout


def test_the_base_install_shows_what_is_in_a_model(bare):
    done = bare.hemline("inspect", "paper", models.path_of("paper", "onnxruntime"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("matches") == 2


@pytest.mark.parametrize(
    ("command", "installs"),
    [
        (("train",), "pip install 'hemline[train]'"),
        (("convert", "paper", "--int8"), "pip install 'hemline[convert]'"),
        (("demo",), "pip install 'hemline[convert]'"),
        (("classify", "a.jpg", "--backend", "onnxruntime"), "pip install 'hemline[onnx]'"),
        (("classify", "--serve"), "pip install 'hemline[web]'"),
    ],
)
def test_in_the_base_install_a_missing_extra_is_told(bare, command, installs):
    done = bare.hemline(*command)
    assert done.returncode == 2
    assert installs in done.stderr
    assert "Traceback" not in done.stderr


def test_the_base_install_is_typed_and_has_no_tests_in_it(bare):
    program = """if True:
        from importlib.metadata import files
        names = [str(file) for file in files("hemline")]
        assert "hemline/py.typed" in names
        assert not [name for name in names if "test" in name.lower()], names
    """
    done = bare.python("-c", program)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def old(environment_type: Any, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A Raspberry Pi with tflite-runtime, which wants Python up to 3.11 and NumPy below 2."""
    if sys.version_info >= (3, 12):
        pytest.skip("there is no tflite-runtime for this Python")
    environment = environment_type(tmp_path_factory.mktemp("old") / "venv")
    environment.install(
        "tflite-runtime==2.14.0", "numpy<2", "opencv-python-headless<4.12", "tqdm"
    )  # fmt: skip
    environment.install("--no-deps", wheel)
    return environment


@pytest.mark.parametrize("chosen", [(), ("--backend", "tflite-runtime")])
def test_tflite_runtime_is_found_and_can_be_chosen(old, picture, chosen):
    done = old.hemline("classify", picture, "--json", *chosen)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["label"], answer["backend"]) == ("bag", "tflite-runtime")


def test_tflite_runtime_answers_as_litert_does(old, tmp_path):
    pack = GoldenPack.load(Path(models.golden_path_of("paper")))
    tensors = pack.tensors[:50]
    np.save(tmp_path / "tensors.npy", tensors)
    program = """if True:
        import sys
        import numpy as np
        from hemline import Classifier
        backend = Classifier("paper").backend
        tensors = np.load(sys.argv[1] + "/tensors.npy")
        np.save(sys.argv[1] + "/logits.npy", [backend.logits(tensor[None]) for tensor in tensors])
    """
    done = old.python("-c", program, tmp_path)
    assert done.returncode == 0, done.stderr
    litert = open_backend(models.path_of("paper"), backend="litert")
    reference = np.array([litert.logits(tensor[None]) for tensor in tensors])
    step = np.diff(np.unique(reference)).min()
    candidate = np.load(tmp_path / "logits.npy")
    assert np.abs(candidate - reference).max() <= step * 1.01
    assert old.hemline("parity", "paper").returncode == 0


def test_tflite_runtime_refuses_a_model_that_was_cut_off(old, picture, tmp_path, with_card):
    path = with_card(Path(models.path_of("paper")), tmp_path / "cut.tflite", None)
    content = path.read_bytes()
    for share in (0.01, 0.3, 0.6, 0.9, 0.999):
        path.write_bytes(content[: int(len(content) * share)])
        done = old.hemline("classify", picture, "-m", path)
        assert done.returncode == 2, (share, done.stderr)
        assert "Traceback" not in done.stderr
