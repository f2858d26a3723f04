"""A tiny network that is nothing but one matrix, so that every number can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hemline.backends._base import Backend, TensorSpec
from hemline.card import CARD_PROPERTY, InputSpec, ModelCard
from hemline.datasets.arrays import ArraySplit
from hemline.modelfile import LoadedModel
from hemline.parity.golden import GoldenPack

LABELS = ("coat", "dress", "shirt")
SPEC = InputSpec((8, 8), "gray", "stretch")
PICTURES = 200


class MatrixBackend(Backend):
    """logits = weights · pixels / 255."""

    name, suffixes, module = "matrix", (".tflite",), "numpy"

    def __init__(self, path: Path, content: bytes, num_threads: int) -> None:
        raise NotImplementedError("made by the `model` fixture")

    def run(self, tensor: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert tensor.shape == self.input.shape
        assert tensor.dtype == np.uint8
        return (tensor.reshape(1, -1).astype(np.float32) / 255) @ self.weights


@pytest.fixture
def weights() -> NDArray[np.float32]:
    """float32, (64, 3); each column sums to 0, so that noise is spread over all classes."""
    weights = np.random.default_rng(1).normal(size=(64, 3))
    return (weights - weights.mean(axis=0)).astype(np.float32)


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., LoadedModel]:
    """Makes a model of a matrix."""

    def make(
        weights: NDArray[np.float32],
        name: str = "tiny_int8.tflite",
        card: ModelCard | None = None,
    ) -> LoadedModel:
        card = card or ModelCard("tiny", LABELS, SPEC)
        backend = object.__new__(MatrixBackend)
        backend.version, backend.card_json = "1.0", None
        backend.input = TensorSpec(card.input.tensor_shape, np.dtype(np.uint8))
        backend.output = TensorSpec((1, weights.shape[1]), np.dtype(np.float32))
        backend.weights = weights
        path = tmp_path / name
        path.write_bytes(b"x" * 1234)
        return LoadedModel(path, card, backend)

    return make


@pytest.fixture
def split(weights: NDArray[np.float32]) -> ArraySplit:
    """Pictures whose truth is what the matrix says, except for each tenth."""
    images = np.random.default_rng(2).integers(0, 256, (PICTURES, 8, 8), np.uint8)
    targets = (images.reshape(PICTURES, -1) / 255 @ weights).argmax(axis=1)
    targets[::10] = (targets[::10] + 1) % 3
    return ArraySplit("test", LABELS, images, targets, "noise/test")


@pytest.fixture
def pack(split: ArraySplit, weights: NDArray[np.float32]) -> GoldenPack:
    """All pictures, with what the matrix makes of them."""
    tensors = split.tensors(SPEC)
    scores = (tensors.reshape(PICTURES, -1).astype(np.float32) / 255) @ weights
    card = ModelCard("tiny", LABELS, SPEC)
    return GoldenPack.build(split, range(PICTURES), card, scores, tensors)


@pytest.fixture
def onnx_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a matrix as a real `.onnx` file with a card, uint8 in and float32 out."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")

    def write(
        name: str, weights: NDArray[np.float32], card: ModelCard | None = None, folder: str = "out"
    ) -> Path:
        from onnx import TensorProto, helper, numpy_helper

        card = card or ModelCard("tiny", LABELS, SPEC)
        nodes = [
            helper.make_node("Cast", ["pixels"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["real"], ["row"]),
            helper.make_node("MatMul", ["row", "weights"], ["logits"]),
        ]
        matrix = numpy_helper.from_array(np.ascontiguousarray(weights / np.float32(255)), "weights")
        graph = helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("pixels", TensorProto.UINT8, card.input.tensor_shape)],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, weights.shape[1]))],
            [matrix],
        )
        opset = helper.make_opsetid("", 17)
        built = helper.make_model(graph, opset_imports=[opset], ir_version=8)
        helper.set_model_props(built, {CARD_PROPERTY: card.to_json()})
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        onnx.save(built, path)
        return path

    return write
