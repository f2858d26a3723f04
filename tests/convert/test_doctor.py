"""The int8 doctor on networks that are sound, and on ones that are spoilt on purpose (`tests/patients`)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hemline.card import InputSpec, ModelCard, Normalization
from hemline.datasets import open_dataset
from hemline.parity.result import Gate
from patients import networks, spoilt

pytestmark = pytest.mark.slow

GATE = Gate(min_agreement=0.97, max_drop_points=1.0)  # there are but 300 pictures
# The small mobile network wavers more often: as it was trained, int8 keeps its answer on 98 % of them.
WAVERING = Gate(min_agreement=0.95, max_drop_points=3.0)


def consulted(patient, gate=GATE, granularity="channel"):
    from hemline_convert.doctor import consult
    from hemline_convert.recipe import QuantizationRecipe

    recipe = QuantizationRecipe(granularity=granularity)
    return consult(patient.quantizer, recipe, patient.pictures, gate, "runs/net/model.keras")


def diagnosed(patient):
    """The diagnosis whether a gate asks for it or not."""
    from hemline_convert.doctor import diagnose
    from hemline_convert.doctor.patient import Patient
    from hemline_convert.recipe import QuantizationRecipe

    recipe = QuantizationRecipe().for_card(patient.quantizer.source.card)
    return diagnose(Patient(patient.quantizer, patient.pictures), recipe)


def sound(kind, seed=1):
    return spoilt.Patient(networks.quantizer_of(networks.trained(kind, seed)), networks.exam())


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", networks.EPOCHS)
def test_sound_networks_of_every_kind_are_accused_of_nothing(kind, seed):
    from hemline_convert.doctor import Cause

    found = diagnosed(sound(kind, seed))
    assert found.cause == Cause.NONE, found.sentence


@pytest.mark.parametrize(("kind", "gate"), [("plain", GATE), ("mobile", WAVERING)])
def test_a_network_that_passes_as_it_is_is_kept_so(kind, gate):
    found = consulted(sound(kind), gate)
    assert found.kept is found.trials[0]
    assert found.diagnosis is None


def separable(keras):
    layers = keras.layers
    inputs = x = keras.Input((32, 32, 3))
    for filters in (16, 24, 32):
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
        x = layers.DepthwiseConv2D(3, 2, padding="same", use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def mobilenet(keras):
    """Of 53 layers, whose noise adds up, though there is nothing wrong with any."""
    return keras.applications.MobileNetV2(
        (32, 32, 3), alpha=0.35, weights=None, classes=10, classifier_activation=None
    )


@pytest.mark.parametrize("build", [separable, mobilenet], ids=lambda build: build.__name__)
def test_of_random_networks_that_are_not_ours_no_layer_range_or_picture_is_accused(build):
    from hemline_convert._tensorflow import keras
    from hemline_convert.calibration import CalibrationSet
    from hemline_convert.doctor import Cause, ExamSet
    from hemline_convert.keras_source import KerasSource
    from hemline_convert.static_quantizer import StaticQuantizer

    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    blocks = random.normal(128, 60, (100, 1, 1, 3)) + random.normal(0, 40, (100, 8, 8, 3))
    pictures = np.clip(blocks.repeat(4, 1).repeat(4, 2), 0, 255).astype(np.uint8)
    normalization = Normalization(1 / 127.5, 128)
    spec = InputSpec((32, 32), "rgb")
    card = ModelCard("net", tuple("abcdefghij"), spec, normalization)
    model = build(keras)
    source = KerasSource(model, model, normalization, card, "")
    unknown = np.full(50, -1, np.int64)
    calibration = CalibrationSet(pictures[:50], np.zeros(50, np.int64), "blocks", ("",) * 50)
    quantizer = StaticQuantizer(source, calibration)
    found = diagnosed(spoilt.Patient(quantizer, ExamSet(pictures[50:], unknown, "blocks")))
    if build is separable:
        assert found.cause == Cause.NONE
    else:  # its int8 network is worse, so that something must be said, and it must be true
        assert found.cause in (Cause.NONE, Cause.ACTIVATIONS)
        assert not found.layer
        assert found.cause == Cause.NONE or "none makes most of it" in found.sentence


def test_a_mend_that_no_runtime_can_load_is_told_and_does_not_end_the_consultation(monkeypatch):
    from hemline.errors import ModelError
    from hemline_convert.doctor import Checked, letter, patient

    logits = patient.file_logits

    def without_int16(content, tensors):
        import hemline_convert.tflite_file as files

        types = {files.dtype_of(t) for t in files.unpack(content).subgraphs[0].tensors}
        if np.dtype(np.int16) in types:
            raise ModelError("no int16 kernel")
        return logits(content, tensors)

    monkeypatch.setattr(patient, "file_logits", without_int16)
    found = consulted(spoilt.dim_calibration())
    assert ("int16 activations", "no int16 kernel") in found.impossible
    assert "impossible: int16 activations: no int16 kernel" in letter(Checked(found, None))
    assert found.trials[-1].recipe.kind == "mixed"


def test_an_outlying_weight_is_found_with_its_layer_and_channel_and_that_layer_stays_in_float():
    from hemline_convert.doctor import Cause

    found = consulted(spoilt.outlying_weight())
    diagnosis = found.diagnosis
    assert (diagnosis.cause, diagnosis.part) == (Cause.ONE_LAYER, "weights")
    assert (diagnosis.layer, diagnosis.channel) == ("logits", 2)
    assert found.kept.recipe.kind == "mixed"
    assert found.kept.recipe.float_layers == ("logits",)


def test_a_filter_that_takes_the_steps_of_all_others_is_mended_by_a_scale_per_channel():
    """It is never above zero, and has weights a thousand times as large: only its own scale needs that."""
    from hemline_convert.doctor import Cause, Checked, letter

    model = networks.copied(networks.trained("plain"))
    weights, bias = model.get_layer("convolution_16").get_weights()
    weights[..., 7], bias[7] = -500, -1
    model.get_layer("convolution_16").set_weights([weights, bias])
    patient = spoilt.Patient(networks.quantizer_of(model), networks.exam())
    found = consulted(patient, granularity="tensor")
    assert not found.trials[0].passed
    assert (found.diagnosis.cause, found.diagnosis.part) == (Cause.ONE_LAYER, "weights")
    assert (found.diagnosis.layer, found.diagnosis.channel) == ("convolution_16", 7)
    assert found.kept.recipe.kind == "int8"
    assert found.kept.recipe.granularity == "channel"
    assert found.kept.mend == "weights per channel"
    assert not [trial for trial in found.trials if trial.passed and trial is not found.kept]
    assert "MENDED by weights per channel" in letter(Checked(found, found.kept.outcome))
    healthy = consulted(patient)
    assert healthy.kept is healthy.trials[0]  # per channel nothing is wrong with it


def test_a_single_bad_channel_is_found_and_equalized_away():
    from hemline_convert.doctor import Cause

    found = consulted(spoilt.one_large_channel())
    diagnosis = found.diagnosis
    assert (diagnosis.cause, diagnosis.part) == (Cause.ONE_LAYER, "activations")
    assert (diagnosis.layer, diagnosis.channel) == ("convolution_16", 5)
    assert found.kept.recipe.kind == "int8"
    assert not found.trials[0].passed


def test_depthwise_channels_of_wildly_different_size_are_found_and_equalized_away():
    from hemline_convert.doctor import Cause

    found = consulted(spoilt.wild_channels(), WAVERING)
    assert (found.diagnosis.cause, found.diagnosis.part) == (Cause.ACTIVATIONS, "activations")
    assert "very different size" in found.diagnosis.sentence
    assert found.trials[0].outcome.agreement < 0.5
    assert found.kept.recipe.equalized
    assert found.kept.recipe.kind == "int8"


def test_large_channels_that_nothing_equalizes_are_mended_by_int16_activations_and_by_nothing_else():
    from hemline_convert.doctor import Cause

    found = consulted(spoilt.large_channel_beside_a_shortcut())
    assert (found.diagnosis.cause, found.diagnosis.part) == (Cause.ACTIVATIONS, "activations")
    assert found.kept.recipe.kind == "w8a16"
    assert "int16 activations" in found.kept.mend
    assert [trial for trial in found.trials if trial.passed] == [found.kept]
    assert {trial.recipe.kind for trial in found.trials} == {"int8", "w8a16", "mixed"}


@pytest.mark.parametrize("spoil", [spoilt.black_calibration, spoilt.dim_calibration])
def test_calibration_on_other_pictures_is_found_and_no_way_to_quantize_is_said_to_mend_it(spoil):
    from hemline_convert.doctor import Cause, Checked, letter

    found = consulted(spoil())
    assert found.diagnosis.cause == Cause.CALIBRATION_DATA
    assert found.kept is None
    assert "REFUSED" in letter(Checked(found, None)).splitlines()[0]


def test_dirt_in_one_calibration_picture_is_a_range_at_fault_and_another_method_mends_it():
    from hemline_convert.doctor import Cause

    found = consulted(spoilt.dirt_in_calibration())
    assert (found.diagnosis.cause, found.diagnosis.layer) == (Cause.RANGE, "convolution_8")
    assert found.kept.recipe.kind == "int8"
    assert found.kept.recipe.calibration != "min-max"


def test_saturated_activations_are_a_range_that_is_cut_and_the_layer_is_named():
    from hemline_convert.doctor import Cause

    found = consulted(spoilt.cut_range())
    assert (found.diagnosis.cause, found.diagnosis.layer) == (Cause.RANGE, "convolution_16")
    assert "is cut" in found.diagnosis.sentence


def test_another_preprocessing_than_the_trained_one_is_found_though_int8_and_float_agree():
    from hemline_convert.doctor import Cause

    found = consulted(spoilt.other_preprocessing())
    assert found.diagnosis.cause == Cause.PREPROCESSING
    assert "pixel / 255" in found.diagnosis.sentence
    assert found.kept is None


def test_a_float_network_that_gives_one_answer_to_all_is_said_to_know_nothing():
    from hemline_convert.doctor import Cause, Checked, letter

    model = networks.copied(networks.trained("plain"))
    weights, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([weights * 0, np.arange(len(bias), dtype=np.float32)])
    found = consulted(spoilt.Patient(networks.quantizer_of(model), networks.exam()))
    assert found.diagnosis.cause == Cause.FLOAT_NETWORK
    assert "answers 'Ankle boot' to all 300 pictures" in found.diagnosis.sentence
    assert found.kept is None
    assert "train it again" in letter(Checked(found, None))


def test_one_odd_picture_does_not_make_the_others_noisy():
    """Where all its logits are low, what conversion clips on the other pictures decides nothing there."""
    from hemline_convert.doctor.patient import noise_share

    random = np.random.default_rng(0)
    reference = np.float32(random.normal(0, 3, (200, 10)))
    reference[0] -= 40
    clipped = np.maximum(reference, np.sort(reference[1:], axis=1)[:, -2].min())
    assert noise_share(reference, clipped) < 0.01
    assert noise_share(reference, reference + random.normal(0, 3, reference.shape)) > 0.1


def test_the_doctors_pictures_neither_calibrate_nor_are_in_the_golden_pack(made):
    from hemline.parity.golden import GoldenPack
    from hemline_convert.calibration import choose_calibration_images
    from hemline_convert.doctor import choose_exam_pictures

    dataset = open_dataset("drawn")
    golden = GoldenPack.load(made.out / "paper.golden.npz")
    calibration = choose_calibration_images(dataset, made.card.input, 100)
    seen = np.concatenate((golden.tensors, calibration.tensors))
    chosen = choose_exam_pictures(dataset, made.card, seen)
    assert chosen.data == "drawn/validation"
    without_test = dataclasses.replace(
        dataset, splits={k: dataset.split(k) for k in ("train", "validation")}
    )
    from_training = choose_exam_pictures(without_test, made.card, seen)
    assert from_training.data == "drawn/train"
    known = {tensor.tobytes() for tensor in seen}
    for pictures in (chosen, from_training):
        assert len(pictures) >= 50
        assert not known & {tensor.tobytes() for tensor in pictures.tensors}
