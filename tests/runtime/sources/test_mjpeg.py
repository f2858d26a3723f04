from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.errors import DeviceError
from hemline.sources.mjpeg import JpegFrames, JpegSplitter, decoded


def split(content: bytes, *sizes: int) -> list[bytes]:
    splitter, found, at = JpegSplitter(), [], 0
    for size in [*sizes, len(content)]:
        splitter.feed(content[at : at + size])
        at += size
        while (picture := splitter.next()) is not None:
            found.append(picture)
    return found


@pytest.fixture(scope="module")
def kinds(garments: list[Path]) -> list[bytes]:
    """JPEGs of many forms: baseline, progressive, with restart markers, with a thumbnail, tiny."""
    image = cv2.imread(str(garments[0]))
    options = [
        [],
        [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
        [cv2.IMWRITE_JPEG_RST_INTERVAL, 2],
        [cv2.IMWRITE_JPEG_QUALITY, 100],
    ]
    made = [cv2.imencode(".jpg", image, option)[1].tobytes() for option in options]
    tiny = cv2.imencode(".jpg", np.zeros((1, 1, 3), np.uint8))[1].tobytes()
    segment = b"Exif\0\0" + tiny  # a whole JPEG inside the header, as cameras put it there
    with_thumbnail = b"\xff\xd8\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment
    return [*made, tiny, with_thumbnail + made[0][2:], b"\xff\xd8\xff" + made[0][2:]]


def test_pictures_of_every_form_come_out_as_they_went_in(kinds):
    assert split(b"".join(kinds)) == kinds


def test_however_the_bytes_are_cut_the_pictures_are_the_same(kinds):
    content = b"--frame\r\nContent-Length: 5\r\n\r\n".join(kinds)
    chance = random.Random(1)
    for most in (1, 3, 50, 5000):
        sizes = [chance.randint(1, most) for _ in range(2 * len(content) // most)]
        assert split(content, *sizes) == kinds, most


def test_a_picture_that_is_cut_off_is_left_out_and_the_next_one_is_whole(kinds):
    for cut in range(3, len(kinds[0]) - 1, 97):
        found = split(kinds[0][:cut] + kinds[3] + kinds[1])
        assert found[-1] == kinds[1], cut
        assert kinds[0] not in found
        assert len(found) <= 2


def test_noise_ends_with_nothing_and_never_hangs(kinds):
    chance = random.Random(2)
    for _ in range(200):
        noise = bytearray(kinds[4] * 3)
        for _ in range(20):
            noise[chance.randrange(len(noise))] = chance.choice([0xFF, 0xD8, 0xD9, 0, 0xDA])
        for picture in split(bytes(noise)):
            frame = decoded(picture)
            assert frame is None or frame.ndim == 3


def test_bytes_without_an_end_are_bounded():
    splitter = JpegSplitter()
    splitter.feed(b"\xff\xd8\xff\xda\0\2")
    for _ in range(63):
        splitter.feed(bytes(1 << 20))
        assert splitter.next() is None
    with pytest.raises(DeviceError, match="no JPEG picture ends"):
        splitter.feed(bytes(1 << 20))


def frames_of(content: bytes) -> tuple[list[np.ndarray], int]:
    """The frames of a stream, and at how many places it is damaged."""
    frames, found = JpegFrames(), []
    for at in range(0, len(content), 1000):
        frames.feed(content[at : at + 1000])
        while (frame := frames.next()) is not None:
            found.append(frame)
    return found, frames.damaged + frames.is_inside


@pytest.fixture(scope="module")
def film() -> list[bytes]:
    """20 pictures of a scene with noise, as a camera gives them; 320 × 240."""
    rows, columns = np.mgrid[:240, :320]
    chance, pictures = np.random.default_rng(0), []
    for number in range(20):
        scene = np.stack((rows, columns // 2, (rows + columns + 8 * number) // 4), axis=2)
        noisy = (scene + chance.integers(0, 25, scene.shape)).astype(np.uint8)
        pictures.append(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())
    return pictures


def without_huffman_tables(picture: bytes) -> bytes:
    """As many USB cameras send them: the standard's own tables are meant."""
    while (at := picture.find(b"\xff\xc4")) >= 0:
        picture = picture[:at] + picture[at + 2 + int.from_bytes(picture[at + 2 : at + 4], "big") :]
    return picture


def with_avi1(picture: bytes) -> bytes:
    return picture[:2] + b"\xff\xe0\x00\x10AVI1" + bytes(10) + picture[2:]


HEADER = b"\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 12345\r\n\r\n"
HEALTHY = {
    "one after the other": lambda pictures: b"".join(pictures),
    "multipart": lambda pictures: HEADER.join([b"", *pictures, b""]),
    "padded with zeros, as buffers of a fixed size are": lambda pictures: b"".join(
        picture + bytes(-len(picture) % 32768) for picture in pictures
    ),
    "padded with fill bytes": lambda pictures: (b"\xff" * 100).join(pictures),
    "a few bytes of anything between": lambda pictures: bytes(range(128, 143)).join(pictures),
    "heads of AVI chunks between": lambda pictures: b"".join(
        b"00dc" + len(picture).to_bytes(4, "little") + picture for picture in pictures
    ),
    "with the marker of AVI": lambda pictures: b"".join(map(with_avi1, pictures)),
    "padded before the end marker": lambda pictures: b"".join(
        picture[:-2] + bytes(64) + picture[-2:] for picture in pictures
    ),
    "without Huffman tables": lambda pictures: b"".join(map(without_huffman_tables, pictures)),
    "in a container with sound": lambda pictures: (
        np.random.default_rng(2).bytes(400).join([b"RIFF", *pictures, b""])
    ),
}


@pytest.mark.parametrize("form", HEALTHY)
def test_healthy_streams_are_never_accused(film, form, capfd):
    found, damaged = frames_of(HEALTHY[form](film))
    assert (len(found), damaged) == (20, 0)
    for frame, picture in zip(found, film, strict=True):
        assert np.array_equal(frame, cv2.imdecode(np.frombuffer(picture, np.uint8), 1))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("damage", ["random", "zeroed", "cut out"])
@pytest.mark.parametrize("form", ["one after the other", "multipart"])
def test_a_tenth_that_is_lost_is_noticed_and_no_merged_picture_is_given(film, form, damage, capfd):
    content = HEALTHY[form](film)
    # A splice that fits to a few bytes cannot be told from a picture, so it is not two pictures exactly.
    tenth = len(content) // 10 - len(film[0]) // 3
    chance = np.random.default_rng(3)
    whole = [cv2.imdecode(np.frombuffer(picture, np.uint8), 1) for picture in film]
    for at in chance.integers(len(film[0]), 8 * tenth, 25):
        between = {"random": chance.bytes(tenth), "zeroed": bytes(tenth), "cut out": b""}[damage]
        found, damaged = frames_of(content[:at] + between + content[at + tenth :])
        assert damaged >= 1, at
        assert 12 <= len(found) <= 19, at  # by chance noise names a segment of 64 KiB
        assert all(any(np.array_equal(frame, one) for one in whole) for frame in found), at
    assert capfd.readouterr().err == ""


def test_a_picture_of_which_nothing_but_the_beginning_is_lost_is_noticed(film):
    found, damaged = frames_of(b"".join([film[0], film[1][1000:], *film[2:]]))
    assert (len(found), damaged) == (19, 1)


def test_pictures_that_are_cut_off_are_counted_each_once(film):
    found, damaged = frames_of(
        b"".join([film[0], film[1][:3000], film[2], film[3][:2000], film[4]])
    )
    assert (len(found), damaged) == (3, 2)
