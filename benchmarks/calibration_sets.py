"""What the check of a calibration set measures on sound sets and on poor ones: the figures behind its limits.

python benchmarks/small_networks.py NETWORKS
python benchmarks/calibration_sets.py paper NETWORKS/residual.keras NETWORKS/depthwise.keras

Sound are choices from the training split, and garments that hemline draws. Each kind of set is a line: how
many sets there were, how many were accused, and of what; the least share of right answers; and by what
factor the ranges of two halves differ, in the typical and in the worst activation. `--methods` adds that of
the worst for each method, where the halves are quantized by it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from calibration_methods import METHODS, shuffled_sets
from numpy.typing import NDArray

from hemline import models
from hemline.card import ModelCard
from hemline.datasets import FASHION_MNIST_LABELS, Dataset, open_dataset
from hemline.datasets.arrays import ArraySplit
from hemline.datasets.split import TRAIN
from hemline.errors import UserError
from hemline_convert.calibration import CalibrationSet, choose_calibration_images
from hemline_convert.calibration_check import CalibrationCheck, check_calibration, range_ratios
from hemline_convert.keras_source import KerasSource, StatedCard, open_keras
from hemline_convert.observation import Observations
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.static_quantizer import StaticQuantizer
from hemline_convert.trained_ranges import activation_names
from hemline_train.drawn_garments import LABELS, draw_garment

COUNTS = [100, 200, 300, 500]
DRAWN_OF_EACH = 100
POOR_COUNT = 200
WORDS = {"they are": "few", "they show": "classes", "the float": "kind", "two halves": "halves"}
HEADER = ("", "sets", "accused", "of", "right, least", "typical ratio", "largest ratio")


def main() -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", default=["paper"], help="shipped names, .keras files")
    parser.add_argument("--data", default="fashion-mnist", help="name or folder of a data set")
    parser.add_argument("--choices", type=int, default=10, help="choices of pictures of each kind")
    parser.add_argument("--methods", action="store_true", help="the halves by every method too")
    arguments = parser.parse_args()
    try:
        for model in arguments.models:
            print(f"\n{model}")
            _table(_lines(model, arguments))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _lines(model: str, arguments: argparse.Namespace) -> list[tuple[str, ...]]:
    source = open_keras(Path(models.source_path_of(model) or model), StatedCard())
    network = StaticQuantizer(source, None).network
    checks: dict[str, list[CalibrationCheck]] = defaultdict(list)
    by_method: dict[str, list[list[float]]] = defaultdict(list)
    data = open_dataset(arguments.data)
    for kind, calibration in _sets(data, source.card, arguments.choices):
        observations = Observations(network, calibration, source.normalization)
        checks[kind].append(check_calibration(network, observations, source.card))
        if arguments.methods:
            by_method[kind].append(_ratio_by_method(network, calibration, source))
    head = (*HEADER, *(METHODS if arguments.methods else ()))
    rows = [head]
    for kind, found in checks.items():
        more = [_spread(column) for column in zip(*by_method[kind], strict=True)]
        rows.append((*_row(kind, found), *more))
    return rows


def _row(kind: str, found: list[CalibrationCheck]) -> tuple[str, ...]:
    complaints = [complaint.problem for check in found for complaint in check.complaints]
    counted = Counter(
        next(word for start, word in WORDS.items() if text.startswith(start)) for text in complaints
    )
    return (
        kind,
        str(len(found)),
        str(sum(not check for check in found)),
        ", ".join(f"{word} {count}" for word, count in counted.items()),
        f"{min(check.right / max(check.known, 1) for check in found):.2f}",
        _spread([check.typical_ratio for check in found]),
        _spread([check.largest_ratio for check in found]),
    )


def _spread(ratios: Sequence[float]) -> str:
    middle, high = np.quantile(ratios, (0.5, 0.95))
    return f"{middle:.2f}, 95 % {high:.2f}, most {max(ratios):.2f}"


def _ratio_by_method(
    network: bytes, calibration: CalibrationSet, source: KerasSource
) -> list[float]:
    halves = [
        Observations(network, _part(calibration, calibration.halves == half), source.normalization)
        for half in (0, 1)
    ]
    found = []
    for method in METHODS:
        one, other = (half.ranges(QuantizationRecipe(method)) for half in halves)
        found.append(max(range_ratios(one, other, activation_names(network)).values()))
    return found


def _part(calibration: CalibrationSet, chosen: NDArray[np.bool_]) -> CalibrationSet:
    names = tuple(np.array(calibration.pictures)[chosen].tolist())
    tensors, targets = calibration.tensors[chosen], calibration.targets[chosen]
    return replace(calibration, tensors=tensors, targets=targets, pictures=names)


def _sets(data: Dataset, card: ModelCard, choices: int) -> Iterator[tuple[str, CalibrationSet]]:
    """Sound sets and then poor ones, each with its kind."""
    for name, dataset in ((data.name, data), ("drawn", _drawn())):
        for calibration in shuffled_sets(dataset, card.input, COUNTS, choices):
            yield f"{name}, {len(calibration.tensors)}", calibration
    for calibration in shuffled_sets(data, card.input, [10, 20, 50], choices):
        yield f"{data.name}, {len(calibration.tensors)}", calibration
    chance = np.random.default_rng(0)
    for calibration in shuffled_sets(data, card.input, [POOR_COUNT], choices):
        pictures = calibration.tensors
        levels = chance.integers(0, 256, (len(pictures), 1, 1, 1), np.uint8)
        speck = pictures.copy()
        speck[0] = 0
        speck[0, ::2, ::2] = 255
        spoilt = {
            "black": np.zeros_like(pictures),
            "each of one grey": np.broadcast_to(levels, pictures.shape).copy(),
            "noise": chance.integers(0, 256, pictures.shape, np.uint8),
            "the same picture": np.repeat(pictures[:1], len(pictures), 0),
            "a fifth as bright": pictures // 5,
            "inverted": 255 - pictures,
            "one is a chequerboard": speck,
        }
        for kind, tensors in spoilt.items():
            yield kind, replace(calibration, tensors=tensors)
    train = data.split(TRAIN)
    for count in (1, 2, 4, 5):
        for choice in range(choices):
            shown = np.random.default_rng(choice).permutation(len(data.labels))[:count]
            part = train.subset(np.flatnonzero(np.isin(train.targets, shown)))
            some = Dataset(data.name, data.labels, {TRAIN: part})
            calibration = choose_calibration_images(some, card.input, POOR_COUNT)
            yield f"{count} of {len(data.labels)} classes", calibration


def _drawn() -> Dataset:
    chance = np.random.default_rng(4)
    pictures = [draw_garment(label, chance, 28) for label in LABELS for _ in range(DRAWN_OF_EACH)]
    targets = np.repeat(np.arange(len(LABELS)), DRAWN_OF_EACH)
    split = ArraySplit(TRAIN, FASHION_MNIST_LABELS, np.array(pictures), targets, "drawn/train")
    return Dataset("drawn", FASHION_MNIST_LABELS, {TRAIN: split})


def _table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
