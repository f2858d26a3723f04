"""The pictures of one epoch, as a pure function of the sources, a seed and the number of the epoch.

Every picture is made as a frame, as a camera would give it, and becomes a tensor by
`hemline.preprocess`, the rule of the runtime. So what is trained on looks as what is seen later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemline._opencv import cv2
from hemline.card import InputSpec
from hemline.datasets.wardrobe import WARDROBE_LABELS
from hemline.preprocess import Preprocessor
from hemline_train.images import NOTHING
from hemline_train.wardrobe.backdrops import Backdrops
from hemline_train.wardrobe.cutouts import (
    drawn_shapes,
    dyed,
    has_holes,
    laid,
    pair_or_one,
    shape_of,
)
from hemline_train.wardrobe.foreground import Picture, bounds
from hemline_train.wardrobe.given import GivenPictures
from hemline_train.wardrobe.light import Rng, relit
from hemline_train.wardrobe.nothing import NothingFrames
from hemline_train.wardrobe.photos import Photos
from hemline_train.wardrobe.views import drawn_view

ASPECTS = (3 / 4, 4 / 3, 1.0, 16 / 9, 9 / 16)  # width by height, of phones and webcams


@dataclass(frozen=True)
class Mix:
    """What an epoch is made of.

    Attributes:
        pictures: How many there are.
        photos: Share of photos.
        fashion: Share of pictures of Fashion-MNIST as they are, but for shifts and mirroring.
        cutouts: Share of garments of Fashion-MNIST, or drawn ones, dyed and laid on a ground.
        nothing: Share of frames without a garment.
        balance: How much oftener photos of small classes are drawn: 0 as they come, 1 all classes
            equally often.
        exchange: Share of photos, among those with a mask, that get another ground.
    """

    pictures: int = 13_000
    photos: float = 0.42
    fashion: float = 0.29
    cutouts: float = 0.12
    nothing: float = 0.17
    balance: float = 0.4
    exchange: float = 0.25


# How often a class is among the cut-outs: those without photos most.
_CUTOUT_WEIGHTS = {"sandal": 2.5, "sneaker": 3.0, "bag": 5.0, "ankle boot": 3.0}
_DRAWN = 0.45  # share of the cut-outs that are drawn, of classes that can be


@dataclass(frozen=True)
class _Order:
    """One picture to make: which kind, and which of its source (-1 where it has none)."""

    kind: int
    row: int


class EpochPictures:
    """Makes the pictures of any epoch.

    Args:
        spec: The input of the network.
        photos: To train on.
        seed: The same seed and epoch give the same pictures.
        fashion: Pictures of Fashion-MNIST, uint8, (N, 28, 28), with their groups, int64, (N,); None
            where there are no such pictures, and then the other kinds share their part.
        mix: What an epoch is made of.
        given: The user's own pictures that show no garment.
    """

    def __init__(
        self,
        spec: InputSpec,
        photos: Photos,
        seed: int,
        fashion: tuple[NDArray[np.uint8], NDArray[np.int64]] | None = None,
        mix: Mix | None = None,
        given: GivenPictures | None = None,
    ) -> None:
        self.spec = spec
        self.mix = mix or Mix()
        self._photos = photos
        self._seed = seed
        self._fashion = fashion
        self._long_side = 2 * max(spec.size_wh)
        self._grounds = Backdrops(photos, seed)
        self._nothing = NothingFrames(self._grounds, photos, given)
        self._drawn = drawn_shapes(seed) if fashion is not None else {}
        self._boxes = [
            _box(photo, mask) for photo, mask in zip(photos.pictures, photos.masks, strict=True)
        ]
        self._makers: tuple[Callable[[int, Rng], tuple[Picture, int]], ...] = (
            self._photo_frame,
            self._fashion_frame,
            self._cutout_frame,
            self._nothing_frame,
        )

    def __call__(self, epoch: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The pictures of one epoch, in random order.

        Returns:
            Pixels as uint8, (N, height, width, channels), and groups as int64, (N,), `NOTHING` for
            frames without a garment.
        """
        orders = self._orders(np.random.default_rng((self._seed, epoch)))
        pixels = np.empty((len(orders), *self.spec.tensor_shape[1:]), np.uint8)
        groups = np.empty(len(orders), np.int64)
        preprocess = Preprocessor(self.spec)
        for i, order in enumerate(orders):
            rng = np.random.default_rng((self._seed, epoch, i))
            frame, groups[i] = self._makers[order.kind](order.row, rng)
            pixels[i] = preprocess(frame)[0]
        return pixels, groups

    def _orders(self, rng: Rng) -> list[_Order]:
        mix = self.mix
        shares = np.array([mix.photos, mix.fashion, mix.cutouts, mix.nothing])
        if self._fashion is None:
            shares[1:3] = 0
        counts = np.floor(shares / shares.sum() * mix.pictures).astype(int)
        counts[0] += mix.pictures - counts.sum()
        rows = [self._photo_rows(rng, counts[0]), *self._fashion_rows(rng, counts[1], counts[2])]
        rows.append(np.full(counts[3], -1))
        orders = [_Order(kind, row) for kind, of in enumerate(rows) for row in of.tolist()]
        return [orders[i] for i in rng.permutation(len(orders))]

    def _photo_rows(self, rng: Rng, count: int) -> NDArray[np.int64]:
        sizes = np.bincount(self._photos.groups)[self._photos.groups]
        weights = sizes ** -float(self.mix.balance)
        return rng.choice(len(sizes), count, p=weights / weights.sum())

    def _fashion_rows(
        self, rng: Rng, plain: int, cut: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if self._fashion is None:
            nothing = np.empty(0, np.int64)
            return nothing, nothing
        groups = self._fashion[1]
        weights = np.array([_CUTOUT_WEIGHTS.get(WARDROBE_LABELS[group], 1.0) for group in groups])
        weights /= weights.sum()
        return rng.integers(0, len(groups), plain), rng.choice(len(groups), cut, p=weights)

    def _frame_wh(self, aspect: float) -> tuple[int, int]:
        if aspect >= 1:
            return self._long_side, max(8, round(self._long_side / aspect))
        return max(8, round(self._long_side * aspect)), self._long_side

    def _photo_frame(self, row: int, rng: Rng) -> tuple[Picture, int]:
        picture, mask, box = self._photos.pictures[row], self._photos.masks[row], self._boxes[row]
        height, width = picture.shape[:2]
        aspect = width / height if rng.random() < 0.8 else ASPECTS[int(rng.integers(len(ASPECTS)))]
        frame_wh = self._frame_wh(aspect * float(np.exp(rng.normal(0, 0.05))))
        if mask is not None and rng.random() < self.mix.exchange:
            ground = self._grounds(rng, frame_wh)
            cutout = np.dstack((picture, mask))
            frame = laid([cutout], ground, rng, float(rng.uniform(0.55, 1.02)))
        else:
            fill = max((box[2] - box[0]) / width, (box[3] - box[1]) / height)
            fill = min(fill * float(np.exp(rng.uniform(-0.25, 0.22))), 1.08)
            turn = 0.09 if rng.random() < 0.9 else 0.5
            view = drawn_view(rng, box, frame_wh[0] / frame_wh[1], fill, turn, 0.05, shift=0.6)
            border = cv2.BORDER_REFLECT_101 if rng.random() < 0.4 else cv2.BORDER_REPLICATE
            frame = view.of(picture, frame_wh, border)
        return self._finished(frame, rng), int(self._photos.groups[row])

    def _fashion_frame(self, row: int, rng: Rng) -> tuple[Picture, int]:
        assert self._fashion is not None
        image, group = self._fashion[0][row], int(self._fashion[1][row])
        if rng.random() < 0.5:
            image = np.ascontiguousarray(image[:, ::-1])
        right, down = rng.integers(-2, 3, 2).tolist()
        turn, zoom = 0.0, 1.0
        if rng.random() < 0.3:
            turn, zoom = float(rng.normal(0, 5)), float(rng.uniform(0.88, 1.06))
        matrix = cv2.getRotationMatrix2D((13.5, 13.5), turn, zoom)
        matrix[:, 2] += (right, down)
        frame = cv2.warpAffine(image, matrix, (28, 28), flags=cv2.INTER_LINEAR)
        if rng.random() < 0.25:
            y, x = rng.integers(0, 22, 2).tolist()
            h, w = rng.integers(3, 12, 2).tolist()
            frame[y : y + h, x : x + w] = int(rng.integers(0, 256))
        return np.asarray(frame, np.uint8), group

    def _cutout_frame(self, row: int, rng: Rng) -> tuple[Picture, int]:
        assert self._fashion is not None
        group = int(self._fashion[1][row])
        label = WARDROBE_LABELS[group]
        if label in self._drawn and rng.random() < _DRAWN:
            drawn = self._drawn[label]
            cutouts = [dyed(drawn[int(rng.integers(len(drawn)))], rng, self._grounds)]
        else:
            shape = shape_of(self._fashion[0][row], has_holes(label))
            cutouts = pair_or_one(dyed(shape, rng, self._grounds), label, rng)
        frame_wh = self._frame_wh(ASPECTS[int(rng.integers(len(ASPECTS)))])
        fill = float(rng.uniform(0.6, 1.0)) / len(cutouts) ** 0.5
        frame = laid(cutouts, self._grounds(rng, frame_wh), rng, fill)
        return self._finished(frame, rng), group

    def _nothing_frame(self, row: int, rng: Rng) -> tuple[Picture, int]:  # noqa: ARG002 - it has no source
        frame_wh = self._frame_wh(ASPECTS[int(rng.integers(len(ASPECTS)))])
        frame = self._nothing.trained(rng, frame_wh)
        return (frame if frame.ndim == 2 else self._finished(frame, rng)), NOTHING

    def _finished(self, frame: Picture, rng: Rng) -> Picture:
        """Light and camera, and at times something that hides a part."""
        if rng.random() < 0.15:
            frame = self._hidden(frame, rng)
        return relit(frame, rng, float(rng.uniform(0.1, 1.0)))

    def _hidden(self, frame: Picture, rng: Rng) -> Picture:
        height, width = frame.shape[:2]
        high, wide = (rng.uniform(0.1, 0.4, 2) * (height, width)).astype(int).tolist()
        top, left = int(rng.integers(0, height - high)), int(rng.integers(0, width - wide))
        patch = self._grounds(rng, (max(1, wide), max(1, high)))
        frame = frame.copy()
        frame[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
        return frame


def _box(picture: Picture, mask: Picture | None) -> tuple[float, float, float, float]:
    """Where the garment is, in pixels; without a mask, nearly all of the photo."""
    height, width = picture.shape[:2]
    left, top, right, bottom = (0.06, 0.06, 0.94, 0.94) if mask is None else bounds(mask)
    return left * width, top * height, right * width, bottom * height
