from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hemline.errors import UserError
from hemline_train._tensorflow import keras, tf
from hemline_train.architectures import build_design
from hemline_train.designs import ResidualDesign
from hemline_train.layer_kernels import require_bfloat16, training_kernels

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1)).astype(np.float32)
TARGETS = np.arange(16) % 3


def network(width: int = 16) -> Any:
    keras.utils.set_random_seed(1)
    design = ResidualDesign(width, (width, 2 * width), (1, 1))
    return build_design(design, (8, 8, 1), 3, "small")


def gradients_and_statistics(model: Any) -> list[Any]:
    with tf.GradientTape() as tape:
        logits = model(PIXELS, training=True)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(TARGETS, logits)
        loss = tf.reduce_mean(losses)
    assert logits.dtype == tf.float32
    gradients = tape.gradient(loss, model.trainable_variables)
    return [np.asarray(array) for array in [*gradients, *model.non_trainable_variables]]


def differences(one: list[Any], other: list[Any]) -> list[float]:
    """Of each array, relative to its largest."""
    return [
        float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-3))
        for a, b in zip(one, other, strict=True)
    ]


@pytest.fixture(scope="module")
def as_keras_has_it() -> list[Any]:
    return gradients_and_statistics(network())


def test_fused_batch_normalization_has_the_gradients_and_statistics_of_keras(
    as_keras_has_it: list[Any],
) -> None:
    model = network()
    with training_kernels(model.layers, fused=True):
        fused = gradients_and_statistics(model)
    assert max(differences(fused, as_keras_has_it)) < 1e-3


def test_bfloat16_leaves_weights_gradients_and_statistics_float32_and_nearly_the_same(
    as_keras_has_it: list[Any],
) -> None:
    model = network()
    with training_kernels(model.layers, fused=True, bfloat16=True):
        coarse = gradients_and_statistics(model)
    assert {array.dtype for array in coarse} == {np.dtype(np.float32)}
    assert 1e-4 < np.median(differences(coarse, as_keras_has_it)) < 0.1


def test_a_network_too_narrow_for_bfloat16_stays_float32() -> None:
    with training_kernels((model := network(8)).layers, fused=True):
        fused = gradients_and_statistics(model)
    with training_kernels((model := network(8)).layers, fused=True, bfloat16=True):
        assert max(differences(gradients_and_statistics(model), fused)) == 0


def test_afterwards_the_network_is_as_keras_has_it() -> None:
    model, untouched = network(), network()
    with training_kernels(model.layers, fused=True, bfloat16=True):
        pass
    assert model.get_config() == untouched.get_config()
    np.testing.assert_array_equal(model(PIXELS), untouched(PIXELS))
    own = gradients_and_statistics(model)
    assert max(differences(own, gradients_and_statistics(untouched))) == 0


def test_in_inference_the_kept_statistics_count() -> None:
    model, untouched = network(), network()
    with training_kernels(model.layers, fused=True):
        np.testing.assert_array_equal(model(PIXELS), untouched(PIXELS))


@pytest.mark.parametrize("change", [{"scale": False}, {"epsilon": 1e-7}, {"trainable": False}])
def test_what_the_one_operation_cannot_do_is_left_to_keras(change: dict[str, Any]) -> None:
    pixels = keras.Input((8, 8, 1))
    model = keras.Model(pixels, keras.layers.BatchNormalization(**change)(pixels))
    wanted = np.asarray(model(PIXELS, training=True))
    with training_kernels(model.layers, fused=True):
        np.testing.assert_array_equal(model(PIXELS, training=True), wanted)


@pytest.mark.parametrize("size", [14, 15])
def test_a_convolution_of_one_pixel_with_strides_has_the_right_gradient(size: int) -> None:
    """That of oneDNN on processors with AVX-512 has not, and ends the process."""
    random = np.random.default_rng(2)
    images = random.normal(size=(25, size, size, 6)).astype(np.float32)
    pixels = keras.Input(images.shape[1:])
    model = keras.Model(pixels, keras.layers.Conv2D(8, 1, strides=2, padding="same")(pixels))
    wanted = random.normal(size=(25, (size + 1) // 2, (size + 1) // 2, 8)).astype(np.float32)
    with training_kernels(model.layers), tf.GradientTape() as tape:
        outputs = model(images, training=True)
        loss = tf.reduce_sum(outputs * wanted)
    kernel, bias = tape.gradient(loss, model.trainable_variables)
    right = np.einsum("nhwi,nhwo->io", images[:, ::2, ::2], wanted)
    np.testing.assert_allclose(kernel[0, 0], right, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(bias, wanted.sum((0, 1, 2)), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(outputs, model(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("told", ["flags : fpu avx2 avx512f\n", None])
def test_a_processor_without_bfloat16_is_refused(tmp_path: Path, told: str | None) -> None:
    if told:
        (tmp_path / "cpuinfo").write_text(told)
    with pytest.raises(UserError, match="does not multiply bfloat16"):
        require_bfloat16(tmp_path / "cpuinfo")


@pytest.mark.parametrize("flag", ["amx_bf16", "avx512_bf16"])
def test_a_processor_with_bfloat16_is_taken(tmp_path: Path, flag: str) -> None:
    (tmp_path / "cpuinfo").write_text(f"flags : fpu {flag} amx_tile\n")
    require_bfloat16(tmp_path / "cpuinfo")
