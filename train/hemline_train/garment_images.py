"""Training images for a grey network that is to name garments in front of a camera too.

Fashion-MNIST as it is; a share of it as if it had been cut out of photos (`cutout_augmentation`); and, where
there are photos, the garments that the card's rule finds in them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemline.card import InputSpec
from hemline.datasets import FASHION_MNIST_LABELS, Dataset, Split, open_dataset
from hemline.datasets.wardrobe import (
    FASHION_MNIST_GROUPS,
    GARMENT_PHOTOS,
    GARMENT_PHOTOS_GROUPS,
    SHOES,
    WARDROBE,
)
from hemline.errors import DataError
from hemline_train.cutout_augmentation import worn
from hemline_train.images import NOTHING, Images, TrainingImages, fingerprint
from hemline_train.photo_cutouts import photo_cutouts
from hemline_train.wardrobe.photos import Photos, choosing_split, photo_digest, read_photos
from hemline_train.wardrobe.shoe_kinds import with_shoe_kinds
from hemline_train.wardrobe.sources import FASHION_MNIST
from hemline_train.wardrobe.training_images import nothing_to_judge_by

_PHOTO_VIEWS = 2  # times that each photo is in an epoch, seen anew each time

# Fashion-MNIST's ten, and behind them what the photos call shoes.
GROUP_NAMES = (*FASHION_MNIST_LABELS, "shoes")


class GarmentImages:
    """Images of an epoch: some of them worn, and others in each epoch.

    Args:
        stored: Images of Fashion-MNIST, (N, 28, 28, 1), and their groups.
        photos: Photos of garments with their groups; None where there are none.
        spec: The input of the network.
        share: Of the stored images that go through `worn`.
        seed: The same seed and epoch give the same images.
    """

    def __init__(
        self, stored: Images, photos: Photos | None, spec: InputSpec, share: float, seed: int
    ) -> None:
        self._stored = stored
        self._photos = photos
        self._spec = spec
        self._share = share
        self._seed = seed

    def __len__(self) -> int:
        return len(self._stored) + (_PHOTO_VIEWS * len(self._photos) if self._photos else 0)

    def joined(self, others: Images) -> GarmentImages:
        """These, and other stored images behind them."""
        stored = self._stored.joined(others)
        return GarmentImages(stored, self._photos, self._spec, self._share, self._seed)

    def of_epoch(self, epoch: int) -> Images:
        """See `hemline_train.images.EpochImages`."""
        rng = np.random.default_rng((self._seed, epoch))
        chosen = np.flatnonzero(rng.random(len(self._stored)) < self._share)
        pixels = self._stored.pixels.copy()
        pixels[chosen] = worn(self._stored.pixels[chosen], rng)
        images = Images(pixels, self._stored.targets)
        for _ in range(_PHOTO_VIEWS if self._photos else 0):
            assert self._photos is not None
            seen = photo_cutouts(self._photos.pictures, self._spec, rng)
            images = images.joined(Images(seen, self._photos.groups))
        return images


def load_garment_images(data: str, spec: InputSpec, share: float, seed: int) -> TrainingImages:
    """Read Fashion-MNIST, and the garment photos with it.

    Args:
        data: `wardrobe` for both; else a data set with the classes of Fashion-MNIST.
        spec: The input of the network; the rule for its foreground is `garment`.
        share: See `GarmentImages`.
        seed: See `GarmentImages`.

    Raises:
        DataError: A data set is not there, or has other classes.
    """
    with_photos = data == WARDROBE
    fashion = open_dataset(FASHION_MNIST if with_photos else data)
    splits = {
        name: Images(split.tensors(spec), np.asarray(split.targets, np.int64))
        for name, split in fashion.splits.items()
        if name != "train"
    }
    if fashion.labels != FASHION_MNIST_LABELS:
        raise DataError(
            f"{data} has the classes {', '.join(fashion.labels)}",
            f"this network is for those of Fashion-MNIST: {', '.join(FASHION_MNIST_LABELS)}; train on "
            "others with --arch resnet, or on photos with --arch wardrobe",
        )
    train = fashion.split("train")
    stored = Images(train.tensors(spec), np.asarray(train.targets, np.int64))
    photos = None
    if with_photos:
        photos, found = _photos(open_dataset(GARMENT_PHOTOS), spec)
        splits |= found
    digest = photo_digest(photos) if photos else b""
    return TrainingImages(
        data,
        fashion.labels,
        splits,
        fashion.evaluation_split().name,
        fingerprint(GROUP_NAMES, {"train": stored, **splits}, digest),
        train=GarmentImages(stored, photos, spec, share, seed),
        groups=_group_matrix(),
        group_names=GROUP_NAMES,
        nothing=nothing_to_judge_by(spec),
    )


def _photos(dataset: Dataset, spec: InputSpec) -> tuple[Photos, dict[str, Images]]:
    """Photos to train on; and by split those to choose by and those that are kept for the end."""
    shown, kept = dataset.split("train"), dataset.split("validation")
    photos = read_photos(shown, _groups(shown), with_masks=False)
    trained, chosen = choosing_split(photos)
    known = trained[photos.groups[trained] != NOTHING]
    kinds = {
        FASHION_MNIST_GROUPS[label]: position for position, label in enumerate(FASHION_MNIST_LABELS)
    }
    seen = with_shoe_kinds(photos.subset(known), GROUP_NAMES.index("shoes"), kinds)
    return seen, {
        "validation, photos": _found(shown, spec, chosen),
        "test, photos": _found(kept, spec, np.arange(len(kept))),
    }


def _found(split: Split, spec: InputSpec, rows: NDArray[np.int64]) -> Images:
    """What the rule finds in the photos at `rows` whose class Fashion-MNIST has too."""
    groups = _groups(split)
    rows = rows[groups[rows] != NOTHING]
    tensors = split.tensors(spec, rows, description=f"reading {split.name} photos")
    return Images(tensors, groups[rows])


def _groups(split: Split) -> NDArray[np.int64]:
    """Positions in `GROUP_NAMES`; `NOTHING` for what Fashion-MNIST does not have."""
    ours = {meaning: name for name, meaning in FASHION_MNIST_GROUPS.items()} | {"shoes": "shoes"}
    table = [
        GROUP_NAMES.index(ours[meaning]) if meaning in ours else NOTHING
        for meaning in (GARMENT_PHOTOS_GROUPS[label] for label in split.labels)
    ]
    return np.array(table, np.int64)[split.targets]


def _group_matrix() -> NDArray[np.bool_]:
    """bool, (groups, classes)."""
    kinds = [label for label, meaning in FASHION_MNIST_GROUPS.items() if meaning in SHOES]
    shoes = np.array([label in kinds for label in FASHION_MNIST_LABELS])
    return np.vstack([np.identity(len(FASHION_MNIST_LABELS)) > 0, shoes])
