"""`hemline models`: what is shipped."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from hemline import models
from hemline.card import ModelCard
from hemline.cli.command import DONE, Command
from hemline.measured_accuracy import measured_accuracies
from hemline.zipcard import read_zip_card


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def _run(arguments: argparse.Namespace) -> int:
    for name in models.names():
        row = describe(name)
        print(json.dumps(row, ensure_ascii=False) if arguments.json else _text(row))
    return DONE


def describe(name: str) -> dict[str, Any]:
    """What a shipped model is: name, labels, input and its rules, sizes, and the accuracy in its card."""
    named = models.path_of(name, "litert")
    assert named is not None
    path = Path(named)
    text = read_zip_card(named, path.read_bytes())
    assert text is not None
    card = ModelCard.from_json(text)
    files = sorted(path.parent.glob(f"{name}[_.]*"))
    return {
        "name": name,
        "version": card.version,
        "labels": list(card.labels),
        "input": card.input.size_text,
        "foreground": card.input.foreground,
        "files": {file.name: file.stat().st_size for file in files},
        "training": card.training,
    }


def _text(row: dict[str, Any]) -> str:
    lines = [f"{row['name']} (version {row['version']}), input {row['input']}, {row['foreground']}"]
    lines.append(f"  classes   {', '.join(row['labels'])}")
    accuracies, measured = measured_accuracies(row["training"], int8=True)
    lines += [f"  accuracy  {accuracy}, measured {measured}" for accuracy in accuracies]
    for file, size in row["files"].items():
        lines.append(f"  file      {file}, {size / 1000:.1f} kB")
    return "\n".join(lines)


COMMAND = Command("models", "list the models that are shipped", _add_arguments, _run)
