from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.errors import DeviceError
from hemline.sources.mjpeg import JpegSplitter, decoded


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
