"""A network whose card states the foreground rule `garment`, through conversion, inspection and parity."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.card import ModelCard
from hemline.classifier import Classifier
from hemline.inspection import inspect_model
from hemline.inspection.text import text_of
from hemline.modelfile import load_model
from hemline.parity import reference
from hemline.parity.compare import compare
from hemline.parity.golden import GoldenPack
from hemline.parity.reference import Reference
from hemline.preprocess import Preprocessor
from hemline.zipcard import CARD_MEMBER
from hemline_convert.convert import Conversion, ConversionConfig, convert

pytestmark = pytest.mark.slow


def photo(seed: int) -> np.ndarray:
    """A striped shirt on a red ground."""
    random = np.random.default_rng(seed)
    frame = np.full((240, 180, 3), (50, 40, 180), np.uint8)
    left, top = random.integers(40, 60, 2).tolist()
    frame[top : top + 130, left : left + 80] = random.integers(60, 250, 3)
    frame[top : top + 130 : 12, left : left + 80] = random.integers(0, 250, 3)
    frame[top : top + 40, left - 25 : left + 105] = frame[top, left]
    return cv2.GaussianBlur(frame, (3, 3), 0)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """A folder of photos, whose labels do not matter."""
    folder = tmp_path_factory.mktemp("photos")
    for index, label in enumerate(Classifier("paper").card.labels):
        for split in ("train", "test"):
            path = folder / split / label.replace("/", "_")
            path.mkdir(parents=True)
            for seed in range(6) if split == "train" else range(50, 56):
                cv2.imwrite(str(path / f"{seed}.jpg"), photo(100 * index + seed))
    return folder


@pytest.fixture(scope="module")
def converted(keras_model, photos, tmp_path_factory) -> Conversion:
    folder = tmp_path_factory.mktemp("garment")
    path = folder / "paper.keras"
    with zipfile.ZipFile(keras_model) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == CARD_MEMBER:
                card = ModelCard.from_json(content)
                spec = dataclasses.replace(card.input, foreground="garment")
                # The folders cannot be named T-shirt/top.
                labels = tuple(label.replace("/", "_") for label in card.labels)
                content = card.replace(input=spec, labels=labels).to_json().encode()
            target.writestr(name, content)
    return convert(
        ConversionConfig(path, folder / "out", tflite=("int8", "mediapipe"), data=str(photos))
    )


def test_the_files_state_the_rule_and_the_note_says_what_mediapipe_does_not(converted):
    for name in ("optimized_int8.tflite", "optimized_int8.onnx"):
        path = next(path for path in converted.files if path.name == name)
        assert load_model(path).card.input.foreground == "garment"
        assert "the garment alone on black" in text_of(inspect_model(path))
    assert any("MediaPipe cuts no garment out" in note for note in converted.notes)


def test_parity_knows_the_rule_and_tells_a_file_with_another(converted):
    path = next(path for path in converted.files if path.name == "optimized_int8.tflite")
    pack = GoldenPack.load(path.with_name("optimized.golden.npz"))
    model = load_model(path)
    assert compare(model, Reference.from_pack(pack, "the pack"))
    spec = dataclasses.replace(model.card.input, foreground="light-on-dark")
    other = model._replace(card=model.card.replace(input=spec))
    report = compare(other, Reference.from_pack(pack, "the pack"))
    assert not report
    broken = [stage for stage in report.stages if stage.state == "fail"]
    assert "no garment cut out ('light-on-dark' for 'garment')" in broken[0].cause


class Rgb(Preprocessor):
    """A runtime that takes the pictures for RGB."""

    def __call__(self, frame_bgr, picture_wh=None):
        return super().__call__(np.ascontiguousarray(frame_bgr[..., ::-1]), picture_wh)


def test_parity_tells_red_and_blue_exchanged_where_garments_are_cut_out(converted, monkeypatch):
    path = next(path for path in converted.files if path.name == "optimized_int8.tflite")
    pack = GoldenPack.load(path.with_name("optimized.golden.npz"))
    monkeypatch.setattr(reference, "Preprocessor", Rgb)
    report = compare(load_model(path), Reference.from_pack(pack, "the pack"))
    broken = [stage for stage in report.stages if stage.state == "fail"]
    assert "red and blue exchanged" in broken[0].cause
