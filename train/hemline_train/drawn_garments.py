"""Garments drawn by this program, since no picture of a data set may be shipped with it.

They stand in for Fashion-MNIST where a test, a demo or a first run needs pictures and there is no
network: ten classes, the same labels, the same look. They are no substitute for its test set; the
accuracy of a model on drawings says nothing about its accuracy on photos.

The sample files of the runtime are written again by
`python -m hemline_train.drawn_garments --out runtime/hemline/samples`.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hemline.atomic import write_bytes
from hemline.errors import DataError, UserError
from hemline_train import drawn_accessories, drawn_clothes
from hemline_train.drawn_shapes import Canvas, Plane, Rng

Image = NDArray[np.uint8]

PATTERNS: dict[str, Callable[[Canvas, Rng], None]] = {
    "T-shirt/top": drawn_clothes.t_shirt,
    "Trouser": drawn_clothes.trouser,
    "Pullover": drawn_clothes.pullover,
    "Dress": drawn_clothes.dress,
    "Coat": drawn_clothes.coat,
    "Sandal": drawn_accessories.sandal,
    "Shirt": drawn_clothes.shirt,
    "Sneaker": drawn_accessories.sneaker,
    "Bag": drawn_accessories.bag,
    "Ankle boot": drawn_accessories.ankle_boot,
}
LABELS = tuple(PATTERNS)  # the ten classes of Fashion-MNIST, in its order
SIDE = 28
IMAGES_PER_CLASS = 30
# Arbitrary, but three: no picture of one part may come from the stream of another.
TRAIN_SEED, TEST_SEED, PICTURE_SEED = 1, 2, 3

DATA_SET_FILE = "drawn_garments.npz"
JPEG_QUALITY = 85
# Colours of cloth in BGR. Only the hue counts: how dark the cloth is, its drawing says.
CLOTH_BGR = {
    "navy": (120, 60, 40),
    "brick": (50, 60, 150),
    "olive": (50, 110, 100),
    "teal": (120, 110, 40),
    "plum": (110, 50, 110),
    "leather": (60, 95, 150),
    "grey": (100, 100, 100),
}
LUMA_BGR = np.array([0.114, 0.587, 0.299], np.float32)  # ITU-R BT.601, as OpenCV turns BGR grey
TALL_WH, WIDE_WH = (480, 640), (640, 480)
LYING = frozenset({"Sandal", "Sneaker", "Bag", "Ankle boot"})  # wider than high


def draw_garment(label: str, rng: Rng, size: int) -> Image:
    """Draw one garment as Fashion-MNIST shows it.

    Args:
        label: One of `LABELS`.
        rng: Where proportions, tone, cloth and details come from.
        size: Side of the picture in pixels.

    Returns:
        uint8, (size, size), 0–255: the garment, bright on black (0), in the middle; its long side
        touches the frame.

    Raises:
        DataError: There is no such label.
    """
    grey, _ = _drawn(label, rng, canvas_size=max(8 * SIDE, 2 * size)).fitted(size, size)
    return _u8(grey)


def drawn_data_set(images_per_class: int, rng: Rng) -> tuple[Image, NDArray[np.int64]]:
    """Draw a small data set.

    Args:
        images_per_class: How many garments of each class.
        rng: Where all of them come from.

    Returns:
        Images as uint8, (10 * images_per_class, 28, 28), 0–255, bright on black; and targets as
        int64, (10 * images_per_class,), which are indices into `LABELS`. The classes take turns, so
        that every run of ten images has each of them.
    """
    targets = np.tile(np.arange(len(LABELS), dtype=np.int64), images_per_class)
    images = np.empty((len(targets), SIDE, SIDE), np.uint8)
    for index, target in enumerate(targets):
        images[index] = draw_garment(LABELS[target], rng, SIDE)
    return images, targets


def photo_like(label: str, rng: Rng, size_wh: tuple[int, int]) -> Image:
    """Draw one garment as a shop would photograph it: coloured, on a bright ground, with a shadow.

    Args:
        label: One of `LABELS`.
        rng: Where all that varies comes from.
        size_wh: Width and height of the frame in pixels.

    Returns:
        uint8, (height, width, 3), BGR. The garment is darker than the ground and almost fills the
        frame.

    Raises:
        DataError: There is no such label.
    """
    grey, alpha = _framed(label, rng, size_wh)
    ground = _ground(rng, size_wh)
    names = list(CLOTH_BGR)
    colour = np.array(CLOTH_BGR[names[int(rng.integers(len(names)))]], np.float32)
    shadow = cv2.GaussianBlur(alpha, (0, 0), max(size_wh) * 0.012)
    drop = round(max(size_wh) * 0.012)
    shadow = np.roll(shadow, (drop, drop // 2), axis=(0, 1))
    ground *= 1 - 0.15 * shadow[:, :, None]
    # Fashion-MNIST inverted its photos, so a bright drawing is a dark cloth. `grey` is already
    # weighted by the cover of the pixel.
    brightness = np.clip(alpha - 0.92 * grey, 0, 1)[:, :, None]
    tint = colour / float(colour @ LUMA_BGR)
    frame = ground * (1 - alpha[:, :, None]) + brightness * (0.5 + 0.5 * tint) * ground.mean()
    frame += rng.standard_normal(frame.shape[:2]).astype(np.float32)[:, :, None] * 0.004
    return _u8(frame)


def transparent_picture(label: str, rng: Rng, size_wh: tuple[int, int]) -> Image:
    """Draw one grey garment cut out of its ground, which is transparent.

    Args:
        label: One of `LABELS`.
        rng: Where all that varies comes from.
        size_wh: Width and height in pixels.

    Returns:
        uint8, (height, width, 4), BGRA with B = G = R. The ground is black under an alpha of 0, as
        most programs write it: a reader must lay the picture on a ground, not drop the alpha.
    """
    grey, alpha = _framed(label, rng, size_wh)
    brightness = np.where(alpha > 0, 1 - 0.92 * grey / np.maximum(alpha, 1e-3), 0)
    return _u8(np.dstack((brightness, brightness, brightness, alpha)))


def sample_files() -> Iterator[tuple[str, bytes]]:
    """The name and the content of every sample file, the same at every call."""
    yield DATA_SET_FILE, _data_set_bytes()
    for index, label in enumerate(LABELS):
        rng = np.random.default_rng((PICTURE_SEED, index))
        size_wh = WIDE_WH if label in LYING else TALL_WH
        yield f"{_file_stem(label)}.jpg", _jpeg(photo_like(label, rng, size_wh))
    rng = np.random.default_rng((PICTURE_SEED, len(LABELS)))
    yield "sneaker-wide.jpg", _jpeg(photo_like("Sneaker", rng, (960, 400)))
    cut_out = transparent_picture("Pullover", rng, (240, 320))
    yield "pullover-transparent.png", _encoded(".png", cut_out, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def main(argv: Sequence[str] | None = None) -> int:
    """Write the sample files; the exit status is 0, or 1 if they cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m hemline_train.drawn_garments")
    parser.description = "Draw the sample pictures and the small data set again."
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    out: Path = parser.parse_args(argv).out
    try:
        for name, content in sample_files():
            write_bytes(out / name, content)
            print(f"{out / name}: {len(content):,} bytes")
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _drawn(label: str, rng: Rng, canvas_size: int) -> Canvas:
    if label not in PATTERNS:
        raise DataError(f"there is no garment {label!r}", f"choose one of: {', '.join(LABELS)}")
    canvas = Canvas(canvas_size)
    PATTERNS[label](canvas, rng)
    canvas.round_off(float(rng.uniform(0.1, 0.3)))
    return canvas


def _framed(label: str, rng: Rng, size_wh: tuple[int, int]) -> tuple[Plane, Plane]:
    """Grey and alpha of a garment with a narrow margin; float32, (height, width), 0–1."""
    width, height = size_wh
    margin = round(0.03 * min(size_wh))
    canvas = _drawn(label, rng, canvas_size=round(1.3 * max(size_wh)))
    inner = canvas.fitted(height - 2 * margin, width - 2 * margin)
    grey, alpha = (np.pad(plane, margin) for plane in inner)
    return grey, alpha


def _ground(rng: Rng, size_wh: tuple[int, int]) -> Plane:
    """A bright, neutral, unevenly lit ground; float32, (height, width, 3), 0–1."""
    width, height = size_wh
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    light = 0.93 + rng.uniform(-0.02, 0.02) * down + rng.uniform(-0.02, 0.02) * across
    light -= 0.015 * (down**2 + across**2)
    warmth = 1 + rng.uniform(-0.012, 0.012, 3)
    ground: Plane = (light[:, :, None] * warmth).astype(np.float32)
    return ground


def _data_set_bytes() -> bytes:
    train_images, train_targets = drawn_data_set(
        IMAGES_PER_CLASS, np.random.default_rng(TRAIN_SEED)
    )
    test_images, test_targets = drawn_data_set(IMAGES_PER_CLASS, np.random.default_rng(TEST_SEED))
    file = io.BytesIO()
    # Into memory, NumPy dates every member 1980-01-01, so that the same arrays are the same bytes.
    np.savez_compressed(
        file,
        train_images=train_images,
        train_targets=train_targets,
        test_images=test_images,
        test_targets=test_targets,
    )
    return file.getvalue()


def _jpeg(frame_bgr: Image) -> bytes:
    return _encoded(".jpg", frame_bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def _encoded(suffix: str, image: Image, options: Sequence[int]) -> bytes:
    done, encoded = cv2.imencode(suffix, image, options)
    assert done, f"OpenCV cannot write {suffix}"
    return encoded.tobytes()


def _file_stem(label: str) -> str:
    return label.lower().replace("/", "-").replace(" ", "-")


def _u8(plane: NDArray[np.floating]) -> Image:
    pixels: Image = np.rint(np.clip(plane, 0, 1) * 255).astype(np.uint8)
    return pixels


if __name__ == "__main__":
    sys.exit(main())
