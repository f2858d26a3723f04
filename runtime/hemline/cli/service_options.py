"""The options of `hemline classify` that a service runs with, checked before they are in a unit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hemline.cli import classify, parser_of
from hemline.errors import UserError
from hemline.web import address

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

# Options that name a folder or file which classify writes to.
_WRITTEN_TO = ("save", "save_doubtful")
_SECRETS = ("token",)
_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]+@")


class Options(NamedTuple):
    """What was checked.

    Attributes:
        words: The options, as they were given.
        writes: Folders that they have classify write to.
        needs_network: Whether one names an address.
        runs_programs: Whether one has classify run programs, which the service's limits hold for too.
        shows_all: Whether every frame gives a line, which would fill the journal.
        shows_password: Whether an address holds one, which everybody can then read in the unit.
        serves_network: Whether others than this machine can reach it, for which they need a token.
    """

    words: tuple[str, ...]
    writes: tuple[Path, ...]
    needs_network: bool
    runs_programs: bool
    shows_all: bool
    shows_password: bool
    serves_network: bool


def checked(words: Sequence[str]) -> Options:
    """Read the options as `hemline classify` would.

    Args:
        words: What stands after `--`.

    Raises:
        UserError: classify would refuse them, they name no camera, or a folder is not there.
    """
    given = parser_of(classify.COMMAND).parse_args(list(words))
    if given.camera is None or given.source:
        raise UserError(
            "a service classifies what a camera sees, and none is named",
            "give the options of hemline classify after --, such as: -- --camera 0 --on-change",
        )
    for name in _SECRETS:
        if getattr(given, name, None) is not None:
            raise UserError(
                f"--{name} would be in the unit, which everybody can read",
                "leave it out, and put it into the environment file that is named once installed",
            )
    if given.show:
        raise UserError(
            "--show opens a window, which a service has no display for",
            "leave it out; to watch in a browser: --serve",
        )
    classify.checked(given)
    classify.classifier_of(given)
    return Options(
        tuple(words),
        tuple(_folder(name, path) for name, path in _written_to(given)),
        any("://" in word for word in words),
        given.exec is not None,
        not given.on_change,
        any(_PASSWORD.search(word) for word in words),
        given.serve is not None and not address.parse(given.serve).is_loopback,
    )


def _written_to(given: argparse.Namespace) -> Iterator[tuple[str, str]]:
    for name in _WRITTEN_TO:
        path: str | None = getattr(given, name, None)
        if path is not None:
            yield name, path


def _folder(option: str, path: str) -> Path:
    """The folder that must be there for the service to write to this path."""
    folder = Path(path).absolute()
    if not folder.is_dir() and folder.suffix:
        folder = folder.parent  # a file
    if not folder.is_dir():
        raise UserError(
            f"the folder of --{option.replace('_', '-')} is not there: {folder}",
            f"make it, as the user that the service runs as: mkdir -p '{folder}'",
        )
    return folder
