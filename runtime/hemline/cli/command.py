"""What a command of the command line is; the runtime's own and those of the other packages alike."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

DONE = 0
FAILED = 1  # a gate failed, or some inputs could not be read
IMPOSSIBLE = 2  # the user asked for something that cannot be done
INTERRUPTED = 130


@dataclass(frozen=True)
class Command:
    """A command: its arguments, and the function that does it and returns the exit code."""

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
