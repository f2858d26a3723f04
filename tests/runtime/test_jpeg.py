from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from hemline import jpeg


def encoded(width: int, height: int, **options) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(options.pop("mode", "RGB")).save(file, "JPEG", **options)
    return file.getvalue()


def with_segment(content: bytes, marker: int, data: bytes) -> bytes:
    segment = bytes((0xFF, marker)) + (len(data) + 2).to_bytes(2, "big") + data
    return content[:2] + segment + content[2:]


THUMBNAIL = encoded(16, 12)
KINDS = {
    "baseline": encoded(61, 43),
    "progressive": encoded(61, 43, progressive=True),
    "grey": encoded(61, 43, mode="L"),
    "cmyk": encoded(61, 43, mode="CMYK"),
    "with a thumbnail": with_segment(encoded(61, 43), 0xE1, b"Exif\0\0" + THUMBNAIL),
    "with fill bytes": b"\xff\xd8\xff\xff\xff" + encoded(61, 43)[3:],
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_is_that_of_the_picture_and_not_of_its_thumbnail(kind):
    assert jpeg.read_header(KINDS[kind]).size_wh == (61, 43)


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_picture_is_complete_also_with_zeros_or_a_film_behind_it(kind):
    content = KINDS[kind]
    for behind in (b"", bytes(100), b"ftypmp42" * 20, bytes(10) + b"x"):
        assert jpeg.is_complete(content + behind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_picture_is_not_complete_and_its_size_is_right_or_not_known(kind):
    content = KINDS[kind]
    for cut in range(3, len(content) - 2):
        header = jpeg.read_header(content[:cut])
        assert header is None or header.size_wh == (61, 43)
        if content[:cut].endswith(b"\xff\xd9"):
            continue  # behind a thumbnail: what looks complete so early, the decoder refuses
        assert not jpeg.is_complete(content[:cut])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        jpeg.MAGIC,
        jpeg.MAGIC + bytes(100),
        b"\xff\xd8" + b"\xff\xe0\0\0" * 50,  # segments that claim to have no length
        b"\xff\xd8\xff\xc0\0\x11\x08\0\0\0\0\3",  # a height and a width of 0
    ],
)
def test_what_only_begins_like_a_jpeg_has_no_size(content):
    assert jpeg.read_header(content) is None
    assert not jpeg.is_complete(content)
