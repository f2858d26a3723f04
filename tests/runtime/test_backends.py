from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from hemline import backends, models
from hemline.backends import open_backend
from hemline.card import ModelCard
from hemline.errors import ModelError, UserError
from hemline.parity.golden import GoldenPack


@pytest.fixture(scope="module")
def pack() -> GoldenPack:
    path = Path(models.golden_path_of("paper"))
    assert path is not None
    return GoldenPack.load(path)


def logits(backend, tensors) -> np.ndarray:
    return np.array([backend.logits(tensor[None]) for tensor in tensors])


def test_litert_and_onnx_runtime_agree_within_one_step(pack, paper_tflite, paper_onnx):
    pytest.importorskip("onnxruntime")
    litert = logits(open_backend(paper_tflite), pack.tensors)
    onnx = logits(open_backend(paper_onnx), pack.tensors)
    step = np.diff(np.unique(litert)).min()
    assert np.abs(litert - onnx).max() <= step * 1.01
    assert (litert.argmax(axis=1) == onnx.argmax(axis=1)).mean() > 0.99


def test_the_shipped_files_carry_the_same_card(paper_tflite, paper_onnx):
    pytest.importorskip("onnxruntime")
    cards = [
        ModelCard.from_json(open_backend(path).card_json or "")
        for path in (paper_tflite, paper_onnx)
    ]
    assert cards[0].network_sha256 != cards[1].network_sha256  # each that of its own network
    assert len({card.replace(network_sha256="").to_json() for card in cards}) == 1


@pytest.mark.parametrize("name", ["paper_tflite", "paper_onnx"])
def test_pixels_go_in_and_float_logits_come_out(name, request, pack):
    path = request.getfixturevalue(name)
    if path.suffix == ".onnx":
        pytest.importorskip("onnxruntime")
    backend = open_backend(path)
    assert (backend.input.shape, backend.input.dtype) == ((1, 28, 28, 1), np.uint8)
    assert (backend.output.shape, backend.output.dtype) == ((1, 10), np.float32)
    assert backend.logits(pack.tensors[:1]).shape == (10,)
    assert backend.version


@pytest.mark.parametrize("name", ["paper_tflite", "paper_onnx"])
def test_an_answer_is_the_callers_and_does_not_change_with_the_next(name, request, pack):
    path = request.getfixturevalue(name)
    if path.suffix == ".onnx":
        pytest.importorskip("onnxruntime")
    backend = open_backend(path)
    first = backend.logits(pack.tensors[:1])
    kept = first.copy()
    backend.logits(pack.tensors[-1:])
    assert np.array_equal(first, kept)


def test_the_two_int8_files_of_the_paper_network_give_the_very_same_logits(
    pack, paper_tflite, paper_onnx
):
    pytest.importorskip("onnxruntime")
    litert = logits(open_backend(paper_tflite), pack.tensors)
    assert np.array_equal(litert, logits(open_backend(paper_onnx), pack.tensors))


@pytest.mark.parametrize(
    ("cpuinfo", "is_exact"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_vnni\n", True),  # Ice Lake, Zen 4
        ("flags\t\t: fpu avx2 avx_vnni\n", True),  # Alder Lake
        ("flags\t\t: fpu avx2 avx512f avx512bw\n", False),  # Skylake: AVX-512, but no VNNI
        ("Features\t: fp asimd\n", False),  # Arm, where the setting does nothing
        (None, False),  # not Linux
    ],
)
def test_only_a_processor_with_vnni_may_do_without_the_exact_setting(
    tmp_path, monkeypatch, cpuinfo, is_exact
):
    from hemline.backends import onnxruntime

    path = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        path.write_text(f"processor\t: 0\n{cpuinfo}")
    monkeypatch.setattr(onnxruntime, "_CPU_INFORMATION", path)
    assert onnxruntime._has_vnni() == is_exact


def test_threads_do_not_change_the_answer(pack, paper_tflite):
    one = logits(open_backend(paper_tflite), pack.tensors[:50])
    two = logits(open_backend(paper_tflite, num_threads=2), pack.tensors[:50])
    assert np.array_equal(one, two)


def test_the_file_decides_the_backend(paper_tflite, paper_onnx):
    pytest.importorskip("onnxruntime")
    assert open_backend(paper_tflite).name == "litert"
    assert open_backend(paper_onnx).name == "onnxruntime"


@pytest.mark.parametrize(
    ("backend", "error", "said"),
    [
        ("onnxruntime", ModelError, "does not run .tflite files"),  # the other kind
        ("keras", ModelError, "does not run .tflite files"),
        ("tflite", UserError, "no backend 'tflite'"),  # nearly
        ("", UserError, "no backend ''"),  # an unset variable of a script
    ],
)
def test_a_backend_that_cannot_be_is_refused_with_the_choice(paper_tflite, backend, error, said):
    with pytest.raises(error, match=said) as caught:
        open_backend(paper_tflite, backend=backend)
    assert "litert" in caught.value.hint


def test_a_backend_that_is_not_installed_is_told_with_what_installs_it(paper_tflite, monkeypatch):
    monkeypatch.setattr(backends, "_is_installed", lambda module: module == "onnxruntime")
    with pytest.raises(UserError, match="no installed backend") as caught:
        open_backend(paper_tflite)
    assert "pip install ai-edge-litert" in caught.value.hint
    with pytest.raises(UserError, match="no installed backend") as caught:
        open_backend(paper_tflite, backend="tflite-runtime")
    assert caught.value.hint == "install one: pip install tflite-runtime"


def test_a_shipped_name_means_the_file_that_can_be_run_here(monkeypatch):
    assert models.path_of("paper").endswith(".tflite")
    assert models.path_of("paper", "onnxruntime").endswith(".onnx")
    assert models.path_of("paper", "keras").endswith(".keras")
    assert models.path_of("no such model") is None
    monkeypatch.setattr(backends, "_is_installed", lambda module: module == "onnxruntime")
    assert models.path_of("paper").endswith(".onnx")


def test_where_only_onnx_runtime_is_installed_the_name_of_a_model_is_enough(
    hemline, hiding, picture
):
    pytest.importorskip("onnxruntime")
    environment = hiding("ai_edge_litert", "tflite_runtime", "tensorflow")
    done = hemline("classify", picture, "-m", "paper", "--json", env=environment)
    assert done.returncode == 0, done.stderr
    assert '"label": "Bag"' in done.stdout
    assert '"backend": "onnxruntime"' in done.stdout


def test_where_no_runtime_is_installed_numpy_runs_the_model(hemline, hiding, picture):
    """As on a 32-bit Raspberry Pi with a Python that tflite-runtime has no wheel for."""
    environment = hiding("ai_edge_litert", "tflite_runtime", "onnxruntime", "tensorflow")
    done = hemline("classify", picture, "-m", "paper", "--json", env=environment)
    assert done.returncode == 0, done.stderr
    assert '"label": "Bag"' in done.stdout
    assert '"backend": "numpy"' in done.stdout
    for model in models.names():
        done = hemline("parity", model, env=environment)
        assert done.returncode == 0, done.stderr
        assert "PASS" in done.stdout


def test_numpy_can_be_chosen_and_comes_after_the_runtimes(paper_tflite, pack, monkeypatch):
    numpy = open_backend(paper_tflite, backend="numpy")
    assert (numpy.name, numpy.input.shape, numpy.input.dtype) == ("numpy", (1, 28, 28, 1), np.uint8)
    assert numpy.card_json == open_backend(paper_tflite).card_json
    assert (logits(numpy, pack.tensors).argmax(axis=1) == pack.scores.argmax(axis=1)).mean() > 0.99
    order = [name for name in backends.backend_names() if name not in ("onnxruntime", "keras")]
    assert order == ["litert", "tflite-runtime", "numpy", "tensorflow"]
    monkeypatch.setattr(backends, "_is_installed", lambda module: module in ("numpy", "tensorflow"))
    assert open_backend(paper_tflite).name == "numpy"


def test_an_answer_of_numpy_is_the_callers(paper_tflite, pack):
    backend = open_backend(paper_tflite, backend="numpy")
    first = backend.run(pack.tensors[:1])
    kept = first.copy()
    first[:] = 0
    assert np.array_equal(backend.run(pack.tensors[:1]), kept)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9, 0.99])
def test_numpy_refuses_a_model_that_was_cut_off(share, hemline, picture, paper_tflite, tmp_path):
    content = paper_tflite.read_bytes()
    (tmp_path / "cut.tflite").write_bytes(content[: int(len(content) * share)])
    done = hemline("classify", picture, "-m", tmp_path / "cut.tflite", "--backend", "numpy")
    assert done.returncode == 2
    assert "cut.tflite" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_tensorflows_interpreter_answers_as_litert_does(pack, paper_tflite):
    pytest.importorskip("tensorflow")
    litert = logits(open_backend(paper_tflite), pack.tensors[:100])
    tensorflow = logits(open_backend(paper_tflite, backend="tensorflow"), pack.tensors[:100])
    step = np.diff(np.unique(litert)).min()
    assert np.abs(litert - tensorflow).max() <= step * 1.01


@pytest.mark.slow
def test_the_keras_source_is_a_backend_and_gives_the_golden_scores(pack):
    pytest.importorskip("tensorflow")
    path = Path(models.source_path_of("paper"))
    assert path is not None
    scores = logits(open_backend(path), pack.tensors[:100])
    assert np.abs(scores - pack.scores[:100]).max() < 1e-3


def with_another_reshape(path: Path) -> bytes:
    """A file without a card that loads and cannot be run: it reshapes to another size."""
    if path.suffix == ".onnx":
        import onnx

        model = onnx.load(path)
        del model.metadata_props[:]
        node = next(node for node in model.graph.node if node.name == "columns12")
        shape = next(value for value in model.graph.initializer if value.name == node.input[1])
        sizes = onnx.numpy_helper.to_array(shape) * np.array([1, 1, 5, 1])
        shape.CopyFrom(onnx.numpy_helper.from_array(sizes, shape.name))
        return model.SerializeToString()
    model = schema.ModelT.InitFromPackedBuf(bytearray(path.read_bytes()), 0)
    graph = model.subgraphs[0]
    codes = [model.operatorCodes[op.opcodeIndex].builtinCode for op in graph.operators]
    reshape = graph.operators[codes.index(schema.BuiltinOperator.RESHAPE)]
    reshape.inputs[1] = graph.inputs[0]  # the picture is taken for the shape
    builder = flatbuffers.Builder(1 << 18)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("name", ["paper_tflite", "paper_onnx"])
def test_a_model_that_a_runtime_loads_and_cannot_run_is_refused_in_words(
    name, request, pack, tmp_path
):
    source = request.getfixturevalue(name)
    if source.suffix == ".onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
    path = tmp_path / source.name
    path.write_bytes(with_another_reshape(source))
    with pytest.raises(ModelError, match="cannot be run by"):
        open_backend(path).logits(pack.tensors[0][None])
