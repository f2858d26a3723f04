"""The recipe of `wardrobe`: pictures to train on, classes, and figures to judge by; no TensorFlow in it.

pictures = EpochPictures(spec, photos, seed=1, fashion=(images, groups))
pixels, groups = pictures(epoch)
"""

from __future__ import annotations

from hemline_train.wardrobe.classes import group_matrix
from hemline_train.wardrobe.epochs import EpochPictures, Mix
from hemline_train.wardrobe.photos import Photos, choosing_split, read_photos
from hemline_train.wardrobe.sources import Sources, measured, nothing_pictures, read_sources

__all__ = [
    "EpochPictures",
    "Mix",
    "Photos",
    "Sources",
    "choosing_split",
    "group_matrix",
    "measured",
    "nothing_pictures",
    "read_photos",
    "read_sources",
]
