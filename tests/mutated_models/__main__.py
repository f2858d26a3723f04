"""Damage model files by the thousand: `python -m mutated_models --count 5000`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from hemline import models
from mutated_models.campaign import examine
from mutated_models.originals import originals


def main() -> int:
    """Print what came of the files of each kind; 1 if one did what none may do.

    A file with a card that is not refused holds the same network and answers as before; one without a card
    has no checksum, and may answer otherwise, but must answer or be refused.
    """
    parser = argparse.ArgumentParser(prog="python -m mutated_models", description=__doc__)
    parser.add_argument("--model", type=Path, default=models.source_path_of("paper"),
                        help="the float .keras file that all kinds are made of")  # fmt: skip
    parser.add_argument("--count", type=int, default=1000, help="damaged files of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", help="only these kinds, such as int8.tflite")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    chosen = parser.parse_args()
    numbers, wrong = {}, 0
    print(f"{'kind':<24} {'files':>7} {'refused':>8} {'answered':>9} {'wrong':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for sound in originals(Path(folder), chosen.model):
            if chosen.kind and sound.kind not in chosen.kind:
                continue
            tally = examine(sound, chosen.count, chosen.seed)
            print(f"{sound.kind:<24} {tally.files:>7,} {tally.refused:>8,} {tally.answered:>9,} "
                  f"{len(tally.wrong):>6,}", flush=True)  # fmt: skip
            for sentence in tally.wrong:
                print(f"  {sentence}", flush=True)
            wrong += len(tally.wrong)
            numbers[sound.kind] = {**vars(tally), "ways": dict(sorted(tally.ways.items()))}
    if chosen.json:
        chosen.json.write_text(json.dumps(numbers, indent=1) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
