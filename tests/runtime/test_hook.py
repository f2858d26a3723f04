from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hemline.batch import Outcome
from hemline.classifier import Classification, Latency
from hemline.errors import UserError
from hemline.hook import Hook
from hemline.sources.frames import TimedFrame


def event(label: str, number: int = 7, *, live: bool = True) -> Outcome:
    answer = Classification(label, 0.75, [(label, 0.75)], Latency(0, 0, 0))
    frame = np.zeros((4, 4, 3), np.uint8)
    timed = TimedFrame(frame, number, 0.0, 0.0, 1.8e9 if live else None, 0)
    return Outcome("camera 0", number, answer, "", timed)


@pytest.fixture
def script(tmp_path: Path):
    """A command that runs some Python in a folder of its own."""

    def command(body: str) -> str:
        path = tmp_path / "event.py"
        path.write_text(f"import os, sys, time\nos.chdir({str(tmp_path)!r})\n{body}")
        return shlex.join([sys.executable, str(path), "first argument", "$HEMLINE_LABEL; touch x"])

    return command


def wait_until(condition) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_event_is_in_the_environment_and_no_shell_reads_the_command(script, tmp_path):
    command = script(
        "text = [sys.argv[1:], {k: v for k, v in os.environ.items() if k.startswith('HEMLINE_')}]\n"
        "open('seen', 'w').write(repr(text))"
    )
    with Hook(command) as hook:
        hook.event(event("$(touch y); T-shirt/top"))
    words, values = eval((tmp_path / "seen").read_text())
    assert words == ["first argument", "$HEMLINE_LABEL; touch x"]
    assert values["HEMLINE_LABEL"] == "$(touch y); T-shirt/top"
    assert values["HEMLINE_CONFIDENCE"] == "0.750000"
    assert (values["HEMLINE_SOURCE"], values["HEMLINE_FRAME"]) == ("camera 0", "7")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["event.py", "seen"]


LOGGING = (
    "label = os.environ['HEMLINE_LABEL']\n"
    "open('log', 'a').write(label + ' begins\\n'); time.sleep(0.5)\n"
    "open('log', 'a').write(label + ' ends\\n')"
)


def test_one_runs_at_a_time_and_only_the_newest_waits(script, tmp_path):
    log, told = tmp_path / "log", []
    with Hook(script(LOGGING), tell=told.append) as hook:
        hook.event(event("a"))
        wait_until(log.exists)
        start = time.monotonic()
        for label in "bcdef":
            hook.event(event(label))
        assert time.monotonic() - start < 0.2  # the camera is not held up
    assert log.read_text().split("\n")[:-1] == ["a begins", "a ends", "f begins", "f ends"]
    assert told == [f"--exec: 4 new labels were left out, since {sys.executable} still ran"]


def test_a_file_waits_for_the_command_and_no_label_is_left_out(script, tmp_path):
    told: list[str] = []
    with Hook(script(LOGGING), tell=told.append) as hook:
        for label in "abcd":
            hook.event(event(label, live=False))
    begun = [line[0] for line in (tmp_path / "log").read_text().splitlines() if "begins" in line]
    assert begun == ["a", "b", "c", "d"]
    assert told == []


def test_what_waits_when_the_program_is_interrupted_is_counted_too(script, tmp_path):
    told: list[str] = []
    with contextlib.suppress(KeyboardInterrupt), Hook(script(LOGGING), tell=told.append) as hook:
        hook.event(event("a"))
        wait_until((tmp_path / "log").exists)
        hook.event(event("b"))
        raise KeyboardInterrupt
    assert told == [f"--exec: 1 new label was left out, since {sys.executable} still ran"]


def test_a_failure_is_told_once_and_survived(script):
    told: list[str] = []
    command = script("sys.exit(3 if os.environ['HEMLINE_LABEL'] == 'bad' else 0)")
    with Hook(command, tell=told.append) as hook:
        for label in ("bad", "bad", "good", "bad"):
            hook.event(event(label))
            wait_until(lambda: hook._waiting is None and hook._process is not None)
            wait_until(lambda: hook._process.poll() is not None)
            time.sleep(0.2)
    assert len(told) == 2
    assert all("failed with exit code 3 (label bad)" in message for message in told)


def test_a_command_that_takes_too_long_is_killed_with_all_that_it_started(script, tmp_path):
    told: list[str] = []
    command = script(
        "child = os.fork()\n"
        "if child: open('pids', 'w').write(f'{os.getpid()} {child}')\n"
        "time.sleep(60)"
    )
    start = time.monotonic()
    with Hook(
        command, timeout_s=4.0, tell=told.append
    ) as hook:  # Python itself needs some time to begin
        hook.event(event("a"))
    assert time.monotonic() - start < 20
    assert "took longer than 4 s and was killed" in told[0]
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        wait_until(lambda pid=pid: has_ended(pid))


def test_it_is_killed_at_once_where_the_program_is_interrupted(script, tmp_path):
    command = script(
        "open('pid', 'w').write(str(os.getpid())); os.rename('pid', 'p'); time.sleep(60)"
    )
    start = time.monotonic()
    with contextlib.suppress(KeyboardInterrupt), Hook(command) as hook:
        hook.event(event("a"))
        wait_until((tmp_path / "p").exists)
        start = time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - start < 1
    assert has_ended(int((tmp_path / "p").read_text()))


def test_what_the_command_prints_does_not_get_among_the_answers(capfd, script):
    with Hook(script("print('from the command')")) as hook:
        hook.event(event("a"))
    assert capfd.readouterr() == ("", "from the command\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [("", "there is no program ''"), ("no-such", "no-such"), ("sh 'x", "cannot be split")],
)
def test_a_command_that_cannot_run_is_refused_at_once(command, said):
    with pytest.raises(UserError) as caught:
        Hook(command)
    assert said in str(caught.value)


def test_a_file_that_may_not_be_run_and_a_folder_are_named_as_such(tmp_path):
    script = tmp_path / "my event.sh"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(UserError, match="may not be run") as caught:
        Hook(shlex.quote(str(script)))
    assert f"chmod +x '{script}'" in caught.value.hint
    with pytest.raises(UserError, match="is a folder"):
        Hook(str(tmp_path))


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # A zombie whose parent has not looked yet has ended as well.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True
