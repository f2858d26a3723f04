from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest

import hemline
from hemline import Classifier, ImageError, UserError, read_image
from hemline.classifier import UNKNOWN


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier("paper")


def label_of(name: str) -> str:
    """`pullover-transparent.png` shows what `Pullover` means."""
    return name.replace("t-shirt-top", "t-shirt/top").replace("ankle-boot", "ankle boot")


def test_every_sample_picture_is_named_right(classifier, garments):
    assert len(garments) >= 10
    for path in garments:
        label = classifier.classify(read_image(path)).label.lower()
        assert label_of(path.name).startswith(label), path.name
        assert classifier.classify_file(path).label.lower() == label


def test_a_file_that_is_no_picture_is_refused_by_its_name(classifier, tmp_path):
    with pytest.raises(ImageError, match=r"missing\.jpg: there is no such file"):
        classifier.classify_file(tmp_path / "missing.jpg")
    with pytest.raises(ImageError, match="pipe is empty"):
        classifier.classify_content(b"", "pipe")


def test_an_answer_has_label_confidence_runners_up_and_times(classifier, garments):
    answer = classifier.classify(read_image(garments[0]))
    assert answer.label == answer.top[0][0]
    assert answer.confidence == answer.top[0][1]
    assert len(answer.top) == 3
    confidences = [confidence for _, confidence in answer.top]
    assert confidences == sorted(confidences, reverse=True)
    assert 0 < sum(confidences) <= 1
    times = answer.latency_ms
    assert times.preprocess > 0
    assert times.inference > 0
    assert times.total >= times.preprocess + times.inference


def test_the_same_frame_gets_the_same_answer_from_grey_and_from_colour(classifier, garments):
    grey = cv2.cvtColor(read_image(garments[0]), cv2.COLOR_BGR2GRAY)
    answers = [
        classifier.classify(frame)
        for frame in (grey, grey[:, :, None], cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    ]
    assert answers[0].top == answers[1].top == answers[2].top


def test_a_doubtful_answer_is_unknown_and_still_says_what_it_might_be(garments):
    frame = read_image(garments[0])
    sure = Classifier("paper", threshold=0).classify(frame)
    doubtful = Classifier("paper", threshold=1).classify(np.full((28, 28), 90, np.uint8))
    assert sure.label != UNKNOWN
    assert doubtful.label == UNKNOWN
    assert doubtful.top[0][0] in Classifier("paper").card.labels
    assert doubtful.confidence == doubtful.top[0][1] < 1


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        (1, 1),  # only the answer
        (10, 10),  # all classes
        (99, 10),  # more than there are
    ],
)
def test_top_k_is_as_long_as_asked_for_and_as_there_are_classes(asked, got):
    answer = Classifier("paper", top_k=asked).classify(np.zeros((28, 28), np.uint8))
    assert len(answer.top) == got
    if got == 10:
        assert sum(confidence for _, confidence in answer.top) == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"top_k": 0}, "top-k is 0"),
        ({"top_k": "3"}, "top-k is '3'"),
        ({"model": None}, "the model is None, which is no name"),
        ({"num_threads": "2"}, "number of threads is '2'"),
        ({"threshold": "0.5"}, "threshold is '0.5'"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"threshold": -0.1}, "threshold is -0.1"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"num_threads": 0}, "number of threads is 0"),
        ({"backend": "magic"}, "no backend 'magic'"),
        ({"model": "papper"}, "no shipped model of that name"),
        ({"model": ""}, "name of the model is empty"),  # an unset variable of a script
    ],
)
def test_impossible_wishes_are_refused_in_words(options, said):
    with pytest.raises(UserError, match=said) as caught:
        Classifier(**{"model": "paper", **options})
    assert caught.value.hint


def test_a_frame_of_the_wrong_type_or_shape_is_refused_in_words(classifier):
    with pytest.raises(ImageError, match="float64 array"):
        classifier.classify(np.zeros((28, 28)))
    with pytest.raises(ImageError, match="has shape"):
        classifier.classify(np.zeros((28, 28, 4), np.uint8))
    with pytest.raises(ImageError, match="NoneType"):
        classifier.classify(cv2.imread("missing.png"))


@pytest.mark.parametrize(
    "tensor",
    [
        np.zeros((28, 28), np.uint8),  # without batch and channel
        np.zeros((2, 28, 28, 1), np.uint8),  # two pictures
        np.zeros((1, 28, 28, 3), np.uint8),  # colour
        np.zeros((1, 28, 28, 1), np.float32),  # not pixels
    ],
)
def test_a_tensor_that_does_not_fit_is_refused_in_words(classifier, tensor):
    with pytest.raises(ImageError, match="the tensor is"):
        classifier.classify_tensor(tensor)


def test_the_package_offers_what_it_lists_and_nothing_heavy_until_it_is_used():
    for name in hemline.__all__:
        assert getattr(hemline, name).__name__ == name
        assert name in dir(hemline)
    with pytest.raises(AttributeError, match="nonsense"):
        hemline.nonsense  # noqa: B018


def test_a_frame_that_opencv_could_not_read_is_told(classifier):
    with pytest.raises(ImageError, match="gives None where it cannot read: "):
        classifier.classify(cv2.imread("no such file.jpg"))


def test_threads_that_share_a_classifier_get_the_answers_to_their_own_frames(garments):
    shared = Classifier("paper")
    frames = [read_image(path) for path in garments[:8]]
    alone = [Classifier("paper").classify(frame).top for frame in frames]
    of_files = [Classifier("paper").classify_file(path).top for path in garments[:8]]
    wrong: list[int] = []

    def classify(number: int) -> None:
        for _ in range(300):
            if number % 2:
                right = shared.classify(frames[number]).top == alone[number]
            else:
                right = shared.classify_file(garments[number]).top == of_files[number]
            if not right:
                wrong.append(number)

    threads = [threading.Thread(target=classify, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
