"""Many damaged copies of one file, examined in child processes that may crash or hang."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mutated_models.examination import ACCEPTED, OTHER_ANSWERS, REFUSED
from mutated_models.originals import Sound

_SILENCE_S = (
    120  # of a child, from which on it hangs; TensorFlow takes seconds to start, a trial 30
)
_PATHS = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
WORKER = (sys.executable, "-m", "mutated_models.worker")


@dataclass
class Tally:
    """What came of the damaged copies of one file.

    Attributes:
        files: How many there were.
        refused: By every way that runs the model.
        answered: Not refused. Where the file has a card, the network is the same by another's reader, and so
            are the answers.
        wrong: What must not be: number, way of damage, and what happened.
        ways: How often each way had each verdict.
    """

    files: int = 0
    refused: int = 0
    answered: int = 0
    wrong: list[str] = field(default_factory=list)
    ways: Counter[str] = field(default_factory=Counter)

    def add(self, found: dict[str, Any], *, has_checksum: bool) -> None:
        """Count one file."""
        name = f"{found['index']} ({found['how']})"
        verdicts = {way: v for way, v in found["ways"].items() if way != "inspect"}
        self.ways.update(f"{way}: {verdict}" for way, verdict in found["ways"].items())
        accepts = {ACCEPTED, OTHER_ANSWERS} & {*found["ways"].values()}
        if found["traceback"]:
            self.wrong.append(f"{name}: {found['traceback']}")
        elif has_checksum and accepts and not found["same"]:
            self.wrong.append(f"{name}: another network is accepted: {found['ways']}")
        elif OTHER_ANSWERS in verdicts.values():
            self.wrong.append(f"{name}: {verdicts}")
        elif {*verdicts.values()} == {REFUSED}:
            self.refused += 1
        else:
            self.answered += 1


def examine(sound: Sound, count: int, seed: int) -> Tally:
    """Examine so many damaged copies of a file."""
    tally, start = Tally(count), 0
    while start < count:
        start = _one_child(sound, seed, start, count, tally)
    return tally


def _one_child(sound: Sound, seed: int, start: int, stop: int, tally: Tally) -> int:
    """Let one child work until it is done or ends before its time; the number to go on with."""
    named = {
        "--pack": sound.pack,
        "--other-card": sound.other_card,
        "--seed": seed,
        "--start": start,
    }
    command: list[object] = [*WORKER, sound.path, "--stop", stop]
    command += [word for pair in named.items() for word in pair]
    if sound.stated_card:
        command += ["--stated-card", sound.stated_card]
    begun: dict[str, Any] | None = None
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(_PATHS)},
        ) as child,
    ):
        assert child.stdout is not None
        for line in (lines := _Lines(child.stdout.fileno())):
            found = json.loads(line)
            begun = None if "ways" in found else found
            if begun is None:
                tally.add(found, has_checksum=sound.stated_card is None)
                start = found["index"] + 1
        if lines.are_silent:
            child.kill()
        code = child.wait()
        errors.seek(0)
        said = errors.read()[-2000:]
    if begun is None:
        if start < stop:
            raise AssertionError(f"the child ended with {code} between two files: {said}")
        return start
    what = f"hangs for {_SILENCE_S} s" if lines.are_silent else f"crashes with {code}: {said}"
    tally.wrong.append(f"{begun['index']} ({begun['how']}): {what}")
    return int(begun["index"]) + 1


class _Lines:
    """The lines that a child writes, until its end or until it is silent for too long."""

    def __init__(self, end: int) -> None:
        self._end = end
        self.are_silent = False

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        while True:
            if not select.select([self._end], [], [], _SILENCE_S)[0]:
                self.are_silent = True
                return
            more = os.read(self._end, 1 << 16)
            if not more:
                return
            *whole, rest = (rest + more).split(b"\n")
            yield from whole
