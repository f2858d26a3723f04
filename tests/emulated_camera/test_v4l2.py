"""`cv2.VideoCapture` on true V4L2 devices: v4l2loopback, which is fed a picture, and the kernel's vivid."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = [pytest.mark.emulated, pytest.mark.slow]


def test_frames_come_and_are_named(results):
    fed = results["fed"]
    assert (fed["shape"], fed["label"], fed["number"]) == ([240, 320, 3], "Bag", 4)
    assert fed["messages"] == []


def test_the_command_classifies_and_ends_with_sigterm(results):
    command = results["command line"]
    answers = [json.loads(line) for line in command["answers"]]
    assert len(answers) >= 3
    assert {answer["label"] for answer in answers} == {"Bag"}
    assert [answer["frame"] for answer in answers] == list(range(len(answers)))
    assert {answer["source"] for answer in answers} == {"camera 0"}
    assert (command["code"], command["said"]) == (130, "hemline: interrupted\n")


def test_what_the_camera_gives_of_size_and_rate_is_told(results):
    given = results["asked"]
    assert given["shape"] == [180, 320, 3]
    told = "camera 0 gives 320x180 at 15 frames/s; asked for was 320x180 at 15 frames/s"
    assert given["messages"] == [told]
    given = results["asked in vain"]
    assert given["shape"] == [240, 320, 3]
    (told,) = given["messages"]
    assert told.startswith("camera 0 gives 320x240 at ")
    assert told.endswith("asked for was 640x480 at 5 frames/s")


def test_a_camera_that_gives_no_more_frames_is_noticed_within_seconds_and_waited_for(results):
    stopped = results["stopped and unplugged"]
    gone, back = stopped["stopped"]
    assert gone == "camera 0 gives no more frames; waiting until it is back"
    assert back.startswith("camera 0 is back after ")
    assert stopped["noticed_s"] < 10
    assert stopped["labels"][0] == "Bag"


def test_a_device_that_is_gone_and_plugged_in_again_is_opened_again(results):
    unplugged = results["stopped and unplugged"]
    assert not unplugged["was_there"]
    assert len(unplugged["unplugged"]) == 2
    assert unplugged["labels"][1] == "Bag"


def test_a_device_that_is_pulled_while_it_is_read_is_opened_again(results):
    pulled = results["pulled"]
    gone, back = pulled["messages"]
    assert gone == "camera 0 gives no more frames; waiting until it is back"
    assert back.startswith("camera 0 is back after ")
    assert pulled["number"] > 0


@pytest.mark.parametrize(
    ("scenario", "problem", "hint"),
    [
        ("absent", "there is no camera /dev/video0", "this machine shows no camera"),
        ("unfed", "a loopback device, into which no program writes", "start the one that does"),
        ("held", "another program has it", "fuser -v /dev/video0"),
        ("other node", "it gives no pictures", "this machine has /dev/video0"),
        ("silent", "camera 0 opens but gives no frame", "plug it in again"),
    ],
)
def test_a_camera_without_frames_is_told_within_seconds_with_its_mend(
    results, scenario, problem, hint
):
    found = results[scenario]
    assert problem in found["error"]
    assert hint in found["hint"]
    assert "shape" not in found
    assert found["seconds"] < 10


def test_the_doctor_tells_of_a_camera_whether_it_gives_frames_or_who_has_it(results):
    def cameras(which: str) -> list[dict[str, Any]]:
        findings = results["doctor"][which][1]["findings"]
        for finding in findings:  # on a busy machine a backend may take longer than its time
            assert finding["state"] != "fail" or "did not answer in time" in finding["what"], (
                finding
            )
        return [f for f in findings if f["topic"] == "camera"]

    (held,) = cameras("held")
    assert held["state"] == "note"
    assert f"({results['doctor']['pid']})" in held["what"]
    (free,) = cameras("free")  # vivid's second node gives no pictures, and is no camera
    assert free["state"] == "ok"
    assert "camera /dev/video0 gives frames of" in free["what"]
