"""The whole conversion: one float Keras model to every file that is asked for.

All files are made and checked in memory first; then each is written in one piece. A conversion that
fails or is interrupted leaves no file half-written, and none that is not what its name says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline import __version__, atomic
from hemline.card import ModelCard
from hemline.datasets import Dataset, open_dataset
from hemline.errors import UserError
from hemline.parity.compare import DEFAULT_GATE
from hemline.parity.golden import PACK_SUFFIX, GoldenPack
from hemline.parity.result import Gate
from hemline_convert import (
    float_tflite,
    mediapipe_file,
    onnx_file,
    quantize,
    tflite_file,
    trained_ranges,
    verify,
)
from hemline_convert.calibration import (
    DEFAULT_IMAGES,
    CalibrationSet,
    balanced,
    choose_calibration_images,
    recipe_entry,
)
from hemline_convert.doctor import Checked, check
from hemline_convert.keras_source import KerasSource, StatedCard, open_keras
from hemline_convert.onnx_from_tflite import onnx_from_int8_tflite
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.report import ConversionFacts, conversion_page, measure_conversion
from hemline_convert.static_quantizer import StaticQuantizer

DEFAULT_GOLDEN_IMAGES = 1000
REPORT_SUFFIXES = (".report.html", ".report.json")
_INT8 = ("int8", "mediapipe")
_INTEGER = (*_INT8, "w8a16", "mixed")
_CHECKED_IMAGES = 100  # on which the files are compared with each other before they are written
_VERSIONED = ("tensorflow", "keras", "ai-edge-quantizer", "ai-edge-litert", "tf2onnx", "onnx")


@dataclass(frozen=True)
class ConversionConfig:
    """What to make of which model.

    Attributes:
        model: The `.keras` file.
        out: Folder for the files.
        tflite: Kinds of TFLite files, of `float32`, `float16`, `dynamic_range`, `int8`, `mediapipe`.
        onnx: Kinds of ONNX files, of `float32`, `int8`.
        data: Name or folder of a data set: its training split calibrates, its test split (or
            validation split) becomes the golden pack. Needed for int8, unless the model's card has
            ranges that were trained with it.
        calibration_images: How many pictures calibrate.
        golden_images: How many pictures the golden pack holds at most.
        golden_data: Data set of the golden pack, if another than `data`.
        recipe: How int8 files are quantized.
        stated: What the user says of a model without a card.
        gate: Where given, the doctor examines the int8 network, mends it where it fails, and nothing is
            written that does not pass.
        report: Whether to write `NAME.report.html` and `NAME.report.json`; they need a golden pack.
    """

    model: Path
    out: Path
    tflite: tuple[str, ...] = ("int8",)
    onnx: tuple[str, ...] = ("int8",)
    data: str | None = None
    calibration_images: int = DEFAULT_IMAGES
    golden_images: int = DEFAULT_GOLDEN_IMAGES
    golden_data: str | None = None
    recipe: QuantizationRecipe = field(default_factory=QuantizationRecipe)
    stated: StatedCard = field(default_factory=StatedCard)
    gate: Gate | None = None
    report: bool = False

    def __post_init__(self) -> None:
        if not self.tflite and not self.onnx:
            raise UserError("nothing to make", "choose one or more of --int8, --float32, …")
        if self.golden_images < 1:
            raise UserError(f"--golden-images is {self.golden_images}", "it must be at least 1")
        if self.gate is not None and (self.data is None or not self.needs_ranges):
            raise UserError(
                "--max-drop and --min-agreement need an int8 file and pictures to measure it on",
                "give --int8 and --data, the data that the model was trained on",
            )

    @property
    def needs_ranges(self) -> bool:
        """Whether a file with quantized activations is asked for."""
        return not set(_INTEGER).isdisjoint((*self.tflite, *self.onnx))


@dataclass(frozen=True)
class Conversion:
    """What was written.

    Attributes:
        files: The model files, the golden pack if there is one, and the report if one is asked for.
        card: The card that the files share, but for the quantization.
        notes: What the user should know.
        verdict: Of the report in one line; empty without one.
        checked: What the doctor found, and how the golden pack bears it out; None where no gate was given.
    """

    files: tuple[Path, ...]
    card: ModelCard
    notes: tuple[str, ...]
    verdict: str = ""
    checked: Checked | None = None

    @property
    def has_golden_pack(self) -> bool:
        """Whether parity can be checked with what was written."""
        return any(path.name.endswith(PACK_SUFFIX) for path in self.files)


def convert(config: ConversionConfig) -> Conversion:
    """Convert a model.

    With a gate nothing is written where nothing passes; `Conversion.checked` says why.

    Raises:
        UserError: The model, the data or the folder cannot be used, or a file would not be what its
            name claims. Nothing is written then, but for files that were complete already.
    """
    source = open_keras(config.model, config.stated)
    dataset = open_dataset(config.data) if config.data is not None else None
    golden, notes = _golden_pack(config, source, dataset)
    card = source.card.replace(golden_sha256=golden.content_sha256 if golden else "")
    recipe = config.recipe.for_card(card)
    calibration = None
    if config.needs_ranges:
        if dataset is not None:
            _check_labels(dataset, card)
        if recipe.calibration != "trained":
            calibration = _calibration_set(config, card, dataset, golden)
    quantizer = StaticQuantizer(source, calibration)
    checked = None
    if config.gate is not None:
        assert dataset is not None
        assert golden is not None
        checked = check(quantizer, recipe, dataset, golden, config.gate, str(config.model))
        if not checked:
            return Conversion((), card, (), checked=checked)
        assert checked.consultation.kept is not None
        recipe = checked.consultation.kept.recipe
        config, more = _as_kept(config, recipe)
        notes += more
    contents = _Factory(quantizer, card, recipe, golden).make(config)
    files, verdict = [], ""
    for suffix, content in contents.items():
        path = config.out / f"{card.name}_{suffix}"
        atomic.write_bytes(path, content)
        files.append(path)
    if golden is not None:
        path = config.out / f"{card.name}{PACK_SUFFIX}"
        golden.save(path)
        if config.report:
            facts = measure_conversion(
                files, golden, path.name, quantizer, recipe, config.gate or DEFAULT_GATE, checked
            )
            verdict = facts.run.verdict
            files += [path, *_write_report(config.out / card.name, facts)]
        else:
            files.append(path)
    return Conversion(tuple(files), card, tuple(notes), verdict, checked)


def _as_kept(
    config: ConversionConfig, recipe: QuantizationRecipe
) -> tuple[ConversionConfig, list[str]]:
    """What to make instead, where what is kept is not int8 throughout: nothing else may be called so."""
    kind = recipe.kind
    if kind == "int8":
        return config, []
    tflite = tuple(dict.fromkeys(kind if k in _INT8 else k for k in config.tflite))
    if kind not in tflite:
        tflite = (*tflite, kind)
    onnx = tuple(k for k in config.onnx if k != "int8")
    note = (
        f"no int8 file was written, TFLite, ONNX or MediaPipe: none passes; {kind} is TFLite only"
    )
    return replace(config, tflite=tflite, onnx=onnx), [note]


def _write_report(stem: Path, facts: ConversionFacts) -> tuple[Path, Path]:
    page, numbers = Path(f"{stem}{REPORT_SUFFIXES[0]}"), Path(f"{stem}{REPORT_SUFFIXES[1]}")
    text = json.dumps(facts.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    atomic.write_text(numbers, text + "\n")
    atomic.write_text(page, conversion_page(facts))
    return page, numbers


def _calibration_set(
    config: ConversionConfig, card: ModelCard, dataset: Dataset | None, golden: GoldenPack | None
) -> CalibrationSet:
    if dataset is None:
        raise UserError(
            "int8 needs pictures to calibrate with, and none are given",
            "give the data that the model was trained on: --data fashion-mnist, or --data FOLDER "
            "with one sub-folder per class; pictures of its training split are used",
        )
    exclude = golden.tensors if golden else None
    return choose_calibration_images(
        dataset, card.input, config.calibration_images, exclude=exclude
    )


class _Factory:
    """Makes the files of one conversion; what several need is made once."""

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

    def make(self, config: ConversionConfig) -> dict[str, bytes]:
        """Content by the end of the file name: `int8.tflite`."""
        contents: dict[str, bytes] = {}
        for kind in config.tflite:
            make = self._mediapipe if kind == "mediapipe" else self._tflite
            contents[f"{kind}.tflite"] = make(kind)
        for kind in config.onnx:
            contents[f"{kind}.onnx"] = self._onnx(kind)
        return contents

    def _tflite(self, kind: str) -> bytes:
        card = self._card_for(kind)
        if kind in _INTEGER:
            bare = self._int8_tflite()
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
            reference = keras_logits(self._source, self._samples)
            verify.verify_same_as_float(name, backend, self._samples, reference)
        return content

    def _mediapipe(self, kind: str) -> bytes:
        card = self._card_for(kind)
        int8 = self._int8_tflite()
        twin = verify.verify_tflite(
            f"{card.name}_int8.tflite", tflite_file.described(int8, card), "int8", card
        )
        logits = np.array([twin.logits(tensor[None]) for tensor in self._samples])
        content = mediapipe_file.mediapipe_tflite(int8, card)
        own_card = mediapipe_file.card_for_mediapipe(card)
        content = tflite_file.described(content, own_card)
        name = f"{card.name}_{kind}.tflite"
        backend = verify.verify_tflite(name, content, kind, own_card)
        verify.verify_same_probabilities(name, backend, logits, self._samples, card.temperature)
        return content

    def _onnx(self, kind: str) -> bytes:
        card = self._card_for(kind)
        name = f"{card.name}_{kind}.onnx"
        if kind == "float32":
            content = onnx_file.described(onnx_file.onnx_from_keras(self._source), card)
            backend = verify.verify_onnx(name, content, kind, card)
            reference = keras_logits(self._source, self._samples)
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

    def _card_for(self, kind: str) -> ModelCard:
        quantization: dict[str, Any] = {"kind": kind, "versions": _versions()}
        recipe = {
            **dict.fromkeys(_INTEGER, self._recipe.to_json()),
            "float16": quantize.FLOAT16_RECIPE,
            "dynamic_range": quantize.DYNAMIC_RANGE_RECIPE,
        }.get(kind)
        if recipe is not None:
            quantization["recipe"] = recipe
        if kind in _INTEGER:
            quantization["calibration"] = (
                recipe_entry(self._calibration)
                if self._calibration is not None
                else trained_ranges.recipe_entry()
            )
        # Trained ranges are in the tensors of what is made with them, and of no use to the others.
        return self._card.replace(quantization=quantization, activation_ranges=())

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


def keras_logits(source: KerasSource, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits of the float model: uint8 (N, H, W, C) to float32 (N, classes)."""
    logits = float_tflite.pixels_to_logits(source)
    batches = [np.asarray(logits(tensors[at : at + 250])) for at in range(0, len(tensors), 250)]
    return np.concatenate(batches)


def _golden_pack(
    config: ConversionConfig, source: KerasSource, dataset: Dataset | None
) -> tuple[GoldenPack | None, list[str]]:
    if config.golden_data is not None:
        dataset = open_dataset(config.golden_data)
    if dataset is None:
        return None, [
            "no golden pack was written, since no data is given (--data): parity cannot be checked"
        ]
    split = dataset.evaluation_split()
    indices = balanced(split.targets, config.golden_images)
    tensors = split.tensors(source.card.input, indices, description="golden pack")
    scores = keras_logits(source, tensors)
    pack = GoldenPack.build(split, indices, source.card, scores, tensors)
    notes = []
    if dataset.name != "drawn":  # those the project made itself, and anybody may have them
        notes.append(
            f"the golden pack holds {len(pack)} pictures of {dataset.name}/{split.name}, and the report "
            "shows those that flipped: mind whose they are before you publish them"
        )
    if len(pack) < len(indices):
        notes.append(
            f"the golden pack is full with {len(pack)} of {len(indices)} pictures (64 MiB)"
        )
    return pack, notes


def _check_labels(dataset: Dataset, card: ModelCard) -> None:
    """Calibrating on other things than the model knows would give wrong ranges without a word."""
    if not set(dataset.labels) & set(card.labels):
        raise UserError(
            f"the data {dataset.name} has the classes {_some(dataset.labels)}, the model knows "
            f"{_some(card.labels)}",
            "give the data that the model was trained on",
        )


def _some(labels: Sequence[str]) -> str:
    return ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")


def _versions() -> dict[str, str]:
    return {"hemline": __version__, **{name: version(name) for name in _VERSIONED}}
