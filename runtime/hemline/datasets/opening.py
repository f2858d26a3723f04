"""From what a user writes after `--data` to a data set."""

from __future__ import annotations

from pathlib import Path

from hemline.datasets.drawn import DRAWN, open_drawn
from hemline.datasets.fashion_mnist import (
    BY_HAND,
    DATA_VARIABLE,
    FASHION_MNIST,
    cache_folder,
    data_home,
    find_fashion_mnist,
)
from hemline.datasets.folder import LAYOUT, open_class_folders
from hemline.datasets.idx_folder import is_idx_folder, open_fashion_mnist, open_idx_folder
from hemline.datasets.split import Dataset
from hemline.datasets.wardrobe import GARMENT_PHOTOS, PHOTOS_BY_HAND, WARDROBE, join_wardrobe
from hemline.errors import DataError


def open_dataset(spec: str | Path, *, download: bool = True) -> Dataset:
    """Open a data set by name or by path.

    Args:
        spec: One of

            - `fashion-mnist`: looked for below `HEMLINE_DATA`, then in the user's cache, then
              downloaded to the cache;
            - `drawn`: the drawn garments that come with hemline;
            - `wardrobe`: `garment-photos` and `fashion-mnist` as one (`hemline.datasets.wardrobe`);
            - the name of another folder below `HEMLINE_DATA`;
            - the path of a folder with IDX files, or with one sub-folder per class, or with
              `train`, `validation` and `test` above the classes. Write `./NAME` for a folder
              here that has one of the names above.
        download: Whether Fashion-MNIST may be downloaded.

    Returns:
        The data set, with the splits that `hemline.datasets.heldout` cut where it has none.

    Raises:
        DataError: There is no such data set, it is damaged, or not laid out as expected.
        UserError: The download cannot be stored.
    """
    named = str(spec)
    if isinstance(spec, Path) and spec.is_dir():
        return _open_folder(spec)
    if named == FASHION_MNIST:
        return open_fashion_mnist(find_fashion_mnist() or _downloaded(download))
    if named == DRAWN:
        return open_drawn()
    if named == WARDROBE:
        photos = _open_folder(_folder(GARMENT_PHOTOS))
        return join_wardrobe(photos, open_dataset(FASHION_MNIST, download=download))
    return _open_folder(_folder(named))


def _downloaded(download: bool) -> Path:
    folder = cache_folder()
    if not download:
        raise DataError(
            f"Fashion-MNIST is not on this machine: neither below {DATA_VARIABLE} nor in {folder}",
            f"let hemline download it (30 MB), or {BY_HAND}",
        )
    from hemline.datasets.download import download_fashion_mnist  # most runs need no network code

    download_fashion_mnist(folder)
    return folder


def _folder(named: str) -> Path:
    """The folder that a name or a path means."""
    is_bare_name = named not in ("", ".", "..", "~") and Path(named).name == named
    home = data_home() if is_bare_name else None
    if home is not None and (home / named).is_dir():
        return home / named
    try:
        path = Path(named).expanduser()
    except RuntimeError:  # ~somebody whom this machine does not know
        path = Path(named)
    if named and path.is_dir():
        return path
    if named and path.exists():
        raise DataError(f"{path} is a file, not a folder with a data set", LAYOUT)
    looked = f"; {home} was looked in too" if home else ""
    here = f"; {DATA_VARIABLE} is not set" if is_bare_name and not home else ""
    hint = f"give {FASHION_MNIST}, {DRAWN}, {WARDROBE}, or a folder. {LAYOUT}"
    raise DataError(
        f"there is no data set {named!r}: no folder of that name exists{looked}{here}",
        PHOTOS_BY_HAND if named == GARMENT_PHOTOS else hint,
    )


def _open_folder(folder: Path) -> Dataset:
    return open_idx_folder(folder) if is_idx_folder(folder) else open_class_folders(folder)
