"""Which calibration method, granularity and bias correction keep the float model's answers best.

python benchmarks/calibration_methods.py                              # the shipped network, Fashion-MNIST
python benchmarks/calibration_methods.py NET.keras --counts 100 --choices 10

Each recipe is tried with several sets of calibration pictures: so many of them (`--counts`), and for each
count several choices from the training split (`--choices`), since one choice may suit one recipe by accident.
The answers are compared on the validation split; the test split is never read.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline import models
from hemline.atomic import write_text
from hemline.card import InputSpec
from hemline.datasets import Dataset, open_dataset
from hemline.datasets.split import TRAIN, VALIDATION
from hemline.errors import UserError
from hemline.progress import progress
from hemline_convert.calibration import CalibrationSet, choose_calibration_images
from hemline_convert.doctor.patient import Outcome, file_logits, outcome_of
from hemline_convert.float_run import float_logits
from hemline_convert.keras_source import StatedCard, open_keras
from hemline_convert.recipe import GRANULARITIES, QuantizationRecipe
from hemline_convert.static_quantizer import StaticQuantizer

METHODS = ("min-max", "percentile", "entropy", "mse")
RECIPES = (
    *(
        QuantizationRecipe(method, granularity, bias_corrected=corrected)
        for granularity, method, corrected in itertools.product(
            GRANULARITIES, METHODS, (False, True)
        )
    ),
    *(QuantizationRecipe("min-max", activation_bits=16, bias_corrected=c) for c in (False, True)),
)


_WIDTHS = (6, 10, 8, 9, 9, 15, 7, 18)
_HEADER = (
    "kind", "ranges", "weights", "biases", "same in %", "least – most", "drop", "least – most",
)  # fmt: skip


def main() -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="paper", help="shipped name, or .keras file")
    parser.add_argument("--data", default="fashion-mnist", help="name or folder of a data set")
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 200, 500], metavar="N")
    parser.add_argument("--choices", type=int, default=5, help="choices of pictures for each count")
    parser.add_argument(
        "--kinds", nargs="+", choices=("int8", "w8a16"), default=["int8", "w8a16"],
        help="w8a16 is slow: LiteRT has reference kernels for it alone",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE")
    arguments = parser.parse_args()
    try:
        rows = measure(arguments)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.json is not None:
        write_text(arguments.json, json.dumps(rows, indent=1) + "\n")
    return 0


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Quantize with every recipe and every set of pictures, compare, and print a line for each recipe."""
    model = Path(models.source_path_of(arguments.model) or arguments.model)
    source = open_keras(model, StatedCard())
    dataset = open_dataset(arguments.data)
    network = StaticQuantizer(source, None).network
    split = dataset.split(VALIDATION)
    tensors = split.tensors(source.card.input)
    reference = float_logits(network, tensors, source.normalization)
    quantizers = []
    for calibration in shuffled_sets(
        dataset, source.card.input, arguments.counts, arguments.choices
    ):
        quantizers.append(StaticQuantizer(source, calibration))
        quantizers[-1].network = network
    print(
        f"{arguments.model}: {len(tensors):,} pictures of {dataset.name}/{split.name}, "
        f"{len(quantizers)} calibration sets of {', '.join(map(str, arguments.counts))} pictures; same: "
        "answers of the float model; drop: points of accuracy"
    )
    _print_row(_HEADER)
    rows = []
    for recipe in RECIPES:
        if recipe.kind not in arguments.kinds:
            continue
        outcomes = [
            outcome_of(reference, file_logits(made.deployable(recipe), tensors), split.targets)
            for made in progress(quantizers, recipe.kind, len(quantizers))
        ]
        _print_row(_cells(recipe, outcomes))
        rows.append(
            {"recipe": recipe.to_json(), "outcomes": [outcome.to_json() for outcome in outcomes]}
        )
    return rows


def _cells(recipe: QuantizationRecipe, outcomes: list[Outcome]) -> tuple[str, ...]:
    same = [100 * outcome.agreement for outcome in outcomes]
    drops = [outcome.paired.drop_points for outcome in outcomes]
    return (
        recipe.kind,
        recipe.calibration,
        recipe.granularity,
        "corrected" if recipe.bias_corrected else "as is",
        f"{statistics.mean(same):.3f}",
        f"{min(same):.2f} – {max(same):.2f}",
        f"{statistics.mean(drops):+.3f}",
        f"{min(drops):+.3f} – {max(drops):+.3f}",
    )


def _print_row(cells: tuple[str, ...]) -> None:
    row = "  ".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
    print(row.rstrip(), flush=True)


def shuffled_sets(
    dataset: Dataset, spec: InputSpec, counts: list[int], choices: int
) -> Iterator[CalibrationSet]:
    """Sets of each size; the first choice is the one that `hemline convert` makes."""
    train = dataset.split(TRAIN)
    for choice, count in itertools.product(range(choices), counts):
        order: NDArray[np.int64] = np.arange(len(train))
        if choice:
            order = np.random.default_rng(choice).permutation(len(train))
        shuffled = Dataset(dataset.name, dataset.labels, {TRAIN: train.subset(order)})
        yield choose_calibration_images(shuffled, spec, count)


if __name__ == "__main__":
    sys.exit(main())
