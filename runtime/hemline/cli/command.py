"""What a command of the command line is; the runtime's own and those of the other packages alike."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

DONE = 0
FAILED = 1  # a gate failed, or some inputs could not be read
IMPOSSIBLE = 2  # the user asked for something that cannot be done
INTERRUPTED = 130


class Command(NamedTuple):
    """A command: its arguments, and the function that does it and returns the exit code."""

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


@contextlib.contextmanager
def collector_off() -> Iterator[None]:
    """No garbage collection while libraries and models are loaded, nor over them ever after.

    Loading makes thousands of objects that stay to the end. The collector would look through them
    again and again meanwhile, and once more when Python ends: a sixth of the time to a first label.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
