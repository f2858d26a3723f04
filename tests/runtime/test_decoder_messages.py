"""Damaged pictures that decoders decode nevertheless; each made here, and decoded by the real decoder."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

from hemline.card import InputSpec
from hemline.errors import ImageError
from hemline.images import decode_for, decode_image


def photo(form: str, **options: object) -> bytes:
    """A smooth picture with some noise, as photos are; 300 × 200."""
    rows, columns = np.mgrid[:200, :300]
    noise = np.random.default_rng(0).integers(0, 30, (200, 300, 3))
    pixels = np.stack((rows, columns // 2, (rows + columns) // 3), axis=2) + noise
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(out, form, **options)
    return out.getvalue()


def overwritten(content: bytes, share: float) -> bytes:
    """200 random bytes over what stands at that share of the file, as a failing card gives them."""
    changed = bytearray(content)
    at = int(len(content) * share)
    changed[at : at + 200] = np.random.default_rng(1).integers(0, 255, 200, np.uint8).tobytes()
    return bytes(changed)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_is_damaged_in_its_middle_is_refused_and_the_decoder_held_back(
    capfd, share, progressive
):
    content = photo("JPEG", quality=90, progressive=progressive)
    assert decode_image(content, "whole").shape == (200, 300, 3)
    with pytest.raises(ImageError, match=r"^photo\.jpg is a damaged picture \(.+\)\n"):
        decode_image(overwritten(content, share), "photo.jpg")
    assert capfd.readouterr().err == ""


def test_a_damaged_jpeg_is_refused_when_it_is_reduced_too():
    content = photo("JPEG", quality=90)
    spec = InputSpec((28, 28), "gray")
    frame, whole_wh = decode_for(content, "whole", spec)
    assert (frame.shape[1], frame.shape[0]) != whole_wh  # so it was reduced
    with pytest.raises(ImageError, match="damaged"):
        decode_for(overwritten(content, 0.5), "damaged", spec)


def test_a_damaged_tiff_is_refused(capfd):
    content = photo("TIFF", compression="tiff_lzw")
    with pytest.raises(ImageError, match=r"damaged picture \(.*code"):
        decode_image(overwritten(content, 0.5), "scan.tif")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "left_over",
    [
        bytes(64),  # padding of zeros, as some cameras write
        b"\xff" * 30,
        bytes(range(1, 11)),  # a few bytes of anything
    ],
)
def test_padding_before_the_end_of_a_jpeg_is_no_damage(left_over):
    content = photo("JPEG", quality=90)
    padded = content[:-2] + left_over + content[-2:]
    assert np.array_equal(decode_image(padded, "padded"), decode_image(content, "whole"))


def test_much_left_over_before_the_end_of_a_jpeg_is_damage():
    content = photo("JPEG", quality=90)
    left_over = bytes(range(1, 200))
    with pytest.raises(ImageError, match=r"19\d extraneous bytes"):
        decode_image(content[:-2] + left_over + content[-2:], "damaged")


def test_an_unknown_jfif_revision_is_no_damage(capfd):
    content = photo("JPEG", quality=90).replace(b"JFIF\0\x01\x01", b"JFIF\0\x09\x01")
    assert decode_image(content, "photo.jpg").shape == (200, 300, 3)
    assert capfd.readouterr().err == ""


def test_threads_that_decode_at_once_are_not_blamed_for_each_others_pictures():
    whole = photo("JPEG", quality=90)
    damaged = overwritten(whole, 0.5)
    wrong: list[str] = []

    def decode(content: bytes, is_damaged: bool) -> None:
        for _ in range(60):
            try:
                decode_image(content, "photo.jpg")
                refused = False
            except ImageError:
                refused = True
            if refused != is_damaged:
                wrong.append(f"damaged: {is_damaged}, refused: {refused}")

    threads = [
        threading.Thread(target=decode, args=(content, content is damaged))
        for content in (whole, damaged, whole, damaged)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
