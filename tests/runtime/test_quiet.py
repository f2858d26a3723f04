from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from hemline.quiet import holding_back_stderr, listening, true_stderr


def write(text: str) -> None:
    """As a C++ library does it, past `sys.stderr`."""
    os.write(2, text.encode())


def fail() -> None:
    write("the reason\n")
    raise ZeroDivisionError


def test_what_is_held_back_is_shown_only_when_the_block_fails(capfd):
    with holding_back_stderr():
        write("chatter\n")
    assert capfd.readouterr().err == ""
    with pytest.raises(ZeroDivisionError), holding_back_stderr():
        fail()
    assert capfd.readouterr().err == "the reason\n"


def test_heeded_lines_are_returned_and_all_others_reach_the_terminal(capfd):
    def call() -> int:
        write("decoder: bad\nsomething else\n")
        return 7

    assert listening(call, lambda line: line.startswith("decoder")) == (7, ["decoder: bad"])
    assert capfd.readouterr().err == "something else\n"
    write("afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_standard_error_comes_back_when_the_call_fails(capfd):
    def call() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        listening(call, lambda _: True)
    write("afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_each_thread_hears_its_own_call_and_holding_back_does_not_get_between(capfd):
    heard: dict[str, set[tuple[str, ...]]] = {}

    def listen(name: str) -> None:
        heard[name] = {
            tuple(listening(lambda: write(f"decoder {name}\n"), lambda line: "decoder" in line)[1])
            for _ in range(100)
        }

    def hold() -> None:
        for _ in range(100):
            with holding_back_stderr():
                write("chatter\n")

    threads = [threading.Thread(target=listen, args=(name,)) for name in "abc"]
    threads.append(threading.Thread(target=hold))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {name: {(f"decoder {name}",)} for name in "abc"}
    write("afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_a_closed_standard_error_stays_closed_and_the_call_is_heard_all_the_same():
    program = """
        import os
        from hemline.quiet import listening
        os.close(2)
        _, lines = listening(lambda: os.write(2, b"decoder: bad\\n"), lambda line: True)
        print(lines)
        try:
            os.fstat(2)
        except OSError:
            print("closed")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["['decoder: bad']", "closed"]


def test_a_child_that_is_started_while_another_thread_listens_has_the_true_standard_error(capfd):
    begun, end = threading.Event(), threading.Event()

    def listen() -> None:
        while not end.is_set():
            listening(lambda: (begun.set(), time.sleep(0.01)), lambda line: "said" in line)

    thread = threading.Thread(target=listen)
    thread.start()
    begun.wait()
    for _ in range(10):
        with true_stderr():
            child = subprocess.Popen(["sh", "-c", "sleep 0.02; echo said >&2"])
        child.wait()
    end.set()
    thread.join()
    assert capfd.readouterr().err == "said\n" * 10
