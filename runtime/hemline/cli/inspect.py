"""`hemline inspect`: what is in a model file, and what it needs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from hemline.cli.command import DONE, FAILED, Command
from hemline.errors import UserError
from hemline.printable import printable

if TYPE_CHECKING:
    import argparse


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", nargs="+", help="a .tflite, .onnx or .keras file, or the name of a shipped model"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def _run(arguments: argparse.Namespace) -> int:
    from hemline.inspection import inspect_model
    from hemline.inspection.text import text_of

    status = DONE
    for number, model in enumerate(arguments.model):
        try:
            inspection = inspect_model(model)
        except UserError as error:
            if len(arguments.model) == 1:
                raise
            status = FAILED
            if arguments.json:
                print(json.dumps({"file": model, "error": error.problem}, ensure_ascii=False))
            print(f"hemline: error: {printable(str(error))}", file=sys.stderr)
            continue
        if arguments.json:
            print(json.dumps(inspection.to_json(), ensure_ascii=False, allow_nan=False))
        else:
            text = printable(text_of(inspection))
            print(f"\n{text}" if number else text)
        if not inspection:
            status = FAILED
    return status


COMMAND = Command("inspect", "show what is in a model file and what it needs", _add_arguments, _run)
