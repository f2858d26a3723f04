"""How many photos of garments a grey Fashion-MNIST network names rightly, by how they are prepared.

python benchmarks/garment_photos.py                        # the shipped network, training photos
python benchmarks/garment_photos.py -m compact --split validation

The photos are those of clothing-dataset-small (`garment-photos` below HEMLINE_DATA), by default. Seven of
its ten classes are classes of Fashion-MNIST too, "shoes" any of three; hats, shorts and skirts are left out.
Rules are chosen on the training photos; the validation photos are for reporting. No time is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import _grabcut
import cv2
import numpy as np

from hemline.atomic import write_text
from hemline.card import InputSpec
from hemline.datasets import open_dataset
from hemline.datasets.split import TRAIN, VALIDATION
from hemline.errors import UserError
from hemline.modelfile import LoadedModel, load_model
from hemline.parity.metrics import wilson_interval
from hemline.preprocess import Frame, Preprocessor
from hemline.progress import progress

SHOES = ("Sandal", "Sneaker", "Ankle boot")
ANSWERS = {
    "t-shirt": ("T-shirt/top",),
    "pants": ("Trouser",),
    "longsleeve": ("Pullover",),
    "dress": ("Dress",),
    "outwear": ("Coat",),
    "shirt": ("Shirt",),
    "shoes": SHOES,
}
OURS = "garment"
_GRABCUT_SIDE = 128  # of 256: four times as fast as whole photos, and no worse


@dataclass(frozen=True)
class Result:
    """What a rule gave.

    Attributes:
        rule: Its name.
        right, photos: How many were named rightly, and of how many.
        interval: Wilson's 95 % interval of the share.
        recall: The share of each class.
        confusion: Of each class, how often each label was the answer.
    """

    rule: str
    right: int
    photos: int
    interval: tuple[float, float]
    recall: dict[str, float]
    confusion: dict[str, dict[str, int]]

    @property
    def macro_recall(self) -> float:
        """The mean of the classes' shares."""
        return sum(self.recall.values()) / len(self.recall)


def main() -> int:
    """Run the measurement from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-m", "--model", default="paper", help="shipped name, or model file")
    parser.add_argument("--data", default="garment-photos", help="name or folder of a data set")
    parser.add_argument("--split", choices=(TRAIN, VALIDATION), default=TRAIN)
    parser.add_argument("--rules", nargs="+", choices=tuple(_RULES), default=list(_RULES))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE")
    arguments = parser.parse_args()
    try:
        results = measure(arguments)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.json is not None:
        content = [asdict(result) | {"macro_recall": result.macro_recall} for result in results]
        write_text(arguments.json, json.dumps(content, indent=1) + "\n")
    return 0


def measure(arguments: argparse.Namespace) -> list[Result]:
    """Prepare the photos by every rule, name them, print the table and what is confused."""
    cv2.setNumThreads(1)
    model = load_model(arguments.model)
    wanted = {label for labels in ANSWERS.values() for label in labels}
    if missing := wanted - set(model.card.labels):
        raise UserError(
            f"{arguments.model} has no {', '.join(sorted(missing))}",
            "give a model with the labels of Fashion-MNIST",
        )
    frames, truths = photos(arguments.data, arguments.split)
    print(f"{model.card.name}: {len(frames):,} photos of {arguments.data}/{arguments.split}\n")
    classes = [name for name in ANSWERS if name in truths]
    print(
        f"{'rule':<20}{'right':>7}  {'share (95 % interval), %':<26}{'macro':>6}  recall of",
        *classes,
    )
    results = []
    for rule in arguments.rules:
        result = named(model, rule, frames, truths)
        results.append(result)
        low, high = result.interval
        share = f"{100 * result.right / result.photos:.1f} ({100 * low:.1f}–{100 * high:.1f})"
        recall = "  ".join(f"{name} {100 * result.recall[name]:.0f}" for name in classes)
        print(
            f"{rule:<20}{result.right:>7}  {share:<26}{100 * result.macro_recall:>6.1f}  {recall}"
        )
    print(f"\nWith the rule {results[-1].rule!r}:")
    print("\n".join(confusion_in_words(results[-1])))
    return results


def photos(data: str, split_name: str) -> tuple[list[Frame], list[str]]:
    """The photos of the classes that both data sets have, and the names of their classes."""
    split = open_dataset(data).split(split_name)
    if missing := set(ANSWERS) - set(split.labels):
        raise UserError(
            f"{data} has no class {', '.join(sorted(missing))}", "give the data set garment-photos"
        )
    chosen = [i for i, target in enumerate(split.targets) if split.labels[target] in ANSWERS]
    frames = [split.frame(i) for i in progress(chosen, "reading photos", len(chosen))]
    return frames, [split.labels[split.targets[i]] for i in chosen]


def named(model: LoadedModel, rule: str, frames: list[Frame], truths: list[str]) -> Result:
    """Prepare all photos by one rule, and compare the likeliest labels with what is true."""
    prepare = _RULES[rule](model.card.input)
    counts: dict[str, Counter[str]] = {truth: Counter() for truth in truths}
    for frame, truth in zip(progress(frames, rule, len(frames)), truths, strict=True):
        scores = model.backend.logits(prepare(frame))
        counts[truth][model.card.labels[int(np.argmax(scores))]] += 1
    right = {truth: sum(of[label] for label in ANSWERS[truth]) for truth, of in counts.items()}
    total = sum(right.values())
    return Result(
        rule,
        total,
        len(frames),
        wilson_interval(total, len(frames)),
        {truth: right[truth] / of.total() for truth, of in counts.items()},
        {truth: dict(of) for truth, of in counts.items()},
    )


def confusion_in_words(result: Result) -> list[str]:
    """A sentence for each class: how many are right, and what the others are taken for."""
    lines = []
    for truth, of in result.confusion.items():
        wrong = [
            (label, n) for label, n in Counter(of).most_common() if label not in ANSWERS[truth]
        ]
        taken = ", ".join(f"{label} ({n})" for label, n in wrong[:4]) or "nothing"
        right = sum(of.get(label, 0) for label in ANSWERS[truth])
        lines.append(f"  {truth}: {right} of {sum(of.values())} right; else taken for {taken}")
    return lines


_Prepare = Callable[[Frame], Frame]


def _by_card(**changes: str) -> Callable[[InputSpec], _Prepare]:
    return lambda spec: Preprocessor(replace(spec, **changes))  # type: ignore[arg-type]


def _inverted(spec: InputSpec) -> _Prepare:
    preprocess = Preprocessor(replace(spec, resize="stretch", foreground="as-is"))
    return lambda frame: 255 - preprocess(frame)


def _by_grabcut(spec: InputSpec) -> _Prepare:
    preprocess = Preprocessor(replace(spec, foreground="as-is"))
    return lambda frame: preprocess(_grabcut.cut_out(frame, _GRABCUT_SIDE))


_RULES: dict[str, Callable[[InputSpec], _Prepare]] = {
    "plain": _by_card(resize="stretch", foreground="as-is"),
    "inverted": _inverted,
    "light-on-dark": _by_card(foreground="light-on-dark"),
    "GrabCut": _by_grabcut,
    OURS: _by_card(foreground="garment"),
}

if __name__ == "__main__":
    sys.exit(main())
