"""An architecture of one's own: a design with its recipe, as a JSON file that `hemline search` writes.

`hemline train --arch FILE.json` trains it.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hemline.card import InputSpec
from hemline.errors import UserError
from hemline_train.designs import DenseDesign, Design, ResidualDesign
from hemline_train.recipes import RECIPES, Augmentation, Optimization, Recipe

ARCHITECTURE_FORMAT = 1
ARCHITECTURE_SUFFIX = ".json"
_KINDS: dict[str, type[ResidualDesign] | type[DenseDesign]] = {
    "residual": ResidualDesign,
    "dense": DenseDesign,
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # it becomes the name of files
_PARTS = {"input": InputSpec, "augmentation": Augmentation, "optimization": Optimization}

T = TypeVar("T")


@dataclass(frozen=True)
class Architecture:
    """A network that is not among `RECIPES`.

    Attributes:
        name: Of the model and its files.
        design: Size of the network.
        recipe: How it is trained by default.

    Raises:
        UserError: The name is taken or is none for a file, or the recipe does not fit.
    """

    name: str
    design: Design
    recipe: Recipe

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise UserError(
                f"the name of an architecture is {self.name!r}",
                "it must be made of letters, digits, '_', '-' and '.', at most 64 of them",
            )
        if self.name in RECIPES:
            raise UserError(
                f"an architecture file has the name {self.name!r}, which is hemline's own",
                "give it another name",
            )
        if self.recipe.dropout:
            raise UserError(
                f"the recipe of {self.name} has a dropout of {self.recipe.dropout}",
                "residual and dense networks have no such layer; it must be 0",
            )

    def to_json(self) -> dict[str, Any]:
        """The content of the file."""
        kind = next(kind for kind, type_ in _KINDS.items() if isinstance(self.design, type_))
        content: dict[str, Any] = {
            "format": ARCHITECTURE_FORMAT,
            "name": self.name,
            "design": {"kind": kind, **dataclasses.asdict(self.design)},
            "recipe": dataclasses.asdict(self.recipe),
        }
        # With lists for tuples, so that it equals what is read back.
        plain: dict[str, Any] = json.loads(json.dumps(content))
        return plain

    @classmethod
    def from_json(cls, content: Any) -> Architecture:
        """The architecture of what `to_json` gave.

        Raises:
            UserError: It is something else.
        """
        try:
            if content["format"] != ARCHITECTURE_FORMAT:
                raise ValueError(f"it is of format {content['format']!r}")
            design = dict(content["design"])
            kind = design.pop("kind")
            if kind not in _KINDS:
                raise ValueError(f"the kind {kind!r} of its design is none of: {', '.join(_KINDS)}")
            recipe = dict(content["recipe"])
            for name, part in _PARTS.items():
                recipe[name] = _made(part, recipe[name])
            return cls(content["name"], _made(_KINDS[kind], design), _made(Recipe, recipe))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise UserError(
                f"this describes no architecture: {what}",
                "take a file that hemline search wrote, or one like it",
            ) from error


def read_architecture(path: Path) -> Architecture:
    """Read an architecture file.

    Raises:
        UserError: It cannot be read, or is something else.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(
            f"the architecture {path} cannot be read: {why}",
            f"give a file that hemline search wrote, or one of: {', '.join(RECIPES)}",
        ) from error
    try:
        return Architecture.from_json(content)
    except UserError as error:
        raise UserError(f"{path}: {error.problem}", error.hint) from error


def _made(type_: type[T], values: Mapping[str, Any]) -> T:
    """A dataclass of JSON values: numbers are checked, and lists become tuples."""
    kinds = typing.get_type_hints(type_)
    unknown = sorted(set(values) - set(kinds))
    if unknown:
        raise ValueError(f"{type_.__name__} has no {', '.join(unknown)}")
    return type_(**{name: _fitting(name, value, kinds[name]) for name, value in values.items()})


def _fitting(name: str, value: Any, kind: Any) -> Any:
    """The value, if it is of the kind that the field has."""
    origin = typing.get_origin(kind) or kind
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_fitting(name, item, typing.get_args(kind)[0]) for item in value)
    if origin is typing.Literal or isinstance(origin, types.UnionType):
        fits = value in typing.get_args(kind)
    elif origin is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif origin is int:
        fits = isinstance(value, int) and not isinstance(value, bool)
    else:
        fits = isinstance(value, origin)
    if not fits:
        raise ValueError(f"{name} is {value!r}")
    return value
