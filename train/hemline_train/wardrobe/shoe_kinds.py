"""Which kind of shoe the garment photos show, as far as it can be told by eye.

The garment photos are only labelled `shoes`. Left to itself, a network that is trained towards the sum of
the three kinds may name one of them for all photos, since that is right by the label too. So the photos that
plainly show sandals or slides, sneakers, or boots were named by looking at them alone; pumps, ballerinas,
loafers, clogs and the like are not here and stay `shoes`. Those of the training part are trained on, those of
the validation part measured with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath

import numpy as np

from hemline_train.wardrobe.photos import Photos

# The first eight hexadecimal digits of the names of the files, of which no two photos share theirs.
_KINDS = {
    "sandal": (
        "04fa06fb 08215318 0a30baec 0fd66046 17e48b37 30b6fd9b 3cf61c2b 3ebf66af 51e600b8 530c78c5 "
        "6048d80e 68477f32 75557d1e 76649754 78c51dc2 7d0a2ea3 8232d894 82fd1225 8b6de4c0 8e9a0079 "
        "927451d0 929c8097 94484af7 9e27ae62 a28a7997 a3e5af58 abea332f b00f4c40 b076b1c5 b2d23f7d "
        "bcc238bc c287c715 c48bde60 c8582c70 c96187e8 d9cf6f6d d9d9456b db5aab31 de127ace e0b088bd "
        "e2dfcb33 ea4afd28 ee368b50 f744c13f f8a7abd7 "
        "6ce1572f b34268f1 d9218439 e9c4090d"
    ).split(),
    "sneaker": (
        "0bacb2c4 10ca393d 15839171 17f835b2 189a94de 1ece3817 22d0ec9a 240bafc9 30021bac 38bec7b5 "
        "3c4df256 43a84e08 43b4bd38 49d3d0c4 4cb4760c 50f6bd8d 523ba963 552bd3bb 56a45826 578688ef "
        "6190369c 70d6fdd0 75912d0d 75b7e88f 765235f1 76bf8091 83bd321b 87a3d476 88d7e8fc 8c2759e4 "
        "8f945c82 9016f21f 9a7ca413 9b68ea5b 9f922e1a 9ff58614 a3c97765 ade4c3c3 bf583ce5 bf78527f "
        "cadf29a3 cedf742b cf846233 d09be031 d10acc75 d2084754 d4e28f4e d68db0de de853711 e3f2266a "
        "f5dbed9d f7b209c5 fb0e4090 fbdddc68 fe177283 "
        "41302a0b 454fd50e 4eba049d 7bb0226b dc0d9ba1 e92b0f2e"
    ).split(),
    "ankle boot": (
        "1558e0ca 206b6566 261b36f3 2fb68610 30feae84 38cf3258 3b86d877 3ddf90e9 49d3b29c 5846855b "
        "598fb3d5 5fea042c 76acd48d 778b036d 79ff13ef 84cfca64 9c97e52f a7b367e2 ac8a9f3c b2d00753 "
        "b3586849 c224d361 ca045c6f d03275bf e938611b f56febf3 f5bb1e14 f72b6737 fa5fe172 "
        "253dc2b9 5e577f40 7d5a20ff c1480bd3 e4426e67 e454baf3 feb9c05f"
    ).split(),
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}


def shoe_kind(source: str) -> str | None:
    """The kind of shoe in a photo, by the name of its file; None where it is not known."""
    return _KIND_OF.get(PurePath(source).name[:8])


def with_shoe_kinds(photos: Photos, shoes: int, positions: Mapping[str, int]) -> Photos:
    """The same photos, with the kind as the group of those shoes of which it is known.

    Args:
        photos: To train on.
        shoes: The group of shoes of any kind.
        positions: The group of each label of `hemline.datasets.wardrobe.SHOES`.
    """
    groups = photos.groups.copy()
    for i in np.flatnonzero(groups == shoes).tolist():
        kind = shoe_kind(photos.sources[i])
        groups[i] = shoes if kind is None else positions[kind]
    return replace(photos, groups=groups)
