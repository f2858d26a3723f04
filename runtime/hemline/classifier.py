"""The classifier: a frame in, a label out."""

from __future__ import annotations

import os
from _thread import allocate_lock  # `threading` would take 2 ms of each start
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hemline.card import ModelCard
from hemline.errors import ImageError, UserError
from hemline.images import decode_for, read_content
from hemline.modelfile import load_model
from hemline.models import DEFAULT
from hemline.preprocess import Preprocessor
from hemline.scores import softmax, top_k

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemline.preprocess import Frame

UNKNOWN = "unknown"


class Latency(NamedTuple):
    """Where the time of one frame went, in milliseconds."""

    preprocess: float
    inference: float
    total: float


class Classification(NamedTuple):
    """The answer for one frame.

    Attributes:
        label: The likeliest class, or `unknown` if its confidence is below the threshold.
        confidence: Probability of the likeliest class, 0–1.
        top: The likeliest labels with their probabilities, best first.
        latency_ms: Where the time went.
    """

    label: str
    confidence: float
    top: list[tuple[str, float]]
    latency_ms: Latency


class Classifier:
    """Classifies frames with one model.

    Several threads may use one: they take turns, but for reading and decoding files. To have them infer at
    the same time, make one for each.

    Args:
        model: Name of a shipped model (`hemline models` lists them), or path of a model file.
        backend: `litert`, `tflite-runtime`, `onnxruntime`, `numpy` or `tensorflow`; by default the
            first installed one that runs the file.
        num_threads: Threads of one inference; small models are fastest with 1.
        top_k: How many labels `Classification.top` has.
        threshold: A top confidence below it is answered with `unknown`; by default the card's.
        card: For a model file that carries no card.

    Attributes:
        probabilities: Of the latest answer, for all classes: float64, (classes,), in the order of the
            card's labels. None before the first; with several threads, of whichever was the latest.

    Raises:
        UserError: The model cannot be had, is damaged, or does not fit its card.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT,
        *,
        backend: str | None = None,
        num_threads: int = 1,
        top_k: int = 3,
        threshold: float | None = None,
        card: ModelCard | None = None,
    ) -> None:
        if not isinstance(top_k, (int, np.integer)) or top_k < 1:
            raise UserError(f"top-k is {top_k!r}", "it must be a whole number, at least 1")
        if threshold is not None and not _is_share(threshold):
            raise UserError(f"the threshold is {threshold!r}", "it must be a number from 0 to 1")
        loaded = load_model(model, backend=backend, num_threads=num_threads, card=card)
        self.card = loaded.card
        self.path = loaded.path
        self.backend = loaded.backend
        self.top_k = min(top_k, len(self.card.labels))
        self.threshold = self.card.rejection_threshold if threshold is None else threshold
        self.probabilities: NDArray[np.float64] | None = None
        self._preprocess = Preprocessor(self.card.input)
        self._lock = allocate_lock()  # the interpreter and the buffers are for one thread at a time

    def classify(self, frame_bgr: Frame) -> Classification:
        """Name what a frame shows.

        Args:
            frame_bgr: uint8, (H, W, 3) in **BGR** order as OpenCV gives it (not RGB), or grey as
                (H, W); any size.

        Raises:
            ImageError: The array is no such frame.
        """
        with self._lock:
            start = perf_counter()
            pixels = self._preprocess(frame_bgr)
            return self._answer(pixels, (perf_counter() - start) * 1e3)

    def classify_file(self, path: str | os.PathLike[str]) -> Classification:
        """Name what a picture file shows. `latency_ms` leaves out reading and decoding it.

        A large JPEG is decoded no further than the model needs, which is several times faster than
        reading all of it.

        Raises:
            ImageError: The file is missing, empty, cut off, no picture, or too large.
        """
        name = os.fspath(path)
        return self.classify_content(read_content(name), name)

    def classify_content(self, content: bytes, name: str) -> Classification:
        """Name what the content of a picture file shows; `name` is for messages.

        Raises:
            ImageError: As `classify_file`.
        """
        frame, picture_wh = decode_for(content, name, self.card.input)
        with self._lock:
            start = perf_counter()
            pixels = self._preprocess(frame, picture_wh)
            return self._answer(pixels, (perf_counter() - start) * 1e3)

    def classify_tensor(
        self, pixels: NDArray[np.uint8], *, preprocess_ms: float = 0.0
    ) -> Classification:
        """Name what a preprocessed tensor shows.

        Args:
            pixels: uint8, (1, height, width, channels), from a `Preprocessor` of this card.
            preprocess_ms: What making it took, for the sum.

        Raises:
            ImageError: The tensor has another shape or type.
        """
        if pixels.shape != self.card.input.tensor_shape or pixels.dtype != np.uint8:
            raise ImageError(
                f"the tensor is {pixels.dtype} {pixels.shape}",
                f"{self.card.name} takes uint8 {self.card.input.tensor_shape}; "
                "classify() takes frames of any size",
            )
        with self._lock:
            return self._answer(pixels, preprocess_ms)

    def _answer(self, pixels: NDArray[np.uint8], preprocess_ms: float) -> Classification:
        start = perf_counter()
        logits = self.backend.logits(pixels)
        inferred = perf_counter()
        self.probabilities = probabilities = softmax(logits, self.card.temperature)
        label, confidence, top = named(probabilities, self.card, self.top_k, self.threshold)
        total_ms = preprocess_ms + (perf_counter() - start) * 1e3
        latency_ms = Latency(preprocess_ms, (inferred - start) * 1e3, total_ms)
        return Classification(label, confidence, top, latency_ms)


def _is_share(threshold: object) -> bool:
    return isinstance(threshold, (int, float, np.floating)) and bool(0 <= threshold <= 1)


def named(
    probabilities: NDArray[np.float64], card: ModelCard, k: int, threshold: float
) -> tuple[str, float, list[tuple[str, float]]]:
    """The label of one picture, its confidence, and the `k` likeliest labels with theirs."""
    top = top_k(probabilities, card.labels, k)
    label, confidence = top[0]
    return (UNKNOWN if confidence < threshold else label), confidence, top
