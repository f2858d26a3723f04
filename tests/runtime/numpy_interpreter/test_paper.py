"""The shipped int8 model in NumPy, beside LiteRT: its reference kernels, and XNNPACK."""

from __future__ import annotations

import numpy as np
import pytest

from hemline import samples
from hemline.backends import open_backend
from hemline.datasets import open_dataset
from hemline.datasets.fashion_mnist import find_fashion_mnist
from hemline.numpy_interpreter import NumpyInterpreter
from hemline.tflite_reader import read_tflite

litert = pytest.importorskip("ai_edge_litert.interpreter")


@pytest.fixture(scope="module")
def content(paper_tflite) -> bytes:
    return paper_tflite.read_bytes()


@pytest.fixture(scope="module")
def numpy_paper(content) -> NumpyInterpreter:
    return NumpyInterpreter("paper", content)


@pytest.fixture(scope="module")
def reference(content):
    """LiteRT without delegates, whose activations can all be read afterwards."""
    interpreter = litert.Interpreter(
        model_content=content,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    return interpreter


def drawn() -> np.ndarray:
    """All garments that hemline draws, uint8 (N, 28, 28, 1)."""
    with np.load(samples.drawn_garments_path()) as garments:
        return np.concatenate([garments["train_images"], garments["test_images"]])[..., None]


def random_tensors(count: int) -> np.ndarray:
    """Noise, black and white alone, and pictures of one grey each."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (count, 28, 28, 1))
    extremes = random.choice([0, 255], (count, 28, 28, 1))
    even = np.broadcast_to(np.arange(256).reshape(-1, 1, 1, 1), (256, 28, 28, 1))
    return np.concatenate([noise, extremes, even]).astype(np.uint8)


@pytest.mark.parametrize("tensors", [drawn(), random_tensors(100)], ids=["drawn", "random"])
def test_every_activation_is_bit_for_bit_that_of_litert_reference_kernels(
    tensors, numpy_paper, reference
):
    index = reference.get_input_details()[0]["index"]
    for number, tensor in enumerate(tensors):
        reference.set_tensor(index, tensor[None])
        reference.invoke()
        seen = 0
        for activation in numpy_paper.activations(tensor[None]):
            wanted = reference.get_tensor(activation.tensor_index)
            assert activation.value.dtype == wanted.dtype
            assert np.array_equal(activation.value, wanted), (number, activation.operator_name)
            seen += 1
        assert seen == 11


def steps_from_xnnpack(paper_tflite, tensors) -> tuple[np.ndarray, np.ndarray]:
    """Of each picture: how many steps the logits lie apart, and whether the label is the same.

    XNNPACK rounds each layer once, in float32, where the reference kernels round twice. So the values
    inside differ by a step now and then, and two steps may come of it at the end.
    """
    xnnpack = open_backend(paper_tflite, backend="litert")
    candidate = open_backend(paper_tflite, backend="numpy")
    first = np.array([xnnpack.logits(tensor[None]) for tensor in tensors])
    second = np.array([candidate.logits(tensor[None]) for tensor in tensors])
    graph = read_tflite("paper", paper_tflite.read_bytes()).graphs[0]
    logits = graph.tensors[graph.operators[-1].inputs[0]]
    step = logits.quantization.scales[0]
    steps = np.abs(first - second).max(axis=1) / step
    return np.rint(steps).astype(int), first.argmax(axis=1) == second.argmax(axis=1)


def test_xnnpack_gives_every_drawn_garment_the_same_label_and_logits_two_steps_away_at_most(
    paper_tflite,
):
    steps, same = steps_from_xnnpack(paper_tflite, drawn())
    assert same.all()
    assert steps.max() <= 2
    assert (steps == 2).mean() < 0.01


@pytest.mark.slow
def test_on_fashion_mnist_xnnpack_gives_the_same_label_but_for_one_picture_in_a_thousand(
    paper_tflite,
):
    if find_fashion_mnist() is None:
        pytest.skip("Fashion-MNIST is not on this machine")
    split = open_dataset("fashion-mnist").evaluation_split()
    tensors = np.stack([split.frame(i) for i in range(len(split))])[..., None]
    steps, same = steps_from_xnnpack(paper_tflite, tensors)
    assert same.mean() > 0.999  # 9,991 of 10,000 where this was written
    assert steps.max() <= 2


def test_activations_come_in_the_order_of_the_file_with_their_names(numpy_paper):
    activations = list(numpy_paper.activations(np.zeros((1, 28, 28, 1), np.uint8)))
    assert [a.operator_index for a in activations] == list(range(11))
    assert [a.operator_name for a in activations][-3:] == [
        *["FULLY_CONNECTED"] * 2,
        "DEQUANTIZE",
    ]
    assert activations[0].tensor_name == "image_int8"
    assert activations[-1].tensor_name == "logits"


def test_activations_are_computed_one_at_a_time(numpy_paper):
    """So that who looks for the first layer that differs need not compute the rest."""
    activations = numpy_paper.activations(np.zeros((1, 28, 28, 1), np.uint8))
    assert next(activations).operator_name == "QUANTIZE"
    assert next(activations).operator_name == "CONV_2D"


@pytest.mark.parametrize(
    "tensor",
    [
        np.zeros((1, 28, 28), np.uint8),  # without channels
        np.zeros((1, 32, 32, 1), np.uint8),  # another size
        np.zeros((1, 28, 28, 1), np.float32),  # another type
    ],
)
def test_an_input_of_another_shape_or_type_is_refused(numpy_paper, tensor):
    with pytest.raises(ValueError, match="and must be uint8"):
        numpy_paper.run(tensor)


def test_an_input_is_left_as_it_was(numpy_paper):
    tensor = random_tensors(1)[:1]
    kept = tensor.copy()
    numpy_paper.run(tensor)
    assert np.array_equal(tensor, kept)
