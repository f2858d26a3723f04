"""`hemline service`: classify a camera whenever the machine runs, as a service of systemd."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from hemline.cli.command import DONE, FAILED, Command
from hemline.errors import UserError

if TYPE_CHECKING:
    import argparse

    from hemline.cli.service_options import Options
    from hemline.service.control import Control
    from hemline.service.place import Before, Place
    from hemline.service.unit import Scope, Unit

_DEFAULT_NAME = "hemline"
_OPTIONS = "options of hemline classify, after --, such as: -- --camera 0 --on-change"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    install, show, status, uninstall = (
        actions.add_parser(
            name, help=summary, allow_abbrev=False, formatter_class=parser.formatter_class
        )
        for name, summary in (
            ("install", "write the unit, and start it now and at each start"),
            ("show", "print the unit and write nothing"),
            ("status", "whether it runs; exit code 1 if not"),
            ("uninstall", "stop it and remove the unit"),
        )
    )
    for action in (install, show, status, uninstall):
        scope = action.add_mutually_exclusive_group()
        scope.add_argument(
            "--user", action="store_true", help="by the user's own manager (default)"
        )
        scope.add_argument(
            "--system", action="store_true", help="by that of the machine: more is locked away"
        )
        action.add_argument(
            "--name", default=_DEFAULT_NAME, help="one for each camera: the name of the service"
        )
    for action in (install, show):
        _add_unit_arguments(action)
    for action in (install, uninstall):
        action.add_argument(
            "--force", action="store_true", help="although somebody has changed the unit"
        )
        action.add_argument(
            "--no-start",
            action="store_true",
            help="only write or remove the file; call no systemctl",
        )


def _add_unit_arguments(action: argparse.ArgumentParser) -> None:
    from hemline.service.unit import DEFAULT_WATCHDOG_S

    action.add_argument("--run-as", metavar="USER", help="with --system; default: who called sudo")
    action.add_argument(
        "--watchdog",
        type=float,
        default=DEFAULT_WATCHDOG_S,
        metavar="SECONDS",
        help="without a frame for so long it is started anew; 0 for never",
    )
    action.add_argument(
        "--writes",
        action="append",
        default=[],
        metavar="DIR",
        help="with --system: programs of --exec may write there",
    )
    action.add_argument(
        "--device",
        action="append",
        default=[],
        metavar="DEVICE",
        help="with --system: also this may be used, such as char-gpiochip or /dev/ttyUSB0",
    )
    action.add_argument("options", nargs="*", metavar="OPTION", help=_OPTIONS)
    action.usage = f"{action.prog} [--user | --system] [--name NAME] … -- --camera ID …"


def _run(arguments: argparse.Namespace) -> int:
    from hemline.service.place import Place

    scope: Scope = "system" if arguments.system else "user"
    place = Place(scope, arguments.name)
    if arguments.action == "status":
        return _status(place)
    if arguments.action == "uninstall":
        return _uninstall(place, arguments)
    unit, options = _unit(place, arguments)
    if arguments.action == "show":
        print(unit.text(), end="")
        return DONE
    return _install(place, arguments, unit, options)


def _unit(place: Place, arguments: argparse.Namespace) -> tuple[Unit, Options]:
    from pathlib import Path

    from hemline.cli.service_options import checked
    from hemline.service import account
    from hemline.service.control import Control
    from hemline.service.unit import Unit

    if not arguments.watchdog >= 0:
        raise UserError(f"--watchdog is {arguments.watchdog:g} s", "it must not be negative")
    is_system = place.scope == "system"
    for name in ("run_as", "writes", "device"):
        if getattr(arguments, name) and not is_system:
            raise UserError(
                f"--{name.replace('_', '-')} is given without --system",
                "a service of the user runs as that user, and may do what the user may",
            )
    options = checked(arguments.options)
    writes = (*options.writes, *(account.folder(path) for path in arguments.writes))
    unit = Unit(
        place.scope,
        (sys.executable, "-P", "-m", "hemline", "classify", *options.words),
        Path.cwd(),
        place.environment,
        run_as=account.run_as(arguments.run_as) if is_system else "",
        writes=writes if is_system else (),
        devices=tuple(arguments.device),
        groups=account.camera_groups() if is_system else (),
        watchdog_s=arguments.watchdog,
        needs_network=options.needs_network,
        systemd_version=Control(place.scope).version(),
    )
    return unit, options


def _install(place: Place, arguments: argparse.Namespace, unit: Unit, options: Options) -> int:
    from hemline.service import account
    from hemline.service.control import Control

    text = unit.text()
    _must_be_allowed(place)
    if place.scope == "system":
        account.must_be_able(unit.run_as, unit.folder, unit.writes)
    before = place.write(text, force=arguments.force)
    control = Control(place.scope)
    if not arguments.no_start:
        _start(place, control, before)
    print(f"wrote {place.unit}")
    if not arguments.no_start:
        print(f"started {place.name}, now and at each start")
    else:
        print("to start it, now and at each start:")
        print(f"  {' '.join(control.command('daemon-reload'))}")
        print(f"  {' '.join(control.command('enable', '--now', place.name))}")
    for line in _advice(place, options):
        print(line)
    return DONE


def _start(place: Place, control: Control, before: Before) -> None:
    """Have it started now and at each start; a service that cannot be is not left half installed."""
    try:
        control.call("daemon-reload")
        control.call("enable", place.name)
        control.call("restart", "--no-block", place.name)
    except BaseException as error:
        place.restore(before)
        with contextlib.suppress(UserError):
            control.call("daemon-reload")
        if isinstance(error, UserError):
            left = "nothing is installed" if before.unit is None else "the old unit is there again"
            raise UserError(f"{error.problem}; {left}", error.hint) from error
        raise


def _advice(place: Place, options: Options) -> list[str]:
    from hemline.service import account

    journal = f"journalctl --user -u {place.name} -f" if place.scope == "user" else ""
    lines = [
        f"its state:   hemline service status --{place.scope} --name {place.name}",
        f"its journal: {journal or f'journalctl -u {place.name} -f'}",
        f"passwords:   {place.environment} (nobody else can read it)",
    ]
    if place.scope == "user" and not account.lingers():
        lines.append(
            "it ends when you log out; to have it run without a login: loginctl enable-linger"
        )
    if options.shows_all:
        lines.append(
            "note: every frame gives a line in the journal; --on-change tells new labels alone"
        )
    if options.shows_password:
        lines.append("note: the password in the address can be read by all users of this machine")
    if options.serves_network:
        lines.append(
            f"note: put HEMLINE_TOKEN=… into {place.environment}, or clients need another token after "
            "each start, which is in the journal"
        )
    if options.runs_programs and place.scope == "system":
        lines.append(
            "note: what --exec runs may write to --writes folders alone, and use cameras and --device alone"
        )
    return lines


def _uninstall(place: Place, arguments: argparse.Namespace) -> int:
    from hemline.service.control import Control

    _must_be_allowed(place)
    place.must_be_removable(force=arguments.force)
    control = Control(place.scope)
    unasked: UserError | None = None
    if not arguments.no_start:
        unasked = _refused(control, "disable", "--now", place.name)
    place.remove(force=arguments.force)
    if not arguments.no_start:
        unasked = _refused(control, "daemon-reload") or unasked
    print(f"removed {place.unit}")
    if unasked is not None:
        stop = " ".join(control.command("stop", place.name))
        print(
            f"hemline: warning: systemd could not be told ({unasked.problem}); if it still runs, end it "
            f"with: {stop}",
            file=sys.stderr,
        )
    if place.environment.exists():
        print(
            f"left {place.environment}, which may hold passwords: remove it if you need it no more"
        )
    return DONE


def _refused(control: Control, *words: str) -> UserError | None:
    try:
        control.call(*words)
    except UserError as error:
        return error
    return None


def _status(place: Place) -> int:
    from hemline.service.control import Control

    file = place.state()
    if file == "absent":
        print(f"{place.name}: not installed ({place.unit})")
        return FAILED
    state = Control(place.scope).state(place.name)
    print(f"{place.name}: {state.get('ActiveState')} ({state.get('SubState')})")
    if state.get("StatusText"):
        print(f"  {state['StatusText']}")
    if state.get("Result", "success") != "success":
        print(f"  the last end: {state['Result']}, exit code {state.get('ExecMainStatus')}")
    print(f"  restarts: {state.get('NRestarts')}")
    print(f"  unit:     {place.unit}, {'changed by hand' if file == 'changed' else file}")
    user = "--user " if place.scope == "user" else ""
    print(f"  journal:  journalctl {user}-u {place.name} -e")
    return DONE if state.get("ActiveState") == "active" else FAILED


def _must_be_allowed(place: Place) -> None:
    if place.scope == "system" and os.geteuid() != 0:
        raise UserError(
            "a service of the system is root's to install",
            'the same again with: sudo "$(command -v hemline)" service …; or take --user',
        )


COMMAND = Command("service", "classify a camera as a service of systemd", _add_arguments, _run)
