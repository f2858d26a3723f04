from __future__ import annotations

import io
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from hemline.card import InputSpec
from hemline.errors import ImageError
from hemline.images import (
    decode_cutout,
    decode_for,
    decode_image,
    preprocess_content,
    read_image,
)
from hemline.preprocess import Preprocessor

COLORS = {
    "white": (255, 255, 255),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
}
WHITE_CORNER = ["white", "green", "blue", "yellow"]
CORNERS = ["red", "green", "blue", "yellow"]


def four_colors(transparent_corner: bool = False) -> Image.Image:
    """30 wide, 20 high: red and green above, blue and yellow below."""
    pixels = np.zeros((20, 30, 4), np.uint8)
    pixels[:10, :15, :3], pixels[:10, 15:, :3] = COLORS["red"], COLORS["green"]
    pixels[10:, :15, :3], pixels[10:, 15:, :3] = COLORS["blue"], COLORS["yellow"]
    pixels[:, :, 3] = 255
    if transparent_corner:
        pixels[:10, :15, 3] = 0
        return Image.fromarray(pixels)
    return Image.fromarray(np.ascontiguousarray(pixels[:, :, :3]))


def palette(**changes: Any) -> Image.Image:
    image = four_colors().quantize(4)
    image.info.update(changes)
    return image


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def noise(form: str, **options: Any) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), form, **options)


def corners(frame_bgr: np.ndarray) -> list[str]:
    """The nearest colours of the four corners: above left, above right, below left, below right."""
    assert frame_bgr.dtype == np.uint8
    assert frame_bgr.ndim == 3
    assert frame_bgr.shape[2] == 3
    found = []
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        rgb = frame_bgr[row, column, ::-1].astype(int)
        name = min(COLORS, key=lambda name: np.abs(rgb - COLORS[name]).sum())
        assert np.abs(rgb - COLORS[name]).max() < 40
        found.append(name)
    return found


FULL = {
    "jpeg": encoded(four_colors(), "JPEG", quality=100, subsampling=0),
    "jpeg, progressive": encoded(four_colors(), "JPEG", progressive=True, quality=95),
    "jpeg, cmyk as from a printer": encoded(four_colors().convert("CMYK"), "JPEG", quality=95),
    "jpeg, a film behind the picture": encoded(four_colors(), "JPEG") + b"ftypmp42" * 500,
    "jpeg, filled up with zeros": encoded(four_colors(), "JPEG") + bytes(512),
    "png": encoded(four_colors(), "PNG"),
    "png, palette": encoded(palette(), "PNG"),
    "webp": encoded(four_colors(), "WEBP", quality=100),
    "webp, lossless": encoded(four_colors(), "WEBP", lossless=True),
    "tiff": encoded(four_colors(), "TIFF"),
    "tiff, lzw": encoded(four_colors(), "TIFF", compression="tiff_lzw"),
    "tiff, cmyk": encoded(four_colors().convert("CMYK"), "TIFF"),
    "bmp": encoded(four_colors(), "BMP"),
    "gif": encoded(palette(), "GIF"),
    "ppm": encoded(four_colors(), "PPM"),
    "jpeg 2000": encoded(four_colors(), "JPEG2000"),
}


@pytest.mark.parametrize("name", FULL)
def test_a_colour_picture_of_any_kind_is_read_in_bgr(name):
    frame = decode_image(FULL[name], name)
    assert frame.shape == (20, 30, 3)
    assert corners(frame) == CORNERS


TRANSPARENT = {
    "png": encoded(four_colors(True), "PNG"),
    "png, palette": encoded(palette(), "PNG", transparency=palette().getpixel((0, 0))),
    "png, one colour is meant": encoded(four_colors(), "PNG", transparency=COLORS["red"]),
    "webp": encoded(four_colors(True), "WEBP", quality=100),
    "webp, lossless": encoded(four_colors(True), "WEBP", lossless=True),
    "gif": encoded(palette(), "GIF", transparency=palette().getpixel((0, 0))),
    "tiff": encoded(four_colors(True), "TIFF"),
}


@pytest.mark.parametrize("name", TRANSPARENT)
def test_a_transparent_picture_lies_on_white(name):
    assert corners(decode_image(TRANSPARENT[name], name)) == WHITE_CORNER


def test_a_palette_is_transparent_behind_a_long_colour_profile_too():
    content = TRANSPARENT["png, palette"]
    text = b"Comment\0" + b"x" * 10_000
    chunk = struct.pack(">I", len(text)) + b"tEXt" + text
    chunk += struct.pack(">I", zlib.crc32(b"tEXt" + text))
    assert corners(decode_image(content[:33] + chunk + content[33:], "png")) == WHITE_CORNER


def test_avif_is_read_where_opencv_can_and_its_transparent_parts_lie_on_white():
    if cv2.imdecode(np.frombuffer(noise("AVIF"), np.uint8), cv2.IMREAD_COLOR) is None:
        pytest.skip("this OpenCV reads no AVIF")
    assert corners(decode_image(encoded(four_colors(), "AVIF", quality=95), "avif")) == CORNERS
    transparent = encoded(four_colors(True), "AVIF", quality=95)
    assert corners(decode_image(transparent, "avif")) == WHITE_CORNER


def test_half_transparent_grey_with_alpha_is_mixed_with_white():
    pixels = np.zeros((4, 4, 2), np.uint8)
    pixels[:, :, 1] = 127
    frame = decode_image(encoded(Image.fromarray(pixels), "PNG"), "grey with alpha")
    assert (frame == 128).all()


@pytest.mark.parametrize(
    ("image", "form"),
    [
        (Image.new("L", (6, 5), 200), "PNG"),  # grey
        (Image.new("L", (6, 5), 200), "JPEG"),
        (Image.new("L", (6, 5), 200), "TIFF"),
        (Image.new("L", (6, 5), 200), "PPM"),  # Pillow writes PGM
        (Image.fromarray(np.full((5, 6), 200 * 257, np.uint16)), "PNG"),  # 16 bit
        (Image.fromarray(np.full((5, 6), 200 * 257, np.uint16)), "TIFF"),
    ],
)
def test_grey_of_8_and_16_bit_becomes_three_equal_channels(image, form):
    frame = decode_image(encoded(image, form), form)
    assert frame.shape == (5, 6, 3)
    assert np.abs(frame.astype(int) - 200).max() <= 1


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "PPM"])
def test_one_bit_becomes_black_and_white(form):
    image = Image.new("1", (16, 16))
    image.paste(1, (8, 0, 16, 16))
    frame = decode_image(encoded(image, form), form)
    assert (frame[:, :8] == 0).all()
    assert (frame[:, 8:] == 255).all()


def test_a_cutout_keeps_its_alpha_and_its_colours():
    content = encoded(four_colors(True), "PNG")
    cutout = decode_cutout(content, "cut.png")
    assert cutout.shape[2] == 4
    assert set(np.unique(cutout[:, :, 3]).tolist()) == {0, 255}
    shown = cutout[:, :, 3] == 255
    assert np.array_equal(cutout[shown][:, :3], decode_image(content, "cut.png")[shown])
    opaque = encoded(four_colors(), "PNG")
    assert np.array_equal(decode_cutout(opaque, "a.png"), decode_image(opaque, "a.png"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_picture_whose_pixels_are_no_numbers_is_refused(value):
    pixels = np.full((4, 5), 0.5, np.float32)
    pixels[1, 2] = value
    content = cv2.imencode(".tiff", pixels)[1].tobytes()
    with pytest.raises(ImageError, match=r"f\.tiff holds pixels that are no numbers"):
        decode_image(content, "f.tiff")


def test_16_bit_with_alpha_lies_on_white():
    pixels = np.full((4, 4, 4), 100 * 257, np.uint16)
    pixels[:2, :, 3], pixels[2:, :, 3] = 0, 65535
    good, content = cv2.imencode(".png", pixels)
    assert good
    frame = decode_image(content.tobytes(), "16 bit")
    assert (frame[:2] == 255).all()
    assert (frame[2:] == 100).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("form", "transparent", "options"),
    [
        ("JPEG", False, {"quality": 100, "subsampling": 0}),  # every phone
        ("PNG", False, {}),
        ("WEBP", False, {"lossless": True}),
        ("TIFF", False, {}),
        ("PNG", True, {}),  # OpenCV leaves it lying when asked for the alpha channel
        ("WEBP", True, {"lossless": True}),
        ("TIFF", True, {}),
    ],
)
def test_a_picture_stands_upright_by_its_exif_orientation(form, transparent, options, orientation):
    content = encoded(four_colors(transparent), form, exif=exif(orientation), **options)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGBA")
    expected = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    frame = decode_image(content, form)
    assert frame.shape[:2] == (expected.height, expected.width)
    assert corners(frame) == corners(np.array(expected)[:, :, 2::-1])


def test_damaged_exif_data_does_not_cost_the_picture():
    content = encoded(four_colors(True), "PNG", exif=exif(6))
    at = content.find(b"eXIf") + 4
    size = int.from_bytes(content[at - 8 : at - 4], "big")
    data = bytearray(content[at : at + size])
    start = max(data.find(b"MM\0*"), data.find(b"II*\0"))
    data[start + 4 : start + 8] = b"\xff\xff\xff\x7f"  # the first directory lies far outside
    crc = struct.pack(">I", zlib.crc32(b"eXIf" + data))
    broken = content[:at] + bytes(data) + crc + content[at + size + 4 :]
    assert corners(decode_image(broken, "png")) == WHITE_CORNER


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_picture_is_taken(form):
    later = [four_colors().transpose(Image.Transpose.ROTATE_180)] * 2
    content = encoded(four_colors(), form, save_all=True, append_images=later, duration=50)
    assert corners(decode_image(content, form)) == CORNERS


# What is refused


def with_thumbnail(content: bytes) -> bytes:
    """A JPEG as cameras write it: the thumbnail is a whole JPEG, end marker and all."""
    thumbnail = encoded(four_colors(), "JPEG")
    data = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + thumbnail
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data + content[2:]


@pytest.mark.parametrize(
    "content",
    [
        noise("JPEG"),
        noise("JPEG", progressive=True),  # several scans: the first half is a whole, blurred picture
        with_thumbnail(noise("JPEG")),  # its thumbnail ends whole
        noise("PNG"),
        noise("WEBP"),
        noise("WEBP", lossless=True),
        noise("BMP"),
        noise("TIFF"),
        noise("PPM"),
        noise("JPEG2000"),
        encoded(Image.effect_noise((90, 60), 80), "GIF"),
    ],
    ids=["jpeg", "progressive", "thumbnail", "png", "webp", "lossless", "bmp", "tiff", "ppm", "jp2",
         "gif"],
)  # fmt: skip
def test_a_picture_that_was_cut_off_is_refused_wherever_the_cut_is(content):
    assert decode_image(content, "whole").shape[2] == 3
    for cut in [*range(1, 60), *range(60, len(content) - 3, max(1, len(content) // 60))]:
        with pytest.raises(ImageError):
            decode_image(content[:cut], "cut")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_cut_jpeg_that_was_filled_up_with_zeros_is_refused(share):
    content = noise("JPEG")
    kept = content[: int(len(content) * share)]
    with pytest.raises(ImageError, match="is cut off"):
        decode_image(kept.ljust(len(content), b"\0"), "download.jpg")


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def one_bit_changed(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty (0 bytes)"),  # a full disk, an interrupted copy
        (b"Hello, this is no picture.\n" * 20, "is text, not a picture"),
        ("Grüße aus Köln".encode(), "is text, not a picture"),  # not ASCII
        (b"BMW, GIF8 and P6 begin like pictures", "is text, not a picture"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document"),  # a PDF named .jpg
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC photo"),  # an iPhone's
        (b"PK\x03\x04" + bytes(100), "a zip archive"),  # a document, an archive
        (bytes(range(256)) * 8, "not a picture that can be read"),
        (np.random.default_rng(3).bytes(5000), "not a picture that can be read"),
        (b"\0" * 5000, "not a picture that can be read"),  # an empty sector of a card
        (noise("PNG")[:100] + noise("PNG")[2000:], "damaged"),  # a part is missing in the middle
        (one_bit_changed(noise("PNG")), "damaged"),  # its checksum tells
        (png_claiming(60_000, 60_000), "too large: more than 200 megapixels"),  # a bomb of 1 kB
        (png_claiming(2**31 - 1, 2**31 - 1), "damaged"),  # more than libpng believes
        (png_claiming(0, 10), "damaged"),  # no width
    ],
)
def test_what_is_no_picture_is_refused_in_words(content, said):
    with pytest.raises(ImageError) as caught:
        decode_image(content, "photo.jpg")
    assert caught.value.problem.startswith("photo.jpg")
    assert said in caught.value.problem
    assert caught.value.hint


def test_a_missing_file_and_a_folder_are_refused_in_words(tmp_path):
    with pytest.raises(ImageError, match="there is no such file"):
        read_image(tmp_path / "missing.jpg")
    with pytest.raises(ImageError, match="Is a directory"):
        read_image(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="pipes with a name")
def test_a_pipe_is_read_to_its_end_and_what_has_none_is_refused(tmp_path):
    pipe, content = tmp_path / "pipe.jpg", encoded(scene(1600, 1200), "JPEG")
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as writer:
        writer.submit(pipe.write_bytes, content)
        assert read_image(pipe).shape == (1200, 1600, 3)
    with pytest.raises(ImageError, match="/dev/zero is too large: more than 256 MiB"):
        read_image("/dev/zero")
    with pytest.raises(ImageError, match="/dev/null is empty"):
        read_image("/dev/null")


def test_a_file_is_read_whatever_its_suffix_says(tmp_path):
    path = tmp_path / "really a jpeg.png"
    path.write_bytes(FULL["jpeg"])
    assert corners(read_image(path)) == CORNERS
    assert corners(read_image(str(path))) == CORNERS


# What a model needs of a large JPEG

GRAY = InputSpec((28, 28), "gray", "pad")
COLOR = InputSpec((96, 64), "rgb", "stretch")


def scene(width: int, height: int) -> Image.Image:
    """Smooth in large parts, with edges and with grain, as photos are."""
    random = np.random.default_rng(5)
    coarse = random.integers(0, 256, (height // 40 + 2, width // 40 + 2, 3), dtype=np.uint8)
    pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    pixels[height // 3 : height // 2, width // 4 : width // 2] = (200, 40, 90)
    pixels += random.integers(-6, 7, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("spec", [GRAY, COLOR, InputSpec((64, 64), "rgb", "crop")])
@pytest.mark.parametrize("size", [(400, 533), (413, 547), (1201, 897), (640, 480), (130, 120)])
@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"progressive": True}])
def test_the_tensor_of_a_reduced_jpeg_is_that_of_the_whole_one_within_a_few_steps(
    spec, size, options
):
    content = encoded(scene(*size), "JPEG", quality=90, **options)
    reduced = preprocess_content(content, "photo.jpg", Preprocessor(spec)).astype(int)
    whole = Preprocessor(spec)(decode_image(content, "photo.jpg"))
    assert reduced.shape == whole.shape
    difference = np.abs(reduced - whole)
    assert difference.mean() < 2.5
    assert np.quantile(difference, 0.99) <= 12


@pytest.mark.parametrize("size", [(400, 533), (1600, 1200)])
def test_a_reduced_jpeg_is_as_near_to_the_exact_average_as_the_whole_one(size):
    content = encoded(scene(*size), "JPEG", quality=90)
    whole = decode_image(content, "photo.jpg")
    grey = whole.astype(float) @ np.array([0.114, 0.587, 0.299])  # ITU-R BT.601, in BGR order
    exact = cv2.resize(grey, (28, 28), interpolation=cv2.INTER_AREA)
    preprocess = Preprocessor(InputSpec((28, 28), "gray", "stretch"))
    halved = np.abs(preprocess(whole)[0, :, :, 0] - exact).mean()
    reduced = np.abs(
        preprocess_content(content, "photo.jpg", preprocess)[0, :, :, 0] - exact
    ).mean()
    assert reduced <= 1.1 * halved


def test_a_jpeg_is_reduced_as_far_as_twice_the_input_is_left():
    for size, shape in [
        ((448, 448), (56, 56)),  # an eighth
        ((447, 447), (111, 111)),  # a quarter, less the column and row that are not full
        ((112, 448), (14, 56)),  # the picture fills 7 × 28 of the input
        ((111, 111), (111, 111)),
        ((28, 28), (28, 28)),
    ]:
        content = encoded(Image.new("RGB", size), "JPEG")
        frame, whole = decode_for(content, "photo.jpg", GRAY)
        assert (frame.shape[1::-1], whole) == (shape, size)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("spec", [GRAY, COLOR])
def test_a_reduced_jpeg_stands_upright_too(spec, orientation):
    content = encoded(scene(900, 601), "JPEG", quality=95, exif=exif(orientation))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    _, whole_wh = decode_for(content, "photo.jpg", spec)
    assert whole_wh == upright.size
    tensor = preprocess_content(content, "photo.jpg", Preprocessor(spec)).astype(int)
    whole = Preprocessor(spec)(np.array(upright)[:, :, ::-1])
    # The columns and rows left out lie on another side: up to an eighth of a pixel of the input.
    assert np.abs(tensor - whole).mean() < 4
    assert np.abs(tensor[:, ::-1, ::-1] - whole).mean() > 20


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("size", [(97, 131), (113, 151), (98, 132), (100, 136)])
def test_a_turned_jpeg_with_odd_sides_is_not_shifted(size, orientation):
    content = encoded(scene(*size), "JPEG", quality=95, exif=exif(orientation))
    reduced = preprocess_content(content, "photo.jpg", Preprocessor(GRAY)).astype(int)
    whole = Preprocessor(GRAY)(decode_image(content, "photo.jpg"))
    assert np.abs(reduced - whole).mean() < 1.5


def test_other_pictures_are_never_reduced():
    for form in ("PNG", "WEBP", "BMP"):
        content = encoded(scene(800, 600), form)
        frame, whole = decode_for(content, "photo", GRAY)
        assert frame.shape == (600, 800, 3)
        assert whole == (800, 600)


def test_a_large_cmyk_and_a_large_grey_jpeg_are_reduced_in_the_right_colours():
    spec = InputSpec((28, 28), "rgb", "stretch")
    for mode, expected in (("CMYK", (200, 40, 90)), ("L", (94, 94, 94))):
        image = Image.new("RGB", (800, 600), (200, 40, 90)).convert(mode)
        tensor = preprocess_content(encoded(image, "JPEG"), "photo.jpg", Preprocessor(spec))
        assert np.abs(tensor.astype(int) - expected).max() <= 6


def test_a_large_jpeg_that_was_cut_off_is_refused_when_it_is_reduced_too():
    content = encoded(scene(1600, 1200), "JPEG")
    for share in (0.001, 0.01, 0.1, 0.5, 0.9, 0.9999):
        with pytest.raises(ImageError, match="cut off"):
            decode_for(content[: int(len(content) * share)], "photo.jpg", GRAY)


def test_a_jpeg_that_is_too_large_is_refused_before_it_is_reduced():
    content = bytearray(encoded(scene(1600, 1200), "JPEG"))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", 60_000, 60_000)
    with pytest.raises(ImageError, match="too large: more than 200 megapixels"):
        decode_for(bytes(content), "photo.jpg", GRAY)


@pytest.mark.parametrize("head", [b"ID3\4", b"\xff\xfb\x90", b"OggS", b"RIFF\0\0\0\0WAVE", b"fLaC"])
def test_sound_is_told_as_sound(tmp_path, head):
    path = tmp_path / "sound.mp3"
    path.write_bytes(head + bytes(100))
    with pytest.raises(ImageError, match="is sound, not a picture"):
        read_image(path)
