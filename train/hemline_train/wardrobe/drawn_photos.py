"""Photos of garments that the project draws itself: a golden pack for models in colour that may be shipped.

python -m hemline_train.wardrobe.drawn_photos --out FOLDER
hemline convert MODEL.keras --int8 --data wardrobe --golden-data FOLDER

The ten classes of Fashion-MNIST, in turns as a shop shows them (`hemline_train.drawn_garments.photo_like`),
as Fashion-MNIST has them (grey on black, 28×28), and dyed and laid on drawn walls and floors. So a pack of
them asks for all that such a model is made for. The accuracy of a model on them says nothing of photos.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hemline._opencv import cv2
from hemline.atomic import write_bytes
from hemline.datasets.wardrobe import FASHION_MNIST_GROUPS
from hemline.errors import UserError
from hemline_train.drawn_garments import LYING, draw_garment, photo_like, transparent_picture
from hemline_train.drawn_garments import SIDE as GREY_SIDE
from hemline_train.wardrobe.backdrops import Backdrops
from hemline_train.wardrobe.cutouts import SIDE, Shape, dyed, laid
from hemline_train.wardrobe.light import Picture, Rng

# Photos of a class. Nothing is trained on the few that a data set must have.
EACH = {"train": 6, "test": 21}
_SEED = 4  # arbitrary, but none of `hemline_train.drawn_garments`
_QUALITY = 85
_WIDE_WH, _TALL_WH = (160, 120), (120, 160)  # small, since packs travel with the package


def drawn_photos(split: str) -> Iterator[tuple[str, Picture]]:
    """Draw the photos of a split, the same at every call.

    Args:
        split: A key of `EACH`.

    Yields:
        The label, of `hemline.datasets.wardrobe.WARDROBE_LABELS`, and uint8, (height, width, 3), BGR, or
        (28, 28), grey.
    """
    grounds = Backdrops(None, _SEED)
    for kind, (drawn, label) in enumerate(FASHION_MNIST_GROUPS.items()):
        size_wh = _WIDE_WH if drawn in LYING else _TALL_WH
        for number in range(EACH[split]):
            rng = np.random.default_rng((_SEED, *split.encode(), kind, number))
            if number % 3 == 0:
                yield label, photo_like(drawn, rng, size_wh)
            elif number % 3 == 1:
                yield label, draw_garment(drawn, rng, GREY_SIDE)
            else:
                cutout = dyed(_shape(drawn, rng), rng, grounds)
                fill = float(rng.uniform(0.7, 0.95))
                yield label, laid([cutout], grounds(rng, size_wh), rng, fill)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the photos, a folder for each class; the exit status is 0, or 1 if they cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m hemline_train.wardrobe.drawn_photos")
    parser.description = "Draw photos of garments, as a data set of which all may be published."
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    out: Path = parser.parse_args(argv).out
    try:
        for split in EACH:
            for number, (label, photo) in enumerate(drawn_photos(split)):
                suffix = ".jpg" if photo.ndim == 3 else ".png"  # as such pictures come
                _, content = cv2.imencode(suffix, photo, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
                write_bytes(out / split / label / f"{number:03d}{suffix}", content.tobytes())
            print(f"{number + 1} photos in {out / split}")
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _shape(drawn: str, rng: Rng) -> Shape:
    picture = transparent_picture(drawn, rng, (SIDE, SIDE))
    shade = (picture[:, :, 0] / 255).astype(np.float32)
    return Shape(shade, np.ascontiguousarray(picture[:, :, 3]))


if __name__ == "__main__":
    sys.exit(main())
