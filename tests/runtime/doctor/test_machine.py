"""Programs that crash, hang or are not there: each is told, and none holds up the doctor."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hemline.doctor import Machine


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(
    ("source", "code", "ending"),
    [
        ("print('hello')", 0, "ended with 0"),
        ("sys.exit(3)", 3, "ended with 3"),
        ("os.kill(os.getpid(), 4)", -4, "crashed with SIGILL"),
        ("os.kill(os.getpid(), 11)", -11, "crashed with SIGSEGV"),
    ],
)
def test_the_end_of_a_program_is_told_in_words(programs, source, code, ending):
    programs(tool=source)
    ran = Machine().run_all({"it": ["tool"]})["it"]
    assert (ran.code, ran.ending) == (code, ending)


def test_a_program_that_is_not_there_or_is_no_program_is_an_answer_too(programs, tmp_path):
    programs(tool="")
    (tmp_path / "programs/tool").write_text("neither a script nor a binary")
    rans = Machine().run_all({"absent": ["none"], "broken": ["tool"]})
    assert rans["absent"].code == rans["broken"].code == 127
    assert "No such file" in rans["absent"].last_words


def test_programs_that_hang_are_killed_with_their_children_while_the_others_go_on(
    programs, tmp_path
):
    pids = tmp_path / "pids"
    programs(
        hangs=f"""
            import signal, subprocess
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            open({str(pids)!r}, "a").write(f"{{os.getpid()}} {{child.pid}} ")
            print("begun", flush=True)
            time.sleep(600)
        """,
        quick="print('done')",
    )
    commands = {str(number): ["hangs"] for number in range(3)} | {"quick": ["quick"]}
    start = time.monotonic()
    rans = Machine(timeout_s=1.5).run_all(commands)
    assert time.monotonic() - start < 8
    assert [rans[str(number)].code for number in range(3)] == [None] * 3
    assert rans["0"].out == "begun\n"
    assert rans["quick"].out == "done\n"
    time.sleep(0.2)
    assert len(pids.read_text().split()) == 6
    assert all(has_ended(int(pid)) for pid in pids.read_text().split())


def test_a_program_that_writes_much_is_not_held_up(programs):
    programs(talks="for _ in range(3000): print('x' * 1000); print('y' * 1000, file=sys.stderr)")
    ran = Machine().run_all({"it": ["talks"]})["it"]
    assert ran.code == 0
    assert len(ran.out) == len(ran.said) == 1 << 20  # no more than that is kept


def test_no_file_is_left_open(programs):
    programs(tool="")
    before = len(list(Path("/proc/self/fd").iterdir()))
    Machine().run_all({str(number): ["tool"] for number in range(5)})
    assert len(list(Path("/proc/self/fd").iterdir())) == before
