"""A colour network on photos, in every kind of file: no stage of any file in any runtime is accused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.card import InputSpec, ModelCard, Normalization
from hemline.datasets import open_dataset
from hemline.exif import UPRIGHT
from hemline.modelfile import load_model
from hemline.parity.compare import compare
from hemline.parity.golden import GoldenPack
from hemline.zipcard import CARD_MEMBER

pytestmark = pytest.mark.slow

GROUNDS = {"blue": (170, 60, 40), "green": (60, 150, 60), "red": (40, 50, 170)}
SPEC = InputSpec((24, 24), "rgb")


def photo(random: np.random.Generator, ground: tuple[int, int, int]) -> np.ndarray:
    drift = cv2.resize(random.integers(0, 256, (4, 5, 3), dtype=np.uint8), (64, 48))
    frame = cv2.addWeighted(np.full((48, 64, 3), ground, np.uint8), 0.65, drift, 0.35, 0)
    cv2.circle(frame, (int(random.integers(10, 54)), 20), 8, (200, 200, 200), -1)
    size = (800, 600) if random.random() < 0.3 else (150, 200)
    return cv2.resize(frame, size)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Large JPEGs, which are decoded at reduced scale, small ones, and PNGs; a folder per class."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for split, count in (("train", 40), ("test", 15)):
        for label, ground in GROUNDS.items():
            place = folder / split / label
            place.mkdir(parents=True)
            for k in range(count):
                frame = photo(random, ground)
                exif = Image.Exif()
                exif[0x0112] = (UPRIGHT, 3, 6, 8)[k % 4]
                picture = Image.fromarray(np.ascontiguousarray(frame[..., ::-1]))
                if k % 3:
                    picture.save(place / f"{k}.jpg", quality=92, exif=exif)
                else:
                    picture.save(place / f"{k}.png")
    return folder


@pytest.fixture(scope="module")
def converted(photos, tmp_path_factory) -> Path:
    from hemline_convert._tensorflow import keras
    from hemline_convert.convert import ConversionConfig, convert

    keras.utils.set_random_seed(1)
    layers = keras.layers
    pixels = keras.Input((24, 24, 3))
    x = layers.Rescaling(1 / 127.5, -1)(pixels)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    y = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Add()([x, layers.Conv2D(8, 1)(layers.ReLU(6.0)(y))])
    model = keras.Model(pixels, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)
    train = open_dataset(str(photos)).splits["train"]
    tensors = train.tensors(SPEC, np.arange(len(train)), description="photos")
    model.fit(tensors.astype(np.float32), train.targets, epochs=12, batch_size=16, verbose=0)
    out = tmp_path_factory.mktemp("converted")
    model.save(out / "colours.keras")
    card = ModelCard("colours", train.labels, SPEC, Normalization(1 / 127.5, 128))
    with zipfile.ZipFile(out / "colours.keras", "a") as archive:
        archive.writestr(CARD_MEMBER, card.to_json())
    convert(
        ConversionConfig(
            model=out / "colours.keras",
            out=out,
            tflite=("float32", "float16", "dynamic_range", "int8", "w8a16", "mediapipe", "int8_io"),
            onnx=("float32", "int8"),
            data=str(photos),
            calibration_images=60,
        )
    )
    return out


def test_no_stage_of_any_file_in_any_runtime_is_accused(converted):
    pack = GoldenPack.load(converted / "colours.golden.npz")
    assert pack.decoded is not None
    files = sorted(path for path in converted.iterdir() if path.suffix in (".tflite", ".onnx"))
    assert len(files) == 9
    for path in files:
        runtimes = ["litert", "numpy", "tensorflow"] if path.suffix == ".tflite" else [None]
        for backend in runtimes:
            report = compare(load_model(path, backend=backend), pack)
            states = [stage.state for stage in report.stages]
            own_pictures = "mediapipe" in path.name
            expected = ["pass", "not judged" if own_pictures else "pass", "pass", "pass"]
            assert states == expected, (path.name, backend, report.stages)
            assert report.stages[0].numbers["equal"] == len(pack)
            assert report.passed
