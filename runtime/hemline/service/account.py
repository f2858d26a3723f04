"""Users, groups and folders of the machine, as a service needs them."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import subprocess
import sys
from pathlib import Path

from hemline.errors import UserError

_CAMERA_GROUP = "video"
_LINGERING = Path("/var/lib/systemd/linger")


def run_as(named: str | None) -> str:
    """The user that a service of the system runs as: the named one, or who called sudo.

    Raises:
        UserError: There is no such user, none is known, or hemline is where that user may not go.
    """
    user = named or os.environ.get("SUDO_USER", "")
    if not user or (user == "root" and named is None):
        raise UserError(
            "it is not known which user the service is to run as",
            "name one that may use cameras: --run-as USER",
        )
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise UserError(f"there is no user {user!r}", "name another: --run-as USER") from None
    if os.geteuid() == 0:
        _must_reach_hemline(entry)
    return entry.pw_name


def _must_reach_hemline(user: pwd.struct_passwd) -> None:
    """Try it as that user: a folder above may be closed, such as `/root`."""
    command = [sys.executable, "-P", "-c", "import hemline"]
    try:
        tried = subprocess.run(
            command,
            cwd="/",
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            capture_output=True,
            check=False,
        )
        if tried.returncode == 0:
            return
    except PermissionError:
        pass
    raise UserError(
        f"the user {user.pw_name} may not run {sys.executable} with hemline",
        "install hemline where that user may read it, such as below their home, or name another user",
    )


def camera_groups() -> tuple[str, ...]:
    """The group that may open cameras, where the system has it."""
    try:
        return (grp.getgrnam(_CAMERA_GROUP).gr_name,)
    except KeyError:
        return ()


def folder(path: str) -> Path:
    """A folder that is there, with its absolute path.

    Raises:
        UserError: It is not there.
    """
    absolute = Path(path).absolute()
    if not absolute.is_dir():
        raise UserError(f"there is no folder {absolute}", f"make it: mkdir -p '{absolute}'")
    return absolute


def lingers() -> bool:
    """Whether this user's services run without a login."""
    return (_LINGERING / getpass.getuser()).exists()
