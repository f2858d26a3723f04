"""What is done in the machine of `machine.sh`: a service is installed, disturbed, and removed.

Each step writes what it saw; `test_systemd.py` looks at it.
"""

from __future__ import annotations

import json
import os
import pwd
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SHARED = Path(sys.argv[1])
PICTURE = sys.argv[2]
USER = "pi"  # made on the disk that is gone at the end
HANG = Path(
    "/srv/hang"
)  # while it is there, the camera hangs; not in /tmp, which the service has its own of
HEMLINE = [sys.executable, "-m", "hemline"]
RPICAM = f"""\
#!{sys.executable}
import os, time
picture = open({PICTURE!r}, "rb").read()
while not os.path.exists("/srv/hang"):
    os.write(1, picture)
    time.sleep(0.05)
time.sleep(600)
"""
MANAGER = f"""\
[Service]
Type=notify
User={USER}
Environment={{runtime}}
ExecStart=/lib/systemd/systemd --user
Delegate=yes
"""
# What a program of --exec can do and cannot, with the rights of the service.
HOOK = """\
import json, os, sys
tried = {}
for name, path in {"etc": "/etc/x", "home": sys.argv[2], "saved": sys.argv[1], "tmp": "/tmp/x"}.items():
    try:
        open(path, "w").close()
        tried[name] = True
    except OSError:
        tried[name] = False
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
tried["no_new_privileges"] = status["NoNewPrivs"].strip() == "1"
tried["capabilities"] = int(status["CapBnd"], 16)
tried["seccomp"] = status["Seccomp"].strip() == "2"
tried["uid"] = os.getuid()
tried["notify"] = "NOTIFY_SOCKET" in os.environ
tried["secret"] = os.environ.get("SECRET")
json.dump(tried, open(sys.argv[1] + ".part", "w"))
os.rename(sys.argv[1] + ".part", sys.argv[1])
"""


def run(*command: str) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return {"code": done.returncode, "out": done.stdout, "said": done.stderr}


def show(*by: str) -> dict[str, str]:
    names = "ActiveState,Result,NRestarts,StatusText,MainPID,ExecMainStatus"
    out = run(
        *by, "systemctl", *(["--user"] if by else []), "show", "camera", f"--property={names}"
    )
    return dict(line.partition("=")[::2] for line in out["out"].splitlines())


def wait_until(condition: Any, *by: str) -> dict[str, str]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        state = show(*by)
        if condition(state):
            return state
        time.sleep(0.2)
    return show(*by)


def service_of_the_user() -> dict[str, Any]:
    """The same by the user's own systemd, which is started as a login would have logind start it."""
    seen: dict[str, Any] = {}
    entry = pwd.getpwnam(USER)
    folder = Path(f"/run/user/{entry.pw_uid}")
    folder.mkdir(parents=True, mode=0o700)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    runtime = f"XDG_RUNTIME_DIR={folder}"
    Path("/etc/systemd/system/manager.service").write_text(MANAGER.format(runtime=runtime))
    seen["manager"] = run("systemctl", "start", "manager")
    as_user = (
        "runuser",
        "-u",
        USER,
        "--",
        "env",
        "-C",
        entry.pw_dir,
        f"HOME={entry.pw_dir}",
        runtime,
    )
    service = [*as_user, *HEMLINE, "service"]
    place = ["--user", "--name", "camera"]
    options = ["--camera", "picamera", "--on-change"]
    seen["install"] = run(*service, "install", *place, "--", *options)
    seen["active"] = wait_until(lambda state: state.get("ActiveState") == "active", *as_user)
    status = Path(f"/proc/{seen['active'].get('MainPID', '0')}/status")
    seen["process"] = status.read_text() if status.exists() else ""
    seen["status"] = run(*service, "status", *place)
    seen["uninstall"] = run(*service, "uninstall", *place)
    seen["stopped"] = show(*as_user)
    return seen


def main() -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for folder in Path(sys.executable).resolve().parents:  # on this disk that is gone at the end
        folder.chmod(folder.stat().st_mode | 0o055)
    run("useradd", "--create-home", USER)
    rpicam = Path("/usr/local/bin/rpicam-vid")
    rpicam.write_text(RPICAM)
    rpicam.chmod(0o755)
    folder = Path("/srv/100% of $HOME, \"quoted\" and 'so'")
    saved, home = folder / "doubtful frames", Path(pwd.getpwnam(USER).pw_dir)
    saved.mkdir(parents=True)
    hook = folder / "hook.py"
    hook.write_text(HOOK)
    for path in (folder, saved):
        os.chown(path, pwd.getpwnam(USER).pw_uid, -1)
    os.chdir(folder)
    environment = Path("/etc/hemline/camera.env")
    environment.parent.mkdir()
    environment.write_text("SECRET=of $HOME\n")
    environment.chmod(0o600)

    tried = saved / "tried.json"
    hook_command = shlex.join([sys.executable, "hook.py", str(tried), f"{home}/x"])
    options = ["--camera", "picamera", "--on-change", "--save-doubtful", "doubtful frames"]
    options += ["--doubtful-below", "1", "--exec", hook_command]
    service = [*HEMLINE, "service"]
    place = ["--system", "--name", "camera"]
    unit = [*place, "--run-as", USER, "--watchdog", "4"]
    closed = Path("/srv/closed")
    closed.mkdir(mode=0o700)
    seen["closed to write"] = run(
        *service, "install", *unit, "--writes", str(closed), "--", "--camera", "picamera"
    )
    os.chdir(closed)
    seen["closed to go into"] = run(*service, "install", *unit, "--", "--camera", "picamera")
    os.chdir(folder)
    seen["nothing written"] = not Path("/etc/systemd/system/camera.service").exists()
    seen["install"] = run(*service, "install", *unit, "--", *options)
    seen["active"] = wait_until(lambda state: state["ActiveState"] == "active")
    wait_until(lambda _: tried.exists() and any(saved.rglob("*.jpg")))
    seen["hook"] = json.loads(tried.read_text()) if tried.exists() else None
    seen["uid"] = pwd.getpwnam(USER).pw_uid
    seen["saved"] = len(list(saved.rglob("*.jpg")))
    seen["status"] = run(*service, "status", *place)
    seen["journal"] = run("journalctl", "-u", "camera", "--no-pager", "-o", "cat")

    os.kill(int(show()["MainPID"]), signal.SIGKILL)
    seen["killed"] = wait_until(
        lambda state: state["ActiveState"] == "active" and state["NRestarts"] == "1"
    )
    HANG.touch()
    seen["hung"] = wait_until(lambda state: state["Result"] == "watchdog")
    HANG.unlink()
    seen["back"] = wait_until(
        lambda state: state["ActiveState"] == "active" and state["NRestarts"] == "2"
    )
    seen["stop"] = run("systemctl", "stop", "camera")
    seen["stopped"] = show()
    seen["uninstall"] = run(*service, "uninstall", *place)
    seen["removed"] = run(*service, "status", *place)
    seen["environment_left"] = environment.read_text()
    seen["user"] = service_of_the_user()
    return seen


if __name__ == "__main__":
    (SHARED / "seen.json").write_text(json.dumps(main(), indent=1))
