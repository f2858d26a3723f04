"""The whole conversion: one float Keras model to every file that is asked for.

All files are made and checked in memory first; then each is written in one piece. A conversion that
fails or is interrupted leaves no file half-written, and none that is not what its name says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hemline import atomic
from hemline.card import ModelCard
from hemline.datasets import Dataset, open_dataset
from hemline.datasets.wardrobe import wardrobe_for
from hemline.errors import UserError
from hemline.parity.compare import DEFAULT_GATE
from hemline.parity.golden import PACK_SUFFIX, GoldenPack
from hemline.parity.result import Gate
from hemline_convert.c_header import c_header
from hemline_convert.calibration import DEFAULT_IMAGES, CalibrationSet, choose_calibration_images
from hemline_convert.calibration_check import CalibrationCheck
from hemline_convert.calibration_manifest import MANIFEST_SUFFIX
from hemline_convert.doctor import Checked, check
from hemline_convert.file_factory import INT8_KINDS, INTEGER_KINDS, FileFactory
from hemline_convert.golden_pack import make_golden_pack
from hemline_convert.keras_source import StatedCard, open_keras
from hemline_convert.left_over import note_of_left_over
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.report import ConversionFacts, conversion_page, measure_conversion
from hemline_convert.static_quantizer import StaticQuantizer

DEFAULT_GOLDEN_IMAGES = 1000
REPORT_SUFFIXES = (".report.html", ".report.json")
_MICRO = "int8_io.tflite"  # which gets a header for C++ beside it


@dataclass(frozen=True)
class ConversionConfig:
    """What to make of which model.

    Attributes:
        model: The `.keras` file.
        out: Folder for the files.
        tflite: Kinds of TFLite files, of `float32`, `float16`, `dynamic_range`, `int8`, `w8a16`,
            `mediapipe`, `int8_io`.
        onnx: Kinds of ONNX files, of `float32`, `int8`.
        data: Name or folder of a data set: its training split calibrates, its test split (or
            validation split) becomes the golden pack. Needed for int8, unless the model's card has
            ranges that were trained with it.
        calibration_images: How many pictures calibrate; None for as many as are good.
        golden_images: How many pictures the golden pack holds at most.
        golden_data: Data set of the golden pack, if another than `data`.
        recipe: How int8 files are quantized, and w8a16 ones but for the bits of the activations.
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
    calibration_images: int | None = None
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
        if self.recipe.granularity == "tensor" and not self.needs_ranges:
            raise UserError(
                "--per-tensor is for files with integer activations, and none is asked for",
                "give --int8 too, or leave --per-tensor out",
            )
        if self.gate is not None and (self.data is None or not self._has_int8):
            raise UserError(
                "--max-drop and --min-agreement need an int8 file and pictures to measure it on",
                "give --int8 and --data, the data that the model was trained on",
            )

    @property
    def needs_ranges(self) -> bool:
        """Whether a file with quantized activations is asked for."""
        return not set(INTEGER_KINDS).isdisjoint((*self.tflite, *self.onnx))

    @property
    def _has_int8(self) -> bool:
        return not set(INT8_KINDS).isdisjoint((*self.tflite, *self.onnx))


@dataclass(frozen=True)
class Conversion:
    """What was written.

    Attributes:
        files: The model files, the manifest of the calibration and the golden pack if there are any, and the
            report if one is asked for.
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
    dataset = None
    if config.data is not None:
        dataset = wardrobe_for(source.card.labels, open_dataset(config.data))
    golden, notes = make_golden_pack(
        source,
        dataset if config.golden_data is None else open_dataset(config.golden_data),
        config.golden_images,
    )
    card = source.card.replace(golden_sha256=golden.content_sha256 if golden else "")
    recipe = config.recipe.for_card(card)
    calibration = None
    if config.needs_ranges:
        if dataset is not None:
            _check_labels(dataset, card)
        if recipe.calibration != "trained":
            calibration = _calibration_set(config, card, dataset, golden)
            notes += _left_aside(card)
        elif config.calibration_images is not None:
            raise UserError(
                "the ranges were trained with the model (hemline train --qat), and no pictures calibrate",
                "leave out --calibration-images, or choose a method, such as --calibration min-max",
            )
    quantizer = StaticQuantizer(source, calibration)
    checked = None
    tflite, onnx = config.tflite, config.onnx
    if config.gate is None:  # else the doctor says it
        notes += _poor_set(quantizer.calibration_check)
    else:
        assert dataset is not None
        assert golden is not None
        checked = check(quantizer, recipe, dataset, golden, config.gate, str(config.model))
        if not checked:
            left = note_of_left_over(config.out, card, (), has_gate=True)
            return Conversion((), card, tuple(left), checked=checked)
        assert checked.consultation.kept is not None
        recipe = checked.consultation.kept.recipe
        tflite, onnx, more = _as_kept(config, recipe)
        notes += more
    factory = FileFactory(quantizer, card, recipe, golden)
    contents = factory.make(tflite, onnx)
    files, verdict = [], ""
    for suffix, content in contents.items():
        path = config.out / f"{card.name}_{suffix}"
        atomic.write_bytes(path, content)
        files.append(path)
    models = tuple(files)
    if _MICRO in contents:
        files.append(config.out / f"{card.name}_{_MICRO.removesuffix('.tflite')}.h")
        atomic.write_bytes(files[-1], c_header(card, contents[_MICRO]))
    if factory.manifest is not None:
        files.append(config.out / f"{card.name}{MANIFEST_SUFFIX}")
        atomic.write_bytes(files[-1], factory.manifest)
    if golden is not None:
        path = config.out / f"{card.name}{PACK_SUFFIX}"
        golden.save(path)
        if config.report:
            facts = measure_conversion(
                models, golden, path.name, quantizer, recipe, config.gate or DEFAULT_GATE, checked
            )
            verdict = facts.run.verdict
            files += [path, *_write_report(config.out / card.name, facts)]
        else:
            files.append(path)
    notes += _no_garment_found_by_others(card, models)
    notes += note_of_left_over(config.out, card, files, has_gate=config.gate is not None)
    return Conversion(tuple(files), card, tuple(notes), verdict, checked)


def _as_kept(
    config: ConversionConfig, recipe: QuantizationRecipe
) -> tuple[tuple[str, ...], tuple[str, ...], list[str]]:
    """Kinds of TFLite and ONNX files to make, and a note where what is kept is not int8 throughout.

    Nothing else may be called int8.
    """
    kind = recipe.kind
    if kind == "int8":
        return config.tflite, config.onnx, []
    tflite = tuple(dict.fromkeys(kind if k in INT8_KINDS else k for k in config.tflite))
    if kind not in tflite:
        tflite = (*tflite, kind)
    onnx = tuple(k for k in config.onnx if k != "int8")
    note = f"no int8 file was written, whatever was asked for: none passes; {kind} is TFLite only"
    return tflite, onnx, [note]


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
    count = DEFAULT_IMAGES if config.calibration_images is None else config.calibration_images
    return choose_calibration_images(dataset, card.input, count, exclude=exclude)


def _no_garment_found_by_others(card: ModelCard, models: Sequence[Path]) -> list[str]:
    """A note where a file is for a client that prepares pictures itself and cuts nothing out."""
    for path in models:
        if path.name.endswith("_mediapipe.tflite") and card.input.foreground == "garment":
            return [
                f"{path.name}: MediaPipe cuts no garment out of photos; give it garments on an even ground"
            ]
    return []


def _poor_set(check: CalibrationCheck | None) -> list[str]:
    return [] if check is None else [f"the calibration set is poor: {s}" for s in check.sentences]


def _left_aside(card: ModelCard) -> list[str]:
    if not card.activation_ranges:
        return []
    return ["the ranges that were trained with the model are left aside for calibrated ones"]


def _check_labels(dataset: Dataset, card: ModelCard) -> None:
    """Calibrating on other things than the model knows would give wrong ranges without a word."""
    if not set(dataset.labels) & set(card.labels):
        raise UserError(
            f"the data {dataset.name} has the classes {_some(dataset.labels)}, the model knows "
            f"{_some(card.labels)}",
            f"give the data that the model was trained on{_named(card)}",
        )


def _named(card: ModelCard) -> str:
    data = card.training.get("data")
    return f": its card says {data}" if data else ""


def _some(labels: Sequence[str]) -> str:
    return ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")
