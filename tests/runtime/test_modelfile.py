from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest

from hemline.card import CARD_PROPERTY, InputSpec, ModelCard
from hemline.classifier import Classifier
from hemline.errors import CardError, ModelError
from hemline.modelfile import find_model, load_model
from hemline.onnxcard import CARD_CRC_PROPERTY, card_crc32


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return Classifier("paper").card


def other_cards(card: ModelCard) -> dict[str, tuple[ModelCard, str]]:
    """Cards that do not fit the shipped network, and what must be said of them."""
    wide = dataclasses.replace(card.input, size_wh=(32, 28))
    color = InputSpec((28, 28), "rgb")
    return {
        "another size": (card.replace(input=wide), r"\(1, 28, 32, 1\), the model takes \(1, 28"),
        "colour": (card.replace(input=color), r"\(1, 28, 28, 3\)"),
        "a class too few": (card.replace(labels=card.labels[:9]), "9 labels, the model has 10"),
        "a class too many": (card.replace(labels=(*card.labels, "Hat")), "11 labels"),
    }


@pytest.mark.parametrize("name", ["another size", "colour", "a class too few", "a class too many"])
def test_a_card_of_another_model_is_refused(name, card, paper_tflite, tmp_path, with_card):
    other, said = other_cards(card)[name]
    path = with_card(paper_tflite, tmp_path / "model.tflite", other)
    with pytest.raises(CardError, match=said):
        load_model(path)


@pytest.mark.parametrize("name", ["another size", "a class too few"])
def test_a_card_of_another_model_is_refused_in_onnx(name, card, paper_onnx, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    other, said = other_cards(card)[name]
    model = onnx.load(paper_onnx)
    text = other.replace(network_sha256="").to_json()  # its checksum is that of the .tflite file
    checksum = card_crc32(text.encode())
    onnx.helper.set_model_props(model, {CARD_PROPERTY: text, CARD_CRC_PROPERTY: checksum})
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(CardError, match=said):
        load_model(tmp_path / "model.onnx")


def test_a_model_without_a_card_is_refused_unless_one_is_stated(
    card, paper_tflite, tmp_path, with_card
):
    path = with_card(paper_tflite, tmp_path / "bare.tflite", None)
    with pytest.raises(CardError, match="carries no model card") as caught:
        load_model(path)
    assert "--labels FILE --input-color" in caught.value.hint
    assert load_model(path, card=card).card == card


def test_an_onnx_file_without_a_card_is_refused_unless_one_is_stated(card, paper_onnx, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    model = onnx.load(paper_onnx)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    with pytest.raises(CardError, match="carries no model card"):
        load_model(tmp_path / "bare.onnx")
    assert load_model(tmp_path / "bare.onnx", card=card).card == card


def test_the_card_in_the_file_wins_over_a_stated_one(card, paper_tflite):
    assert load_model(paper_tflite, card=card.replace(name="other")).card == card


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("with_its_card", [True, False])
def test_a_model_that_was_cut_off_is_refused(
    share, with_its_card, paper_tflite, tmp_path, with_card
):
    path = tmp_path / "cut.tflite"
    if with_its_card:
        shutil.copy(paper_tflite, path)
    else:
        with_card(paper_tflite, path, None)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert caught.value.hint


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.99])
def test_an_onnx_model_that_was_cut_off_is_refused(share, paper_onnx, tmp_path):
    pytest.importorskip("onnxruntime")
    path = tmp_path / "cut.onnx"
    content = paper_onnx.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises((ModelError, CardError)):
        load_model(path)


def test_a_model_whose_card_was_damaged_is_refused(paper_tflite, tmp_path):
    content = bytearray(paper_tflite.read_bytes())
    content[content.rfind(b"PK\x03\x04") + 200] ^= 0xFF  # inside the compressed card
    path = tmp_path / "flipped.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is damaged"):
        load_model(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("text.tflite", b"This is a text.\n" * 9, "is no TFLite model"),
        ("text.onnx", b"This is a text.\n" * 9, "is no ONNX model"),
        ("zeros.tflite", bytes(1000), "is no TFLite model"),
        ("header.tflite", b"\x1c\0\0\0TFL3" + bytes(1000), "cannot be loaded by litert"),
        ("noise.tflite", b"\x1c\0\0\0TFL3" + np.random.default_rng(0).bytes(5000), "cannot be"),
        ("empty.tflite", b"", "is empty"),
        ("empty.onnx", b"", "is empty"),
        ("short.tflite", b"TFL", "is no TFLite model"),
        ("model.h5", b"\x89HDF", "is not named like a model"),
        ("model.TFLITE.txt", b"", "is not named like a model"),
    ],
)
def test_a_file_that_is_no_model_is_refused(name, content, said, tmp_path):
    if name.endswith(".onnx"):
        pytest.importorskip("onnxruntime")
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        load_model(path)


def test_a_folder_is_refused_and_a_missing_file_names_what_is_shipped(tmp_path):
    (tmp_path / "folder.tflite").mkdir()
    for path in (tmp_path, tmp_path / "folder.tflite"):
        with pytest.raises(ModelError, match="is a folder"):
            find_model(path)
    with pytest.raises(ModelError, match="there is no model file") as caught:
        find_model(tmp_path / "missing.tflite")
    assert "paper" in caught.value.hint


def test_a_file_here_that_is_named_like_a_shipped_model_does_not_stand_in_its_way(
    tmp_path, monkeypatch, paper_tflite
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paper").mkdir()
    assert find_model("paper") == str(paper_tflite)
