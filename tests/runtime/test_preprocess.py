from __future__ import annotations

import cv2
import numpy as np
import pytest

from hemline.card import InputSpec
from hemline.errors import ImageError
from hemline.preprocess import Preprocessor, border_median

GARMENT = InputSpec((28, 28), "gray", "pad", "light-on-dark")


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def photo(height: int, width: int) -> np.ndarray:
    """Smooth noise, as pictures are: neighbours are alike."""
    return cv2.GaussianBlur(noise(height, width, 3), (0, 0), 3)


def on_black(size: int = 28) -> np.ndarray:
    image = noise(size, size)
    image[[0, -1]] = image[:, [0, -1]] = 0
    return image


def test_a_grey_picture_of_the_right_size_on_black_passes_through_unchanged():
    image = on_black()
    assert np.array_equal(Preprocessor(GARMENT)(image)[0, :, :, 0], image)


def test_the_same_picture_as_colour_gives_the_same_tensor():
    image = on_black()
    as_color = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    assert np.array_equal(Preprocessor(GARMENT)(as_color)[0, :, :, 0], image)


@pytest.mark.parametrize(
    ("height", "width"),
    [
        (56, 56),  # one halving
        (448, 448),  # four exact halvings
        (448, 672),  # four halvings, and half as much again in width
        (100, 150),  # a halving and a rest
        (57, 113),  # odd: a last row and column are left out
    ],
)
def test_halving_is_one_area_average_within_two_steps(height, width):
    frame = photo(height, width)
    spec = InputSpec((28, 28), "rgb", "stretch")
    one_step = cv2.resize(
        cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), (28, 28), interpolation=cv2.INTER_AREA
    )
    difference = np.abs(Preprocessor(spec)(frame)[0].astype(int) - one_step)
    if {height, width} <= {28 * 2**n for n in range(8)}:
        assert difference.max() <= 2
    else:  # pixels on the edge of two averages are shared out differently
        assert difference.mean() <= 2


def test_colour_comes_out_in_rgb_order():
    blue_bgr = np.full((40, 40, 3), (255, 0, 0), np.uint8)
    assert Preprocessor(InputSpec((8, 8), "rgb"))(blue_bgr)[0, 4, 4].tolist() == [0, 0, 255]


def test_grey_is_weighted_as_the_eye_sees_and_reads_bgr():
    blue_bgr = np.full((28, 28, 3), (255, 0, 0), np.uint8)
    assert Preprocessor(InputSpec((28, 28), "gray"))(blue_bgr)[0, 0, 0, 0] == 29  # 0.114 · 255


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    [
        (56, 28, slice(0, 28), slice(7, 21)),  # tall: bars left and right
        (28, 56, slice(7, 21), slice(0, 28)),  # wide: bars above and below
        (7, 14, slice(7, 21), slice(0, 28)),  # small: enlarged
        (280, 100, slice(0, 28), slice(9, 19)),  # 10 columns, 9 left and 9 right
    ],
)
def test_pad_puts_the_picture_in_the_middle_on_the_colour_of_its_border(
    height, width, rows, columns
):
    frame = np.full((height, width), 200, np.uint8)
    frame[0], frame[-1], frame[:, 0], frame[:, -1] = 60, 60, 60, 60
    tensor = Preprocessor(InputSpec((28, 28), "gray", "pad"))(frame)[0, :, :, 0]
    assert tensor[rows, columns].max() >= 190
    outside = tensor.copy()
    outside[rows, columns] = tensor[0, 0]
    assert (outside == tensor[0, 0]).all()
    assert tensor[0, 0] < 200


def test_pad_fills_up_in_colour_too():
    frame = np.full((10, 40, 3), (10, 20, 30), np.uint8)
    tensor = Preprocessor(InputSpec((20, 20), "rgb", "pad"))(frame)
    assert (tensor == np.array([30, 20, 10])).all()


@pytest.mark.parametrize("shape", [(5000, 1), (1, 5000), (1, 1), (2, 3000, 3)])
def test_extreme_shapes_become_a_full_tensor(shape):
    for resize in ("pad", "stretch", "crop"):
        for color in ("gray", "rgb"):
            spec = InputSpec((28, 28), color, resize, "light-on-dark")
            assert Preprocessor(spec)(noise(*shape)).shape == spec.tensor_shape


def test_stretch_uses_the_whole_input():
    frame = np.zeros((20, 80), np.uint8)
    frame[:, 40:] = 255
    tensor = Preprocessor(InputSpec((20, 20), "gray", "stretch"))(frame)[0, :, :, 0]
    assert (tensor[:, :10] == 0).all()
    assert (tensor[:, 10:] == 255).all()


def test_crop_cuts_the_centre_out():
    frame = np.zeros((20, 80), np.uint8)
    frame[:, 30:50] = 77
    tensor = Preprocessor(InputSpec((20, 20), "gray", "crop"))(frame)
    assert (tensor == 77).all()


def test_a_garment_on_white_is_turned_into_one_on_black():
    frame = np.full((28, 28), 255, np.uint8)
    frame[10:18, 10:18] = 40
    tensor = Preprocessor(GARMENT)(frame)[0, :, :, 0]
    assert tensor[0, 0] == 0
    assert (tensor[10:18, 10:18] == 215).all()


@pytest.mark.parametrize(
    ("border", "inside", "expected_border", "expected_inside"),
    [
        (127, 255, 127, 255),  # not brighter than the middle: left alone
        (128, 0, 0, 255),  # just brighter: the border becomes black, black becomes white
        (200, 100, 0, 127),  # light grey ground: black all the same
        (200, 240, 0, 0),  # brighter than the ground: black, not wrapped around
    ],
)
def test_where_inversion_begins_and_what_it_maps(border, inside, expected_border, expected_inside):
    frame = np.full((28, 28), border, np.uint8)
    frame[9:19, 9:19] = inside
    tensor = Preprocessor(GARMENT)(frame)[0, :, :, 0]
    assert (tensor[0, 0], tensor[14, 14]) == (expected_border, expected_inside)


def test_as_is_leaves_a_bright_picture_bright():
    frame = np.full((28, 28), 250, np.uint8)
    assert (Preprocessor(InputSpec((28, 28), "gray"))(frame) == 250).all()


def test_the_border_is_the_median_and_a_hand_at_the_edge_does_not_move_it():
    image = np.full((10, 10), 240, np.uint8)
    image[4:7, 0] = 3
    assert border_median(image) == 240
    assert border_median(np.dstack((image, image, image))).tolist() == [240, 240, 240]


def test_the_tensor_is_reused_and_a_copy_is_not():
    preprocess = Preprocessor(GARMENT)
    first = preprocess(on_black())
    kept = first.copy()
    second = preprocess(np.zeros((28, 28), np.uint8))
    assert second is first
    assert not np.array_equal(kept, second)


def test_reused_buffers_never_leak_one_picture_into_the_next():
    shapes = [(300, 200, 3), (28, 28), (56, 56, 3), (31, 57, 3), (300, 200, 3), (112, 112), (14, 9)]
    for color in ("gray", "rgb"):
        for resize in ("pad", "stretch", "crop"):
            spec = InputSpec((28, 28), color, resize, "light-on-dark")
            used = Preprocessor(spec)
            for seed, shape in enumerate(shapes):
                frame = noise(*shape, seed=seed)
                assert np.array_equal(used(frame), Preprocessor(spec)(frame))


def test_the_frame_is_not_changed():
    for shape in ((28, 28), (28, 28, 3), (100, 90, 3)):
        frame = np.full(shape, 250, np.uint8)
        Preprocessor(GARMENT)(frame)
        assert (frame == 250).all()


@pytest.mark.parametrize(
    "view",
    [
        lambda frame: frame[:, ::-1],  # mirrored: a negative stride
        lambda frame: frame[10:90, 20:70],  # a part
        lambda frame: frame[::2, ::2],  # every second pixel
        lambda frame: frame.transpose(1, 0, 2),  # turned
        lambda frame: frame[:, :, ::-1],  # RGB order
    ],
)
def test_a_view_gives_what_its_copy_gives(view):
    frame = view(photo(100, 80))
    preprocess = Preprocessor(InputSpec((28, 28), "rgb"))
    assert np.array_equal(preprocess(frame).copy(), preprocess(np.ascontiguousarray(frame)))


def test_grey_frames_may_have_two_or_three_axes():
    frame = noise(60, 50)
    preprocess = Preprocessor(GARMENT)
    assert np.array_equal(preprocess(frame).copy(), preprocess(frame[:, :, None]))


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (np.zeros((28, 28), np.float32), "float32 array"),  # 0–1 or 0–255? Not guessed
        (np.zeros((28, 28), np.uint16), "uint16 array"),  # a raw sensor image
        (np.zeros((28, 28, 4), np.uint8), "(28, 28, 4)"),  # with alpha
        (np.zeros((28, 28, 2), np.uint8), "(28, 28, 2)"),  # neither grey nor colour
        (np.zeros((1, 28, 28, 3), np.uint8), "(1, 28, 28, 3)"),  # a batch
        (np.zeros(784, np.uint8), "(784,)"),  # flat
        (np.zeros((0, 28, 3), np.uint8), "(0, 28, 3)"),  # empty
        (None, "NoneType"),  # what cv2.imread gives for a missing file
        ([[0, 1], [2, 3]], "list"),  # not an array
    ],
)
def test_what_is_no_frame_is_refused_in_words(frame, said):
    with pytest.raises(ImageError) as caught:
        Preprocessor(GARMENT)(frame)
    assert said in caught.value.problem
    assert "BGR order" in caught.value.hint
