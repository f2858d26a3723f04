from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hemline import models
from hemline.card import Normalization
from hemline.datasets import FASHION_MNIST_LABELS
from hemline.errors import CardError, UserError

pytestmark = pytest.mark.slow


def head(layers, x, activation=None):
    return layers.Dense(10, activation=activation)(layers.Flatten()(x))


def nested(keras, *behind, activation=None):
    pixels = keras.Input((8, 8, 1))
    outputs = head(keras.layers, pixels, activation)
    for layer in behind:
        outputs = layer(outputs)
    return keras.Model(pixels, outputs)


def test_a_leading_rescaling_becomes_the_normalization(untrained):
    from hemline_convert._tensorflow import keras
    from hemline_convert.keras_source import open_keras

    layers = keras.layers
    pixels = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3)(layers.Rescaling(1 / 127.5, offset=-1)(pixels))
    source = open_keras(untrained(keras.Model(pixels, head(layers, x))))
    assert source.normalization == Normalization(1 / 127.5, 128)


def test_a_softmax_at_the_end_is_left_out_in_whatever_form_it_stands_there(untrained):
    from hemline_convert._tensorflow import keras
    from hemline_convert.keras_source import open_keras

    layers = keras.layers
    forms = {
        "activation, functional": lambda x: keras.Model(x, head(layers, x, "softmax")),
        "layer, functional": lambda x: keras.Model(x, layers.Softmax()(head(layers, x))),
        "activation, in a model at the end": lambda x: keras.Sequential(
            [x, layers.Activation("relu"), nested(keras, activation="softmax")]
        ),
        "layer, in a model at the end": lambda x: keras.Sequential(
            [x, layers.Activation("relu"), nested(keras, layers.Softmax())]
        ),
        "layer, in a model at the end of a functional one": lambda x: keras.Model(
            x, nested(keras, layers.Softmax())(layers.Conv2D(1, 1)(x))
        ),
        "activation, sequential": lambda x: keras.Sequential(
            [x, layers.Flatten(), layers.Dense(10, activation="softmax")]
        ),
        "layer, sequential": lambda x: keras.Sequential(
            [x, layers.Flatten(), layers.Dense(10), layers.Softmax()]
        ),
    }
    for name, build in forms.items():
        model = build(keras.Input((8, 8, 1)))
        source = open_keras(untrained(model))
        batch = np.random.default_rng(0).random((2, 8, 8, 1), np.float32)
        logits = np.asarray(source.network(batch))
        exponents = np.exp(logits - logits.max(1, keepdims=True))
        softmax = exponents / exponents.sum(1, keepdims=True)
        assert np.allclose(softmax, np.asarray(model(batch)), atol=1e-6), name
        assert not np.allclose(logits.sum(1), 1, atol=1e-3), name


def test_a_model_without_card_needs_labels_and_without_rescaling_a_scale(untrained):
    from hemline_convert._tensorflow import keras
    from hemline_convert.keras_source import StatedCard, open_keras

    x = keras.Input((8, 8, 1))
    path = untrained(keras.Model(x, head(keras.layers, x)), with_card=False)
    with pytest.raises(UserError, match="no model card") as error:
        open_keras(path)
    assert "--labels" in error.value.hint
    with pytest.raises(UserError, match="Rescaling") as error:
        open_keras(path, StatedCard(labels=FASHION_MNIST_LABELS))
    assert "--input-scale" in error.value.hint
    with pytest.raises(UserError, match="9 labels for 10 outputs"):
        open_keras(path, StatedCard(labels=FASHION_MNIST_LABELS[:9], input_scale=1.0))
    source = open_keras(path, StatedCard(labels=FASHION_MNIST_LABELS, input_scale=0.5))
    assert source.normalization.scale == 0.5


def test_what_is_no_image_classifier_is_refused(untrained):
    from hemline_convert._tensorflow import keras
    from hemline_convert.keras_source import open_keras

    x = keras.Input((16,))
    with pytest.raises(UserError, match="image classifier"):
        open_keras(untrained(keras.Model(x, keras.layers.Dense(3)(x)), with_card=False))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no Keras model"),  # nothing
        (b"just text", "no Keras model"),  # another kind of file
    ],
)
def test_a_file_that_is_no_keras_model_is_refused(tmp_path, content, message):
    from hemline_convert.keras_source import open_keras

    path = tmp_path / "x.keras"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        open_keras(path)


def test_a_keras_model_cut_in_half_is_refused(keras_model, tmp_path):
    from hemline_convert.keras_source import open_keras

    path = tmp_path / "half.keras"
    path.write_bytes(keras_model.read_bytes()[: keras_model.stat().st_size // 2])
    with pytest.raises(UserError, match=r"half\.keras"):
        open_keras(path)


@pytest.mark.parametrize("said", [{"labels": ("a", "b")}, {"input_scale": 1.0}])
def test_what_the_card_says_is_not_said_again(said):
    from hemline_convert.keras_source import StatedCard, open_keras

    path = Path(models.source_path_of("paper"))
    with pytest.raises(CardError, match="carries its own model card, which says what --"):
        open_keras(path, StatedCard(**said))
    assert open_keras(path, StatedCard(name="mine")).card.name == "mine"
