"""The rule `garment`, on garments that hemline draws, laid on grounds that these tests draw."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hemline import Classifier
from hemline.card import InputSpec
from hemline.errors import CardError
from hemline.images import decode_for
from hemline.preprocess import GARMENT_SIDE, Preprocessor, jpeg_reduction
from hemline_train.drawn_garments import draw_garment, drawn_data_set

GARMENT = InputSpec((28, 28), "gray", "pad", "garment")
LIGHT_ON_DARK = InputSpec((28, 28), "gray", "pad", "light-on-dark")
RED_BGR, BLUE_BGR, GREEN_BGR, WHITE_BGR = (
    (40, 40, 190),
    (170, 80, 40),
    (70, 130, 60),
    (235, 235, 235),
)


def shape_of(label: str, side: int, seed: int = 0) -> np.ndarray:
    """Where a drawn garment is in a square: bool, (side, side)."""
    drawn = draw_garment(label, np.random.default_rng(seed), side) > 8
    closed = cv2.morphologyEx(drawn.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return closed > 0


def shown(label, cloth_bgr, ground_bgr, size_wh=(240, 320), share=0.7, at=(0.5, 0.5), grain=6):
    """A photo of a garment on a ground of another colour, unevenly lit and with grain; and its mask."""
    width, height = size_wh
    side = round(share * min(size_wh))
    left, top = round(at[0] * width - side / 2), round(at[1] * height - side / 2)
    mask = np.zeros((height, width), bool)
    mask[top : top + side, left : left + side] = shape_of(label, side)
    photo = np.where(mask[..., None], cloth_bgr, ground_bgr).astype(np.float32)
    photo *= np.linspace(0.85, 1.1, width, dtype=np.float32)[None, :, None]
    photo += np.random.default_rng(1).normal(0, grain, photo.shape)
    return np.clip(photo, 0, 255).astype(np.uint8), mask


def framed(mask: np.ndarray) -> np.ndarray:
    """A mask as the rule must frame it: its box, the long side 28, in the middle; 0–1."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    ratio = 28 / max(part.shape)
    size_wh = (round(part.shape[1] * ratio), round(part.shape[0] * ratio))
    small = cv2.resize(part, size_wh, interpolation=cv2.INTER_AREA)
    top, left = (28 - size_wh[1]) // 2, (28 - size_wh[0]) // 2
    result = np.zeros((28, 28), np.float32)
    result[top : top + size_wh[1], left : left + size_wh[0]] = small
    return result


def overlap(tensor: np.ndarray, mask: np.ndarray) -> float:
    """Intersection over union of what is bright and of where the garment is."""
    picture = tensor[0, :, :, 0]
    found, true = picture > np.median(picture[picture > 0]) / 4, framed(mask) > 0.3
    return (found & true).sum() / (found | true).sum()


@pytest.mark.parametrize(
    ("label", "cloth", "ground", "more"),
    [
        ("T-shirt/top", RED_BGR, (150, 180, 200), {}),  # on a wooden floor
        ("T-shirt/top", WHITE_BGR, RED_BGR, {}),  # lighter than the ground
        ("Dress", BLUE_BGR, WHITE_BGR, {}),  # a product photo
        ("Trouser", (40, 40, 40), GREEN_BGR, {}),  # black cloth: 215 after inversion
        ("Pullover", GREEN_BGR, BLUE_BGR, {"share": 0.5}),  # far away
        ("Coat", BLUE_BGR, (160, 150, 150), {"at": (0.42, 0.56)}),  # not in the middle
        ("Sneaker", RED_BGR, (120, 120, 120), {"size_wh": (640, 480)}),  # a camera's frame, lying
        ("Dress", RED_BGR, BLUE_BGR, {"size_wh": (96, 128)}),  # small
        ("Coat", GREEN_BGR, WHITE_BGR, {"grain": 25}),  # a dark room
    ],
)
def test_a_garment_is_found_on_a_ground_of_another_colour_and_fills_the_frame(
    label, cloth, ground, more
):
    photo, mask = shown(label, cloth, ground, **more)
    tensor = Preprocessor(GARMENT)(photo)
    assert overlap(tensor, mask) >= 0.8
    assert tensor[0, [0, 0, -1, -1], [0, -1, 0, -1], 0].max() <= 60  # the corners are ground


def test_a_checked_garment_is_one_garment():
    photo, mask = shown("T-shirt/top", RED_BGR, GREEN_BGR)
    squares = (np.indices(mask.shape) // 12).sum(axis=0) % 2 == 1
    photo[squares & mask] = (210, 210, 220)
    assert overlap(Preprocessor(GARMENT)(photo), mask) >= 0.8


def test_tones_are_those_of_fashion_mnist_which_are_inverted():
    dark, _ = shown("Dress", (30, 40, 60), WHITE_BGR, grain=0)
    light, _ = shown("Dress", (170, 200, 220), RED_BGR, grain=0)
    assert np.median(on_garment(dark)) > 190
    assert 20 < np.median(on_garment(light)) < 90


def on_garment(photo: np.ndarray) -> np.ndarray:
    tensor = Preprocessor(GARMENT)(photo)
    return tensor[tensor > 0]


def test_two_shoes_are_both_kept_and_a_speck_is_not():
    photo, mask = shown("Sneaker", RED_BGR, (150, 150, 150), (320, 240), share=0.45, at=(0.3, 0.5))
    other, its_mask = shown("Sneaker", RED_BGR, (150, 150, 150), (320, 240), 0.45, (0.7, 0.5))
    photo[its_mask] = other[its_mask]
    speck = photo.copy()
    speck[20:30, 20:30] = RED_BGR
    for picture in (photo, speck):
        assert overlap(Preprocessor(GARMENT)(picture), mask | its_mask) >= 0.65


def test_pictures_of_fashion_mnists_kind_pass_as_by_light_on_dark_bit_for_bit():
    pictures, _ = drawn_data_set(5, np.random.default_rng(0))
    garment, light_on_dark = Preprocessor(GARMENT), Preprocessor(LIGHT_ON_DARK)
    for small in pictures:
        large = cv2.resize(small, (280, 280), interpolation=cv2.INTER_CUBIC)
        as_colour = cv2.cvtColor(large, cv2.COLOR_GRAY2BGR)
        for picture in (small, large, as_colour, 255 - as_colour):
            assert np.array_equal(garment(picture), light_on_dark(picture))


def test_a_coloured_garment_on_black_passes_as_by_light_on_dark():
    photo, _ = shown("Dress", RED_BGR, (4, 4, 4))
    assert np.array_equal(Preprocessor(GARMENT)(photo), Preprocessor(LIGHT_ON_DARK)(photo))


@pytest.mark.parametrize(
    "photo",
    [
        np.full((240, 320, 3), (90, 120, 150), np.uint8),  # a wall: one colour
        np.full((GARMENT_SIDE - 1, 40, 3), (200, 20, 20), np.uint8),  # small
        np.full((5000, 1, 3), (200, 20, 20), np.uint8),  # a line
        np.full((1, 5000, 3), (200, 20, 20), np.uint8),
    ],
)
def test_where_there_is_no_garment_the_whole_picture_is_taken(photo):
    assert np.array_equal(Preprocessor(GARMENT)(photo), Preprocessor(LIGHT_ON_DARK)(photo))


@pytest.mark.parametrize("resize", ["pad", "stretch", "crop"])
def test_the_garment_takes_the_place_of_the_picture_in_every_resize_rule(resize):
    photo, mask = shown("Trouser", RED_BGR, WHITE_BGR)
    spec = InputSpec((28, 28), "gray", resize, "garment")
    columns = (Preprocessor(spec)(photo)[0, :, :, 0] > 0).any(axis=0).sum()
    rows, across = mask.any(axis=1).sum(), mask.any(axis=0).sum()
    expected = 28 * across / rows if resize == "pad" else 28
    assert abs(columns - expected) <= 2


def test_reused_buffers_never_leak_one_photo_into_the_next():
    used = Preprocessor(GARMENT)
    for label, cloth, size_wh in [
        ("Dress", RED_BGR, (240, 320)),
        ("Coat", BLUE_BGR, (320, 240)),
        ("Trouser", WHITE_BGR, (240, 320)),
        ("Sneaker", RED_BGR, (100, 90)),
    ]:
        photo, _ = shown(label, cloth, GREEN_BGR, size_wh)
        before = photo.copy()
        assert np.array_equal(used(photo), Preprocessor(GARMENT)(photo))
        assert np.array_equal(photo, before)


def test_enough_of_a_large_jpeg_is_decoded_to_find_the_garment():
    assert jpeg_reduction(LIGHT_ON_DARK, (480, 640)) == 8
    assert jpeg_reduction(GARMENT, (480, 640)) == 4
    photo, mask = shown("Dress", RED_BGR, WHITE_BGR, (960, 1280))
    content = cv2.imencode(".jpg", photo)[1].tobytes()
    assert overlap(Preprocessor(GARMENT)(*decode_for(content, "photo", GARMENT)), mask) >= 0.8


def test_only_a_grey_network_can_have_its_garments_cut_out():
    with pytest.raises(CardError, match="grey input"):
        InputSpec((64, 64), "rgb", "pad", "garment")


def test_the_shipped_network_names_more_drawn_photos_with_the_rule_than_without():
    classifier = Classifier("paper")
    named = {}
    for spec in (GARMENT, LIGHT_ON_DARK):
        preprocess = Preprocessor(spec)
        named[spec.foreground] = 0
        for label in ("T-shirt/top", "Trouser", "Dress", "Pullover"):
            for cloth, ground in [
                (RED_BGR, BLUE_BGR),
                (BLUE_BGR, (90, 140, 170)),
                ((30, 30, 30), RED_BGR),
            ]:
                photo, _ = shown(label, cloth, ground, share=0.6)
                answer = classifier.classify_tensor(preprocess(photo))
                named[spec.foreground] += answer.label == label
    assert named["garment"] > named["light-on-dark"]
