"""`hemline service`, with a systemctl that notes what it is asked."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from hemline.errors import UserError
from hemline.service.place import Place

SYSTEMCTL = """\
#!{python}
import os, sys
words = sys.argv[1:]
if words == ["--user", "--version"]:
    print("systemd 257 (257.9-1~deb13u1)")
    sys.exit(0)
open({log!r}, "a").write(" ".join(words) + "\\n")
if "show" in words:
    print("ActiveState={state}\\nSubState=running\\nResult=success\\nNRestarts=3\\nStatusText=7 named")
if {fails!r} in words or {fails!r} == "all":
    sys.exit("Failed to connect to user scope bus via local transport: No medium found")
units = os.environ["XDG_CONFIG_HOME"] + "/systemd/user/"
link = units + "default.target.wants/hemline.service"
if "enable" in words:
    os.makedirs(os.path.dirname(link), exist_ok=True)
    if not os.path.islink(link):
        os.symlink(units + "hemline.service", link)
if "disable" in words and os.path.islink(link):
    os.unlink(link)
"""
CAMERA = ("--", "--camera", "0", "--on-change")


class World:
    """A user's settings, and a systemctl."""

    def __init__(self, folder: Path) -> None:
        self.unit = folder / "config/systemd/user/hemline.service"
        self.link = self.unit.parent / "default.target.wants/hemline.service"
        self.environment = folder / "config/hemline/hemline.env"
        self._bin = folder / "bin"
        self._log = folder / "log"
        self._bin.mkdir()
        self.systemctl()
        self.variables = {
            **os.environ,
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PATH": f"{self._bin}{os.pathsep}{os.environ['PATH']}",
        }

    def systemctl(self, state: str = "active", fails: str = "") -> None:
        self._log.write_text("")
        path = self._bin / "systemctl"
        text = SYSTEMCTL.format(python=sys.executable, log=str(self._log), state=state, fails=fails)
        path.write_text(text)
        path.chmod(0o755)

    def files(self) -> dict[str, str]:
        """What is installed: each file with its content, each link with where it leads."""
        found = [path for path in self.unit.parents[2].rglob("*") if not path.is_dir()]
        return {
            str(path): str(path.readlink()) if path.is_symlink() else path.read_text()
            for path in found
        }

    @property
    def asked(self) -> list[str]:
        return self._log.read_text().splitlines()


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture
def service(hemline, world):
    return lambda *words, **options: hemline("service", *words, env=world.variables, **options)


def test_install_writes_the_unit_and_has_it_started_now_and_at_each_start(service, world, tmp_path):
    done = service("install", *CAMERA, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = world.unit.read_text()
    assert " -P -m hemline classify --camera 0 --on-change\n" in text
    assert f"WorkingDirectory={tmp_path}\n" in text
    assert "RestartSteps=" in text  # systemd 257 knows it
    assert world.asked == [
        "--user daemon-reload",
        "--user enable hemline",
        "--user restart --no-block hemline",
    ]
    assert "journalctl --user -u hemline" in done.stdout
    assert "loginctl enable-linger" in done.stdout
    assert "every frame gives a line" not in done.stdout


def test_the_file_for_passwords_is_nobody_elses_and_is_kept(service, world):
    assert service("install", *CAMERA).returncode == 0
    assert stat.S_IMODE(world.environment.stat().st_mode) == 0o600
    world.environment.write_text("HEMLINE_TOKEN=mine\n")
    assert service("install", *CAMERA).returncode == 0
    assert service("uninstall").returncode == 0
    assert world.environment.read_text() == "HEMLINE_TOKEN=mine\n"


def test_show_prints_what_install_would_write_and_writes_nothing(service, world):
    shown = service("show", *CAMERA)
    assert shown.returncode == 0
    assert not world.unit.exists()
    assert service("install", *CAMERA).returncode == 0
    assert world.unit.read_text().endswith(f"\n{shown.stdout}")


def test_a_unit_that_somebody_has_changed_is_not_replaced_without_being_told_to(service, world):
    assert service("install", *CAMERA).returncode == 0
    assert service("install", *CAMERA, "-k", "1").returncode == 0  # ours is replaced
    assert "-k 1" in world.unit.read_text()
    changed = world.unit.read_text().replace("UMask=0027", "UMask=0077")
    world.unit.write_text(changed)
    for words in (("install", *CAMERA), ("uninstall",)):
        done = service(*words)
        assert done.returncode == 2
        assert "not as hemline has written it" in done.stderr
        assert "--force" in done.stderr
        assert world.unit.read_text() == changed
    assert "changed by hand" in service("status").stdout
    assert service("install", "--force", *CAMERA).returncode == 0
    assert "UMask=0027" in world.unit.read_text()


def test_a_unit_of_somebody_else_is_not_touched(service, world):
    world.unit.parent.mkdir(parents=True)
    world.unit.write_text("[Service]\nExecStart=/bin/true\n")
    assert service("install", *CAMERA).returncode == 2
    assert world.unit.read_text() == "[Service]\nExecStart=/bin/true\n"
    assert world.asked == []


@pytest.mark.parametrize(("state", "code"), [("active", 0), ("failed", 1), ("activating", 1)])
def test_status_tells_whether_it_runs(service, world, state, code):
    assert service("status").returncode == 1  # it is not there yet
    assert service("install", *CAMERA).returncode == 0
    world.systemctl(state)
    done = service("status")
    assert done.returncode == code
    assert f"hemline: {state}" in done.stdout
    assert "restarts: 3" in done.stdout
    assert "7 named" in done.stdout


def test_uninstall_stops_it_and_removes_the_unit(service, world):
    assert service("install", *CAMERA).returncode == 0
    world.systemctl()
    done = service("uninstall")
    assert done.returncode == 0, done.stderr
    assert not world.unit.exists()
    assert world.asked == ["--user disable --now hemline", "--user daemon-reload"]
    assert service("uninstall").returncode == 2


CALLS = ("daemon-reload", "enable", "restart")


@pytest.mark.parametrize("fails", CALLS)
def test_what_systemctl_says_is_told_with_the_mend_and_nothing_is_left(service, world, fails):
    world.systemctl(fails=fails)
    done = service("install", *CAMERA)
    assert done.returncode == 2
    assert "No medium found" in done.stderr
    assert "nothing is installed" in done.stderr
    assert "XDG_RUNTIME_DIR" in done.stderr
    assert done.stdout == ""
    assert world.files() == {}
    assert world.asked[-1] == "--user daemon-reload"  # systemd forgets it too


@pytest.mark.parametrize("fails", CALLS)
def test_where_a_new_unit_cannot_be_started_the_old_one_is_there_again(service, world, fails):
    assert service("install", *CAMERA).returncode == 0
    before = world.files()
    assert len(before) == 3
    world.systemctl(fails=fails)
    done = service("install", *CAMERA, "-k", "1")
    assert done.returncode == 2
    assert "the old unit is there again" in done.stderr
    assert world.files() == before


def test_a_password_file_that_cannot_be_written_leaves_no_unit_either(service, world):
    world.environment.parent.parent.mkdir()
    world.environment.parent.write_text("a file where its folder would be")
    before = world.files()
    done = service("install", *CAMERA)
    assert done.returncode == 2
    assert "is a file, not a folder" in done.stderr
    assert world.files() == before
    assert world.asked == []


def test_uninstall_removes_the_files_though_systemd_cannot_be_asked(service, world):
    assert service("install", *CAMERA).returncode == 0
    world.systemctl(fails="all")
    done = service("uninstall")
    assert done.returncode == 0
    assert "warning" in done.stderr
    assert "No medium found" in done.stderr
    assert "systemctl --user stop hemline" in done.stderr
    assert list(world.files()) == [str(world.environment)]


def test_uninstall_without_any_systemctl_removes_the_files(hemline, world, tmp_path):
    nowhere = {**world.variables, "PATH": str(tmp_path / "nowhere")}
    assert hemline("service", "install", "--no-start", *CAMERA, env=nowhere).returncode == 0
    done = hemline("service", "uninstall", env=nowhere)
    assert done.returncode == 0
    assert "there is no systemctl" in done.stderr
    assert list(world.files()) == [str(world.environment)]


def test_a_changed_unit_that_is_removed_by_force_is_stopped_too(service, world):
    assert service("install", *CAMERA).returncode == 0
    world.unit.write_text(world.unit.read_text().replace("UMask=0027", "UMask=0077"))
    world.systemctl()
    assert service("uninstall").returncode == 2
    assert world.asked == []  # and it runs on
    assert service("uninstall", "--force").returncode == 0
    assert world.asked == ["--user disable --now hemline", "--user daemon-reload"]
    assert list(world.files()) == [str(world.environment)]


def test_without_systemctl_the_unit_can_be_written_all_the_same(hemline, world, tmp_path):
    nowhere = {**world.variables, "PATH": str(tmp_path / "nowhere")}
    done = hemline("service", "install", *CAMERA, env=nowhere)
    assert done.returncode == 2
    assert "there is no systemctl" in done.stderr
    done = hemline("service", "install", "--no-start", *CAMERA, env=nowhere)
    assert done.returncode == 0
    assert "systemctl --user enable --now hemline" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("install",), "none is named"),
        (("install", "--", "photo.jpg"), "none is named"),
        (("install", "--", "--camera", "0", "--no-such-option"), "--no-such-option"),
        (("install", "--", "--camera", "0", "--exec-timeout", "3"), "--exec-timeout"),
        (("install", "--", "--camera", "0", "-m", "no-such-model"), "no-such-model"),
        (("install", "--", "--camera", "0", "--max-frames", "0"), "--max-frames"),
        (("install", "--", "--camera", "banana"), "'banana' is not a camera"),
        (("show", "--", "--camera", "banana"), "'banana' is not a camera"),
        (
            ("install", "--", "--camera", "rtsp://x/", "--fps", "5"),
            "cannot be asked for 5 frames/s",
        ),
        (("install", "--", "--camera", "0", "--reopen", "-1"), "the time to wait for a camera"),
        (("install", "--", "--camera", "0", "--smooth", "-1"), "smooth"),
        (("install", "--", "--camera", "0", "-k", "0"), "top-k is 0"),
        (("install", "--", "--camera", "0", "--show"), "a service has no display"),
        (("install", "--", "--camera", "0", "--serve", "--token", "s" * 20), "everybody can read"),
        (("install", "--", "--serve"), "none is named"),
        (("install", "--", "--camera", "0", "--save-doubtful", "/no/such/dir"), "mkdir -p"),
        (("install", "--", "--camera", "0", "--exec", "a\nb"), "a unit cannot hold"),
        (("install", "--name", "../x", *CAMERA), "cannot be the name of a service"),
        (("install", "--watchdog", "-1", *CAMERA), "must not be negative"),
        (("install", "--watchdog", "nan", *CAMERA), "must not be negative"),
        (("install", "--run-as", "pi", *CAMERA), "without --system"),
        (("show", "--system", "--run-as", "no-such-user", *CAMERA), "no user 'no-such-user'"),
        (("show", "--system", *CAMERA), "not known which user"),
        (("show", "--system", "--run-as", "root", "--writes", "/no/dir", *CAMERA), "/no/dir"),
        (("dance",), "invalid choice"),
        ((), "ACTION"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(service, world, words, said):
    world.variables.pop("SUDO_USER", None)
    done = service(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not world.unit.exists()


def test_a_password_in_an_address_is_told_to_be_seen_by_all(service):
    done = service("install", "--", "--camera", "rtsp://me:secret@camera/1")
    assert done.returncode == 0
    assert "can be read by all users" in done.stdout
    assert "secret" not in done.stdout
    assert "every frame gives a line" in done.stdout


@pytest.mark.parametrize(("listens", "noted"), [("127.0.0.1:8080", False), (":8080", True)])
def test_what_others_can_reach_is_told_to_want_a_token_that_stays(service, world, listens, noted):
    done = service("install", *CAMERA, "--serve", listens)
    assert done.returncode == 0, done.stderr
    assert (f"HEMLINE_TOKEN=… into {world.environment}" in done.stdout) == noted
    assert "# HEMLINE_TOKEN=…" in world.environment.read_text()


def test_a_place_of_the_system_is_below_etc(tmp_path):
    place = Place("system", "door", tmp_path)
    place.write("[Service]\n")
    assert place.unit == tmp_path / "etc/systemd/system/door.service"
    assert place.state() == "as written"
    assert stat.S_IMODE(place.environment.stat().st_mode) == 0o600
    place.remove()
    assert place.state() == "absent"
    with pytest.raises(UserError, match="there is no service door"):
        place.remove()


def test_a_disk_that_is_full_or_read_only_leaves_the_old_unit(read_only, small_disk):
    with pytest.raises(UserError, match="not writable"):
        Place("system", "door", read_only).write("[Service]\n")
    place = Place("system", "door", small_disk)
    place.write("[Service]\n")
    with pytest.raises(UserError, match="no space"):
        place.write(f"[Service]\n{'#' * 100_000}\n")
    assert place.state() == "as written"
