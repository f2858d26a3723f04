"""The text of the unit: what systemd reads in it is what was meant."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hemline.errors import UserError
from hemline.service.unit import Unit, command_line, quoted

PROGRAM = ("/usr/bin/python3", "-P", "-m", "hemline", "classify", "--camera", "0")


def unit(**changes) -> Unit:
    settings = {
        "scope": "system",
        "program": PROGRAM,
        "folder": Path("/"),
        "environment_file": Path("/etc/hemline/hemline.env"),
        "run_as": "root",
        **changes,
    }
    return Unit(**settings)


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (("/bin/x", "--camera", "0"), "/bin/x --camera 0"),
        (("/bin/x", "100%"), '/bin/x "100%%"'),  # else a specifier
        (("/bin/x", "$HOME"), '/bin/x "$$HOME"'),  # else a variable
        (("/bin/x", "a b"), '/bin/x "a b"'),
        (("/bin/x", 'say "so"'), '/bin/x "say \\"so\\""'),
        (("/bin/x", "a\\b"), '/bin/x "a\\\\b"'),  # else an escape
        (("/bin/x", ""), '/bin/x ""'),
        (("/bin/x", ";"), '/bin/x ";"'),  # else the end of a command
        (("/bin/x", "-t=ä"), "/bin/x -t=ä"),
    ],
)
def test_words_are_written_so_that_systemd_takes_them_as_they_are(words, written):
    assert command_line(words) == written


@pytest.mark.parametrize("word", ["two\nlines", "a\ttab", "\x1b[0m", "\udcff"])
def test_what_a_unit_cannot_hold_is_refused(word):
    with pytest.raises(UserError, match="a unit cannot hold"):
        quoted(word)


def test_a_program_whose_path_has_a_dollar_is_refused_since_there_it_cannot_be_written():
    with pytest.raises(UserError, match=r"has a \$"):
        command_line(("/opt/$x/python", "-V"))


@pytest.mark.parametrize(
    ("version", "grows"),
    [(252, False), (253, False), (254, True), (257, True), (0, False)],
)
def test_pauses_grow_where_systemd_knows_that(version, grows):
    text = unit(systemd_version=version).text()
    assert ("RestartSteps=" in text) == grows
    assert "Restart=on-failure" in text
    assert "StartLimitIntervalSec=0" in text  # it never gives up


def test_a_watchdog_of_0_is_none():
    assert "WatchdogSec=90\n" in unit(watchdog_s=90).text()
    assert "Watchdog" not in unit(watchdog_s=0).text()


def test_a_unit_of_the_system_may_use_cameras_and_what_it_was_given():
    text = unit(devices=("char-gpiochip",), writes=(Path("/srv/a b"),), groups=("video",)).text()
    assert "DevicePolicy=closed" in text
    assert "PrivateDevices" not in text  # which would hide cameras
    for line in (
        "DeviceAllow=char-video4linux rw",
        "DeviceAllow=char-gpiochip rw",
        'ReadWritePaths="/srv/a b"',
        "SupplementaryGroups=video",
        "User=root",
    ):
        assert f"\n{line}\n" in text


def test_a_unit_of_a_user_asks_for_nothing_that_its_manager_cannot_do():
    text = unit(scope="user", run_as="").text()
    for setting in (
        "User=",
        "ProtectSystem=",
        "DeviceAllow=",
        "CapabilityBoundingSet=",
        "PrivateTmp=",
    ):
        assert setting not in text
    assert "NoNewPrivileges=yes" in text
    assert "WantedBy=default.target" in text


@pytest.mark.parametrize("scope", ["system", "user"])
def test_systemd_itself_finds_nothing_wrong(scope, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    version = int(subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True)
                  .stdout.split()[1])  # fmt: skip
    folder = tmp_path / '100% of $x "y"'
    folder.mkdir()
    made = unit(
        scope=scope,
        run_as="root" if scope == "system" else "",
        program=(*PROGRAM, "--save-doubtful", str(folder), "--exec", "echo '$A' 100% \\ ;"),
        folder=folder,
        writes=(folder,),
        devices=("/dev/null", "char-gpiochip"),
        groups=("root",),
        needs_network=True,
        systemd_version=version,
    )
    path = tmp_path / "camera.service"
    path.write_text(made.text())
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "verify", f"--{scope}", path]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    ours = [line for line in done.stderr.splitlines() if "camera.service" in line]
    assert (done.returncode, ours) == (0, []), done.stderr
    path.write_text(made.text().replace("Restart=on-failure", "Restart=perhaps\nUnknown=1"))
    spoilt = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert "Unknown" in spoilt.stderr  # so it did look


def test_it_is_locked_down_as_systemd_itself_measures(tmp_path):
    """`systemd-analyze security`: 0 is closed, 10 is open; a unit without any of it has 9.2 and more."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    path = tmp_path / "camera.service"
    path.write_text(unit(run_as="daemon", groups=("video",)).text())
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=25", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout  # at most 2.5
    command[3] = "--threshold=10"
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1
