"""What `--data` takes, and where it is looked for; and the real data sets, where they are at hand."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hemline.card import InputSpec
from hemline.datasets import FASHION_MNIST_LABELS, find_fashion_mnist, open_dataset
from hemline.datasets.drawn import DRAWN_FILE, open_drawn
from hemline.errors import DataError

# Where a developer has them: HEMLINE_DATA, or beside the project.
REAL_DATA = Path(os.environ.get("HEMLINE_DATA") or Path(__file__).parents[4] / "shared" / "data")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that `HEMLINE_DATA` names."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HEMLINE_DATA", str(folder))
    return folder


def test_fashion_mnist_is_looked_for_in_hemline_data_before_the_cache(
    home, clean_environment, write_idx
):
    assert find_fashion_mnist() is None
    write_idx(clean_environment)
    assert find_fashion_mnist() == clean_environment
    write_idx(home / "fashion-mnist", compressed=False)
    assert find_fashion_mnist() == home / "fashion-mnist"


def test_a_folder_that_lacks_a_file_is_passed_over(home, clean_environment, write_idx):
    write_idx(home / "fashion-mnist")
    write_idx(clean_environment)
    (home / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    assert find_fashion_mnist() == clean_environment


def test_without_xdg_the_cache_is_below_the_home_folder(tmp_path, monkeypatch, write_idx):
    write_idx(tmp_path / ".cache" / "hemline" / "fashion-mnist")
    monkeypatch.setenv("HOME", str(tmp_path))
    for ignored in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert find_fashion_mnist() == tmp_path / ".cache" / "hemline" / "fashion-mnist"


def test_without_download_it_is_told_how_to_get_fashion_mnist(clean_environment):
    with pytest.raises(DataError) as caught:
        open_dataset("fashion-mnist", download=False)
    assert str(clean_environment) in caught.value.problem
    assert "HEMLINE_DATA" in caught.value.hint
    assert "train-images-idx3-ubyte.gz" in caught.value.hint


def test_other_data_under_the_name_of_fashion_mnist_are_refused(home, write_idx):
    write_idx(home / "fashion-mnist")
    with pytest.raises(DataError, match="is not Fashion-MNIST's") as caught:
        open_dataset("fashion-mnist")
    assert "path of the folder" in caught.value.hint
    assert open_dataset(home / "fashion-mnist").labels[0] == "0"


def test_a_bare_name_is_a_folder_below_hemline_data(home, write_pictures, tmp_path, monkeypatch):
    for place in (home, tmp_path):
        for label in ("dress", "shirt"):
            write_pictures(place / "photos" / label, 3)
    write_pictures(tmp_path / "photos" / "hat", 3)
    monkeypatch.chdir(tmp_path)
    assert open_dataset("photos").labels == ("dress", "shirt")
    # A path, and a Path, mean the folder here.
    assert open_dataset("./photos").labels == ("dress", "hat", "shirt")
    assert open_dataset(Path("photos")).labels == ("dress", "hat", "shirt")
    assert open_dataset(f"{tmp_path}/photos/").name == "photos"


@pytest.mark.usefixtures("home")
def test_a_bare_name_is_a_folder_here_where_hemline_data_has_none(
    write_pictures, tmp_path, monkeypatch
):
    for label in ("dress", "shirt"):
        write_pictures(tmp_path / "mine" / label, 3)
    monkeypatch.chdir(tmp_path)
    assert open_dataset("mine").name == "mine"
    monkeypatch.chdir(tmp_path / "mine" / "dress")
    assert open_dataset("..").name == "mine"


def test_a_path_may_begin_at_the_home_folder(write_pictures, tmp_path, monkeypatch):
    for label in ("dress", "shirt"):
        write_pictures(tmp_path / "mine" / label, 3)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_dataset("~/mine").labels == ("dress", "shirt")


@pytest.mark.parametrize("name", ["nonsense", "", "no/such/folder", "~nobody-of-that-name/x"])
def test_an_unknown_data_set_is_refused_with_what_is_allowed(name):
    with pytest.raises(DataError) as caught:
        open_dataset(name)
    assert f"{name!r}" in caught.value.problem
    assert "fashion-mnist, drawn, wardrobe, or a folder" in caught.value.hint


def test_it_is_told_where_a_bare_name_was_looked_for(home):
    with pytest.raises(DataError, match="was looked in too") as caught:
        open_dataset("nonsense")
    assert str(home) in caught.value.problem


def test_a_wrong_hemline_data_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("HEMLINE_DATA", str(tmp_path / "gone"))
    for name in ("fashion-mnist", "photos"):
        with pytest.raises(DataError, match=r"HEMLINE_DATA is .*gone, which is no folder"):
            open_dataset(name)


def test_drawn_garments_are_read_and_validation_is_cut(tmp_path):
    rng = np.random.default_rng(3)
    targets = np.arange(100) % 10
    np.savez_compressed(
        tmp_path / "drawn.npz",
        train_images=rng.integers(0, 256, (100, 28, 28), np.uint8),
        train_targets=targets.astype(np.uint8),
        test_images=rng.integers(0, 256, (20, 28, 28), np.uint8),
        test_targets=targets[:20].astype(np.int64),
    )
    data = open_drawn(tmp_path / "drawn.npz")
    assert data.name == "drawn"
    assert data.labels == FASHION_MNIST_LABELS
    assert [len(part) for part in data.splits.values()] == [80, 20, 20]
    assert data.split("test").source(3) == "drawn/test/3"
    assert all(part.targets.dtype == np.int64 for part in data.splits.values())


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x03\x04damaged"])
def test_damaged_drawn_garments_are_told(tmp_path, content):
    if content is not None:
        (tmp_path / "drawn.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"drawn\.npz") as caught:
        open_drawn(tmp_path / "drawn.npz")
    assert "install hemline again" in caught.value.hint


def test_the_shipped_drawn_garments_open_by_name():
    if not DRAWN_FILE.exists():
        pytest.skip("the drawn garments are not made yet")
    data = open_dataset("drawn")
    assert set(data.splits) == {"train", "validation", "test"}
    for part in data.splits.values():
        assert set(part.targets.tolist()) == set(range(10))
    assert data.split("test").tensors(InputSpec((28, 28), "gray"), [0]).shape == (1, 28, 28, 1)


def test_reading_data_sets_imports_neither_network_nor_tensorflow():
    code = (
        "import sys, hemline.datasets; "
        "print([m for m in ('tensorflow', 'keras', 'urllib.request', 'tqdm') if m in sys.modules])"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
    assert run.stdout.strip() == b"[]"


@pytest.fixture
def real_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEMLINE_DATA", str(REAL_DATA))


@pytest.mark.usefixtures("real_home")
@pytest.mark.skipif(not (REAL_DATA / "fashion-mnist").is_dir(), reason="no Fashion-MNIST here")
def test_the_real_fashion_mnist_has_its_pictures_labels_and_splits():
    begin = time.monotonic()
    data = open_dataset("fashion-mnist", download=False)
    assert time.monotonic() - begin < 5  # 0.8 s on a quiet desktop
    assert data.name == "fashion-mnist"
    assert ", ".join(data.labels) == (
        "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot"
    )
    sizes = {name: len(part) for name, part in data.splits.items()}
    assert sizes == {"train": 48_000, "validation": 12_000, "test": 10_000}
    for part in data.splits.values():
        assert np.bincount(part.targets).tolist() == [len(part) // 10] * 10
        assert part.frame(0).shape == (28, 28)
    assert data.split("test").source(17) == "fashion-mnist/test/17"
    train, validation = data.split("train"), data.split("validation")
    digests = set(validation.digests())
    assert digests.isdisjoint(train.digests())
    # The mean that is known of the training pictures.
    everything = np.concatenate(
        [part.tensors(InputSpec((28, 28), "gray")) for part in (train, validation)]
    )
    assert abs(everything.mean() / 255 - 0.2860406) < 1e-6
    # This pins the held-out rule: whoever changes it makes old measurements incomparable.
    first = [f"fashion-mnist/train/{number}" for number in (2, 20, 25, 27)]
    assert [validation.source(i) for i in range(4)] == first


@pytest.mark.skipif(not (REAL_DATA / "fashion-mnist").is_dir(), reason="no Fashion-MNIST here")
def test_the_folder_of_the_real_fashion_mnist_is_known_by_its_content(tmp_path):
    for path in (REAL_DATA / "fashion-mnist").iterdir():
        (tmp_path / path.name).symlink_to(path)
    data = open_dataset(tmp_path)
    assert data.name == "fashion-mnist"
    assert data.labels == FASHION_MNIST_LABELS


@pytest.mark.usefixtures("real_home")
@pytest.mark.skipif(not (REAL_DATA / "garment-photos").is_dir(), reason="no garment photos here")
def test_the_real_garment_photos_open_by_name():
    data = open_dataset("garment-photos")
    assert {name: len(part) for name, part in data.splits.items()} == {
        "train": 3068,
        "validation": 341,
    }
    assert data.labels == (
        "dress", "hat", "longsleeve", "outwear", "pants",
        "shirt", "shoes", "shorts", "skirt", "t-shirt",
    )  # fmt: skip
    assert data.evaluation_split().source(0).startswith("validation/dress/")
    tensors = data.split("validation").tensors(InputSpec((64, 64)), range(5))
    assert tensors.shape == (5, 64, 64, 3)
