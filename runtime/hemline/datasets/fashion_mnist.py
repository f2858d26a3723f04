"""What Fashion-MNIST is, and where it lies on this machine.

Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
learning algorithms" (2017); the `fashion-mnist` repository of zalandoresearch, MIT licence.
"""

from __future__ import annotations

import os
from pathlib import Path

from hemline.datasets.idx import ALL_STEMS, file_of
from hemline.errors import DataError

FASHION_MNIST = "fashion-mnist"
FASHION_MNIST_LABELS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# Of the decompressed content: the gzip bytes differ between mirrors, the pictures do not.
CONTENT_MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}

DATA_VARIABLE = "HEMLINE_DATA"
BY_HAND = (
    f"put the four files {', '.join(f'{stem}.gz' for stem in ALL_STEMS)} into a folder "
    f"{FASHION_MNIST}, and let {DATA_VARIABLE} name the folder above it"
)


def data_home() -> Path | None:
    """The folder that `HEMLINE_DATA` names; it holds data sets by name.

    Raises:
        DataError: The variable is set, but names no folder.
    """
    named = os.environ.get(DATA_VARIABLE, "")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"{DATA_VARIABLE} is {named}, which is no folder",
            "let it name a folder that holds data sets by name, or unset it",
        )
    return folder


def cache_folder() -> Path:
    """Where a downloaded Fashion-MNIST is kept: below `XDG_CACHE_HOME`, or else `~/.cache`.

    Raises:
        DataError: Neither is known.
    """
    named = os.environ.get("XDG_CACHE_HOME", "")
    if Path(named).is_absolute():  # a relative one is to be ignored, says the XDG specification
        return Path(named) / "hemline" / FASHION_MNIST
    try:
        return Path.home() / ".cache" / "hemline" / FASHION_MNIST
    except RuntimeError as error:
        raise DataError(
            "this user has no home folder to keep downloads in",
            f"let XDG_CACHE_HOME name a folder for them, or {BY_HAND}",
        ) from error


def find_fashion_mnist() -> Path | None:
    """The folder with all four files of Fashion-MNIST, if they are on this machine.

    Looked for below `HEMLINE_DATA`, then in the user's cache. Nothing is downloaded.

    Raises:
        DataError: `HEMLINE_DATA` names no folder.
    """
    home = data_home()
    candidates = [home / FASHION_MNIST] if home else []
    for folder in (*candidates, cache_folder()):
        if all(file_of(folder, stem) for stem in ALL_STEMS):
            return folder
    return None
