"""How a folder of pictures is laid out, and what lies in it that is no picture.

Passed over: hidden files and folders, what desktops leave behind, and notes (text, tables,
licences). Anything else that is no picture is refused by name, since a picture left out in silence
(a HEIC photo, say) would be missed only when the model is bad.
"""

from __future__ import annotations

from pathlib import Path

from hemline.datasets.split import TEST, TRAIN, VALIDATION
from hemline.errors import DataError
from hemline.images import IMAGE_SUFFIXES

LAYOUT = (
    "Expected is a folder with one sub-folder of pictures per class (photos/dress/1.jpg, "
    "photos/shirt/2.jpg), or train, validation and test above the classes "
    "(photos/train/dress/1.jpg), or the four IDX files of MNIST or Fashion-MNIST"
)
SPLIT_NAMES = {
    "train": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
}

_TEXTS = frozenset({".txt", ".md", ".rst", ".log", ".html", ".htm", ".url", ".ini"})
_TABLES = frozenset({".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml"})
_PASSED_OVER_NAMES = frozenset({"thumbs.db", "license", "licence", "readme"})
_PASSED_OVER_FOLDERS = frozenset({"__macosx", "@eadir"})  # of macOS archives, of Synology discs


def split_folders(folder: Path) -> dict[str, Path]:
    """The folder of each split; the folder itself is `train` if it has none above its classes.

    Raises:
        DataError: There are no sub-folders, or split folders stand beside others or without train.
    """
    folders = _folders(folder)
    if not folders:
        _refuse_without_folders(folder)
    # A train is also a vehicle: a folder of that name is a split only if it holds folders.
    named = [path for path in folders if path.name.lower() in SPLIT_NAMES]
    if not named or (len(named) < len(folders) and not any(_folders(path) for path in named)):
        return {TRAIN: folder}
    others = [path for path in folders if path not in named]
    if others:
        raise DataError(
            f"{folder} has the split folder {named[0].name} and beside it {others[0].name}, "
            "which is no split",
            f"move class folders into a split, and other folders elsewhere. {LAYOUT}",
        )
    splits: dict[str, Path] = {}
    for path in named:
        split = SPLIT_NAMES[path.name.lower()]
        if split in splits:
            raise DataError(
                f"{folder} has two {split} splits: {splits[split].name} and {path.name}",
                "keep one of them",
            )
        splits[split] = path
    if TRAIN not in splits:
        raise DataError(f"{folder} has no train folder, only {', '.join(splits)}", LAYOUT)
    return splits


def classes_of(folder: Path) -> list[Path]:
    """The class folders of a split.

    Raises:
        DataError: There are none.
    """
    folders = _folders(folder)
    if not folders:
        _refuse_without_folders(folder)
    return folders


def pictures_of(folder: Path) -> list[Path]:
    """The picture files of a class folder, sorted by name.

    Raises:
        DataError: There are none, or something else is among them.
    """
    pictures = []
    for path in _entries(folder):
        if path.is_dir():
            raise DataError(
                f"{path} is a folder inside the class folder {folder.name}",
                f"a class folder holds pictures only; is {folder} meant as the data set? {LAYOUT}",
            )
        if not path.is_file():
            raise DataError(f"{path} is no file (a broken link, or a device)", "remove or mend it")
        if path.suffix.lower() in IMAGE_SUFFIXES:
            pictures.append(path)
        elif not _is_note(path):
            raise DataError(
                f"{path} is no picture that can be read",
                "convert it to JPEG or PNG, or move it out of the class folder; read are "
                f"{', '.join(sorted(IMAGE_SUFFIXES))}",
            )
    if not pictures:
        raise DataError(
            f"the class folder {folder} has no pictures",
            f"put pictures into it or remove it; read are {', '.join(sorted(IMAGE_SUFFIXES))}",
        )
    return pictures


def _refuse_without_folders(folder: Path) -> None:
    count = sum(path.suffix.lower() in IMAGE_SUFFIXES for path in _entries(folder))
    if count:
        raise DataError(
            f"{folder} has {count} picture{'' if count == 1 else 's'}, but no class folders",
            f"put the pictures of each class into a sub-folder with its name. {LAYOUT}",
        )
    raise DataError(f"{folder} has no pictures and no class folders", LAYOUT)


def _folders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_dir()]


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder, sorted, without what is hidden or left there by a desktop."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(
            f"the folder {folder} cannot be read: {error.strerror or error}",
            "check its permissions",
        ) from error
    return [
        path
        for path in entries
        if not path.name.startswith(".") and path.name.lower() not in _PASSED_OVER_FOLDERS
    ]


def _is_note(path: Path) -> bool:
    name = path.name.lower()
    return name in _PASSED_OVER_NAMES or path.suffix.lower() in _TEXTS | _TABLES
