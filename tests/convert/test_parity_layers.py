"""`hemline parity --layers`, and what it does by itself where a network fails: the spoilt layer is named."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hemline.cli import main
from hemline.tflite_objects import pack, unpack

pytestmark = pytest.mark.slow

SPOILT = "convolution_2"


@pytest.fixture
def folder(made, tmp_path):
    """An int8 file with its golden pack and its float network."""
    for name in (
        "paper_int8.tflite",
        "paper_int8.onnx",
        "paper_float32.tflite",
        "paper.golden.npz",
    ):
        (tmp_path / name).write_bytes((made.out / name).read_bytes())
    return tmp_path


def spoil(folder, change):
    """Change the quantized network, and seal both files anew, as if they had been converted so."""
    from hemline.modelfile import load_model
    from hemline_convert import onnx_file, tflite_file
    from hemline_convert.onnx_from_tflite import onnx_from_int8_tflite

    path = folder / "paper_int8.tflite"
    card = load_model(path).card.replace(network_sha256="")
    model = unpack(path.read_bytes())
    model.metadata = None
    graph = model.subgraphs[0]
    (operator,) = (
        o
        for o in graph.operators
        if any(SPOILT in graph.tensors[i].name.decode() for i in o.outputs)
        and graph.tensors[o.outputs[0]].shape[-1] == 32
        and len(o.inputs) == 3
    )
    change(model, operator)
    bare = pack(model)
    path.write_bytes(tflite_file.described(bare, card))
    onnx = onnx_file.described(onnx_from_int8_tflite(bare), card)
    path.with_suffix(".onnx").write_bytes(onnx)


def upside_down(model, operator):
    """The output channels of the weights in reverse order, so that nothing comes out right."""
    tensor = model.subgraphs[0].tensors[operator.inputs[1]]
    values = np.array(model.buffers[tensor.buffer].data, np.uint8).view(np.int8)
    turned = np.ascontiguousarray(values.reshape(tensor.shape)[::-1])
    model.buffers[tensor.buffer].data = turned.reshape(-1).view(np.uint8)


def test_layers_are_shown_on_request(folder, capsys):
    path = folder / "paper_int8.tflite"
    assert main(["parity", str(path), "--layers", "3", "--json", str(folder / "n.json")]) == 0
    out = capsys.readouterr().out
    assert (
        "layers of paper_int8.tflite beside paper_float32.tflite on 32 pictures, the worst 3" in out
    )
    table = out[out.index("layers of") :].splitlines()[2:]
    assert table[0].split()[:2] == ["layer", "operator"]
    assert table[4] == ""  # a header, three layers, and no more
    (candidate,) = json.loads((folder / "n.json").read_text())["candidates"]
    assert len(candidate["layers"]["worst_first"]) > 3
    own = [layer["local_sqnr_db"] for layer in candidate["layers"]["worst_first"]]
    finite = [ratio for ratio in own if ratio is not None]
    assert finite == sorted(finite)


@pytest.mark.parametrize("name", ["paper_int8.tflite", "paper_int8.onnx"])
def test_a_network_that_fails_has_its_worst_layer_named_unasked(folder, name, capsys):
    spoil(folder, upside_down)
    numbers = folder / "n.json"
    assert main(["parity", str(folder / name), "--json", str(numbers)]) == 1
    out = capsys.readouterr().out
    assert f"layers of {name} beside paper_float32.tflite" in out
    (candidate,) = json.loads(numbers.read_text())["candidates"]
    states = [stage["state"] for stage in candidate["stages"]]
    assert states == ["pass", "pass", "fail", "pass"]
    assert SPOILT in candidate["layers"]["worst_first"][0]["name"]
    assert candidate["layers"]["worst_first"][0]["local_sqnr_db"] < 10


def test_a_healthy_network_is_compared_only_on_request(folder, capsys):
    assert main(["parity", str(folder / "paper_int8.tflite")]) == 0
    assert "layers of" not in capsys.readouterr().out


def test_the_keras_source_stands_in_for_the_float_file(folder, keras_model, capsys):
    (folder / "paper_float32.tflite").unlink()
    path = str(folder / "paper_int8.tflite")
    assert main(["parity", path, "--layers", "--reference", str(keras_model)]) == 0
    assert (
        "layers of paper_int8.tflite beside paper.keras on 32 pictures" in capsys.readouterr().out
    )


def test_what_is_missing_is_said(folder, hemline, hiding, capsys):
    assert main(["parity", str(folder / "paper_float32.tflite"), "--layers"]) == 0
    assert "has no quantized activations to compare" in capsys.readouterr().out
    done = hemline("parity", "paper", "--layers", env=hiding("tensorflow"))
    assert done.returncode == 0, done.stderr
    assert "layers of paper_int8.tflite were not compared" in done.stdout
    assert "pip install 'hemline[convert]'" in done.stdout
    assert main(["parity", "paper", "--layers", "0"]) == 2


def test_another_float_network_is_refused(folder, made, capsys):
    from hemline.modelfile import load_model
    from hemline_convert import tflite_file

    card = load_model(made.out / "paper_float32.tflite").card
    other = card.replace(source_sha256="ab" * 32, network_sha256="")
    model = unpack((made.out / "paper_float32.tflite").read_bytes())
    model.metadata = None
    (folder / "paper_float32.tflite").write_bytes(tflite_file.described(pack(model), other))
    assert main(["parity", str(folder / "paper_int8.tflite"), "--layers"]) == 0
    out = capsys.readouterr().out
    assert "is another float model than paper_int8.tflite was made of" in out
