"""Memory over many frames, with a page that is watched and without: `benchmarks/memory.py`, but shorter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks/memory.py"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")
def test_memory_is_flat_over_a_looped_film_whether_it_is_served_or_not(tmp_path):
    numbers = tmp_path / "numbers.json"
    # Each loop of 500 frames opens the film anew.
    command = [
        sys.executable,
        BENCHMARK,
        "--frames",
        "6000",
        "--warm-up",
        "2000",
        "--json",
        numbers,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    plain, served = json.loads(numbers.read_text())["measured"]
    assert plain["growth_kb"] < 2048, done.stdout
    assert served["growth_kb"] < 2048, done.stdout
    assert served["shown"] > 20
