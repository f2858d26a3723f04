from __future__ import annotations

import json
import math
import sys

import cv2
import numpy as np
import pytest

from hemline.batch import Outcome
from hemline.classifier import Classification, Classifier, Latency
from hemline.errors import UserError
from hemline.judgement import Judge, Judgement, LabelChange, smoothing_weight

LABELS = ("Bag", "Coat", "Dress")
LATENCY = Latency(0.1, 0.2, 0.3)


def answers(
    rule: Judgement, rows: list[tuple[float, ...]], threshold: float = 0.0, step_s: float = 0.1
) -> list[Classification]:
    judge = Judge(rule, LABELS, threshold, 2)
    own = Classification("own", 0.5, [], LATENCY)
    return [judge(own, np.array(row), number * step_s) for number, row in enumerate(rows)]


def labels(*arguments, **options) -> list[str]:
    return [answer.label for answer in answers(*arguments, **options)]


BAG, COAT = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1)


def test_without_rules_the_answer_is_that_of_the_frame():
    rows = [BAG, COAT, (0.3, 0.3, 0.4), (0.4, 0.4, 0.2)]
    assert labels(Judgement(), rows) == ["Bag", "Coat", "Dress", "Bag"]
    (first, *_) = answers(Judgement(), rows)
    assert first == ("Bag", 0.8, [("Bag", 0.8), ("Coat", 0.1)], LATENCY)


@pytest.mark.parametrize("frames", [1, 2, 10, 100])  # however many a second
def test_a_step_is_followed_by_63_percent_after_the_time_constant(frames):
    rows = [(1.0, 0.0, 0.0), *[(0.0, 1.0, 0.0)] * frames]
    last = answers(Judgement(smooth_s=2.0), rows, step_s=2.0 / frames)[-1]
    assert last.label == "Coat"
    assert last.confidence == pytest.approx(1 - math.exp(-1))
    assert sum(p for _, p in last.top) == pytest.approx(1)


@pytest.mark.parametrize(
    ("elapsed_s", "constant_s", "weight"),
    [
        (0.1, 0.0, 1.0),  # no smoothing
        (0.0, 0.5, 0.0),  # no time has passed
        (-5.0, 0.5, 0.0),  # a film whose times go back
        (1e9, 0.5, 1.0),  # a camera that was away for long
        (0.5, 0.5, 1 - math.exp(-1)),
    ],
)
def test_the_weight_of_a_new_frame(elapsed_s, constant_s, weight):
    assert smoothing_weight(elapsed_s, constant_s) == pytest.approx(weight)


def test_one_odd_frame_does_not_change_a_smoothed_label_and_a_lasting_change_does():
    odd = [BAG] * 5 + [COAT] + [BAG] * 5
    assert set(labels(Judgement(smooth_s=0.3), odd)) == {"Bag"}
    assert "Coat" in labels(Judgement(), odd)
    assert labels(Judgement(smooth_s=0.3), [BAG] * 5 + [COAT] * 10)[-1] == "Coat"


def test_hysteresis_keeps_a_label_that_is_nearly_as_likely_as_another():
    wavering = [(0.45, 0.40, 0.15), (0.40, 0.45, 0.15)] * 5
    assert set(labels(Judgement(hysteresis=0.1), wavering)) == {"Bag"}
    assert len(set(labels(Judgement(), wavering))) == 2
    (*_, last) = answers(Judgement(hysteresis=0.1), wavering)
    assert (last.label, last.confidence, last.top[0][0]) == ("Bag", 0.40, "Coat")
    assert labels(Judgement(hysteresis=0.1), [*wavering, COAT])[-1] == "Coat"


@pytest.mark.parametrize(
    ("confidences", "expected"),
    [
        ([0.59, 0.61, 0.55, 0.51, 0.49], "unknown Bag Bag Bag unknown"),
        ([0.49, 0.55, 0.59], "unknown unknown unknown"),  # once unknown, it takes the threshold
        ([0.61, 0.49, 0.55, 0.61], "Bag unknown unknown Bag"),
    ],
)
def test_unknown_is_entered_and_left_at_two_levels(confidences, expected):
    rows = [(p, (1 - p) / 2, (1 - p) / 2) for p in confidences]
    assert labels(Judgement(hysteresis=0.1), rows, threshold=0.6) == expected.split()


def test_nothing_sure_is_unknown_with_the_likeliest_beside_it():
    (answer,) = answers(Judgement(), [(0.4, 0.35, 0.25)], threshold=0.6)
    assert (answer.label, answer.confidence, answer.top[0]) == ("unknown", 0.4, ("Bag", 0.4))


@pytest.mark.parametrize(
    "values", [{"smooth_s": -1}, {"smooth_s": math.nan}, {"smooth_s": math.inf}, {"hysteresis": 2}]
)
def test_rules_that_cannot_be_are_refused(values):
    with pytest.raises(UserError):
        Judgement(**values)


def test_a_change_is_told_once_for_each_source():
    def outcome(source, frame, label):
        answer = label and Classification(label, 1.0, [(label, 1.0)], LATENCY)
        return Outcome(source, frame, answer or None)

    is_new = LabelChange()
    rows = [("a", 0, "Bag", True), ("a", 1, "Bag", False), ("a", 2, "Coat", True)]
    rows += [("b.jpg", None, "Coat", False), ("a", 3, "Coat", False), ("b", 0, "Coat", True)]
    rows += [("c", None, "", False)]  # an error
    assert [is_new(outcome(*row[:3])) for row in rows] == [row[3] for row in rows]


def test_the_classifier_and_the_judge_agree_on_a_still_picture(garments):
    classifier = Classifier("paper")
    frame = cv2.imread(str(garments[0]))
    own = classifier.classify(frame)
    assert classifier.probabilities is not None
    assert classifier.probabilities.sum() == pytest.approx(1)
    judge = Judgement(smooth_s=1, hysteresis=0.2).judge(classifier)
    for number in range(3):
        assert judge(own, classifier.probabilities, number / 10)[:1] == own[:1]


@pytest.fixture
def film(tmp_path, garments):
    """Five frames of a bag, one of a trouser, five of a bag, five of a trouser."""
    by_name = {path.stem: cv2.resize(cv2.imread(str(path)), (160, 160)) for path in garments}
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (160, 160))
    for name in ["bag"] * 5 + ["trouser"] + ["bag"] * 5 + ["trouser"] * 5:
        writer.write(by_name[name])
    writer.release()
    return path


def test_the_command_shows_only_changes_and_smoothing_leaves_the_odd_frame_out(hemline, film):
    def changes(*options):
        done = hemline("classify", film, "-m", "paper", "--on-change", "--json", *options)
        assert done.returncode == 0, done.stderr
        return [(r["frame"], r["label"]) for r in map(json.loads, done.stdout.splitlines())]

    assert changes() == [(0, "Bag"), (5, "Trouser"), (6, "Bag"), (11, "Trouser")]
    smoothed = changes("--smooth", "0.4", "--hysteresis", "0.1")
    assert [label for _, label in smoothed] == ["Bag", "Trouser"]
    assert smoothed[1][0] > 11


def test_the_command_is_run_for_every_change_of_a_film_and_its_failure_changes_no_exit_code(
    hemline, film, tmp_path
):
    script = tmp_path / "event.py"
    script.write_text(
        "import os, time\ntime.sleep(0.3)\n"
        f"open({str(tmp_path / 'log')!r}, 'a').write(os.environ['HEMLINE_FRAME'] + ' ')\n"
        "raise SystemExit(7)\n"
    )
    done = hemline("classify", film, "-m", "paper", "--exec", f"{sys.executable} {script}")
    assert (tmp_path / "log").read_text() == "0 5 6 11 "
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert "failed with exit code 7 (label Bag)" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.jpg", "--smooth", "1"], "--smooth is for many frames"),
        (["a.jpg", "--on-change"], "--on-change is for many frames"),
        (["a.jpg", "--exec", "true"], "--exec is for many frames"),
        (
            ["--camera", "0", "--max-disk", "1G"],
            "--max-disk is given without --save or --save-doubtful",
        ),
        (["--camera", "0", "--exec-timeout", "1"], "--exec-timeout is given without --exec"),
        (["a.avi", "--size", "640x480"], "--size is given without --camera"),
        (["a.avi", "--reopen", "5"], "--reopen is given without --camera"),
        (["a.avi", "--stdin", "mjpeg"], "--stdin is given, and no -"),
        (["--camera", "0", "--size", "big"], "--size is 'big'"),
        (["--camera", "0", "--smooth", "-1"], "the smoothing is over -1"),
        (["--camera", "0", "--exec", "no-such-program"], "there is no program 'no-such-program'"),
    ],
)
def test_options_that_would_do_nothing_are_refused(hemline, tmp_path, arguments, said):
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "a.avi").write_bytes(b"")
    done = hemline("classify", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
