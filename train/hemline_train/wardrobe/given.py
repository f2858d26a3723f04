"""A user's own pictures of what is no garment: of their room, or cut-outs of things."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hemline._opencv import cv2
from hemline.datasets.split import unusable_pictures
from hemline.errors import DataError, ImageError
from hemline.images import decode_cutout, read_content
from hemline.sources.listing import expand
from hemline_train.wardrobe.backdrops import Backdrops
from hemline_train.wardrobe.cutouts import laid
from hemline_train.wardrobe.light import Picture, Rng
from hemline_train.wardrobe.photos import shrunk
from hemline_train.wardrobe.views import drawn_view

_HELD_OUT_OF = 7  # of about so many pictures one is not trained on
_OPAQUE = 250  # of 255: a picture that is nowhere more transparent is no cut-out
_RIM = 0.06  # share of a whole picture that a view of it may leave out on each side


@dataclass(frozen=True)
class GivenPictures:
    """Pictures without a garment.

    Attributes:
        pictures: uint8, (H, W, 3), BGR, or (H, W, 4), BGRA, of a thing that is cut out. At least one.
    """

    pictures: tuple[Picture, ...]

    def __len__(self) -> int:
        return len(self.pictures)

    def frame(self, rng: Rng, size_wh: tuple[int, int], grounds: Backdrops) -> Picture:
        """A view of one of them, or of a cut-out on a ground: uint8, (height, width, 3), BGR."""
        picture = self.pictures[int(rng.integers(len(self.pictures)))]
        if picture.shape[2] == 4:
            return laid([picture], grounds(rng, size_wh), rng, float(rng.uniform(0.45, 1.0)))
        height, width = picture.shape[:2]
        box = _RIM * width, _RIM * height, (1 - _RIM) * width, (1 - _RIM) * height
        fill = float(rng.uniform(0.9, 1.6))
        view = drawn_view(rng, box, size_wh[0] / size_wh[1], fill, 0.09, 0.05)
        return view.of(picture, size_wh, cv2.BORDER_REFLECT_101)

    def digest(self) -> bytes:
        """SHA-256 over the pictures."""
        digest = hashlib.sha256()
        for picture in self.pictures:
            digest.update(str(picture.shape).encode())
            digest.update(np.ascontiguousarray(picture).data)
        return digest.digest()


def read_given(
    folders: Sequence[str], long_side: int, threads: int = 1
) -> tuple[GivenPictures, GivenPictures | None]:
    """Read folders of pictures without a garment.

    Args:
        folders: Picture files in them and in their sub-folders are read.
        long_side: Larger pictures are shrunk to it, in pixels.
        threads: Pictures that are read at the same time; the outcome does not depend on it.

    Returns:
        Those to train on, and those to judge by: about one of seven, by a hash of its content; None if there
        are none.

    Raises:
        DataError: A folder is not there, or has no picture, or pictures that cannot be read.
    """
    for folder in folders:
        if not Path(folder).is_dir():
            problem = "is a file" if Path(folder).exists() else "is not there"
            raise DataError(f"{folder} {problem}", "--nothing takes a folder of pictures")
    names = []
    for source in expand(list(folders)):
        if source.kind == "nothing":
            raise DataError(source.problem, "put pictures without garments there")
        names.append(source.name)
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda name: _read(name, long_side), names))
    unusable = [each for each in found if isinstance(each, ImageError)]
    if unusable:
        raise unusable_pictures(unusable, len(found), "--nothing") from unusable[0]
    read = [each for each in found if not isinstance(each, ImageError)]
    kept = [int.from_bytes(digest[:4]) % _HELD_OUT_OF == 0 for _, digest in read]
    if all(kept):
        kept = [False] * len(kept)
    trained = tuple(picture for (picture, _), held in zip(read, kept, strict=True) if not held)
    judged = tuple(picture for (picture, _), held in zip(read, kept, strict=True) if held)
    return GivenPictures(trained), GivenPictures(judged) if judged else None


def _read(name: str, long_side: int) -> tuple[Picture, bytes] | ImageError:
    """A picture and the hash of its file, or why there is none."""
    try:
        content = read_content(name)
        picture = decode_cutout(content, name)
    except ImageError as error:
        return error
    if picture.shape[2] == 4 and int(picture[:, :, 3].min()) >= _OPAQUE:
        picture = picture[:, :, :3]
    return shrunk(picture, long_side), hashlib.sha256(content).digest()
