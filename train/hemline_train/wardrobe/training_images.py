"""What a run that trains on photos works with, as `hemline_train.training` takes it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hemline.card import InputSpec
from hemline.datasets import open_dataset
from hemline.datasets.wardrobe import GROUP_NAMES, WARDROBE, WARDROBE_LABELS
from hemline.errors import UserError
from hemline_train.images import Images, TrainingImages, check_targets, fingerprint
from hemline_train.wardrobe.classes import group_matrix
from hemline_train.wardrobe.epochs import EpochPictures, Mix
from hemline_train.wardrobe.given import GivenPictures, read_given
from hemline_train.wardrobe.nothing import GIVEN, KEPT_OUT, TRAINED
from hemline_train.wardrobe.photos import photo_digest, read_photos
from hemline_train.wardrobe.sources import (
    FASHION_MNIST,
    GARMENT_PHOTOS,
    measured,
    nothing_pictures,
    read_sources,
)

_VIEWS = 4  # of each photo in an epoch, on average, if there are few
NOTHING_EACH = 100  # frames of each kind without a garment that a threshold is judged by
_NOTHING_SEED = (
    2  # other frames than those that any run trains on, whose seeds have an epoch behind them
)


class PhotoImages:
    """`EpochPictures` as training images.

    Args:
        pictures: Makes those of an epoch.
    """

    def __init__(self, pictures: EpochPictures) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        return self._pictures.mix.pictures

    def joined(self, others: Images) -> PhotoImages:
        """Not to be had: the others are tensors, and no photos any more."""
        raise UserError(
            f"photos to train on cannot be joined with {len(others)} images to choose by",
            "leave --with-validation out",
        )

    def of_epoch(self, epoch: int) -> Images:
        """The images of an epoch, made anew."""
        return Images(*self._pictures(epoch))


def load_photo_images(
    data: str,
    spec: InputSpec,
    batch_size: int,
    seed: int,
    mix: Mix | None = None,
    nothing: Sequence[str] = (),
) -> TrainingImages:
    """Read what to train on, choose by and measure with.

    Args:
        data: `wardrobe` for garment photos and Fashion-MNIST together, or any other data set.
        spec: The input of the network.
        batch_size: Training images that one step needs.
        seed: Of the pictures of an epoch.
        mix: What an epoch is made of.
        nothing: Folders of the user's own pictures that show no garment.

    Raises:
        DataError: See `hemline_train.images.load_images`; and for `wardrobe`, that a data set has other
            classes. Or pictures cannot be read.
    """
    threads = os.cpu_count() or 1
    given, judged = None, None
    if nothing:
        given, judged = read_given(nothing, 2 * max(spec.size_wh), threads)
    if data == WARDROBE:
        return _wardrobe(spec, seed, mix or Mix(), threads, given, judged)
    dataset = open_dataset(data)
    chosen = [split for name, split in dataset.splits.items() if name != "train"]
    shown = dataset.split("train")
    targets = {split.name: np.asarray(split.targets, np.int64) for split in (shown, *chosen)}
    check_targets(data, dataset.labels, targets, batch_size)
    photos = read_photos(shown, targets["train"], 2 * max(spec.size_wh), threads)
    mix = mix or Mix(pictures=min(Mix.pictures, _VIEWS * len(photos)))
    pictures = EpochPictures(spec, photos, seed, None, mix, given)
    splits = {
        split.name: Images(
            split.tensors(spec, description=f"reading {split.name} images"), targets[split.name]
        )
        for split in chosen
    }
    return TrainingImages(
        dataset.name,
        dataset.labels,
        splits,
        dataset.evaluation_split().name,
        fingerprint(dataset.labels, splits, photo_digest(photos) + _digest(given)),
        train=PhotoImages(pictures),
        nothing=nothing_to_judge_by(spec, judged),
    )


def _wardrobe(
    spec: InputSpec,
    seed: int,
    mix: Mix,
    threads: int,
    given: GivenPictures | None,
    judged: GivenPictures | None,
) -> TrainingImages:
    sources = read_sources(spec, threads=threads)
    kept = Images(*measured(open_dataset(GARMENT_PHOTOS).split("validation"), spec))
    test = Images(*measured(open_dataset(FASHION_MNIST).split("test"), spec))
    splits = {
        "validation": Images(*sources.choosing),
        "validation, fashion-mnist": Images(*sources.fashion_choosing),
        "test": kept,
        "test, fashion-mnist": test,
    }
    digest = photo_digest(sources.photos)
    digest += hashlib.sha256(sources.fashion[0].tobytes()).digest() + _digest(given)
    return TrainingImages(
        WARDROBE,
        WARDROBE_LABELS,
        splits,
        "test",
        fingerprint(GROUP_NAMES, splits, digest),
        groups=group_matrix(),
        group_names=GROUP_NAMES,
        train=PhotoImages(sources.epochs(spec, seed, mix, given)),
        nothing=nothing_to_judge_by(spec, judged),
    )


def _digest(given: GivenPictures | None) -> bytes:
    return given.digest() if given else b""


def nothing_to_judge_by(
    spec: InputSpec, given: GivenPictures | None = None
) -> dict[str, NDArray[np.uint8]]:
    """Frames without a garment, of kinds that are trained on and of kinds that are not.

    Args:
        spec: The input of the network.
        given: Pictures of the user's own that are not trained on.
    """
    parts = [("trained kinds", TRAINED), ("other kinds", KEPT_OUT)]
    if given:
        parts.append(("given pictures", (GIVEN,)))
    return {
        title: np.concatenate(
            list(nothing_pictures(spec, kinds, NOTHING_EACH, _NOTHING_SEED, given=given).values())
        )
        for title, kinds in parts
    }
