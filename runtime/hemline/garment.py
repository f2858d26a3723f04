"""Find the garment in a photo and lay it on black: the foreground rule `garment` of the model card.

What Fashion-MNIST networks know is one garment on black that fills the frame. Somebody who shows a
garment to a camera holds it somewhere in the middle, and the rim of the picture shows what is around it.
So the colours at the rim say what the ground is, those in the middle what the garment is, and every pixel
goes to the colours that it is more like. What was decided teaches the two sets of colours anew, a few
times (expectation maximization: two histograms, and the place of a pixel as the prior). The largest
connected part is the garment; its tones are inverted, as the makers of Fashion-MNIST inverted their photos.

All of it is done with whole numbers, or with float64 operations that IEEE 754 defines to the last bit, so
that the same small picture gives the same garment on every machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from hemline._opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemline.preprocess import Frame

_Numbers: TypeAlias = "NDArray[np.float64]"
_Bins: TypeAlias = "NDArray[np.intp]"

BLACK = 40  # brightness up to which ground counts as black
_COLOURLESS = 6  # steps that the channels of a grey picture may differ by after lossy compression
_EVEN_SHARE = 0.9  # of the rim that must be black

# Chosen on the training part of the garment photos, see benchmarks/README.md.
_RIM_SHARE = 0.08  # of the short side: the rim, which shows ground
_PRIOR_MIDDLE, _PRIOR_RIM = 0.65, 0.02  # how likely a pixel is garment before its colour is known
_PRIOR_REACH_XY = (0.84, 1.0)  # of half the width and height: where that has fallen by e
_LATER_PRIOR = 0.4  # how far it is from undecided when the colours have been learnt once
_ROUNDS = 5
_LIGHT_LEVELS, _HUE_LEVELS = 8, 16  # bins of L, and of each of a and b
_LIGHT_STEP, _HUE_STEP = 32, 8
_SPREAD = 64  # what three passes of 1-2-1 multiply the histogram by
_UNSEEN = 3e-4  # share of a colour that neither has seen, so that it is undecided
_SECOND_PART = 0.2  # of the largest part: what counts as garment too, such as the other shoe
_HOLE_SHARE = 0.005  # of the picture: smaller holes in the garment are closed
_MOST_OVERLAP = 0.9  # that garment and ground have in common: above it is a wall, not a garment
_LEAST_SHARE, _MOST_SHARE = 0.01, 0.97  # of the picture that a garment covers


class _Place(NamedTuple):
    """What the place of a pixel says in a picture of one size.

    Attributes:
        first: How likely it is garment, 0–255; 0 at the rim.
        odds: Ground against garment before the colours are known.
        later_odds: The same when they are.
    """

    first: _Numbers
    odds: _Numbers
    later_odds: _Numbers


class GarmentFinder:
    """Looks for the garment in frames; keeps what depends on their size alone, so use one per thread."""

    def __init__(self) -> None:
        self._places: dict[tuple[int, int], _Place] = {}

    def cut_out(self, small_bgr: Frame) -> Frame | None:
        """The garment alone, bright on black.

        Args:
            small_bgr: The whole picture: uint8, (H, W, 3) in BGR order. It should be small, from 64 to
                127 pixels on its long side: the time grows with the number of pixels, the accuracy
                does not.

        Returns:
            uint8, (h, w): the smallest part of the picture that has the whole garment, with
            255 − grey where it is and 0 around it. None where there is nothing to cut out: the
            picture has no colours, or shows something on black already, or no garment is found.
        """
        if _is_colourless(small_bgr) or _is_on_black(small_bgr):
            return None
        likely, overlap = self._likely(small_bgr)
        mask = _main_parts(likely)
        if overlap > _MOST_OVERLAP or not _LEAST_SHARE <= mask.mean() <= _MOST_SHARE:
            return None
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        inverted = cv2.bitwise_not(cv2.cvtColor(small_bgr[part], cv2.COLOR_BGR2GRAY))
        garment: Frame = np.maximum(inverted, 1) * mask[part]  # white cloth is not ground
        return garment

    def _likely(self, small_bgr: Frame) -> tuple[Frame, float]:
        """How likely each pixel is garment, uint8, (h, w), 0–255; and how alike the colours are.

        The latter is what the two histograms have in common: 0 where garment and ground share no colour, 1
        where they are the same.
        """
        size = small_bgr.shape[:2]
        if size not in self._places:
            if len(self._places) > 16:  # pictures of ever new sizes must not pile up
                self._places.clear()
            self._places[size] = _place(*size)
        place = self._places[size]
        bins = _colour_bins(small_bgr)
        everything = _spread(_counted(bins, None))
        likely, odds = place.first, place.odds
        found = np.empty(size, np.uint8)
        for _ in range(_ROUNDS):
            total = likely.sum() / 255
            garment = _spread(_counted(bins, likely.ravel())) / 255
            ground = (everything - garment) / (_SPREAD * max(likely.size - total, 1.0))
            garment /= _SPREAD * max(total, 1.0)
            ratio = (ground + _UNSEEN) / (garment + _UNSEEN)
            # Squared, since the colours of neighbours are no independent witnesses and yet each pixel
            # must decide alone: found by measuring.
            by_colour = (ratio * ratio).ravel()[bins].reshape(size)
            found = np.rint(255 / (1 + odds * by_colour)).astype(np.uint8)
            cv2.GaussianBlur(found, (3, 3), 0, dst=found)
            likely, odds = found.astype(np.float64), place.later_odds
        return found, float(np.minimum(garment, ground).sum())


def _is_colourless(small_bgr: Frame) -> bool:
    blue, green, red = cv2.split(small_bgr)
    return all(cv2.absdiff(green, other).max() <= _COLOURLESS for other in (blue, red))


def _is_on_black(small_bgr: Frame) -> bool:
    brightest = small_bgr.max(axis=2)
    rim = np.concatenate((brightest[0], brightest[-1], brightest[:, 0], brightest[:, -1]))
    return bool((rim <= BLACK).mean() >= _EVEN_SHARE)


def _place(height: int, width: int) -> _Place:
    down = ((np.arange(height) + 0.5) / height * 2 - 1) / _PRIOR_REACH_XY[1]
    across = ((np.arange(width) + 0.5) / width * 2 - 1) / _PRIOR_REACH_XY[0]
    distance = np.sqrt(down[:, None] ** 2 + across[None, :] ** 2)
    prior = np.maximum(_PRIOR_MIDDLE * np.exp(-(distance**3)), _PRIOR_RIM)
    rim = max(1, round(_RIM_SHARE * min(height, width)))
    inside = np.zeros(prior.shape, bool)
    inside[rim:-rim, rim:-rim] = True
    prior[~inside] = _PRIOR_RIM
    # To 16 bits, so that the exponential of another machine makes no difference.
    prior = np.rint(prior * 65536) / 65536
    later = 0.5 + _LATER_PRIOR * (prior - 0.5)
    return _Place(np.rint(255 * prior) * inside, (1 - prior) / prior, (1 - later) / later)


def _binning() -> Frame:
    """What turns L, a and b to the numbers of their bins: uint8, (1, 256, 3)."""
    level = np.arange(256)
    hue = np.clip((level - 128) // _HUE_STEP + _HUE_LEVELS // 2, 0, _HUE_LEVELS - 1)
    return np.dstack((level // _LIGHT_STEP, hue, hue)).astype(np.uint8)


_BINNING = _binning()


def _colour_bins(small_bgr: Frame) -> _Bins:
    """The bin of each pixel's colour: intp, (h · w,)."""
    levels = cv2.LUT(cv2.cvtColor(small_bgr, cv2.COLOR_BGR2LAB), _BINNING).reshape(-1, 3)
    light, green_red, blue_yellow = levels.astype(np.intp).T
    bins: _Bins = (light * _HUE_LEVELS + green_red) * _HUE_LEVELS + blue_yellow
    return bins


def _counted(bins: _Bins, weights: _Numbers | None) -> _Numbers:
    shape = (_LIGHT_LEVELS, _HUE_LEVELS, _HUE_LEVELS)
    counts = np.bincount(bins, weights, int(np.prod(shape)))
    return counts.astype(np.float64, copy=False).reshape(shape)


def _spread(histogram: _Numbers) -> _Numbers:
    """Each count shared with the neighbouring colours, 1-2-1 along every axis; exact for whole numbers."""
    for axis in range(3):
        upper = (slice(None),) * axis + (slice(1, None),)
        lower = (slice(None),) * axis + (slice(None, -1),)
        shared = 2 * histogram
        shared[upper] += histogram[lower]
        shared[lower] += histogram[upper]
        histogram = shared
    return histogram


def _main_parts(likely: Frame) -> NDArray[np.bool_]:
    """The largest connected part and those that are nearly as large, with small holes closed."""
    parts, sizes = _parts(likely >= 128)
    kept: NDArray[np.bool_] = (sizes >= _SECOND_PART * sizes.max(initial=1))[parts]
    holes, sizes = _parts(~kept)
    closed: NDArray[np.bool_] = kept | ((sizes > 0) & (sizes < _HOLE_SHARE * kept.size))[holes]
    return closed


def _parts(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Which connected part each pixel is in, and the size of each part; what is outside has number 0."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4)
    sizes = stats[:, cv2.CC_STAT_AREA]
    sizes[0] = 0
    return parts.astype(np.int32, copy=False), sizes.astype(np.int32, copy=False)
