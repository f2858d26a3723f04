"""Data sets to train, calibrate and measure with: Fashion-MNIST, IDX files, folders of pictures.

    from hemline.datasets import open_dataset

    test = open_dataset("fashion-mnist").split("test")
    tensors = test.tensors(card.input)  # uint8, (N, H, W, C), made by the one preprocessing

Where a data set has no validation or test split of its own, `hemline.datasets.heldout` cuts it.
"""

from __future__ import annotations

from hemline.datasets.fashion_mnist import FASHION_MNIST_LABELS, find_fashion_mnist
from hemline.datasets.opening import open_dataset
from hemline.datasets.split import Dataset, Split

__all__ = [
    "FASHION_MNIST_LABELS",
    "Dataset",
    "Split",
    "find_fashion_mnist",
    "open_dataset",
]
