"""TensorFlow as a backend: its own TFLite interpreter as a last resort, and Keras models as reference.

They are found through the entry point group `hemline.backends`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.backends import Backend, TensorSpec
from hemline.backends._tflite import TfliteBackend
from hemline.card import ModelCard, Normalization
from hemline.integrity import must_be_unaltered
from hemline.zipcard import read_zip_card


class TensorFlowBackend(TfliteBackend):
    """`tf.lite.Interpreter`: deprecated in favour of LiteRT, yet there wherever TensorFlow is."""

    name = "tensorflow"
    module = "tensorflow"
    _is_light = False  # TensorFlow has threads of its own

    def _interpreter_class(self) -> tuple[Any, str]:
        from hemline_convert._tensorflow import tf

        return tf.lite.Interpreter, tf.__version__


class KerasBackend(Backend):
    """A float `.keras` model, fed with pixels."""

    name = "keras"
    suffixes = (".keras",)
    module = "tensorflow"
    can_crash = False  # the archive has a checksum of each member

    def __init__(self, path: str, content: bytes, num_threads: int) -> None:
        del num_threads  # TensorFlow's threads are set for the process, not for a model
        from hemline_convert._tensorflow import keras, tf
        from hemline_convert.keras_source import load_keras, starts_with_rescaling

        self.version = keras.__version__
        self.card_json = read_zip_card(path, content)
        must_be_unaltered(path, content, self.card_json)
        model = load_keras(Path(path))
        self._model = model
        self._takes_pixels = starts_with_rescaling(model)
        shape = (1, *model.inputs[0].shape[1:])
        self._function = tf.function(
            lambda image: model(image, training=False),
            input_signature=[tf.TensorSpec(shape, tf.float32)],
        )
        # Pixels are widened here, so for the callers it takes what deployable files take.
        self.input = TensorSpec(shape, np.dtype(np.uint8))
        self.output = TensorSpec((1, int(model.outputs[0].shape[-1])), np.dtype(np.float32))

    def feed(self, normalization: Normalization) -> None:
        """A model with a `Rescaling` in front takes pixels, whatever its card says."""
        super().feed(Normalization() if self._takes_pixels else normalization)

    def run(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """One inference; the returned array is the caller's."""
        shifted = tensor.astype(np.float32) - np.float32(self._normalization.zero_point)
        output: NDArray[Any] = self._function(
            shifted * np.float32(self._normalization.scale)
        ).numpy()
        return output

    def float_tflite(self, card: ModelCard) -> bytes:
        """The model as float32 TFLite; do not run the backend any more, a softmax at its end is gone."""
        from hemline_convert.float_tflite import tflite_from_keras
        from hemline_convert.keras_source import KerasSource, without_rescaling, without_softmax

        model = without_softmax(self._model)
        network, found = without_rescaling(model)
        return tflite_from_keras(
            KerasSource(model, network, found or card.normalization, card, card.source_sha256)
        )
