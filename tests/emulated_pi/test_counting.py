"""Instructions are counted: machine code whose count is known, in one thread and in two."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise

import pytest

from emulated_pi.boards import BOARDS
from emulated_pi.cache import UnavailableError
from emulated_pi.counting import Count, instructions
from emulated_pi.installation import Environment

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

# subs x0, x0, #1; b.ne to the line before; ret. Each number twice: the first call with another one takes
# Python some instructions more.
PROGRAM = """
import ctypes, mmap, struct, sys, threading
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(struct.pack("<3I", 0xF1000400, 0x54FFFFE1, 0xD65F03C0))
loop = ctypes.CFUNCTYPE(None, ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
for turns in (10_000, 10_000, 90_000, 90_000):
    loop(turns)
    print("done", flush=True)
for turns in (1_000_000, 9_000_000):
    thread = threading.Thread(target=loop, args=(turns,))
    thread.start()
    thread.join()
    print("done", flush=True)
"""
INSTRUCTIONS_A_TURN = 2


@pytest.fixture(scope="module")
def count(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Count]]:
    """Counts the instructions of a program, between each print and the next."""
    board = BOARDS["pi4"]

    def counted(program: str) -> list[Count]:
        try:
            environment = Environment(tmp_path_factory.mktemp("counting") / "venv", board, [])
            until = instructions(environment, board, "-c", program)
        except UnavailableError as reason:
            # In CI a check that did not run must not look like one that passed.
            tell = pytest.fail if os.environ.get("CI") else pytest.skip
            tell(f"no emulated Raspberry Pi: {reason}")
        return [
            Count(*(after - before for before, after in zip(earlier, later, strict=True)))
            for earlier, later in pairwise(until)
        ]

    return counted


def test_turns_of_a_loop_are_counted_to_the_instruction_and_in_every_thread(count):
    few, _, many, few_in_thread, many_in_thread = count(PROGRAM)
    assert many.first_thread - few.first_thread == 80_000 * INSTRUCTIONS_A_TURN
    assert many.other_threads == few.other_threads == 0
    in_thread = many_in_thread.other_threads - few_in_thread.other_threads
    assert in_thread == pytest.approx(8_000_000 * INSTRUCTIONS_A_TURN, rel=0.01)


def test_a_program_that_fails_has_no_count(count):
    with pytest.raises(RuntimeError, match="nothing comes of it"):
        count("raise SystemExit('nothing comes of it')")
