"""A few dozen damaged files of each kind, and the harness itself: it must see what it is there to see."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mutated_models import campaign
from mutated_models.campaign import Tally, examine
from mutated_models.examination import ACCEPTED, OTHER_ANSWERS, REFUSED
from mutated_models.originals import Sound, originals

KINDS = (
    "float32.tflite", "float16.tflite", "dynamic_range.tflite", "int8.tflite", "mediapipe.tflite",
    "w8a16.tflite", "int8_io.tflite", "mixed.tflite", "float32.onnx", "int8.onnx", "model.keras",
    "int8.tflite, per tensor", "int8.onnx, per tensor",
    "float32.tflite, no card", "int8.tflite, no card", "int8.onnx, no card",
)  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> dict[str, Sound]:
    from hemline import models

    made = originals(tmp_path_factory.mktemp("sound"), Path(models.source_path_of("paper")))
    return {one.kind: one for one in made}


@pytest.mark.slow
def test_every_kind_of_file_is_damaged(sound):
    assert sorted(sound) == sorted(KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_refused_or_answers_as_before(sound, kind):
    tally = examine(sound[kind], count=40, seed=1)
    assert not tally.wrong, "\n".join(tally.wrong)
    assert tally.refused + tally.answered == 40
    assert tally.refused > (10 if "no card" in kind else 30)


@pytest.mark.parametrize(
    ("ways", "same", "traceback"),
    [
        ({"litert": ACCEPTED, "inspect": ACCEPTED}, False, ""),  # a change that no answer shows
        ({"litert": OTHER_ANSWERS, "inspect": REFUSED}, True, ""),
        ({"litert": REFUSED, "inspect": ACCEPTED}, False, ""),  # the checksum is said to match
        ({"litert": REFUSED}, True, "Traceback …"),
    ],
)
def test_what_must_not_be_is_counted_as_wrong(ways, same, traceback):
    tally = Tally(1)
    found = {"index": 0, "how": "flipped bit", "ways": ways, "same": same, "traceback": traceback}
    tally.add(found, has_checksum=True)
    assert len(tally.wrong) == 1


CHILD = """
import json, os, signal, sys, time
start, stop = (int(sys.argv[sys.argv.index(name) + 1]) for name in ("--start", "--stop"))
for index in range(start, stop):
    print(json.dumps({"index": index, "how": "test"}), flush=True)
    if index == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    if index == 4:
        time.sleep(60)
    done = {"index": index, "how": "test", "ways": {"litert": "refused"}, "traceback": ""}
    print(json.dumps(done), flush=True)
"""


def test_a_crash_and_a_hang_are_seen_and_the_files_behind_them_are_examined(tmp_path, monkeypatch):
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    monkeypatch.setattr(campaign, "WORKER", (sys.executable, script))
    monkeypatch.setattr(campaign, "_SILENCE_S", 2)
    tally = examine(Sound("int8.tflite", script, script, script), count=7, seed=1)
    assert [sentence.partition(":")[0] for sentence in tally.wrong] == ["2 (test)", "4 (test)"]
    assert "crashes with -11" in tally.wrong[0]
    assert "hangs" in tally.wrong[1]
    assert tally.refused == 5
