"""How the calibration is chosen on the command line, and what cannot be had is refused."""

from __future__ import annotations

import dataclasses
import zipfile

import numpy as np
import pytest

from hemline.errors import CardError, UserError
from hemline.modelfile import load_model
from hemline.zipcard import CARD_MEMBER
from hemline_convert.convert import convert
from hemline_convert.recipe import QuantizationRecipe

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def int8(made):
    """A conversion to int8 TFLite alone."""
    return dataclasses.replace(made.config, tflite=("int8",), onnx=())


@pytest.fixture(scope="module")
def with_trained_ranges(made, tmp_path_factory):
    """The network with a card that has ranges, as training for int8 puts them there: those of min-max."""
    from hemline.datasets import open_dataset
    from hemline_convert.calibration import choose_calibration_images
    from hemline_convert.keras_source import open_keras
    from hemline_convert.static_quantizer import StaticQuantizer
    from hemline_convert.trained_ranges import card_entry

    source = open_keras(made.model)
    calibration = choose_calibration_images(open_dataset("drawn"), source.card.input, 100)
    quantizer = StaticQuantizer(source, calibration)
    entry = card_entry(quantizer.network, quantizer.ranges(QuantizationRecipe("min-max")))
    path = tmp_path_factory.mktemp("trained") / "paper.keras"
    with zipfile.ZipFile(made.model) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if name != CARD_MEMBER:
                new.writestr(name, old.read(name))
        new.writestr(CARD_MEMBER, source.card.replace(activation_ranges=entry).to_json())
    return path


def test_the_method_of_the_command_line_quantizes_and_is_in_card_and_manifest(
    hemline, made, tmp_path
):
    arguments = ("--int8", "--no-onnx", "--data", "drawn", "--golden-images", 20, "--no-report")
    for method, option in (("percentile", ()), ("mse", ("--no-bias-correction",))):
        out = tmp_path / method
        chosen = ("--calibration", method, *option)
        run = hemline("convert", made.model, *arguments, *chosen, "--out", out)
        assert run.returncode == 0, run.stderr
        recipe = load_model(next(out.glob("*_int8.tflite"))).card.quantization["recipe"]
        assert (recipe["calibration"], recipe["bias_corrected"]) == (method, not option)
        assert f'"method": "{method}"' in next(out.glob("*.calibration.json")).read_text()
    one, other = (next((tmp_path / m).glob("*.tflite")) for m in ("percentile", "mse"))
    assert one.read_bytes() != other.read_bytes()


@pytest.mark.parametrize(
    "option",
    [("--calibration", "mse"), ("--calibration-images", "100"), ("--bias-correction",)],
)
def test_calibration_is_refused_where_no_file_is_calibrated(hemline, made, tmp_path, option):
    run = hemline("convert", made.model, "--float16", *option, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert option[0] in run.stderr
    assert "--int8" in run.stderr
    assert not (tmp_path / "out").exists()


def test_trained_ranges_are_refused_where_the_model_has_none(int8, tmp_path):
    config = dataclasses.replace(
        int8, out=tmp_path, calibration_images=None, recipe=QuantizationRecipe("trained")
    )
    with pytest.raises(CardError, match="has no activation ranges") as error:
        convert(config)
    assert "--calibration min-max" in error.value.hint
    assert not list(tmp_path.iterdir())


def test_correcting_biases_changes_these_alone_and_is_in_the_card(int8, tmp_path):
    from hemline_convert import tflite_file

    found = {}
    for corrected in (True, False):
        config = dataclasses.replace(
            int8, out=tmp_path, data="drawn", recipe=QuantizationRecipe(bias_corrected=corrected)
        )
        path = convert(config).files[0]
        assert load_model(path).card.quantization["recipe"]["bias_corrected"] is corrected
        model = tflite_file.unpack(path.read_bytes())
        tensors = model.subgraphs[0].tensors
        found[corrected] = [tflite_file.constant(model, tensor) for tensor in tensors]
    pairs = zip(*found.values(), strict=True)
    changed = [a.dtype for a, b in pairs if a is not None and not np.array_equal(a, b)]
    assert changed
    assert set(changed) == {np.dtype(np.int32)}


def test_where_ranges_were_trained_no_pictures_calibrate_and_there_is_no_manifest(
    int8, with_trained_ranges, tmp_path
):
    config = dataclasses.replace(int8, model=with_trained_ranges, out=tmp_path)
    with pytest.raises(UserError, match="no pictures calibrate"):
        convert(config)
    made = convert(dataclasses.replace(config, calibration_images=None))
    assert [path.name for path in made.files] == ["paper_int8.tflite", "paper.golden.npz"]
    entry = load_model(made.files[0]).card.quantization["calibration"]
    assert "manifest_sha256" not in entry
    assert load_model(made.files[0]).card.quantization["recipe"]["bias_corrected"] is False


def test_a_method_that_is_chosen_leaves_trained_ranges_aside_and_says_so(
    int8, with_trained_ranges, tmp_path
):
    recipe = QuantizationRecipe("percentile")
    made = convert(
        dataclasses.replace(int8, model=with_trained_ranges, out=tmp_path, recipe=recipe)
    )
    assert (tmp_path / "paper.calibration.json").is_file()
    assert any("left aside" in note for note in made.notes)
