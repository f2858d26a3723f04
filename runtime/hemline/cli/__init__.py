"""The command line: it parses, calls one library function, prints its result, returns its status."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from hemline import __version__
from hemline.cli.command import (
    DONE,
    IMPOSSIBLE,
    Command,
    abandon_lost_terminal,
    heed_no_more_signals,
    heed_signals,
    loading,
)
from hemline.errors import UserError
from hemline.printable import printable
from hemline.start import INTERRUPTED, INTERRUPTED_MESSAGE, open_closed_streams

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_PLUGIN_GROUP = "hemline.commands"
_PLUGINS = (
    "demo",
    "train",
    "search",
    "convert",
)  # registered there by the train and convert packages
_OWN = (
    "parity",
    "classify",
    "inspect",
    "bench",
    "models",
    "doctor",
    "service",
)  # each is a module of this package
_ORDER = (*_PLUGINS, *_OWN)  # of the help: the order in which one uses them
_EPILOG = (
    "Start with: hemline demo, or on a Raspberry Pi: hemline doctor. "
    "Help on a command: hemline COMMAND --help"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 done; 1 a gate failed or some inputs could not be read; 2 impossible; 130 interrupted, by
        Ctrl-C, or by SIGTERM or SIGHUP, which end everything as cleanly.
    """
    open_closed_streams()
    heed_signals()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # File names need not be UTF-8.
        sys.stdout.reconfigure(errors="backslashreplace")
    status = DONE
    try:
        if sys.stdout is None:
            raise UserError("standard output is closed", "let it go to a file or a terminal")
        # Only the module of the command that is wanted is imported: start-up time is a feature.
        name = arguments[0] if arguments else ""
        command = command_named(name) if name in _ORDER else None
        if command is None:
            _overview().parse_args(arguments or ["--help"])
            return IMPOSSIBLE
        status = command.run(parser_of(command).parse_args(arguments[1:]))
        sys.stdout.flush()  # so that a full disk is told here, and not by Python at exit
        return status
    except UserError as error:
        print(f"hemline: error: {printable(str(error))}", file=sys.stderr)
        return IMPOSSIBLE
    except KeyboardInterrupt:
        heed_no_more_signals()
        abandon_lost_terminal()
        print(INTERRUPTED_MESSAGE, file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`). Python would complain at exit.
        _abandon_stdout()
        return status
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"hemline: error: cannot write the output: {error.strerror}", file=sys.stderr)
        _abandon_stdout()
        return IMPOSSIBLE


def parser_of(command: Command) -> argparse.ArgumentParser:
    """The parser of a command; it raises `UserError` for what the command does not take."""
    parser = _Parser(
        prog=f"hemline {command.name}",
        description=command.summary,
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    return parser


def _abandon_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    """Tells of a wrong option as hemline tells of all mistakes, without the whole usage above it."""

    def error(self, message: str) -> NoReturn:
        hint = f"see: {self.prog} --help"
        if message.startswith("argument --") and message.endswith("expected one argument"):
            option = message.removeprefix("argument ").partition(":")[0]
            hint += f"; a value that begins with - is written {option}=-value"
        elif message.startswith("unrecognized arguments: "):
            hint = self._meant_by(message.split()[2], hint)
        raise UserError(message, hint)

    def _meant_by(self, unknown: str, hint: str) -> str:
        """The hint, with what an argument may have been meant for."""
        if not unknown.startswith("-"):
            return f"all files are named together, before or behind the options; {hint}"
        from difflib import get_close_matches  # nobody who writes it right waits for it

        options = get_close_matches(unknown.partition("=")[0], self._option_string_actions, n=1)
        if options:
            return f"did you mean {options[0]}? {hint}"
        return f"{hint}; a name that begins with - is written ./{unknown}"

    def _print_message(self, message: str, file: Any = None) -> None:
        """Help and version; argparse would keep it to itself that a disk is full."""
        print(message, end="", file=file, flush=True)


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults that say something: not "None", "False" or "[]"."""

    def __init__(self, prog: str) -> None:
        # Without a width, argparse imports shutil (4 ms) to ask for it, even if no help is shown.
        super().__init__(prog, width=_columns() - 2)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or action.default == []:
            return action.help
        return super()._get_help_string(action)


def _columns() -> int:
    """The width of the terminal, as `shutil.get_terminal_size` finds it."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


def _overview() -> argparse.ArgumentParser:
    """The parser for `hemline --help`, `--version` and unknown commands."""
    parser = _Parser(
        prog="hemline",
        description="Take a small image classifier to the edge, and check that it arrived whole.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"hemline {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name in _ORDER:
        commands.add_parser(name, help=command_named(name).summary)
    return parser


def command_named(name: str) -> Command:
    """A command of this package, or of another that is installed.

    Raises:
        UserError: The other package is not installed.
    """
    if name in _OWN:
        with loading():
            own: Command = import_module(f"hemline.cli.{name}").COMMAND
        return own
    from importlib.metadata import entry_points  # slow to import, and not needed on the device

    for point in entry_points(group=_PLUGIN_GROUP, name=name):
        plugin: Command = point.load()
        return plugin
    raise UserError(
        f"the command {name!r} is not part of this installation",
        "install hemline as a package: pip install 'hemline[all]'",
    )
