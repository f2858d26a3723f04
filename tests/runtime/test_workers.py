from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hemline.workers import AT_A_TIME, Part, in_processes, in_threads, parts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")


def squares(part: Part) -> list[int]:
    return [k * k for k in range(*part)]


def crashed(number: int, reason: str) -> int | str:
    return f"{number}: {reason}"


@pytest.fixture(autouse=True)
def _no_child_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.mark.parametrize("count", [1, 2, 5, 64, 1000])
@pytest.mark.parametrize("workers", [1, 2, 7])
def test_parts_cover_every_task_once_and_leave_no_worker_without(count, workers):
    cut = parts(count, workers)
    assert [k for part in cut for k in range(*part)] == list(range(count))
    assert max(part.stop - part.start for part in cut) <= AT_A_TIME
    assert len(cut) >= min(count, workers)


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("count", [1, 3, 1000])
def test_processes_and_threads_give_every_result_in_order(workers, count):
    expected = [k * k for k in range(count)]
    assert list(in_processes(count, workers, squares, crashed)) == expected
    assert list(in_threads(count, workers, squares)) == expected


def test_tasks_that_take_their_time_come_out_in_order_too():
    def work(part: Part) -> list[int]:
        time.sleep(0.001 * (part.start * 7 % 20))
        return squares(part)

    assert list(in_processes(300, 4, work, crashed)) == [k * k for k in range(300)]


def test_a_slow_first_task_holds_up_its_results_and_nothing_else():
    def work(part: Part) -> list[int]:
        time.sleep(0.3 if part.start == 0 else 0)
        return squares(part)

    results = in_processes(3000, 2, work, crashed)  # far more than may be done ahead
    assert list(results) == [k * k for k in range(3000)]


@pytest.mark.parametrize("killers", [{0}, {99}, {17, 18, 40}, set(range(100))])
def test_a_task_that_kills_its_process_costs_only_its_own_result(killers):
    def work(part: Part) -> list[int]:
        for k in range(*part):
            if k in killers:
                os.kill(os.getpid(), signal.SIGKILL)
        return squares(part)

    results = list(in_processes(100, 3, work, crashed))
    for k, result in enumerate(results):
        assert result == (f"{k}: Killed" if k in killers else k * k)
    assert len(results) == 100


def test_a_bug_in_the_work_shows_its_traceback():
    def work(part: Part) -> list[int]:
        return [1 // (k - 30) for k in range(*part)]

    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        list(in_processes(100, 2, work, crashed))


def test_no_more_than_a_bound_is_done_ahead_of_who_takes_the_results(tmp_path):
    def work(part: Part) -> list[int]:
        (tmp_path / str(part.start)).touch()
        return squares(part)

    results = in_processes(100_000, 2, work, crashed)
    assert list(itertools.islice(results, 3)) == [0, 1, 4]
    time.sleep(0.3)
    assert len(list(tmp_path.iterdir())) <= 4 * 2 + 2
    results.close()


def test_workers_end_when_their_parent_is_killed():
    program = """
        import os, sys, time
        from hemline.workers import in_processes
        def work(part):
            os.write(1, b"%d " % os.getpid())
            time.sleep(0.01)
            return list(range(*part))
        for _ in in_processes(10**6, 2, work, None): pass
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE
    )
    said = b"".join(os.read(parent.stdout.fileno(), 100) for _ in range(20))
    workers = {int(word) for word in said.split()[:-1]}
    parent.kill()
    parent.communicate(timeout=20)  # the pipe ends when the last of its writers does
    assert len(workers) == 2
