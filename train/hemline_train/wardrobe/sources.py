"""All that a training of `wardrobe` reads: what to train on, what to choose by, what to measure with.

The validation photos are no part of it: they are kept for the end, and measured once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemline.card import InputSpec
from hemline.datasets import Split, open_dataset
from hemline.datasets.wardrobe import (
    FASHION_MNIST_GROUPS,
    GARMENT_PHOTOS_GROUPS,
    GROUP_NAMES,
    SHOES,
    groups_of,
)
from hemline.preprocess import Preprocessor
from hemline_train.wardrobe.backdrops import Backdrops
from hemline_train.wardrobe.epochs import ASPECTS, EpochPictures, Mix
from hemline_train.wardrobe.given import GivenPictures
from hemline_train.wardrobe.nothing import NothingFrames
from hemline_train.wardrobe.photos import Photos, choosing_split, read_photos
from hemline_train.wardrobe.shoe_kinds import with_shoe_kinds

GARMENT_PHOTOS = "garment-photos"
FASHION_MNIST = "fashion-mnist"

Pixels = NDArray[np.uint8]
Groups = NDArray[np.int64]


@dataclass(frozen=True)
class Sources:
    """What was read.

    Attributes:
        photos: To train on.
        fashion: Pictures of Fashion-MNIST to train on, uint8, (N, 28, 28), and their groups.
        choosing: Tensors of the photos that are not trained on, and their groups.
        choosing_names: Where each of those came from.
        fashion_choosing: The same of Fashion-MNIST: its validation split.
    """

    photos: Photos
    fashion: tuple[Pixels, Groups]
    choosing: tuple[Pixels, Groups]
    choosing_names: tuple[str, ...]
    fashion_choosing: tuple[Pixels, Groups]

    def epochs(
        self, spec: InputSpec, seed: int, mix: Mix, given: GivenPictures | None = None
    ) -> EpochPictures:
        """The pictures to train on; `given` are the user's own that show no garment."""
        return EpochPictures(spec, self.photos, seed, self.fashion, mix, given)


def read_sources(
    spec: InputSpec,
    photos: str = GARMENT_PHOTOS,
    fashion: str = FASHION_MNIST,
    *,
    threads: int = 1,
) -> Sources:
    """Read both data sets, and hold out what to choose by.

    Args:
        spec: The input of the network.
        photos: Names or paths of a data set with the classes of the garment photos, …
        fashion: … and of one with those of Fashion-MNIST.
        threads: Photos that are worked on at the same time; the outcome does not depend on it.

    Raises:
        DataError: A data set is not there, has other classes, or pictures that cannot be read.
    """
    shown = open_dataset(photos).split("train")
    groups = groups_of(shown.labels, shown.targets, GARMENT_PHOTOS_GROUPS)
    drawn = open_dataset(fashion)
    train, validation = drawn.split("train"), drawn.split("validation")
    images = np.stack([train.frame(i) for i in range(len(train))])
    memory = read_photos(shown, groups, 2 * max(spec.size_wh), threads)
    trained, chosen = choosing_split(memory)
    kinds = {kind: GROUP_NAMES.index(kind) for kind in SHOES}
    return Sources(
        with_shoe_kinds(memory.subset(trained), GROUP_NAMES.index("shoes"), kinds),
        (images, groups_of(train.labels, train.targets, FASHION_MNIST_GROUPS)),
        (shown.tensors(spec, chosen), groups[chosen]),
        tuple(memory.sources[i] for i in chosen.tolist()),
        (
            validation.tensors(spec),
            groups_of(validation.labels, validation.targets, FASHION_MNIST_GROUPS),
        ),
    )


def measured(split: Split, spec: InputSpec) -> tuple[Pixels, Groups]:
    """A split of either data set as tensors with groups, as the runtime sees it.

    Raises:
        DataError: The split has classes that neither data set has, or pictures that cannot be read.
    """
    known = set(split.labels) <= set(FASHION_MNIST_GROUPS)
    meanings = FASHION_MNIST_GROUPS if known else GARMENT_PHOTOS_GROUPS
    groups = groups_of(split.labels, split.targets, meanings)
    return split.tensors(spec), groups


def nothing_pictures(
    spec: InputSpec,
    kinds: tuple[str, ...],
    each: int,
    seed: int,
    photos: Photos | None = None,
    given: GivenPictures | None = None,
) -> dict[str, Pixels]:
    """Frames without a garment to measure with, by kind.

    Args:
        spec: The input of the network.
        kinds: Of `nothing.TRAINED` or `nothing.KEPT_OUT`, or `nothing.GIVEN`.
        each: Frames of each kind.
        seed: Another than that of the training gives other frames.
        photos: Grounds are taken from them: give photos that are not trained on.
        given: What the frames of the kind `nothing.GIVEN` are made of.

    Returns:
        uint8, (each, height, width, channels), by kind.
    """
    frames = NothingFrames(Backdrops(photos, seed), photos, given)
    preprocess = Preprocessor(spec)
    long_side = 2 * max(spec.size_wh)
    made: dict[str, Pixels] = {}
    for number, kind in enumerate(kinds):
        tensors = np.empty((each, *spec.tensor_shape[1:]), np.uint8)
        for i in range(each):
            rng = np.random.default_rng((seed, 103, number, i))
            aspect = ASPECTS[i % len(ASPECTS)]
            size_wh = (long_side, round(long_side / aspect))
            if aspect < 1:
                size_wh = (round(long_side * aspect), long_side)
            tensors[i] = preprocess(frames.frame(kind, rng, size_wh))[0]
        made[kind] = tensors
    return made
