from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from hemline.card import InputSpec, ModelCard
from hemline.integrity import network_sha256
from hemline.zipcard import CARD_MEMBER
from hemline_train import model_file
from hemline_train._tensorflow import keras, make_deterministic
from hemline_train.architectures import build_network
from hemline_train.model_file import save_model

CARD = ModelCard("optimized", ("a", "b", "c"), InputSpec((28, 28), "gray"))


def test_keras_loads_the_file_with_the_card_inside_and_answers_the_same(tmp_path: Path) -> None:
    model = build_network("optimized", 3)
    save_model(tmp_path / "model.keras", model, CARD)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    pixels = np.full((2, 28, 28, 1), 90, np.float32)
    assert np.array_equal(np.array(model(pixels)), np.array(loaded(pixels)))
    assert loaded.name == "optimized"
    assert getattr(loaded, "optimizer", None) is None
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        card = ModelCard.from_json(archive.read(CARD_MEMBER))
    content = (tmp_path / "model.keras").read_bytes()
    assert card == CARD.replace(network_sha256=network_sha256("model.keras", content))


def test_the_same_network_built_twice_is_the_same_file(tmp_path: Path) -> None:
    contents = []
    for name in ("one.keras", "two.keras"):
        make_deterministic(4)
        save_model(tmp_path / name, build_network("optimized", 3), CARD)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(model_file, "_verify", fail)
    with pytest.raises(RuntimeError, match="broken"):
        save_model(path, build_network("initial", 3), CARD)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
