"""Sample pictures of garments, and a small data set of them.

All of it is made by the project's own program, `python -m hemline_train.drawn_garments`; there is
no image of any data set among it. The pictures show one garment each, and their file names say
which. `drawn_garments.npz` has `train_images` and `test_images` (uint8, (N, 28, 28), 0–255, bright
on black) with `train_targets` and `test_targets` (int64, (N,), class numbers of Fashion-MNIST).
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent
_PICTURE_SUFFIXES = frozenset({".jpg", ".png"})


def drawn_garments_path() -> Path:
    """Where the small data set lies."""
    return _FOLDER / "drawn_garments.npz"


def picture_paths() -> list[Path]:
    """Where the sample pictures lie, sorted by name."""
    return sorted(path for path in _FOLDER.iterdir() if path.suffix in _PICTURE_SUFFIXES)
