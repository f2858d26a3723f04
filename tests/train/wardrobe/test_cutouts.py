from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from hemline_train.drawn_garments import draw_garment
from hemline_train.drawn_shapes import Canvas
from hemline_train.wardrobe import drawn_pairs
from hemline_train.wardrobe.backdrops import Backdrops
from hemline_train.wardrobe.cutouts import SIDE, drawn_shapes, dyed, laid, pair_or_one, shape_of
from hemline_train.wardrobe.light import relit


@pytest.fixture(scope="module")
def grounds() -> Backdrops:
    return Backdrops(None, 1)


def garment(label: str) -> NDArray[np.uint8]:
    return draw_garment(label, np.random.default_rng(5), 28)


def test_black_cloth_inside_the_outline_belongs_to_a_garment() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 6:22] = 200
    image[10:16, 10:16] = 0  # a black print
    middle = slice(round(11 / 28 * SIDE), round(15 / 28 * SIDE))
    assert shape_of(image, has_holes=False).alpha[middle, middle].min() == 255
    assert shape_of(image, has_holes=True).alpha[middle, middle].max() < 30


def test_a_cut_out_covers_what_the_picture_shows() -> None:
    image = garment("Dress")
    covered = shape_of(image, has_holes=False).alpha > 127
    assert covered.mean() == pytest.approx((image > 14).mean(), abs=0.06)


def test_dyes_differ_and_keep_the_shape(grounds: Backdrops) -> None:
    shape = shape_of(garment("Dress"), has_holes=False)
    first, second, again = (dyed(shape, np.random.default_rng(i), grounds) for i in (1, 2, 1))
    assert np.array_equal(first, again)
    assert np.abs(first[..., :3].astype(int) - second[..., :3]).mean() > 10
    assert np.array_equal(first[..., 3], shape.alpha)


def test_a_garment_can_be_seen_on_its_ground() -> None:
    shape = shape_of(garment("Dress"), has_holes=False)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        ground = np.full((96, 96, 3), 100, np.uint8)
        cutout = np.full((SIDE, SIDE, 4), 104, np.uint8)  # nearly the colour of the ground
        cutout[..., 3] = shape.alpha
        frame = laid([cutout], ground, rng, 0.8)
        assert (ground == 100).all(), "the ground that was given is not written into"
        assert np.ptp(frame) > 30


def test_shoes_come_in_pairs_at_times_and_dresses_never() -> None:
    cutout = np.zeros((SIDE, SIDE, 4), np.uint8)
    rng = np.random.default_rng(1)
    assert {len(pair_or_one(cutout, "sneaker", rng)) for _ in range(30)} == {1, 2}
    assert {len(pair_or_one(cutout, "dress", rng)) for _ in range(30)} == {1}


def test_classes_without_photos_are_drawn() -> None:
    shapes = drawn_shapes(1)
    assert set(shapes) == {"sandal", "sneaker", "ankle boot", "bag"}
    for of_class in shapes.values():
        assert all(0.05 < (shape.alpha > 127).mean() < 0.95 for shape in of_class)


def test_light_changes_a_frame_and_not_its_source() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    kept = frame.copy()
    for seed in range(60):
        lit = relit(frame, np.random.default_rng(seed), 1.0)
        assert (lit.shape, lit.dtype) == (frame.shape, np.uint8)
        assert np.array_equal(lit, relit(frame, np.random.default_rng(seed), 1.0))
    assert np.array_equal(frame, kept)


def test_light_works_on_frames_larger_than_its_stock_of_noise() -> None:
    frame = np.full((600, 700, 3), 90, np.uint8)
    for seed in range(30):
        assert relit(frame, np.random.default_rng(seed), 1.0).shape == frame.shape


@pytest.mark.parametrize("kind", drawn_pairs.KINDS)
def test_a_drawn_pair_is_two_shoes_that_mirror_each_other(
    kind: Callable[[Canvas, np.random.Generator], None],
) -> None:
    canvas = Canvas(192)
    kind(canvas, np.random.default_rng(3))
    covered = canvas.alpha > 0.5
    left, right = covered[:, :96].sum(), covered[:, 96:].sum()
    assert left > 0.05 * covered.size
    assert left == pytest.approx(right, rel=0.1)
