"""Whole runs of quantization-aware training, small, and the int8 files of what they make."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hemline.backends.litert import LiteRtBackend
from hemline.backends.onnxruntime import OnnxRuntimeBackend
from hemline.card import InputSpec, ModelCard, Normalization
from hemline.errors import CardError, ModelError, UserError
from hemline.zipcard import CARD_MEMBER
from hemline_convert.convert import ConversionConfig, convert
from hemline_convert.keras_source import open_keras
from hemline_convert.trained_ranges import ranges_from_card
from hemline_convert.verify import logit_step
from hemline_train import QatConfig, TrainingConfig, TrainingResult, resume, train
from hemline_train._tensorflow import keras
from hemline_train.evaluation import Forward
from hemline_train.fake_quantization import FakeQuantizedNetwork
from hemline_train.images import load_images
from hemline_train.int8_graph import read_int8_graph
from hemline_train.model_file import save_model

L = keras.layers
LABELS = ("blob", "flat bar", "tall bar")


def silent(_: str) -> None:
    pass


def config(trained: Path, out: Path, **changes: Any) -> QatConfig:
    settings = {"epochs": 3, "batch_size": 16, "seed": 7, "learning_rate": 0.001, "out": out}
    return QatConfig.recommended(trained, **(settings | changes))


def files(result: TrainingResult) -> dict[str, bytes]:
    """All of a run that must be the same again."""
    varying = ("log.csv", "arguments.json")  # seconds, and where the model was
    return {p.name: p.read_bytes() for p in result.folder.iterdir() if p.name not in varying}


@pytest.fixture(scope="module")
def trained(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    settings = {"epochs": 8, "batch_size": 16, "seed": 7, "data": str(shapes)}
    out = tmp_path_factory.mktemp("runs")
    return train(TrainingConfig.recommended(**settings, out=out), silent)


@pytest.fixture(scope="module")
def finished(trained: TrainingResult, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    return train(config(trained.folder, tmp_path_factory.mktemp("qat")), silent)


def test_a_run_leaves_its_files_and_the_model_that_it_began_with(
    finished: TrainingResult, trained: TrainingResult
) -> None:
    assert finished.folder.name == "optimized-qat-1"
    others = {path.name for path in trained.folder.iterdir()}
    assert {path.name for path in finished.folder.iterdir()} == others | {"source.keras"}
    source = (finished.folder / "source.keras").read_bytes()
    assert source == trained.model_path.read_bytes()


def test_the_data_is_that_of_the_run_that_is_trained_on(
    finished: TrainingResult, trained: TrainingResult
) -> None:
    assert finished.data == trained.data
    assert QatConfig.recommended(trained.model_path).data == trained.data


def test_the_card_tells_the_ranges_and_where_the_model_comes_from(
    finished: TrainingResult, trained: TrainingResult
) -> None:
    with zipfile.ZipFile(finished.model_path) as archive:
        card = ModelCard.from_json(archive.read(CARD_MEMBER))
    assert card.activation_ranges == finished.card.activation_ranges
    assert [entry["after"] for entry in card.activation_ranges][:3] == [
        "the input",
        "CONV_2D, of the layer convolution_1",
        "MAX_POOL_2D, of the layer pooling_1",
    ]
    assert card.activation_ranges[0]["low"] == 0
    assert card.activation_ranges[0]["high"] == pytest.approx(1)
    assert card.training["arch"] == "optimized"
    assert card.training["trained_on_from"]["training"] == trained.card.training
    assert card.training["int8_metrics"]["test"]["images"] == 24


def test_float_and_int8_figures_are_kept_before_and_after(finished: TrainingResult) -> None:
    metrics = json.loads((finished.folder / "metrics.json").read_text())
    for split in ("train", "validation", "test"):
        assert metrics[split]["correct"] == finished.scores[split].correct
        assert metrics["int8"][split]["correct"] == finished.int8_scores[split].correct
        assert metrics["int8_before"][split]["images"] == finished.scores[split].images


def test_the_int8_files_need_no_data_and_answer_as_the_network_that_was_trained(
    finished: TrainingResult, tmp_path: Path
) -> None:
    convert(ConversionConfig(model=finished.model_path, out=tmp_path))
    source = open_keras(finished.model_path)
    graph = read_int8_graph(source)
    ranges = ranges_from_card(graph.network, source.card)
    network = FakeQuantizedNetwork(source, graph, ranges, 0)
    images = load_images(finished.data, source.card.input, 16)
    pixels = np.concatenate([split.pixels for split in images.splits.values()])
    expected = Forward(network)(pixels)
    tflite = tmp_path / "optimized-qat_int8.tflite"
    onnx = tmp_path / "optimized-qat_int8.onnx"
    step = logit_step(tflite.read_bytes())
    for backend in (
        LiteRtBackend(str(tflite), tflite.read_bytes(), 1),
        OnnxRuntimeBackend(str(onnx), onnx.read_bytes(), 1),
    ):
        steps = np.abs(np.array([backend.logits(p[None]) for p in pixels]) - expected) / step
        assert steps.max() < 1.01
        assert (steps < 0.01).mean() > 0.98
        assert backend.card_json is not None
        card = ModelCard.from_json(backend.card_json)
        assert card.activation_ranges == ()
        assert card.quantization["recipe"]["calibration"] == "trained"
        assert "hemline train --qat" in card.quantization["calibration"]["data"]


def test_pictures_calibrate_a_model_with_ranges_only_when_that_is_asked_for(
    finished: TrainingResult, tmp_path: Path
) -> None:
    plain = ConversionConfig(model=finished.model_path, out=tmp_path, onnx=(), golden_images=9)
    recipe = dataclasses.replace(plain.recipe, calibration="min-max")
    contents = []
    for made in (
        plain,
        dataclasses.replace(plain, data=finished.data),
        dataclasses.replace(plain, data=finished.data, recipe=recipe),
    ):
        path = convert(made).files[0]
        backend = LiteRtBackend(str(path), path.read_bytes(), 1)
        contents.append(backend.logits(np.full((1, 28, 28, 1), 77, np.uint8)).tolist())
    assert contents[0] == contents[1] != contents[2]


def test_a_run_that_broke_off_and_was_resumed_is_the_uninterrupted_one_bit_by_bit(
    finished: TrainingResult, trained: TrainingResult, tmp_path: Path
) -> None:
    def power_cut(line: str) -> None:
        if line.startswith("epoch 2"):  # the ranges stand still from the third on
            raise RuntimeError("power cut")

    copy = tmp_path / "copy.keras"
    copy.write_bytes(trained.model_path.read_bytes())
    with pytest.raises(RuntimeError, match="power cut"):
        train(config(copy, tmp_path, data=trained.data), power_cut)
    copy.unlink()  # the run has one of its own
    resumed = resume(tmp_path / "optimized-qat-1", report=silent)
    assert files(resumed) == files(finished)


def test_the_same_seed_gives_the_same_file_and_another_seed_another(
    finished: TrainingResult, trained: TrainingResult
) -> None:
    out = finished.folder.parent
    again = train(config(trained.folder, out), silent)
    other = train(config(trained.folder, out, seed=8), silent)
    assert [again.folder.name, other.folder.name] == ["optimized-qat-2", "optimized-qat-3"]
    assert again.model_path.read_bytes() == finished.model_path.read_bytes()
    assert other.model_path.read_bytes() != finished.model_path.read_bytes()


def saved(path: Path, model: Any, **changes: Any) -> Path:
    card = ModelCard("net", LABELS, InputSpec((28, 28), "gray"), Normalization(1 / 255))
    save_model(path, model, card.replace(**changes))
    return path


def test_batch_normalization_is_folded_and_the_file_is_plain_keras(
    shapes: Path, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(3)
    pixels = keras.Input((28, 28, 1))
    x = L.Conv2D(8, 3, strides=2, use_bias=False)(pixels)
    x = shortcut = L.ReLU()(L.BatchNormalization()(x))
    x = L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same")(x))
    x = L.ReLU()(L.Add()([x, shortcut]))
    x = L.Softmax()(L.Dense(3)(L.GlobalAveragePooling2D()(x)))
    path = saved(tmp_path / "net.keras", keras.Model(pixels, x))
    result = train(config(path, tmp_path, data=str(shapes)), silent)
    model = keras.saving.load_model(result.model_path)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert "BatchNormalization" not in kinds
    assert "Softmax" not in kinds
    assert result.folder.name == "net-qat-1"
    assert result.card.normalization == Normalization(1 / 255)
    conversion = convert(ConversionConfig(model=result.model_path, out=tmp_path / "out"))
    assert len(conversion.files) == 2


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (lambda: L.Activation("tanh", name="curve"), "TANH, of the layer curve"),
        (lambda: L.LayerNormalization(name="even"), "of the layer even"),
    ],
)
def test_a_layer_that_is_not_known_is_refused_by_its_name(
    layer: Callable[[], Any], said: str, shapes: Path, tmp_path: Path
) -> None:
    model = keras.Sequential([keras.Input((28, 28, 1)), layer(), L.Flatten(), L.Dense(3)])
    with pytest.raises(ModelError, match=said):
        train(config(saved(tmp_path / "net.keras", model), tmp_path, data=str(shapes)), silent)


def test_weights_of_two_layers_in_one_constant_are_refused(shapes: Path, tmp_path: Path) -> None:
    pixels = keras.Input((28, 28, 1))
    x = L.Conv2D(4, 3, name="outer")(pixels)
    inner = keras.Sequential([keras.Input((26, 26, 4)), L.BatchNormalization(name="inner")])
    model = keras.Model(pixels, L.Dense(3)(L.Flatten()(inner(x))))
    chance = np.random.default_rng(9)
    model.set_weights([chance.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])
    with pytest.raises(ModelError, match="several layers"):
        train(config(saved(tmp_path / "net.keras", model), tmp_path, data=str(shapes)), silent)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not the folder of a training run"):
        QatConfig.recommended(tmp_path)


def test_a_run_that_is_not_finished_is_refused_with_how_to_finish_it(tmp_path: Path) -> None:
    (tmp_path / "arguments.json").write_text("{}")
    with pytest.raises(UserError, match="not finished") as caught:
        QatConfig.recommended(tmp_path)
    assert f"hemline train --resume {tmp_path}" in caught.value.hint


def test_a_file_that_is_missing_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        QatConfig.recommended(tmp_path / "nothing.keras")
    with pytest.raises(UserError, match=r"is not a \.keras file"):
        QatConfig.recommended(tmp_path / "model.tflite")


def test_a_model_without_a_card_is_refused(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((28, 28, 1)), L.Flatten(), L.Dense(3)])
    model.save(tmp_path / "bare.keras")
    with pytest.raises(CardError, match="carries no model card"):
        QatConfig.recommended(tmp_path / "bare.keras")


def test_data_of_other_classes_is_refused(trained: TrainingResult, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the model knows blob, flat bar, tall bar"):
        train(config(trained.folder, tmp_path, data="drawn"), silent)
