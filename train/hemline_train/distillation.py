"""Teachers: trained networks from whose answers another one learns.

The teacher sees the very pixels that the network sees, shifted, mirrored and mixed alike, and answers anew
in each epoch: a consistent teacher (Beyer et al., 2022, arXiv:2106.05237). Only what a recipe lets tremble it
sees in rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hemline.card import InputSpec
from hemline.errors import UserError
from hemline_convert.float_tflite import pixels_to_logits
from hemline_convert.keras_source import KerasSource, open_keras
from hemline_train._tensorflow import tf
from hemline_train.batch_norm_folding import without_batch_norm
from hemline_train.images import TrainingImages
from hemline_train.layer_kernels import compute_in_bfloat16

Teacher = Callable[[Any], Any]  # from pixels to logits

TEACHER_SHARE = 0.9  # of the loss; the rest is that of the classes
TEMPERATURE = 2.0


def load_teachers(
    paths: Sequence[str], images: TrainingImages, spec: InputSpec, bfloat16: bool = False
) -> Teacher:
    """From float32 pixels of 0–255 to the logits of all teachers together: the mean of their chances.

    Args:
        paths: `.keras` files with cards, at least one. Their classes may be in another order.
        images: What the network is trained on.
        spec: Input of the network.
        bfloat16: Whether their convolutions are computed in it.

    Raises:
        UserError: A file cannot be read, or has other classes or another input.
        CardError: A file has no card.
    """
    sources = [open_keras(Path(path)) for path in paths]
    for path, source in zip(paths, sources, strict=True):
        _must_fit(path, source, images, spec)
    # Folded, they answer the same in less time.
    sources = [source.with_model(without_batch_norm(source.model)) for source in sources]
    if bfloat16:
        for source in sources:
            compute_in_bfloat16(source.network.layers)
    teachers = [_in_order(source, images.labels) for source in sources]

    def logits(pixels: Any) -> Any:
        chances = [tf.nn.softmax(teacher(pixels)) for teacher in teachers]
        mean = tf.add_n(chances) / len(chances)
        return tf.stop_gradient(tf.math.log(tf.maximum(mean, 1e-12)))

    return logits


def _in_order(source: KerasSource, labels: Sequence[str]) -> Teacher:
    """A teacher that answers in the order of these labels, which are its own."""
    logits: Teacher = pixels_to_logits(source)
    if source.card.labels == tuple(labels):
        return logits
    order = [source.card.labels.index(label) for label in labels]
    return lambda pixels: tf.gather(logits(pixels), order, axis=1)


def _must_fit(
    path: str,
    source: KerasSource,
    images: TrainingImages,
    spec: InputSpec,
) -> None:
    if set(source.card.labels) != set(images.labels):
        raise UserError(
            f"the teacher {path} knows {', '.join(source.card.labels)}; the data {images.name} has "
            f"{', '.join(images.labels)}",
            "give a teacher that was trained on the same classes",
        )
    # How pictures become pixels may differ: a teacher is shown the pixels of the network.
    if source.card.input.tensor_shape != spec.tensor_shape:
        raise UserError(
            f"the teacher {path} takes {source.card.input.size_text}, the network {spec.size_text}",
            "give a teacher with an input of the same size and colours",
        )
