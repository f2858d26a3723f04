from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemline_train._tensorflow import tf
from hemline_train.augmentation import augment

IMAGES = np.random.default_rng(0).integers(1, 256, (300, 28, 28, 1), dtype=np.uint8)


def augmented(images: NDArray[np.uint8], seed: tuple[int, int] = (5, 6)) -> NDArray[np.uint8]:
    result: NDArray[np.uint8] = augment(tf.constant(images), tf.constant(seed, tf.int32)).numpy()
    return result


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
