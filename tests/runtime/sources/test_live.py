"""Network cameras that are fast, slow, cut, silent, away and back; all over real connections."""

from __future__ import annotations

import itertools
import json
import math
import re
import socket
import threading
import time

import pytest

from hemline.errors import DeviceError
from hemline.sources import frames_of_camera, open_camera, open_stream
from hemline.sources import live as live_module

DAMAGED = b"\xff\xd8\xff\xfe\x00\x04no\xff\xd9"  # whole, but without a picture in it


def is_grabbed(address: str) -> bool:
    return any(thread.name == f"grabs {address}" for thread in threading.enumerate())


def test_a_slow_consumer_gets_the_newest_frame_and_knows_what_was_dropped(camera, pictures):
    camera.pictures, camera.interval_s = pictures, 0.02
    with open_camera(camera.address) as frames:
        first = next(frames)
        time.sleep(0.5)
        second = next(frames)
        third = next(frames)
    assert (first.number, second.number, third.number) == (0, 1, 2)
    assert second.dropped > first.dropped  # of the 25 or so that came meanwhile
    assert second.at_s > 0.2  # the newest, and not the next, which came after 0.02 s
    assert first.wall_s == pytest.approx(time.time(), abs=10)


def test_the_arrays_are_few_and_the_one_in_use_is_not_written_to(camera, pictures):
    camera.pictures, camera.interval_s = pictures, 0.002
    with open_camera(camera.address) as frames:
        for frame in itertools.islice(frames, 20):
            before = frame.bgr.copy()
            time.sleep(0.01)
            assert (frame.bgr == before).all()


def test_everything_is_closed_when_one_stops_in_the_middle(camera):
    with open_camera(camera.address) as frames:
        next(frames)
        assert is_grabbed(camera.address)
    assert not is_grabbed(camera.address)
    frames.close()  # once more does no harm
    with pytest.raises(StopIteration):
        next(frames)
    bare = frames_of_camera(camera.address)
    next(bare)
    bare.close()
    assert not is_grabbed(camera.address)


def test_a_stream_that_is_cut_inside_a_frame_gives_no_half_frame(camera, pictures):
    # The half that is missing would be grey: each frame must have its own level to its last row.
    camera.pictures, camera.cut_after, camera.interval_s = pictures, 4, 0.1
    with open_stream(camera.address) as frames:
        levels = [frame.bgr[-8:].mean() for frame in frames]
    assert levels == pytest.approx([20, 60, 100, 140], abs=5)
    assert camera.connections == 1


def test_a_camera_that_was_cut_is_opened_again_and_that_is_said_once(camera):
    camera.cut_after = 3
    told = []
    with open_camera(camera.address, tell=told.append) as frames:
        while next(frames).number < 3 or camera.connections < 2:
            pass
    assert len(told) == 2
    assert "gives no more frames; waiting" in told[0]
    assert "is back after" in told[1]


def test_a_server_that_is_gone_for_a_while_is_waited_for_with_growing_pauses(camera):
    told = []
    with open_camera(camera.address, tell=told.append) as frames:
        next(frames)
        camera.serving = False
        before = camera.connections
        threading.Timer(2.0, setattr, (camera, "serving", True)).start()
        start = time.monotonic()
        while camera.connections == before or not camera.serving:
            next(frames)
        waited = time.monotonic() - start
        next(frames)
    assert waited > 1.5
    assert camera.connections - before <= 2 + math.log2(4 * waited)  # after 0.25, 0.5, 1, 2 s
    assert [message.split("; ")[0].split(" after")[0] for message in told] == [
        f"{camera.address} gives no more frames",
        f"{camera.address} is back",
    ]


@pytest.mark.parametrize("reopen_s", [0, 0.6])
def test_the_wait_for_a_camera_can_be_bounded(camera, reopen_s):
    camera.cut_after = 2
    told = []
    with open_camera(camera.address, reopen_s=reopen_s, tell=told.append) as frames:
        next(frames)
        camera.serving = False
        start = time.monotonic()
        with pytest.raises(DeviceError, match="was not back within") as caught:
            list(frames)
        assert time.monotonic() - start < reopen_s + 2
    assert "--reopen" in caught.value.hint
    assert len(told) == (reopen_s > 0)
    assert not is_grabbed(camera.address)


def test_a_camera_that_falls_silent_is_opened_again(camera, monkeypatch):
    from hemline.sources import http_device

    monkeypatch.setattr(http_device, "_TIMEOUT_S", 0.5)
    camera.silent_after = 3
    with open_camera(camera.address, tell=lambda _: None) as frames:
        while camera.connections < 2:
            next(frames)


def test_a_camera_that_hangs_up_or_sends_no_pictures_is_told_within_seconds(camera):
    camera.pictures, camera.cut_after = [b"no picture"], 3
    start = time.monotonic()
    with open_camera(camera.address) as frames, pytest.raises(DeviceError, match="gives no frame"):
        next(frames)
    camera.serving = False
    with (
        open_camera(camera.address) as frames,
        pytest.raises(DeviceError, match="cannot be opened as a video"),
    ):
        next(frames)
    assert time.monotonic() - start < 5


def test_a_device_that_hangs_is_told_and_does_not_keep_the_program(monkeypatch):
    monkeypatch.setattr(live_module, "FIRST_FRAME_S", 0.6)
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it takes the call and says nothing
        address = f"rtsp://127.0.0.1:{mute.getsockname()[1]}/"
        start = time.monotonic()
        with (
            open_camera(address) as frames,
            pytest.raises(DeviceError, match="gives no frame that can be decoded"),
        ):
            next(frames)
        assert time.monotonic() - start < 3


def test_a_clock_that_jumps_changes_nothing_but_the_wall_time(camera, monkeypatch):
    monkeypatch.setattr(live_module, "time", itertools.cycle([2e9, 1e9]).__next__)
    with open_camera(camera.address, reopen_s=math.inf) as frames:
        seen = [(frame.at_s, frame.wall_s) for frame in itertools.islice(frames, 10)]
    times = [at_s for at_s, _ in seen]
    assert times == sorted(times)
    assert times[-1] < 10
    assert {wall_s for _, wall_s in seen} <= {1e9, 2e9}


def test_a_password_in_the_address_is_sent(camera):
    camera.password = "Basic am9lOnAgdw=="  # joe:p w
    with open_camera(camera.address.replace("//", "//joe:p%20w@")) as frames:
        next(frames)
    with open_camera(camera.address) as frames, pytest.raises(DeviceError, match="403"):
        next(frames)


def test_a_camera_whose_pictures_become_damaged_is_told_with_their_number(camera, monkeypatch):
    from hemline.sources import http_device

    monkeypatch.setattr(http_device, "WITHOUT_FRAME_S", 0.5)
    told = []
    good = camera.pictures
    with open_camera(camera.address, reopen_s=1.5, tell=told.append) as frames:
        next(frames)
        camera.pictures = [DAMAGED]
        with pytest.raises(DeviceError, match=r"was not back within 1\.5 s") as caught:
            list(frames)
    assert re.search(r"gives no more frames, but \d+ damaged pictures, and", caught.value.problem)
    gone, sum_of_all = told
    assert re.search(r"gives no more frames, but \d+ damaged pictures; waiting until", gone)
    assert re.search(r"gave \d+ damaged pictures, which count as no frames", sum_of_all)
    assert 2 <= camera.connections <= 4  # each was looked at for half a second
    camera.pictures = good
    with open_camera(camera.address, tell=told.append) as frames:
        next(frames)
    assert len(told) == 2


def test_pictures_of_a_camera_that_have_run_into_each_other_are_no_frames(camera, pictures, capfd):
    one, other = pictures[2], pictures[5]
    merged = one[: len(one) // 2] + other[len(other) * 3 // 5 :]
    camera.pictures = [one, merged]
    told = []
    with open_camera(camera.address, tell=told.append) as frames:
        levels = [next(frames).bgr.mean() for _ in range(6)]
    assert levels == pytest.approx([100] * 6, abs=5)
    assert re.search(r"gave \d+ damaged picture", told[0])
    assert capfd.readouterr().err == ""


def test_a_camera_that_gives_damaged_pictures_alone_is_told_and_single_ones_are_counted(
    camera, monkeypatch
):
    from hemline.sources import http_device

    monkeypatch.setattr(http_device, "WITHOUT_FRAME_S", 0.5)
    told = []
    camera.pictures = [DAMAGED, *camera.pictures]
    with open_camera(camera.address, tell=told.append) as frames:
        for _ in range(3):
            next(frames)
    assert re.search(r"gave \d+ damaged picture", told[0])
    assert len(told) == 1
    for nothing in (DAMAGED, b"no picture"):
        camera.pictures = [nothing]
        with (
            open_camera(camera.address, tell=told.append) as frames,
            pytest.raises(DeviceError, match="gives no frame that can be decoded"),
        ):
            next(frames)


def test_a_camera_that_is_not_there_yet_is_waited_for_where_that_is_asked_for(hemline, camera):
    camera.serving = False
    told = []
    with (
        open_camera(camera.address, reopen_s=0.6, await_first=True, tell=told.append) as frames,
        pytest.raises(DeviceError, match=r"cannot be opened .* was not there within 0\.6 s"),
    ):
        next(frames)
    assert len(told) == 1
    command = ("classify", "--camera", camera.address, "--json", "--max-frames", "2")
    assert hemline(*command).returncode == 2  # --reopen is not given
    before = camera.connections

    def serve_when_it_was_looked_for() -> None:
        while camera.connections == before:
            time.sleep(0.02)
        time.sleep(0.1)  # that connection is hung up
        camera.serving = True

    threading.Thread(target=serve_when_it_was_looked_for, daemon=True).start()
    done = hemline(*command, "--reopen", "60")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["frame"] for line in done.stdout.splitlines()] == [0, 1]
    missing, there = done.stderr.splitlines()
    assert "cannot be opened as a video" in missing
    assert missing.endswith("; waiting until it is there")
    assert re.search(r"is there after \d+\.\d s$", there)
    done = hemline("classify", "--camera", "97", "--reopen", "0.3")
    assert done.returncode == 2
    assert "there is no camera /dev/video97, and was not there within 0.3 s" in done.stderr


def test_a_password_in_the_address_is_shown_nowhere(camera, hemline):
    address = camera.address.replace("//", "//joe:secret@")
    camera.password = "Basic am9lOnNlY3JldA=="
    done = hemline("classify", "--camera", address, "--max-frames", "2", "--json")
    assert done.returncode == 0, done.stderr
    host = camera.address.partition("//")[2]
    assert f'"source": "http://…@{host}"' in done.stdout
    camera.password = "Basic another"
    refused = hemline("classify", address, "--json")
    assert refused.returncode == 1
    assert "http://…@" in refused.stdout
    for text in (done.stdout, done.stderr, refused.stdout, refused.stderr):
        assert "secret" not in text
