"""Many short tasks in parallel, their results in order: by forked processes, or by threads.

Threads of Python take turns, and a small picture needs so many turns that two threads are hardly faster
than one. Processes do not wait for each other, and one that a broken picture crashes takes nothing with
it. They are forked, so they share the loaded model and start within milliseconds. That is safe only where
no other thread holds a lock at this moment, so elsewhere threads do the work.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import struct
import sys
import warnings
from _thread import _count as count_threads
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Result = TypeVar("Result")

AT_A_TIME = 16  # tasks that a worker takes at a time, at most: handing over costs time as well
_AHEAD = 2  # parts that a process has got, the one that it works on among them
_PART = struct.Struct("<2q")
_SIZE = struct.Struct("<Q")


class Part(NamedTuple):
    """The tasks from `start` to before `stop`."""

    start: int
    stop: int


def parts(count: int, workers: int) -> list[Part]:
    """Cut `count` tasks into parts, not so large that a worker is left without at the end."""
    size = max(1, min(AT_A_TIME, count // (4 * workers)))
    return [Part(at, min(at + size, count)) for at in range(0, count, size)]


def can_fork() -> bool:
    """Whether this process may be forked: on Linux, without further Python threads."""
    return sys.platform == "linux" and count_threads() == 0


def in_processes(
    count: int,
    workers: int,
    work: Callable[[Part], list[Result]],
    crashed: Callable[[int, str], Result],
) -> Iterator[Result]:
    """Do tasks 0 to `count` − 1 in forked processes, and give their results in order.

    No more is done ahead than a few parts for each process, however slowly the results are taken.

    Args:
        count: Number of tasks.
        workers: Number of processes, at least 1.
        work: Does the tasks of a part; runs in a forked process.
        crashed: Makes the result of a task that killed its process, from its number and the reason.
    """
    waiting = deque(parts(count, workers))
    bound = 4 * workers * AT_A_TIME  # results that wait for one before them, or to be taken
    done: dict[int, list[Result]] = {}
    processes: list[_Process] = []
    try:
        for _ in range(min(workers, len(waiting))):
            processes.append(_Process(work, processes))
        at = 0
        while at < count:
            while at in done:
                results = done.pop(at)
                at += len(results)
                yield from results
            for process in processes:
                while waiting and len(process.parts) < _AHEAD and waiting[0].start < at + bound:
                    process.give(waiting.popleft())
            # The part that comes next is done, or now at work: it lies before the bound.
            for process in _ready(processes) if at < count else ():
                received: list[Result] | None = process.receive()
                if received is not None:
                    done[process.parts.popleft().start] = received
                    continue
                processes.remove(process)
                reason = process.end()
                again = list(process.parts)
                if again and again[0].stop - again[0].start == 1:
                    done[again[0].start] = [crashed(again[0].start, reason)]
                    del again[0]
                elif again:  # which one it was shows when each is tried alone
                    again[:1] = [Part(k, k + 1) for k in range(*again[0])]
                waiting.extendleft(reversed(again))
                processes.append(_Process(work, processes))
    except BaseException:
        for process in processes:  # nobody wants what they still do
            process.kill()
        raise
    finally:
        for process in processes:
            process.end()


def in_threads(count: int, workers: int, work: Callable[[Part], list[Result]]) -> Iterator[Result]:
    """Do tasks 0 to `count` − 1 in threads, and give their results in order; see `in_processes`."""
    from concurrent.futures import Future, ThreadPoolExecutor

    running: deque[Future[list[Result]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for part in parts(count, workers):
                running.append(pool.submit(work, part))
                if len(running) > 4 * workers:
                    yield from running.popleft().result()
            while running:
                yield from running.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _Process:
    """A forked process that does the parts it is given, one after the other."""

    def __init__(self, work: Callable[[Part], list[Result]], others: list[_Process]) -> None:
        self.parts: deque[Part] = deque()
        tasks_out, self._tasks = os.pipe()
        self.results, results_in = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's own threads wait, and hold nothing
            self._pid = os.fork()
        if self._pid == 0:
            # Ends of pipes that stay open here would keep the others from seeing the end.
            for end in (
                self._tasks,
                self.results,
                *(e for o in others for e in (o._tasks, o.results)),
            ):
                os.close(end)
            _work_off(tasks_out, results_in, work)
        os.close(tasks_out)
        os.close(results_in)

    def give(self, part: Part) -> None:
        """Have a part done after those that it has already."""
        self.parts.append(part)
        with contextlib.suppress(BrokenPipeError):  # it has died; `receive` will tell
            os.write(self._tasks, _PART.pack(*part))

    def receive(self) -> list[Result] | None:
        """The results of the first of its parts; None if the process has died."""
        head = _read(self.results, _SIZE.size)
        content = head and _read(self.results, *_SIZE.unpack(head))
        if not content:
            return None
        is_bug, value = pickle.loads(content)
        if is_bug:
            raise RuntimeError(f"in a worker process:\n{value}")
        results: list[Result] = value
        return results

    def kill(self) -> None:
        """End it in the middle of its work."""
        os.kill(self._pid, signal.SIGKILL)

    def end(self) -> str:
        """Close it down; it ends when there is nothing more to do. Says what ended it."""
        os.close(self._tasks)
        os.close(self.results)
        _, status = os.waitpid(self._pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return signal.strsignal(-code) or f"signal {-code}" if code < 0 else f"exit code {code}"


def _ready(processes: list[_Process]) -> list[_Process]:
    """Those that have sent something, or died; waits for the first."""
    poll = select.poll()
    for process in processes:
        poll.register(process.results, select.POLLIN)
    ends = {end for end, _ in poll.poll()}
    return [process for process in processes if process.results in ends]


def _work_off(tasks: int, results: int, work: Callable[[Part], list[Result]]) -> NoReturn:
    """What a forked process does, until there is nothing more to do or nobody to do it for."""
    for number in (signal.SIGINT, signal.SIGHUP):  # these reach it too, but its parent decides
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    code = 1
    try:
        while task := _read(tasks, _PART.size):
            try:
                answer = pickle.dumps((False, work(Part(*_PART.unpack(task)))))
            except Exception:
                import traceback

                answer = pickle.dumps((True, traceback.format_exc()))
            _write(results, _SIZE.pack(len(answer)) + answer)
        code = 0
    except BrokenPipeError:  # the parent was killed
        pass
    finally:
        os._exit(code)  # without what the parent has yet to print, and without its clean-up


def _read(end: int, size: int) -> bytes:
    """Exactly `size` bytes, or nothing if the other end is closed before."""
    content = b""
    while len(content) < size:
        more = os.read(end, size - len(content))
        if not more:
            return b""
        content += more
    return content


def _write(end: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(end, view) :]
