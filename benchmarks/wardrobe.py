"""How good the shipped model for photos is, and how well it knows that it does not know.

python benchmarks/wardrobe.py                       # photos and images that nothing was chosen by
python benchmarks/wardrobe.py MODEL --held-out      # those that were held out of training to choose by

The photos are the validation part of clothing-dataset-small (`garment-photos` below HEMLINE_DATA), the images
the 10,000 test images of Fashion-MNIST, the frames without a garment are drawn (`other_things.py` shows real
ones). All go through the file that `hemline classify` runs. No time is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hemline.atomic import write_text
from hemline.card import InputSpec
from hemline.datasets import open_dataset
from hemline.datasets.wardrobe import GROUP_NAMES, WARDROBE_LABELS
from hemline.errors import UserError
from hemline.modelfile import LoadedModel, load_model
from hemline.parity.metrics import wilson_interval
from hemline.preprocess import Frame, Preprocessor
from hemline_train.int8_file import answers_of
from hemline_train.wardrobe.classes import group_matrix
from hemline_train.wardrobe.nothing import KEPT_OUT, TRAINED
from hemline_train.wardrobe.score import (
    GarmentScore,
    Share,
    auroc_summary,
    calibration_error,
    confidences,
    garment_score,
    refused,
)
from hemline_train.wardrobe.shoe_kinds import shoe_kind
from hemline_train.wardrobe.sources import (
    FASHION_MNIST,
    GARMENT_PHOTOS,
    measured,
    nothing_pictures,
    read_sources,
)
from hemline_train.wardrobe.views import View

EACH = 100  # frames of each kind without a garment
SEED = 3  # not that of training, nor that of fitting the threshold
VIEWS = 8  # of each photo, as of a camera that is held in the hand
_SHIFT, _ZOOM, _TURN, _LIGHT = 0.02, 0.03, 0.02, 0.05  # how far they differ: shares, radians

Pixels = NDArray[np.uint8]
Groups = NDArray[np.int64]


class _Part(NamedTuple):
    pixels: Pixels
    groups: Groups
    names: tuple[str, ...] = ()


def main() -> int:
    """Run the measurement from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="wardrobe", help="shipped name, or model file")
    parser.add_argument(
        "--held-out", action="store_true", help="the pictures that were held out to choose by"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE")
    arguments = parser.parse_args()
    try:
        figures = measure(arguments)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.json is not None:
        write_text(arguments.json, json.dumps(figures, indent=1) + "\n")
    return 0


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Print the tables, and give their figures."""
    model = load_model(arguments.model)
    card = model.card
    if card.labels != WARDROBE_LABELS:
        raise UserError(
            f"{arguments.model} has the labels {', '.join(card.labels)}",
            f"give a model with those of wardrobe: {', '.join(WARDROBE_LABELS)}",
        )
    print(
        f"{card.name}: temperature {card.temperature}, unknown below {card.rejection_threshold}\n"
    )
    parts = _held_out(card.input) if arguments.held_out else _kept(card.input)
    nothing = {
        title: {
            kind: confidences(answers_of(model.backend, pixels), card.temperature)
            for kind, pixels in nothing_pictures(card.input, kinds, EACH, SEED).items()
        }
        for title, kinds in (("trained kinds", TRAINED), ("other kinds", KEPT_OUT))
    }
    every = {title: np.concatenate(list(kinds.values())) for title, kinds in nothing.items()}
    figures: dict[str, Any] = {}
    for name, part in parts.items():
        logits = answers_of(model.backend, part.pixels)
        score = garment_score(logits, part.groups, group_matrix(), card.temperature)
        figures[name] = _told(name, score, card.rejection_threshold, every)
        if shoes := _kinds_of_shoes(logits, part.names):
            print("Shoes whose kind is plain to see, named by it: " + in_percent(shoes) + "\n")
            figures[name]["kinds of shoes"] = shoes.summary()
    print("Frames without a garment that are answered with unknown")
    for title, kinds in nothing.items():
        shares = {kind: refused(found, card.rejection_threshold) for kind, found in kinds.items()}
        shares |= {title: refused(every[title], card.rejection_threshold)}
        figures[title] = {kind: share.summary() for kind, share in shares.items()}
        for kind, share in shares.items():
            print(f"  {kind:<22}{in_percent(share)}")
        print()
    if not arguments.held_out:
        figures["steady"] = _steady(model)
    return figures


def in_percent(share: Share) -> str:
    """Such as `88.3 % (84.4–91.3; 301 of 341)`."""
    low, high = wilson_interval(share.hits, share.of)
    interval = f"{100 * low:.1f}–{100 * high:.1f}"
    return f"{100 * share.rate:.1f} % ({interval}; {share.hits} of {share.of})"


def _kept(spec: InputSpec) -> dict[str, _Part]:
    photos = open_dataset(GARMENT_PHOTOS).split("validation")
    names = tuple(photos.source(i) for i in range(len(photos)))
    return {
        "photos": _Part(*measured(photos, spec), names),
        "Fashion-MNIST": _Part(*measured(open_dataset(FASHION_MNIST).split("test"), spec)),
    }


def _held_out(spec: InputSpec) -> dict[str, _Part]:
    sources = read_sources(spec)
    return {
        "photos": _Part(*sources.choosing, sources.choosing_names),
        "Fashion-MNIST": _Part(*sources.fashion_choosing),
    }


def _kinds_of_shoes(logits: NDArray[np.float32], names: Sequence[str]) -> Share | None:
    """How many of the shoes whose kind is known have its name; None where no kind is known."""
    kinds = {i: kind for i, name in enumerate(names) if (kind := shoe_kind(name))}
    if not kinds:
        return None
    named = logits.argmax(axis=1)
    right = sum(WARDROBE_LABELS[named[i]] == kind for i, kind in kinds.items())
    return Share(right, len(kinds))


def _told(
    name: str, score: GarmentScore, threshold: float, nothing: dict[str, NDArray[np.floating]]
) -> dict[str, Any]:
    """Print what a model does on garments, and give the figures."""
    lost = refused(score.confidences, threshold)
    areas = {kind: auroc_summary(score.confidences, found) for kind, found in nothing.items()}
    print(f"{name}: {in_percent(score.top1)} right")
    print(f"  macro recall            {100 * score.macro_recall:.1f} %")
    noise = calibration_noise(score.confidences)
    print(
        f"  calibration error       {score.calibration_error:.3f} (a perfect model's: {noise:.3f})"
    )
    print(f"  answered with unknown   {in_percent(lost)}")
    for kind, area in areas.items():
        low, high = area["interval_95"]
        print(f"  AUROC, {kind:<17}{area['area']:.3f} ({low:.3f}–{high:.3f})")
    print("\n" + "\n".join(confusion_in_words(score)) + "\n")
    return {
        "right": score.top1.summary(),
        "macro_recall": score.macro_recall,
        "calibration_error": score.calibration_error,
        "calibration_error_of_a_perfect_model": noise,
        "unknown": lost.summary(),
        "auroc": areas,
        "confusion": score.confusion.tolist(),
    }


def calibration_noise(found: NDArray[np.float64]) -> float:
    """The calibration error that chance alone gives with as many pictures and the same confidences.

    The mean over 200 draws in which each picture is right as likely as the model says.
    """
    rng = np.random.default_rng(SEED)
    draws = (calibration_error(rng.random(len(found)) < found, found) for _ in range(200))
    return float(np.mean(list(draws)))


def confusion_in_words(score: GarmentScore) -> Sequence[str]:
    """A line for each kind of garment: how many are right, and what the others are taken for."""
    lines = []
    for group, share in score.recalls().items():
        taken = score.taken_for(group, WARDROBE_LABELS, 4)
        lines.append(f"  {GROUP_NAMES[group]}: {in_percent(share)}" + (taken and f"; {taken}"))
    return lines


def _steady(model: LoadedModel) -> dict[str, Any]:
    """How many photos keep one label while the camera trembles."""
    split = open_dataset(GARMENT_PHOTOS).split("validation")
    preprocess = Preprocessor(model.card.input)
    rng = np.random.default_rng(SEED)
    one = 0
    for index in range(len(split)):
        tensors = [preprocess(frame)[0].copy() for frame in trembling(split.frame(index), rng)]
        one += len(set(answers_of(model.backend, np.stack(tensors)).argmax(axis=1).tolist())) == 1
    share = Share(one, len(split))
    print(f"Photos with one label in all of {VIEWS} trembling views: {in_percent(share)}")
    return share.summary()


def trembling(photo: Frame, rng: np.random.Generator) -> list[Frame]:
    """Views of a photo as of a camera in the hand: moved, turned, nearer, lighter, by a few percent."""
    height, width = photo.shape[:2]
    frames = []
    for _ in range(VIEWS):
        right, down, zoom, turn, light = rng.uniform(-1, 1, 5)
        centre = width * (0.5 + _SHIFT * right), height * (0.5 + _SHIFT * down)
        size = width * (1 + _ZOOM * zoom), height * (1 + _ZOOM * zoom)
        view = View(centre, size, _TURN * turn, np.zeros((4, 2)), mirrored=False)
        shown = view.of(photo, (width, height), cv2.BORDER_REPLICATE)
        frames.append(np.clip(shown * (1 + _LIGHT * light), 0, 255).astype(np.uint8))
    return frames


if __name__ == "__main__":
    sys.exit(main())
