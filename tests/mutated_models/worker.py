"""A child process that opens damaged files, one after another, and says of each what came of it.

A line of JSON when a file is begun and one when it is done, so that the parent knows which file ended it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import traceback
from pathlib import Path

from hemline.card import ModelCard
from mutated_models.examination import ACCEPTED, OTHER_ANSWERS, Examiner
from mutated_models.mutations import Mutant, Original, mutant
from mutated_models.sameness import is_same_network

_MOST_BYTES = 12 << 30  # of address space; a file that asks for more has made a runtime go wild


def damaged(original: Original, name: str, seed: int, index: int) -> Mutant:
    """The file of this number; never the sound one."""
    rng = random.Random(f"{name} {seed} {index}")
    while True:
        made = mutant(original, rng)
        if made.content != original.content:
            return made


def main() -> None:
    """Examine the files from one number to another."""
    parser = argparse.ArgumentParser()
    parser.add_argument("original", type=Path)
    parser.add_argument("--pack", type=Path)
    parser.add_argument("--other-card", type=Path)
    parser.add_argument("--stated-card", type=Path)
    for name in ("--seed", "--start", "--stop"):
        parser.add_argument(name, type=int)
    chosen = parser.parse_args()
    # Libraries write to standard output too.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    stated = ModelCard.from_json(chosen.stated_card.read_text()) if chosen.stated_card else None
    suffix = chosen.original.suffix[1:]
    original = Original(suffix, chosen.original.read_bytes(), chosen.other_card.read_text())
    examine = Examiner(chosen.original, chosen.pack, stated)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"damaged.{suffix}"
        for index in range(chosen.start, chosen.stop):
            made = damaged(original, chosen.original.name, chosen.seed, index)
            print(json.dumps({"index": index, "how": made.how}), file=answers, flush=True)
            path.write_bytes(made.content)
            found = {"index": index, "how": made.how, "ways": {}, "traceback": ""}
            try:
                for way, verdict in examine(path):
                    found["ways"][way] = verdict
                if stated is None and {ACCEPTED, OTHER_ANSWERS} & {*found["ways"].values()}:
                    found["same"] = is_same_network(suffix, original.content, made.content)
            except Exception:
                found["traceback"] = traceback.format_exc()
            print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    sys.exit(main())
