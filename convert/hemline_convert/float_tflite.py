"""Float TFLite models from Keras: the network alone, to quantize, and the deployable file."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline.quiet import holding_back_stderr
from hemline_convert._tensorflow import tf
from hemline_convert.keras_source import KerasSource


def network_tflite_from_keras(source: KerasSource) -> bytes:
    """The bare network as float32 TFLite: float32 (1, H, W, C), normalized, to float32 (1, classes)."""
    shape = source.card.input.tensor_shape
    return _converted(_frozen(source.network), tf.TensorSpec(shape, tf.float32, name="image"))


def tflite_from_keras(source: KerasSource) -> bytes:
    """The deployable float32 file: uint8 (1, H, W, C), the pixels as they are, to float32 logits."""
    shape = source.card.input.tensor_shape
    return _converted(
        pixels_to_logits(source, _frozen(source.network)),
        tf.TensorSpec(shape, tf.uint8, name="image"),
    )


def pixels_to_logits(source: KerasSource, network: Any = None) -> Any:
    """The network with its normalization in front, as a function of uint8 pixels.

    Args:
        source: The model.
        network: Stands in for the source's network; by default that itself, in inference mode.
    """
    normalization = source.normalization
    if network is None:
        network = functools.partial(source.network, training=False)

    def logits(image: Any) -> Any:
        shifted = tf.cast(image, tf.float32)
        if normalization.zero_point:
            shifted -= float(normalization.zero_point)
        return network(shifted * normalization.scale)

    return logits


def keras_logits(source: KerasSource, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits of the float model: uint8 (N, H, W, C) to float32 (N, classes)."""
    logits = pixels_to_logits(source)
    batches = [np.asarray(logits(tensors[at : at + 250])) for at in range(0, len(tensors), 250)]
    return np.concatenate(batches)


def _frozen(network: Any) -> Any:
    """The network in inference mode with its weights as constants.

    With variables the converter would leave READ_VARIABLE operators in the file, which few runtimes
    run and nothing can quantize.
    """
    trainable = [tf.constant(variable) for variable in network.trainable_variables]
    rest = [tf.constant(variable) for variable in network.non_trainable_variables]

    def forward(image: Any) -> Any:
        return network.stateless_call(trainable, rest, image, training=False)[0]

    return forward


def _converted(function: Any, signature: Any) -> bytes:
    concrete = tf.function(function).get_concrete_function(signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    with holding_back_stderr():
        content: bytes = converter.convert()
    return content
