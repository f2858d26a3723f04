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
# Goes into the first folder, and prints the first of the others that may not be written to.
_TRY = """
import hemline, os, sys
os.chdir(sys.argv[1])
print(next((path for path in sys.argv[2:] if not os.access(path, os.W_OK)), ""), end="")
"""
_LINGERING = Path("/var/lib/systemd/linger")


def run_as(named: str | None) -> str:
    """The user that a service of the system runs as: the named one, or who called sudo.

    Raises:
        UserError: There is no such user, or none is known.
    """
    user = named or os.environ.get("SUDO_USER", "")
    if not user or (user == "root" and named is None):
        raise UserError(
            "it is not known which user the service is to run as",
            "name one that may use cameras: --run-as USER",
        )
    try:
        return pwd.getpwnam(user).pw_name
    except KeyError:
        raise UserError(f"there is no user {user!r}", "name another: --run-as USER") from None


def must_be_able(name: str, folder: Path, writes: tuple[Path, ...]) -> None:
    """Try as that user whether hemline can be run in a folder, and others written to; root alone can try.

    Raises:
        UserError: It cannot: a folder above is closed, such as `/root`, or belongs to somebody else.
    """
    if os.geteuid() != 0:
        return
    user = pwd.getpwnam(name)
    try:
        tried = subprocess.run(
            [sys.executable, "-P", "-c", _TRY, str(folder), *map(str, writes)],
            cwd="/",
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=os.getgrouplist(name, user.pw_gid),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except PermissionError:
        tried = None
    if tried is None or tried.returncode:
        raise UserError(
            f"the user {name} may not run {sys.executable} with hemline in {folder}",
            "install hemline where that user may read it, such as below their home, and call this there",
        )
    if tried.stdout:
        raise UserError(
            f"the user {name} may not write to {tried.stdout}",
            f"give it to that user: sudo chown {name} '{tried.stdout}'",
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
