"""The file for MediaPipe: what goes in front of the network and behind it, and MediaPipe itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hemline import Classifier
from hemline.backends import open_backend
from hemline.card import InputSpec, ModelCard
from hemline.datasets import open_dataset
from hemline.inspection import inspect_model
from hemline.modelfile import load_model
from hemline.parity.compare import compare
from hemline.parity.golden import GoldenPack
from hemline.preprocess import Preprocessor
from hemline.scores import softmax

pytestmark = pytest.mark.slow

MEDIAPIPE = "mediapipe==1.2.3"
# Asks the real classifier about pictures in RGB, and writes each class with its score.
PROGRAM = """
import json, sys
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

model, pictures, answers = sys.argv[1:]
options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model))
found = []
with vision.ImageClassifier.create_from_options(options) as classifier, np.load(pictures) as frames:
    for name in frames.files:
        image = mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frames[name])
        )
        classes = classifier.classify(image).classifications[0].categories
        found.append([(entry.category_name, entry.score) for entry in classes])
with open(answers, "w") as file:
    json.dump(found, file)
"""


@pytest.fixture(scope="module")
def path(made) -> Path:
    return made.out / "paper_mediapipe.tflite"


@pytest.fixture(scope="module")
def garments_rgb() -> np.ndarray:
    """uint8 (N, 28, 28, 3): garments on dark and on bright ground, tinted, and noise."""
    gray = open_dataset("drawn").split("test").tensors(InputSpec((28, 28), "gray"))[::7]
    dark = np.repeat(gray, 3, axis=3)
    rng = np.random.default_rng(0)
    tints = rng.uniform(0.3, 1, (len(gray), 1, 1, 3))
    noise = rng.integers(0, 256, dark.shape, dtype=np.uint8)
    return np.concatenate((dark, 255 - dark, (dark * tints).astype(np.uint8), noise))


def front_of(path: Path, size: int, color: str = "gray") -> Any:
    """What stands in front of a network that takes `light-on-dark` pictures, as a model of its own.

    Takes uint8 RGB (1, size, size, 3); answers with the int8 pixels that the network gets.
    """
    import ai_edge_litert.interpreter as litert
    from ai_edge_litert import schema_py_generated as schema

    from hemline_convert import mediapipe_file, tflite_file

    # A network that does nothing but copy: only its two ends are needed.
    channels = 1 if color == "gray" else 3
    model = schema.ModelT()
    model.version, model.description, model.signatureDefs, model.metadata = 3, b"", [], []
    model.buffers, model.operatorCodes, model.subgraphs = [schema.BufferT()], [], []
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
    model.subgraphs.append(graph)
    quantizations = []
    for zero_point in (0, -128):
        quantization = schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = [1 / 255], [zero_point]
        quantizations.append(quantization)
    shape, kinds = [1, size, size, channels], schema.TensorType
    tensors = [
        tflite_file.add_tensor(graph, shape, kinds.UINT8, quantizations[0]),
        tflite_file.add_tensor(graph, shape, kinds.INT8, quantizations[1]),
        tflite_file.add_tensor(graph, shape, kinds.FLOAT32, None),
    ]
    for index, name in enumerate((b"in", b"pixels", b"out")):
        graph.tensors[index].name = name
    builtin = schema.BuiltinOperator
    graph.operators = [
        tflite_file.new_operator(model, builtin.QUANTIZE, tensors[:1], tensors[1:2]),
        tflite_file.new_operator(model, builtin.DEQUANTIZE, tensors[1:2], tensors[2:]),
    ]
    graph.inputs, graph.outputs = tensors[:1], tensors[2:]
    card = ModelCard(
        "front", ("a", "b"), InputSpec((size, size), color, "stretch", "light-on-dark")
    )
    content = mediapipe_file.mediapipe_tflite(tflite_file.pack(model), card)
    whole = tflite_file.unpack(content)
    graph = whole.subgraphs[0]
    assert tflite_file.operator_name(whole, graph.operators[-1]) == "SOFTMAX"
    graph.outputs = [graph.operators[-2].inputs[0]]
    graph.operators = graph.operators[:-2]
    path.write_bytes(tflite_file.pack(whole))
    interpreter = litert.Interpreter(str(path))
    interpreter.allocate_tensors()
    return interpreter


def run(interpreter: Any, tensor: np.ndarray) -> np.ndarray:
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_the_file_takes_rgb_pixels_and_gives_probabilities(path):
    backend = open_backend(path)
    assert (backend.input.shape, backend.input.dtype) == ((1, 28, 28, 3), np.uint8)
    probabilities = backend.run(np.zeros((1, 28, 28, 3), np.uint8))
    assert probabilities.dtype == np.float32
    assert probabilities.sum() == pytest.approx(1)


def test_its_card_says_how_mediapipe_prepares_pictures_and_what_the_graph_gives(path, made):
    card = load_model(path).card
    assert card.input == InputSpec((28, 28), "rgb", "stretch", "as-is")
    assert card.output == "probabilities"
    assert card.labels == made.card.labels


def test_gray_is_opencvs_within_one_step_and_a_gray_pixel_passes_unchanged(tmp_path):
    """All 16.8 million colours: a hundredth is rounded the other way, and none is further off."""
    steps = np.arange(256, dtype=np.uint8)
    different = worst = 0
    convert = None
    for red in steps:
        plane = np.empty((256, 256, 3), np.uint8)
        plane[..., 0], plane[..., 1], plane[..., 2] = red, steps[:, None], steps[None, :]
        if convert is None:
            convert = gray_conversion_of(tmp_path / "gray.tflite", 256)
        ours = run(convert, plane[None]).astype(np.int16)[0, :, :, 0] + 128
        theirs = cv2.cvtColor(plane, cv2.COLOR_RGB2GRAY).astype(np.int16)
        steps_off = np.abs(ours - theirs)
        worst = max(worst, int(steps_off.max()))
        different += int(np.count_nonzero(steps_off))
        assert ours[red, red] == red
    assert worst == 1
    assert different / 256**3 < 0.02


def gray_conversion_of(path: Path, size: int) -> Any:
    """The grey conversion alone: its operators are the first two of the front."""
    import ai_edge_litert.interpreter as litert

    from hemline_convert import tflite_file

    front_of(path, size)
    model = tflite_file.unpack(path.read_bytes())
    graph = model.subgraphs[0]
    graph.operators = graph.operators[:2]
    graph.outputs = [graph.operators[1].outputs[0]]
    path.write_bytes(tflite_file.pack(model))
    interpreter = litert.Interpreter(str(path))
    interpreter.allocate_tensors()
    return interpreter


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_a_bright_ground_becomes_black_to_the_last_bit_as_in_the_preprocessing(tmp_path, color):
    """Grounds of all kinds of brightness, odd and even sizes; grey pixels, so that no rounding is in it."""
    rng = np.random.default_rng(1)
    for size in (3, 8, 9):
        rule = Preprocessor(InputSpec((size, size), color, "stretch", "light-on-dark"))
        front = front_of(tmp_path / "front.tflite", size, color)
        for _ in range(200):
            low, high = sorted(rng.integers(0, 257, 2))
            frame = rng.integers(low, max(high, low + 1), (size, size, 3), dtype=np.uint8)
            if color == "gray":
                frame[...] = frame[..., :1]
            expected = rule(frame[..., ::-1]).astype(np.int16)
            got = run(front, frame[None]).astype(np.int16) + 128
            assert np.array_equal(got, expected)


def test_it_answers_as_the_int8_file_with_hemlines_preprocessing(path, made, garments_rgb):
    """On pictures of the input's size, and grey ones, so that neither resizing nor rounding is in it."""
    int8 = Classifier(made.out / "paper_int8.tflite", top_k=10)
    own = Classifier(path, top_k=10)
    gray = garments_rgb[: len(garments_rgb) // 2]
    bright = 0
    for frame in gray:
        expected, got = int8.classify(frame), own.classify(frame)
        assert (got.label, got.confidence) == (expected.label, pytest.approx(expected.confidence))
        assert dict(got.top) == pytest.approx(dict(expected.top), abs=1e-5)
        bright += frame[0, 0, 0] > 127
    assert bright > 40


def test_the_temperature_of_the_card_is_in_the_softmax(made):
    from hemline_convert import mediapipe_file, tflite_file

    card = load_model(made.out / "paper_int8.tflite").card.replace(temperature=2.5)
    int8 = (made.out / "paper_int8.tflite").read_bytes()
    content = mediapipe_file.mediapipe_tflite(int8, card)
    content = tflite_file.described(content, mediapipe_file.card_for_mediapipe(card))
    from hemline.backends.litert import LiteRtBackend

    tensor = GoldenPack.load(made.out / "paper.golden.npz").tensors[:1]
    logits = open_backend(made.out / "paper_int8.tflite").logits(tensor)
    got = LiteRtBackend("m.tflite", content, 1).run(np.repeat(tensor, 3, axis=3))[0]
    assert np.abs(got - softmax(logits, 2.5)).max() < 1e-6


def test_parity_measures_the_network_on_the_pictures_as_it_knows_them(path, made):
    pack = GoldenPack.load(made.out / "paper.golden.npz")
    report = compare(load_model(path), pack)
    twin = compare(load_model(made.out / "paper_int8.tflite"), pack)
    assert report
    assert np.array_equal(report.answers, twin.answers)
    assert report.probability_errors.max == pytest.approx(twin.probability_errors.max, abs=1e-5)
    assert "resized by the rule 'stretch'" in report.notes[0]


def test_inspect_finds_nothing_that_speaks_against_mediapipe_and_says_that_it_stretches(path):
    inspection = inspect_model(path)
    mediapipe = inspection.clients[0]
    assert mediapipe.refusals == ()
    assert "stretches" in mediapipe.remark


def test_a_file_of_which_a_probability_differs_is_not_written(made, tmp_path, monkeypatch):
    import dataclasses

    from hemline.errors import ModelError
    from hemline_convert import mediapipe_file
    from hemline_convert.convert import convert

    monkeypatch.setattr(mediapipe_file, "GRAY_WEIGHTS_RGB", (54, 108, 21))
    good = dataclasses.replace(made.config, out=tmp_path, tflite=("mediapipe",), onnx=())
    convert(good)  # other weights over their own sum: grey stays grey, so the network is the same
    (tmp_path / "paper_mediapipe.tflite").unlink()
    softer = mediapipe_file.mediapipe_tflite
    monkeypatch.setattr(
        mediapipe_file,
        "mediapipe_tflite",
        lambda int8, card: softer(int8, card.replace(temperature=1.01)),
    )
    with pytest.raises(ModelError, match="a probability differs"):
        convert(good)
    assert not (tmp_path / "paper_mediapipe.tflite").exists()


@pytest.fixture(scope="module")
def mediapipe_environment(environment_type: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    environment = environment_type(tmp_path_factory.mktemp("mediapipe") / "venv")
    environment.install(MEDIAPIPE)
    return environment


def answers_of_mediapipe(
    environment: Any, model: Path, frames_rgb: np.ndarray, folder: Path
) -> Any:
    """Per picture the classes with their scores, best first. MediaPipe reports its use: no network."""
    pictures, answers = folder / "pictures.npz", folder / "answers.json"
    np.savez(pictures, **{str(k): frame for k, frame in enumerate(frames_rgb)})
    done = environment.python_offline("-c", PROGRAM, model, pictures, answers, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(answers.read_text())


def test_mediapipe_names_pictures_as_hemline_does(
    mediapipe_environment, path, garments_rgb, tmp_path
):
    found = answers_of_mediapipe(mediapipe_environment, path, garments_rgb, tmp_path)
    classifier = Classifier(path, top_k=10)
    labels = set()
    for frame, answer in zip(garments_rgb, found, strict=True):
        ours = dict(classifier.classify(frame[..., ::-1]).top)
        theirs = dict(answer)
        assert theirs == pytest.approx(ours, abs=1e-5)
        best = max(ours, key=ours.__getitem__)
        assert answer[0][0] == best or theirs[best] == answer[0][1]  # the same but for ties
        labels.add(answer[0][0])
    assert len(labels) >= 8


def test_mediapipe_refuses_what_inspect_says_that_it_refuses(mediapipe_environment, made, tmp_path):
    names = ("paper_int8.tflite", "paper_float32.tflite")
    for name in names:
        assert inspect_model(made.out / name).clients[0].refusals
        frames = np.zeros((1, 28, 28, 3), np.uint8)
        np.savez(tmp_path / "pictures.npz", frames)
        done = mediapipe_environment.python_offline(
            "-c", PROGRAM, made.out / name, tmp_path / "pictures.npz", tmp_path / "a", timeout=120
        )
        assert done.returncode == 1
        assert "Error" in done.stderr
