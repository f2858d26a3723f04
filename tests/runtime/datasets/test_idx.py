"""IDX files, and folders of them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hemline.card import InputSpec
from hemline.datasets import open_dataset
from hemline.datasets.idx import read_content, read_idx
from hemline.errors import DataError

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


@pytest.mark.parametrize("compressed", [True, False])
def test_a_folder_of_idx_files_is_read(tmp_path, write_idx, compressed):
    contents = write_idx(tmp_path / "digits", compressed=compressed)
    data = open_dataset(tmp_path / "digits")
    assert data.name == "digits"
    assert data.labels == tuple("0123456789")
    assert {name: len(part) for name, part in data.splits.items()} == {
        "train": 80,
        "validation": 20,
        "test": 20,
    }
    test = data.split("test")
    assert test.targets.dtype == np.int64
    assert test.targets.tolist() == list(contents[TEST_LABELS][8:])
    assert test.frame(3).tobytes() == contents[TEST_IMAGES][16 + 3 * 784 : 16 + 4 * 784]
    assert test.source(3) == "digits/test/3"


def test_pictures_keep_the_number_of_their_file_in_every_split(tmp_path, write_idx):
    contents = write_idx(tmp_path / "digits")
    data = open_dataset(tmp_path / "digits")
    numbers = set()
    for name in ("train", "validation"):
        split = data.split(name)
        for i in range(len(split)):
            folder, file, number = split.source(i).split("/")
            assert (folder, file) == ("digits", "train")
            at = 16 + int(number) * 784
            assert split.frame(i).tobytes() == contents[IMAGES][at : at + 784]
            assert split.targets[i] == contents[LABELS][8 + int(number)]
            numbers.add(int(number))
    assert numbers == set(range(100))


def test_grey_frames_of_the_right_size_reach_the_tensor_unchanged(tmp_path, write_idx):
    write_idx(tmp_path)
    split = open_dataset(tmp_path).split("test")
    tensors = split.tensors(InputSpec((28, 28), "gray"))
    assert tensors.shape == (20, 28, 28, 1)
    assert tensors.dtype == np.uint8
    assert all((tensors[i, :, :, 0] == split.frame(i)).all() for i in range(20))
    chosen = split.tensors(InputSpec((14, 14), "rgb"), indices=[4, 2])
    assert chosen.shape == (2, 14, 14, 3)
    assert (split.tensors(InputSpec((28, 28), "gray"), [4, 2]) == tensors[[4, 2]]).all()
    assert split.tensors(InputSpec((28, 28), "gray"), []).shape == (0, 28, 28, 1)


def test_frames_are_views_and_cannot_be_written(tmp_path, write_idx):
    write_idx(tmp_path)
    frame = open_dataset(tmp_path).split("train").frame(0)
    assert frame.base is not None
    assert not frame.flags.writeable


def test_encoded_pictures_are_png_files_with_the_same_pixels(tmp_path, write_idx):
    import cv2

    write_idx(tmp_path)
    split = open_dataset(tmp_path).split("validation")
    content = split.encoded(5)
    assert content.startswith(b"\x89PNG")
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert (decoded == split.frame(5)).all()


def test_subsets_keep_order_name_and_sources(tmp_path, write_idx):
    write_idx(tmp_path / "digits")
    test = open_dataset(tmp_path / "digits").split("test")
    subset = test.subset([7, 3])
    assert subset.name == "test"
    assert subset.labels == test.labels
    assert [subset.source(i) for i in range(len(subset))] == ["digits/test/7", "digits/test/3"]
    assert subset.targets.tolist() == test.targets[[7, 3]].tolist()
    assert subset.subset([1]).source(0) == "digits/test/3"
    assert len(test.subset([])) == 0


def test_labels_txt_names_the_classes(tmp_path, write_idx):
    write_idx(tmp_path, classes=12, count=120)
    names = [f"class {i}" for i in range(12)]
    (tmp_path / "labels.txt").write_text("\n".join(names) + "\n\n")
    assert open_dataset(tmp_path).labels == tuple(names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"one\n", "1 lines"),  # a classifier needs two classes
        (b"one\none\ntwo\n", "2 of them different"),  # the same name twice
        (b"one\n\nthree\n", "1 empty"),  # a gap would shift the names
        (b"", "0 lines"),  # nothing
        (b"\xff\xfe", "cannot be read"),  # not UTF-8
    ],
)
def test_a_useless_labels_txt_is_refused(tmp_path, write_idx, text, words):
    write_idx(tmp_path)
    (tmp_path / "labels.txt").write_bytes(text)
    with pytest.raises(DataError, match=words) as caught:
        open_dataset(tmp_path)
    assert "labels.txt" in caught.value.problem


def test_test_files_may_be_missing_as_a_pair(tmp_path, write_idx):
    write_idx(tmp_path)
    for stem in (TEST_IMAGES, TEST_LABELS):
        (tmp_path / f"{stem}.gz").unlink()
    data = open_dataset(tmp_path)
    assert [len(part) for part in data.splits.values()] == [70, 10, 20]


@pytest.mark.parametrize("stem", [IMAGES, LABELS, TEST_IMAGES, TEST_LABELS])
def test_a_single_missing_file_is_named(tmp_path, write_idx, stem):
    write_idx(tmp_path)
    (tmp_path / f"{stem}.gz").unlink()
    with pytest.raises(DataError, match=f"lacks the IDX file {stem}"):
        open_dataset(tmp_path)


def gz(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Change the content inside the gzip file."""
    return lambda raw: gzip.compress(change(gzip.decompress(raw)))


@pytest.mark.parametrize(
    ("stem", "damage", "words"),
    [
        # the file is empty
        (IMAGES, lambda _raw: b"", "is empty"),
        # the download broke off
        (IMAGES, lambda raw: raw[:1000], "cut off: the end of the gzip data"),
        # it broke off inside the head of the gzip file
        (IMAGES, lambda raw: raw[:3], "cut off, or there is nothing in it"),
        # only the checksum at the end is missing
        (LABELS, lambda raw: raw[:-4], "cut off: the end of the gzip data"),
        # a bit of the data fell over
        (IMAGES, lambda raw: raw[:50_000] + bytes(9) + raw[50_009:], "gzip data are damaged"),
        # the data are whole, but not those of the checksum
        (LABELS, lambda raw: raw[:-8] + bytes(8), "gzip data are damaged"),
        # plain: cut off
        (
            IMAGES,
            lambda raw: gzip.decompress(raw)[:-1],
            "announces 78400 bytes of data, it has 78399",
        ),
        # plain: too long
        (LABELS, lambda raw: gzip.decompress(raw) + b"x", "is too long"),
        # compressed: the content is shorter or longer than its header says
        (IMAGES, gz(lambda c: c[:-1]), "is cut off: its header announces 78400"),
        (LABELS, gz(lambda c: c + b"x"), "holds more than the 108 bytes"),
        # a web page in place of the file
        (IMAGES, lambda _raw: b"<html>not found</html>", "is no IDX file: it begins with 3c 68"),
        # cut off inside the header
        (IMAGES, lambda raw: gzip.decompress(raw)[:9], "cut off inside its header"),
        # 32-bit floating-point numbers
        (IMAGES, gz(lambda c: c[:2] + b"\x0d" + c[3:]), "IDX type 0x0d"),
        # four dimensions: a batch of colour pictures
        (
            IMAGES,
            lambda _raw: bytes([0, 0, 8, 4]) + b"\0\0\0\1" * 4 + b"x",
            "an array of 4 dimensions",
        ),
        # no images
        (IMAGES, lambda _raw: bytes([0, 0, 8, 3]) + bytes(12), "holds no images"),
        # a header that announces more than any memory holds
        (IMAGES, lambda _raw: bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"x", "is cut off"),
        (IMAGES, lambda _raw: gzip.compress(bytes([0, 0, 8, 3]) + b"\xff" * 12), "is cut off"),
        # fewer labels than images
        (
            LABELS,
            lambda _raw: bytes([0, 0, 8, 1, 0, 0, 0, 2, 0, 1]),
            "holds 2 labels, but there are 100",
        ),
        # a label without a name
        (LABELS, gz(lambda c: c[:-1] + b"\x0a"), "holds the label 10"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(tmp_path, write_idx, stem, damage, words):
    write_idx(tmp_path)
    path = tmp_path / f"{stem}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path)
    assert words in caught.value.problem
    assert str(path) in caught.value.problem
    assert caught.value.hint


def test_swapped_images_and_labels_are_told(tmp_path, write_idx):
    write_idx(tmp_path)
    images, labels = tmp_path / f"{IMAGES}.gz", tmp_path / f"{LABELS}.gz"
    content = images.read_bytes()
    images.write_bytes(labels.read_bytes())
    labels.write_bytes(content)
    with pytest.raises(DataError, match="holds labels, not images") as caught:
        open_dataset(tmp_path)
    assert "swapped" in caught.value.hint


def test_a_folder_in_place_of_a_file_counts_as_missing(tmp_path, write_idx):
    write_idx(tmp_path)
    (tmp_path / f"{LABELS}.gz").unlink()
    (tmp_path / f"{LABELS}.gz").mkdir()
    with pytest.raises(DataError, match=f"lacks the IDX file {LABELS}"):
        open_dataset(tmp_path)


def test_one_array_is_read_without_a_copy(tmp_path: Path, write_idx):
    contents = write_idx(tmp_path, compressed=False)
    content = read_content(tmp_path / IMAGES)
    assert content == contents[IMAGES]
    images = read_idx(content, 3, tmp_path / IMAGES)
    assert images.shape == (100, 28, 28)
    assert not images.flags.owndata
