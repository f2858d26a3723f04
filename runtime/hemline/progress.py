"""Progress of long work on standard error, and none when that is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def progress(
    items: Iterable[Item], description: str, total: int | None = None, unit: str = "image"
) -> Iterator[Item]:
    """Pass `items` through, drawing a bar while they go by."""
    if not sys.stderr.isatty():
        yield from items
        return
    from tqdm import tqdm  # only where somebody watches: importing it costs 20 ms

    yield from tqdm(items, desc=description, total=total, unit=unit, file=sys.stderr, leave=False)
