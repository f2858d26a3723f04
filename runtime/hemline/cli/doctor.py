"""`hemline doctor`: what this machine has, what works, and what mends the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hemline.cli.command import DONE, FAILED, Command
from hemline.errors import UserError

if TYPE_CHECKING:
    import argparse

_MAX_TIMEOUT_S = 600


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    from hemline.doctor.machine import DEFAULT_TIMEOUT_S

    parser.add_argument(
        "--camera",
        action="append",
        default=[],
        metavar="ID",
        help="this camera must give frames: index, device path, picamera, or stream address",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object with all findings")
    parser.add_argument(
        "--timeout",
        type=float,
        default=DEFAULT_TIMEOUT_S,
        metavar="SECONDS",
        help="how long each thing may take that is tried",
    )


def _run(arguments: argparse.Namespace) -> int:
    from hemline.doctor import Machine, examine

    if not 0 < arguments.timeout <= _MAX_TIMEOUT_S:
        raise UserError(
            f"--timeout is {arguments.timeout:g} s", f"it must be above 0, up to {_MAX_TIMEOUT_S}"
        )
    report = examine(Machine(timeout_s=arguments.timeout), arguments.camera)
    if arguments.json:
        print(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        print(report.text())
    return DONE if report else FAILED


COMMAND = Command("doctor", "see what this machine has and what works", _add_arguments, _run)
