from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from hemline.errors import DeviceError, UserError
from hemline.sources import Asked, Sequence

RNG = np.random.default_rng(1)
# Smooth, so that halving the colours of YUV loses little.
FRAMES = [cv2.resize(RNG.integers(0, 255, (3, 4, 3), dtype=np.uint8), (64, 48)) for _ in range(3)]
AS = {
    "bgr24": lambda frame: frame,
    "rgb24": lambda frame: frame[:, :, ::-1],
    "gray": lambda frame: cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY),
    "yuv420p": lambda frame: cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420),
}


@pytest.fixture
def pipe() -> Iterator[Callable[[bytes], int]]:
    """The end of a pipe to read from, into which a thread writes piece by piece."""
    opened = []

    def with_content(content: bytes) -> int:
        end, writer = os.pipe()
        opened.append(end)

        def write() -> None:
            with os.fdopen(writer, "wb", 0) as file:
                for at in range(0, len(content), 1000):
                    file.write(content[at : at + 1000])

        threading.Thread(target=write, daemon=True).start()
        return end

    yield with_content
    for end in opened:
        os.close(end)


@pytest.mark.parametrize("form", AS)
def test_raw_frames_come_back_as_bgr_and_share_an_array(pipe, form):
    content = b"".join(np.ascontiguousarray(AS[form](frame)).tobytes() for frame in FRAMES)
    places, numbers = set(), []
    with Sequence(form, Asked((64, 48), 10), pipe(content)) as frames:
        for frame, sent in zip(frames, FRAMES, strict=True):
            expected = sent if form != "gray" else cv2.cvtColor(AS[form](sent), cv2.COLOR_GRAY2BGR)
            assert np.abs(frame.bgr.astype(int) - expected).max() <= (
                40 if form == "yuv420p" else 0
            )
            places.add(frame.bgr.__array_interface__["data"][0])
            numbers.append((frame.number, round(frame.at_s, 6), frame.dropped))
    assert numbers == [(0, 0.0, 0), (1, 0.1, 0), (2, 0.2, 0)]
    assert len(places) == 1


def test_motion_jpeg_gives_every_picture(pipe, pictures):
    with Sequence("mjpeg", Asked(), pipe(b"".join(pictures))) as frames:
        levels = [frame.bgr.mean() for frame in frames]
    assert levels == pytest.approx([20, 60, 100, 140, 180, 220], abs=5)


@pytest.mark.parametrize("form", ["bgr24", "mjpeg"])
def test_an_end_inside_a_frame_and_an_empty_pipe_are_told(pipe, form, pictures):
    asked = Asked((64, 48) if form == "bgr24" else None)
    content = FRAMES[0].tobytes() if form == "bgr24" else pictures[0]
    with Sequence(form, asked, pipe(content + content[:100])) as frames:
        next(frames)
        with pytest.raises(DeviceError, match="ends in the middle of a frame"):
            next(frames)
    with Sequence(form, asked, pipe(b"")) as frames, pytest.raises(DeviceError, match="no frame"):
        next(frames)


@pytest.mark.parametrize(
    ("form", "size_wh", "said"),
    [
        ("bgr24", None, "need a size"),
        ("mjpeg", (64, 48), "have a size of their own"),
        ("yuv420p", (63, 48), "must be even"),
        ("h264", (64, 48), "is not known"),
    ],
)
def test_what_cannot_be_read_is_refused(form, size_wh, said):
    with pytest.raises(UserError) as caught:
        Sequence(form, Asked(size_wh))
    assert said in str(caught.value)


def test_the_command_reads_frames_from_a_pipe(hemline, garments):
    bag = next(path for path in garments if path.name == "bag.jpg").read_bytes()
    done = hemline(
        "classify", "-", "-m", "paper", "--stdin", "mjpeg", "--json",
        input=bag * 4, text=False, encoding=None,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["source"], row["frame"], row["label"]) for row in rows] == [
        ("-", number, "Bag") for number in range(4)
    ]
    cut = hemline(
        "classify", "-", "--stdin", "mjpeg", "--json", input=bag + bag[:99], text=False, encoding=None
    )  # fmt: skip
    assert cut.returncode == 1
    assert "in the middle of a frame" in json.loads(cut.stdout.splitlines()[-1])["error"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--stdin", "foo"], "'foo' is not known"),
        (["--stdin", "bgr24"], "need a size"),
        (["--stdin", "mjpeg", "--size", "64x48"], "have a size of their own"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_before_anything_is_read(hemline, options, said):
    end, writer = os.pipe()
    with os.fdopen(end, "rb") as reader, os.fdopen(writer, "wb", 0) as file:
        file.write(b"unread")
        file.close()
        done = hemline("classify", "-", *options, stdin=reader)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert reader.read() == b"unread"


DAMAGED = b"\xff\xd8\xff\xfe\x00\x04no\xff\xd9"  # whole, but without a picture in it


def test_damaged_pictures_on_a_pipe_are_told_at_the_end(pipe, pictures, hemline, garments):
    content = b"".join([pictures[0], DAMAGED, *pictures[1:3], DAMAGED])
    with Sequence("mjpeg", Asked(), pipe(content)) as frames:
        assert [next(frames).number for _ in range(3)] == [0, 1, 2]
        with pytest.raises(
            DeviceError, match="2 of 5 pictures on standard input are damaged or lost"
        ):
            next(frames)
    options = {"input": garments[0].read_bytes() + DAMAGED, "text": False, "encoding": None}
    done = hemline("classify", "-", "--stdin", "mjpeg", "--json", **options)
    row, error = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, row["frame"]) == (1, 0)
    assert "1 of 2 pictures on standard input" in error["error"]


def test_the_command_tells_of_a_stream_with_a_hole_and_prints_no_words_of_libjpeg(
    hemline, garments
):
    bag = next(path for path in garments if path.name == "bag.jpg").read_bytes()
    stream = bag * 6
    holed = stream[: len(bag) * 5 // 2] + stream[len(bag) * 7 // 3 + len(bag) :]
    options = {"input": holed, "text": False, "encoding": None}
    done = hemline("classify", "-", "-m", "paper", "--stdin", "mjpeg", "--json", **options)
    *rows, error = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (1, b"")
    assert [row["label"] for row in rows] == ["Bag"] * 4
    assert error["error"].startswith("1 of 5 pictures on standard input are damaged or lost")


def test_a_pipe_with_nothing_but_damaged_pictures_is_not_silent(pipe, pictures, monkeypatch):
    monkeypatch.setattr("hemline.sources.sequence.WITHOUT_FRAME_S", 0)
    told = []
    content = 10_000 * DAMAGED + pictures[0] + 10_000 * DAMAGED  # more than a pipe holds
    with Sequence("mjpeg", Asked(), pipe(content), tell=told.append) as frames:
        next(frames)
        with pytest.raises(DeviceError, match="20000 of 20001 pictures"):
            next(frames)
    assert len(told) == 2  # once, and once again after one that could be decoded
    assert "pictures on standard input none is whole" in told[0]
