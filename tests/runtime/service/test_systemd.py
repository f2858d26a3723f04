"""The service under a real systemd: a machine in namespaces of its own, on a disk that is kept in memory."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NAMESPACES = "--mount --pid --fork --kill-child --cgroup --uts --ipc --net".split()

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seen(tmp_path_factory, garments):
    """What `scenario.py` saw."""
    if not Path("/lib/systemd/systemd").exists():
        pytest.skip("needs systemd: apt-get install systemd")
    if Path(sys.prefix).is_relative_to("/tmp"):
        pytest.skip(
            "the service has a /tmp of its own (PrivateTmp) and would not see what is tested"
        )
    if os.geteuid() != 0:
        pytest.skip(
            "needs root: systemd as process 1 of a machine of its own, with a cgroup, users and mounts that "
            "nobody else may make; what needs none, systemd-analyze, is in test_unit.py"
        )
    if subprocess.run(["unshare", *NAMESPACES, "true"], capture_output=True).returncode:
        pytest.skip("namespaces cannot be made here")
    shared = tmp_path_factory.mktemp("machine")
    (shared / "disk").mkdir()
    picture = next(path for path in garments if path.name == "bag.jpg")
    program = shared / "program"
    words = [sys.executable, HERE / "scenario.py", shared, picture]
    program.write_text(f"#!/bin/sh\nexec {shlex.join(map(str, words))}\n")
    program.chmod(0o755)
    command = ["unshare", *NAMESPACES, "sh", HERE / "machine.sh", shared, program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    said = (shared / "out").read_text() if (shared / "out").exists() else ""
    if not (shared / "out").exists() and done.returncode:
        pytest.skip(f"no machine of systemd can be made here: {done.stderr[-300:]}")
    assert (shared / "seen.json").exists(), (said, done.stdout, done.stderr)
    return json.loads((shared / "seen.json").read_text())


def test_what_its_user_may_not_do_is_told_before_anything_is_written(seen):
    assert seen["closed to write"]["code"] == seen["closed to go into"]["code"] == 2
    assert "the user pi may not write to /srv/closed" in seen["closed to write"]["said"]
    assert "in /srv/closed" in seen["closed to go into"]["said"]
    assert seen["nothing written"]


def test_it_is_installed_started_and_ready_once_the_camera_gives_frames(seen):
    assert seen["install"]["code"] == 0, seen["install"]["said"]
    assert "started camera, now and at each start" in seen["install"]["out"]
    assert seen["active"]["ActiveState"] == "active"
    assert seen["active"]["StatusText"].startswith("1 named, the last one bag")


def test_paths_with_blanks_quotes_percent_and_dollar_are_taken_as_they_are(seen):
    assert seen["saved"] >= 1  # in a folder whose name has all of them
    assert seen["hook"] is not None


def test_what_it_runs_can_write_where_it_was_said_and_nowhere_else(seen):
    hook = seen["hook"]
    assert hook["saved"] is True
    assert hook["tmp"] is True  # its own
    assert hook["etc"] is hook["home"] is False
    assert hook["no_new_privileges"] is hook["seccomp"] is True
    assert hook["capabilities"] == 0
    assert hook["uid"] == seen["uid"]
    assert hook["notify"] is False
    assert hook["secret"] == "of $HOME"  # from the environment file


def test_its_state_and_its_journal_can_be_read(seen):
    assert seen["status"]["code"] == 0
    assert "camera: active (running)" in seen["status"]["out"]
    assert "bag 99" in seen["journal"]["out"]


def test_it_is_started_anew_when_it_is_killed(seen):
    assert (seen["killed"]["ActiveState"], seen["killed"]["NRestarts"]) == ("active", "1")


def test_it_is_started_anew_when_its_camera_hangs(seen):
    assert seen["hung"]["Result"] == "watchdog"
    assert (seen["back"]["ActiveState"], seen["back"]["NRestarts"]) == ("active", "2")


def test_it_is_stopped_without_being_failed_and_removed_without_its_passwords(seen):
    assert seen["stop"]["code"] == 0
    assert seen["stopped"]["ActiveState"] == "inactive"  # and not "failed"
    assert seen["stopped"]["ExecMainStatus"] == "130"
    assert seen["uninstall"]["code"] == 0, seen["uninstall"]["said"]
    assert seen["removed"]["code"] == 1
    assert "not installed" in seen["removed"]["out"]
    assert seen["environment_left"] == "SECRET=of $HOME\n"


def test_it_runs_by_the_systemd_of_a_user_as_well(seen):
    user = seen["user"]
    assert user["manager"]["code"] == 0, user["manager"]["said"]
    assert user["install"]["code"] == 0, user["install"]["said"]
    assert "loginctl enable-linger" in user["install"]["out"]
    assert user["active"]["ActiveState"] == "active"
    status = dict(line.split(":\t", 1) for line in user["process"].splitlines())
    assert status["Uid"].split() == [str(seen["uid"])] * 4
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert user["status"]["code"] == 0
    assert user["uninstall"]["code"] == 0, user["uninstall"]["said"]
    assert user["stopped"]["ActiveState"] == "inactive"
