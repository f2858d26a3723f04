from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hemline_train._tensorflow import tf
from hemline_train.augmentation import augment, erase, mix, tremble
from hemline_train.recipes import Augmentation

IMAGES = np.random.default_rng(0).integers(1, 256, (300, 28, 28, 1), dtype=np.uint8)


def augmented(images: NDArray[np.uint8], seed: tuple[int, int] = (5, 6)) -> NDArray[np.uint8]:
    recipe = Augmentation(flip=True, max_shift_px=2)
    result: NDArray[np.uint8] = augment(tf.constant(images), seed_of(*seed), recipe).numpy()
    return result


def seed_of(*numbers: int) -> Any:
    return tf.constant(numbers, tf.int32)


def rectangle(changed: NDArray[np.bool_]) -> tuple[int, int]:
    """Height and width of what changed, which must be a whole rectangle."""
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    return len(rows), len(columns)


def variants(image: NDArray[np.uint8]) -> dict[tuple[bool, int, int], bytes]:
    """All that may become of an image, by (mirrored, shift down, shift right)."""
    found = {}
    for mirrored in (False, True):
        padded = np.pad(image[:, ::-1] if mirrored else image, ((2, 2), (2, 2), (0, 0)))
        for down in range(-2, 3):
            for right in range(-2, 3):
                window = padded[2 - down : 30 - down, 2 - right : 30 - right]
                found[mirrored, down, right] = window.tobytes()
    return found


def test_every_result_is_the_image_mirrored_or_not_and_shifted_by_two_pixels_at_most() -> None:
    seen = []
    for before, after in zip(IMAGES, augmented(IMAGES), strict=True):
        matches = [key for key, pixels in variants(before).items() if pixels == after.tobytes()]
        assert len(matches) == 1
        seen += matches
    assert {key[1] for key in seen} == {key[2] for key in seen} == {-2, -1, 0, 1, 2}
    assert 100 < sum(key[0] for key in seen) < 200  # about one half is mirrored


def test_the_same_seed_gives_the_same_images_and_another_seed_others() -> None:
    assert np.array_equal(augmented(IMAGES), augmented(IMAGES))
    assert not np.array_equal(augmented(IMAGES), augmented(IMAGES, (5, 7)))


def test_shape_and_type_stay() -> None:
    result = augmented(IMAGES[:7])
    assert result.shape == (7, 28, 28, 1)
    assert result.dtype == np.uint8


def test_no_augmentation_leaves_images_as_they_are() -> None:
    assert np.array_equal(augment(tf.constant(IMAGES), seed_of(1, 2), Augmentation()), IMAGES)


def test_erasing_fills_one_rectangle_in_the_share_of_the_images_that_was_asked_for() -> None:
    black = np.zeros_like(IMAGES)
    erased = erase(tf.constant(black), seed_of(3, 4), 0.5).numpy()[..., 0]
    touched = [image for image in erased if image.any()]
    assert 110 < len(touched) < 190
    for image in touched:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert len(rows) * len(columns) <= 0.40 * 28 * 28
        inside = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert (inside > 0).mean() > 0.8  # noise of 0 to 255
    assert len({image.tobytes() for image in touched}) == len(touched)


def test_mixing_puts_a_rectangle_of_the_next_image_in_and_tells_what_was_kept() -> None:
    images = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((1, 28, 28, 1), np.uint8)
    mixed, kept = mix(tf.constant(images), seed_of(3, 4), 0.5)
    touched = 0
    for number, (image, share) in enumerate(zip(mixed.numpy()[..., 0], kept.numpy(), strict=True)):
        changed = image != number
        assert share == np.float32(1) - np.float32(changed.mean())
        if changed.any():
            touched += 1
            assert set(image[changed]) == {(number + 1) % 200}
            rectangle(changed)
    assert 70 < touched < 130


def test_trembling_moves_every_second_picture_by_no_more_than_it_may_and_keeps_the_others() -> None:
    images = np.zeros((400, 64, 64, 3), np.uint8)
    images[:, 30:34, 30:34] = 200  # a spot about the middle
    trembled = tremble(tf.constant(images), seed_of(5, 6), 0.05).numpy()
    assert trembled.dtype == np.uint8
    still = np.array([np.array_equal(a, b) for a, b in zip(images, trembled, strict=True)])
    assert 150 < still.sum() < 250
    places = np.arange(64)
    middles = []
    for picture in trembled[~still].astype(np.float64)[..., 0]:
        middle = [picture.sum(axis=axis) @ places / picture.sum() for axis in (1, 0)]
        middles.append(np.array(middle) - 31.5)
        assert picture.max() <= 200 * 1.05 + 0.5
    assert np.abs(middles).max() <= 0.05 * 64 * 1.06  # a little more where it is enlarged too
    assert np.abs(middles).max(axis=0).min() > 2.5  # in both directions it goes nearly that far


def test_trembling_enlarges_and_turns_about_the_middle_and_repeats_the_border() -> None:
    images = np.full((300, 64, 64, 1), 100, np.uint8)
    images[:, :, 32:] = 200
    trembled = tremble(tf.constant(images), seed_of(7, 8), 0.04).numpy()[..., 0].astype(int)
    for picture in trembled:
        dark, light = picture[:, :16], picture[:, 48:]
        assert np.ptp(dark) == 0, "what moves in is the border's own colour"
        assert np.ptp(light) == 0
        assert 95 <= dark[0, 0] <= 104
        # The edge leans by 0.04 radians at most, over 63 pixels.
        edges = (picture - dark[0, 0] > (light[0, 0] - dark[0, 0]) / 2).argmax(axis=1)
        assert abs(int(edges[0]) - int(edges[-1])) <= 4
    assert len({picture.tobytes() for picture in trembled}) > 100


def test_the_same_seed_trembles_alike() -> None:
    first, again, other = (
        tremble(tf.constant(IMAGES), seed_of(*seed), 0.04).numpy()
        for seed in ((1, 2), (1, 2), (1, 3))
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
