"""The shipped network, packs of drawn garments and of photos, and a runtime with steps that can be broken."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hemline import models
from hemline.card import InputSpec, ModelCard
from hemline.classifier import named
from hemline.images import decode_image, preprocess_content
from hemline.modelfile import LoadedModel, load_model
from hemline.parity.golden import GoldenPack
from hemline.preprocess import Preprocessor
from hemline.scores import softmax


class Pictures:
    """Picture files as what a golden pack is made of; their classes are not known."""

    def __init__(self, files: list[tuple[str, bytes]], labels: tuple[str, ...]) -> None:
        self.files, self.labels = files, (*labels, "something else")
        self.targets = np.full(len(files), len(labels), np.int64)

    def encoded(self, index: int) -> bytes:
        return self.files[index][1]

    def source(self, index: int) -> str:
        return self.files[index][0]


def pack_of(files: list[tuple[str, bytes]], card: ModelCard, logits=None) -> GoldenPack:
    """A pack of picture files; random scores where there is no network."""
    preprocess = Preprocessor(card.input)
    tensors = np.concatenate([preprocess_content(c, n, preprocess).copy() for n, c in files])
    if logits is None:
        scores = np.random.default_rng(0).normal(0, 4, (len(files), len(card.labels)))
    else:
        scores = np.array([logits(tensor[None]) for tensor in tensors])
    split = Pictures(files, card.labels)
    return GoldenPack.build(split, range(len(files)), card, scores.astype(np.float32), tensors)


def photo(random: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """A made-up photo: colours that drift, shapes with edges, noise; no two directions are alike."""
    small = random.integers(0, 256, (5, 4, 3), dtype=np.uint8)
    frame = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(6):
        centre = int(random.integers(width)), int(random.integers(height))
        colour = tuple(int(c) for c in random.integers(0, 256, 3))
        cv2.circle(frame, centre, int(random.integers(5, max(6, height // 4))), colour, -1)
    noise = random.normal(0, 12, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def jpeg(frame: NDArray[np.uint8], orientation: int = 1) -> bytes:
    content = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(frame[..., ::-1]).save(content, "JPEG", quality=92, exif=exif)
    return content.getvalue()


def png(frame: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", frame)[1].tobytes()


@pytest.fixture(scope="session")
def photos() -> list[tuple[str, bytes]]:
    """Large JPEGs that are decoded at reduced scale, small ones, turned ones, PNGs, one with transparency."""
    random = np.random.default_rng(7)
    files = []
    for k, (width, height) in enumerate(((1000, 750), (333, 500), (200, 90))):
        files.append((f"jpeg {k}", jpeg(photo(random, width, height))))
        files.append((f"png {k}", png(photo(random, width // 4, height // 4))))
    for orientation in (3, 6, 8):
        files.append((f"turned {orientation}", jpeg(photo(random, 400, 250), orientation)))
    rgba = np.dstack((photo(random, 120, 90), np.zeros((90, 120), np.uint8)))
    cv2.circle(rgba, (60, 45), 40, (20, 200, 90, 255), -1)
    files.append(("transparent", png(rgba)))
    return files


@pytest.fixture(scope="session")
def paper() -> LoadedModel:
    return load_model("paper")


@pytest.fixture(scope="session")
def drawn() -> GoldenPack:
    """60 pictures of the shipped pack, with the float model's scores, in the newest format."""
    shipped = GoldenPack.load(Path(str(models.golden_path_of("paper"))))
    rows = np.arange(60)
    split = Pictures([(shipped.names[k], shipped.pictures[k]) for k in rows], shipped.card.labels)
    split.targets = shipped.targets[rows]
    return GoldenPack.build(
        split, range(len(rows)), shipped.card, shipped.scores[rows], shipped.tensors[rows]
    )


@pytest.fixture(scope="session")
def photo_pack(paper: LoadedModel, photos: list[tuple[str, bytes]]) -> GoldenPack:
    return pack_of(photos, paper.card, paper.backend.logits)


@pytest.fixture(scope="session")
def colour_card() -> ModelCard:
    return ModelCard("colour", ("a", "b", "c"), InputSpec((64, 64), "rgb", "pad"))


@pytest.fixture(scope="session")
def colour_pack(colour_card: ModelCard, photos: list[tuple[str, bytes]]) -> GoldenPack:
    return pack_of(photos, colour_card)


Step = Callable[..., Any]


def run_runtime(
    pack: GoldenPack,
    model: LoadedModel,
    *,
    decode: Step = decode_image,
    preprocess: Step | None = None,
    scores: Step | None = None,
    label: Step | None = None,
) -> dict[str, Any]:
    """What a runtime observes of itself on the pictures of a pack; each step can be another one."""
    preprocessor = Preprocessor(pack.card.input)
    preprocess = preprocess or (lambda frame: preprocessor(frame)[0].copy())
    scores = scores or (lambda tensors: [model.backend.logits(t[None]) for t in tensors])
    label = label or (
        lambda row: named(softmax(row, model.card.temperature), model.card, 1, 0.0)[:2]
    )
    frames = [
        decode(content, name) for content, name in zip(pack.pictures, pack.names, strict=True)
    ]
    tensors = np.array([preprocess(frame) for frame in frames])
    logits = np.array(scores(tensors))
    answers = [label(row) for row in logits]
    return {
        **{f"pixels_{row}": frame for row, frame in enumerate(frames)},
        "tensors": tensors,
        "scores": logits,
        "labels": [name for name, _ in answers],
        "confidences": [confidence for _, confidence in answers],
    }
