r"""How often a model takes something else for a garment: real pictures, in folders that were not trained on.

python benchmarks/other_things.py wardrobe --pictures FOLDER --data garment-photos

FOLDER holds pictures without garments, in sub-folders by kind. Some hundreds, photographed and drawn, are in
Debian's package of stamps for Tux Paint:

apt-get download tuxpaint-stamps-default && dpkg -x tuxpaint-stamps-default_*.deb stamps
python benchmarks/other_things.py --pictures stamps/usr/share/tuxpaint/stamps --without clothes symbols \
    food hobbies household medical naturalforces plants space sports town

`clothes` are garments, `symbols` letters, and the others the shipped `wardrobe` was trained with.

A picture with a transparent ground is cut to what can be seen and laid on a drawn ground, the same at every
call. Each sub-folder is a line: how many pictures, and how many of them are answered with `unknown`, with
its 95 % interval. The last lines tell garments from all of them: the area under the curve, and garments lost.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hemline import Classifier
from hemline.datasets import open_dataset
from hemline.errors import UserError
from hemline.parity.metrics import wilson_interval
from hemline_train.wardrobe.backdrops import Backdrops
from hemline_train.wardrobe.score import auroc_summary

SIDE, MARGIN = 256, 28
SEED = 5
SUFFIXES = {".png", ".jpg", ".jpeg"}

Picture = NDArray[np.uint8]


def main() -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="wardrobe", help="shipped name or a file")
    parser.add_argument("--pictures", type=Path, required=True, help="folder without garments")
    parser.add_argument("--without", nargs="*", default=[], help="sub-folders to leave out")
    parser.add_argument("--data", default="garment-photos", help="name or folder with garments")
    arguments = parser.parse_args()
    try:
        _measure(arguments)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _measure(arguments: argparse.Namespace) -> None:
    classifier = Classifier(arguments.model)
    split = open_dataset(arguments.data).evaluation_split()
    garments = np.array([classifier.classify(split.frame(i)).confidence for i in range(len(split))])
    found: dict[str, list[float]] = defaultdict(list)
    taken_for: Counter[str] = Counter()
    grounds = Backdrops(None, SEED)
    for kind, frame in _frames(arguments.pictures, arguments.without, grounds):
        answer = classifier.classify(frame)
        found[kind].append(answer.confidence)
        if answer.confidence >= classifier.threshold:
            taken_for[answer.label] += 1
    every = np.array([confidence for of_kind in found.values() for confidence in of_kind])
    if not len(every):
        raise UserError(
            f"{arguments.pictures} holds no picture", "give a folder with .png or .jpg files"
        )
    print(f"{classifier.card.name}, unknown below {classifier.threshold:.3f}\n")
    for kind, confidences in [*sorted(found.items()), ("all of them", every)]:
        print(_line(kind, np.array(confidences), classifier.threshold, "answered with unknown"))
    print(f"taken for: {', '.join(f'{name} {n}' for name, n in taken_for.most_common())}\n")
    print(_line(f"garments ({split.name})", garments, classifier.threshold, "lost as unknown"))
    curve = auroc_summary(garments, every)
    low, high = curve["interval_95"]
    print(f"AUROC of garments against them: {curve['area']:.3f} ({low:.3f}–{high:.3f})")


def _frames(folder: Path, without: list[str], grounds: Backdrops) -> Iterator[tuple[str, Picture]]:
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if path.suffix.lower() not in SUFFIXES or inner.parts[0] in without:
            continue
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if picture is None or picture.dtype != np.uint8:
            continue
        if picture.ndim == 3 and picture.shape[2] == 4:
            rng = np.random.default_rng((SEED, zlib.crc32(str(inner).encode())))
            picture = _on_ground(picture, grounds.drawn(rng, (SIDE, SIDE)))
        yield inner.parts[0] if len(inner.parts) > 1 else ".", np.asarray(picture, np.uint8)


def _on_ground(cutout: Picture, ground: Picture) -> Picture:
    """What can be seen of a cut-out, in the middle of a ground."""
    rows, columns = (np.flatnonzero((cutout[:, :, 3] > 25).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return ground
    seen = cutout[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    ratio = (SIDE - 2 * MARGIN) / max(seen.shape[:2])
    size = max(1, round(seen.shape[1] * ratio)), max(1, round(seen.shape[0] * ratio))
    seen = cv2.resize(seen, size, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    place = ground[top : top + size[1], left : left + size[0]]
    cover = seen[:, :, 3:].astype(np.float32) / 255
    place[...] = np.rint(seen[:, :, :3] * cover + place * (1 - cover))
    return ground


def _line(title: str, confidences: NDArray[np.floating], threshold: float, what: str) -> str:
    below, of = int((confidences < threshold).sum()), len(confidences)
    low, high = wilson_interval(below, of)
    return f"{title:24} {below:4} of {of:4} {what}: {below / of:.1%} ({low:.1%}–{high:.1%})"


if __name__ == "__main__":
    sys.exit(main())
