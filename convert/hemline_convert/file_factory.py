"""The content of every file of one conversion, made and checked in memory."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline import __version__
from hemline.card import ModelCard
from hemline.parity.golden import GoldenPack
from hemline_convert import (
    float_tflite,
    mediapipe_file,
    onnx_file,
    quantize,
    tflite_file,
    trained_ranges,
    verify,
)
from hemline_convert.calibration import CalibrationSet, recipe_entry
from hemline_convert.calibration_manifest import calibration_manifest, digest
from hemline_convert.onnx_from_tflite import onnx_from_int8_tflite
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.static_quantizer import StaticQuantizer

INT8_KINDS = ("int8", "mediapipe", "int8_io")
INTEGER_KINDS = (*INT8_KINDS, "w8a16", "mixed")
_CHECKED_IMAGES = 100  # on which the files are compared with each other before they are written
_VERSIONED = ("tensorflow", "keras", "ai-edge-quantizer", "ai-edge-litert", "tf2onnx", "onnx")


class FileFactory:
    """Makes the files of one conversion; what several need is made once.

    Attributes:
        manifest: Content of the calibration's manifest; None where nothing is calibrated.
    """

    def __init__(
        self,
        quantizer: StaticQuantizer,
        card: ModelCard,
        recipe: QuantizationRecipe,
        golden: GoldenPack | None,
    ) -> None:
        self._source = quantizer.source
        self._card = card
        self._recipe = recipe
        self._calibration = quantizer.calibration
        self._quantizer = quantizer
        self._samples = self._check_images(quantizer.calibration, golden)
        self._float: bytes | None = None
        self.manifest: bytes | None = None
        if quantizer.calibration is not None:
            self.manifest = calibration_manifest(
                quantizer.calibration, card, recipe.calibration, _versions()
            )

    def make(self, tflite: tuple[str, ...], onnx: tuple[str, ...]) -> dict[str, bytes]:
        """The files of these kinds: content by the end of the file name, `int8.tflite`."""
        contents: dict[str, bytes] = {}
        for kind in tflite:
            make = {"mediapipe": self._mediapipe, "int8_io": self._int8_io}.get(kind, self._tflite)
            contents[f"{kind}.tflite"] = make(kind)
        for kind in onnx:
            contents[f"{kind}.onnx"] = self._onnx(kind)
        return contents

    def _tflite(self, kind: str) -> bytes:
        card = self._card_for(kind)
        if kind in INTEGER_KINDS:
            bare = self._quantizer.deployable(self._recipe_for(kind))
        elif kind == "float32":
            bare = self._float_tflite()
        elif kind == "float16":
            bare = quantize.float16_tflite(self._float_tflite())
        else:
            bare = quantize.dynamic_range_tflite(self._float_tflite())
        content = tflite_file.described(bare, card)
        name = f"{card.name}_{kind}.tflite"
        backend = verify.verify_tflite(name, content, kind, card)
        if kind == "float32":
            reference = float_tflite.keras_logits(self._source, self._samples)
            verify.verify_same_as_float(name, backend, self._samples, reference)
        return content

    def _int8_io(self, kind: str) -> bytes:
        card = self._card_for(kind)
        content = tflite_file.described(self._quantizer.integer_only(self._recipe), card)
        name = f"{card.name}_{kind}.tflite"
        backend = verify.verify_tflite(name, content, kind, card)
        logits = self._int8_logits(card, self._samples)
        verify.verify_same_logits(name, backend, logits, self._samples)
        return content

    def _int8_logits(self, card: ModelCard, samples: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the int8 TFLite file answers."""
        name, content = f"{card.name}_int8.tflite", tflite_file.described(self._int8_tflite(), card)
        backend = verify.verify_tflite(name, content, "int8", card)
        return np.array([backend.logits(tensor[None]) for tensor in samples])

    def _mediapipe(self, kind: str) -> bytes:
        card = self._card_for(kind)
        samples = self._samples
        if (
            card.input.foreground == "garment"
        ):  # may be bright to the rim, and the graph would invert it
            samples = samples.copy()
            samples[:, [0, -1]] = samples[:, :, [0, -1]] = 0
        logits = self._int8_logits(card, samples)
        content = mediapipe_file.mediapipe_tflite(self._int8_tflite(), card)
        own_card = mediapipe_file.card_for_mediapipe(card)
        content = tflite_file.described(content, own_card)
        name = f"{card.name}_{kind}.tflite"
        backend = verify.verify_tflite(name, content, kind, own_card)
        verify.verify_same_probabilities(name, backend, logits, samples, card.temperature)
        return content

    def _onnx(self, kind: str) -> bytes:
        card = self._card_for(kind)
        name = f"{card.name}_{kind}.onnx"
        if kind == "float32":
            content = onnx_file.described(onnx_file.onnx_from_keras(self._source), card)
            backend = verify.verify_onnx(name, content, kind, card)
            reference = float_tflite.keras_logits(self._source, self._samples)
            verify.verify_same_as_float(name, backend, self._samples, reference)
            return content
        tflite = self._int8_tflite()
        content = onnx_file.described(onnx_from_int8_tflite(tflite), card)
        backend = verify.verify_onnx(name, content, kind, card)
        twin = tflite_file.described(tflite, card)
        twin_backend = verify.verify_tflite(f"{card.name}_{kind}.tflite", twin, kind, card)
        verify.verify_same_quantized_network(name, twin, twin_backend, backend, self._samples)
        return content

    def _float_tflite(self) -> bytes:
        if self._float is None:
            self._float = float_tflite.tflite_from_keras(self._source)
        return self._float

    def _int8_tflite(self) -> bytes:
        return self._quantizer.deployable(self._recipe)

    def _recipe_for(self, kind: str) -> QuantizationRecipe:
        """The recipe of an integer file: `w8a16` may be made beside the others, and has its own."""
        if kind != "w8a16":
            return self._recipe
        return replace(self._recipe, activation_bits=16, float_layers=())

    def _card_for(self, kind: str) -> ModelCard:
        quantization: dict[str, Any] = {"kind": kind, "versions": _versions()}
        recipe = {
            **{integer: self._recipe_for(integer).to_json() for integer in INTEGER_KINDS},
            "float16": quantize.FLOAT16_RECIPE,
            "dynamic_range": quantize.DYNAMIC_RANGE_RECIPE,
        }.get(kind)
        if recipe is not None:
            quantization["recipe"] = recipe
        if kind in INTEGER_KINDS:
            quantization["calibration"] = self._calibration_entry()
        # Trained ranges are in the tensors of what is made with them, and of no use to the others.
        return self._card.replace(quantization=quantization, activation_ranges=())

    def _calibration_entry(self) -> dict[str, Any]:
        if self._calibration is None or self.manifest is None:
            return trained_ranges.recipe_entry()
        return recipe_entry(self._calibration, digest(self.manifest))

    def _check_images(
        self, calibration: CalibrationSet | None, golden: GoldenPack | None
    ) -> NDArray[np.uint8]:
        """Pictures to compare the files on, before they are written; noise where there are none."""
        if calibration is not None:
            return calibration.tensors[:_CHECKED_IMAGES]
        if golden is not None:
            return golden.tensors[:_CHECKED_IMAGES]
        shape = (_CHECKED_IMAGES, *self._card.input.tensor_shape[1:])
        return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _versions() -> dict[str, str]:
    return {"hemline": __version__, **{name: version(name) for name in _VERSIONED}}
