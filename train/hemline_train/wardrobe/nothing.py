"""Frames without a garment, which must come out `unknown`.

Fourteen kinds are trained on, and a user's own pictures beside them. Four that look quite different (faces,
animals, streets, cars) are kept out of training, and tell how well what was learned carries over to what was
never seen.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hemline._opencv import cv2
from hemline_train.wardrobe import objects, scenes, strangers
from hemline_train.wardrobe.backdrops import Backdrops
from hemline_train.wardrobe.cutouts import dyed, laid
from hemline_train.wardrobe.given import GivenPictures
from hemline_train.wardrobe.light import Picture, Rng
from hemline_train.wardrobe.photos import Photos

Size = tuple[int, int]
_GLYPH_SIDE = 28


class NothingFrames:
    """Draws frames without a garment.

    Args:
        grounds: Where walls, floors and the grounds of photos come from.
        photos: Patches of them are shuffled, or shown so close that no garment can be made out.
        given: Pictures of the user's own.
    """

    def __init__(
        self, grounds: Backdrops, photos: Photos | None, given: GivenPictures | None = None
    ) -> None:
        self._grounds = grounds
        self._photos = photos
        self._given = given

    def trained(self, rng: Rng, size_wh: Size) -> Picture:
        """A frame of one of the kinds to train on: uint8, (height, width, 3), BGR."""
        if self._given and rng.random() < _GIVEN_SHARE:
            return self.frame(GIVEN, rng, size_wh)
        return self.frame(str(rng.choice(TRAINED, p=_SHARES)), rng, size_wh)

    def frame(self, kind: str, rng: Rng, size_wh: Size) -> Picture:
        """A frame of one kind, of `TRAINED` or of `KEPT_OUT`, or `GIVEN`."""
        if self._given and kind == GIVEN:
            return self._given.frame(rng, size_wh, self._grounds)
        if kind in _SCENES:
            return _SCENES[kind](rng, size_wh, self._grounds)
        drawn: dict[str, Callable[[Rng, Size], Picture]] = {
            "ground": self._grounds.__call__,
            "photographed ground": self._grounds.photographed,
            "thing": self._thing,
            "hand": self._hand,
            "shuffled": self._shuffled,
            "close-up": self._close_up,
            "glyph": self._glyph,
            "dark or glaring": self._dark_or_glaring,
        }
        return drawn[kind](rng, size_wh)

    def _thing(self, rng: Rng, size_wh: Size) -> Picture:
        count = 1 if rng.random() < 0.75 else int(rng.integers(2, 4))
        frame = self._grounds(rng, size_wh)
        for _ in range(count):
            cutout = dyed(objects.thing(rng), rng, self._grounds)
            fill = float(rng.uniform(0.45, 0.95)) / count**0.5
            frame = laid([cutout], frame, rng, fill)
        return frame

    def _hand(self, rng: Rng, size_wh: Size) -> Picture:
        shape = objects.hand(rng)
        skin = np.array([0.62, 0.74, 1.0]) * rng.uniform(70, 245)
        light = (0.6 + 0.7 * shape.shade)[:, :, None]
        colours = np.clip(skin * light, 0, 255).astype(np.uint8)
        cutout = np.dstack((colours, shape.alpha))
        return laid([cutout], self._grounds(rng, size_wh), rng, float(rng.uniform(0.6, 1.0)))

    def _photo(self, rng: Rng) -> Picture:
        if self._photos is None:
            return self._grounds(rng, (128, 128))
        return self._photos.pictures[int(rng.integers(len(self._photos)))]

    def _shuffled(self, rng: Rng, size_wh: Size) -> Picture:
        """A photo cut into squares that lie in another order: its colours and cloths, no shape."""
        width, height = size_wh
        across, down = int(rng.integers(3, 7)), int(rng.integers(3, 7))
        cell = max(2, width // across), max(2, height // down)
        whole = cv2.resize(self._photo(rng), (cell[0] * across, cell[1] * down))
        cells = whole.reshape(down, cell[1], across, cell[0], 3).swapaxes(1, 2)
        flat = cells.reshape(-1, cell[1], cell[0], 3)[rng.permutation(across * down)]
        flat = flat[:, ::-1] if rng.random() < 0.3 else flat
        mixed = flat.reshape(down, across, cell[1], cell[0], 3).swapaxes(1, 2).reshape(whole.shape)
        return np.asarray(cv2.resize(np.ascontiguousarray(mixed), size_wh), np.uint8)

    def _close_up(self, rng: Rng, size_wh: Size) -> Picture:
        """Cloth so near that it fills the frame."""
        photo = self._photo(rng)
        height, width = photo.shape[:2]
        side = max(4, round(min(height, width) * float(rng.uniform(0.1, 0.22))))
        top = round(height * float(rng.uniform(0.35, 0.6)))
        left = round(width * float(rng.uniform(0.35, 0.6)))
        part = photo[top : top + side, left : left + side]
        return np.asarray(cv2.resize(part, size_wh, interpolation=cv2.INTER_CUBIC), np.uint8)

    def _glyph(self, rng: Rng, size_wh: Size) -> Picture:  # noqa: ARG002 - it has its own size
        """Grey on black as Fashion-MNIST, 28×28, but a letter, a thing or a blob."""
        shape = objects.thing(rng)
        tone = np.clip(0.3 + 0.7 * shape.shade, 0, 1) * float(rng.uniform(0.5, 1.0))
        large = (tone * shape.alpha).astype(np.uint8)
        size = (_GLYPH_SIDE, _GLYPH_SIDE)
        return np.asarray(cv2.resize(large, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _dark_or_glaring(self, rng: Rng, size_wh: Size) -> Picture:
        """A covered lens, a lamp into the camera, or one flat colour."""
        width, height = size_wh
        level = rng.uniform(0, 25) if rng.random() < 0.5 else rng.uniform(235, 255)
        if rng.random() < 0.3:
            level = rng.uniform(0, 255)
        frame = np.full((height, width, 3), level) + rng.normal(0, 3, 3)
        frame += rng.normal(0, float(rng.uniform(0, 6)), (height, width, 1))
        return np.clip(frame, 0, 255).astype(np.uint8)


_SCENES: dict[str, Callable[[Rng, Size, Backdrops], Picture]] = {
    "room": scenes.room,
    "page": scenes.page,
    "leaves": scenes.leaves,
    "shelf": scenes.shelf,
    "lights": scenes.lights,
    "noise": scenes.noise,
    "face": strangers.face,
    "animal": strangers.animal,
    "street": strangers.street,
    "car": strangers.car,
}
# How often each is drawn, among all frames without a garment.
_WEIGHTS = {
    "ground": 2.0,
    "photographed ground": 2.0,
    "room": 2.0,
    "thing": 5.0,
    "hand": 0.7,
    "page": 0.8,
    "leaves": 0.7,
    "shelf": 0.7,
    "lights": 0.8,
    "noise": 0.7,
    "shuffled": 1.2,
    "close-up": 0.8,
    "glyph": 1.2,
    "dark or glaring": 0.6,
}
TRAINED = tuple(_WEIGHTS)
KEPT_OUT = ("face", "animal", "street", "car")
GIVEN = "given"  # the kind of a user's own pictures
_GIVEN_SHARE = 0.3  # of all frames without a garment, if there are such pictures
_SHARES = np.array(list(_WEIGHTS.values())) / sum(_WEIGHTS.values())
