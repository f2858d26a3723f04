from __future__ import annotations

from collections import Counter

import cv2
import numpy as np

from hemline import Classifier
from hemline.bench.frames import BLOCK, FrameTimes, time_frames, turns


def test_each_model_gets_all_its_runs_and_a_turn_in_every_round():
    rounds = list(turns(3, 4 * BLOCK + 7))
    frames = Counter()
    for round_ in rounds:
        assert sorted(model for model, _ in round_) == [0, 1, 2]
        for model, count in round_:
            frames[model] += count
    assert frames == dict.fromkeys(range(3), 4 * BLOCK + 7)


def test_the_order_of_the_turns_changes_and_is_the_same_each_time():
    orders = [[model for model, _ in round_] for round_ in turns(4, 40 * BLOCK)]
    assert len({tuple(order) for order in orders}) > 5
    assert orders == [[model for model, _ in round_] for round_ in turns(4, 40 * BLOCK)]


def test_every_frame_that_counts_is_timed_in_its_stages(garments, paper_tflite, paper_onnx):
    frame = cv2.imread(str(garments[0]))
    classifiers = [Classifier(paper_tflite), Classifier(paper_onnx)]
    for times in time_frames(classifiers, frame, warmup_runs=2, runs=BLOCK + 5):
        assert times.ms.shape == (BLOCK + 5, 3)
        assert times.blocks.shape == (2,)
        preprocess, inference, total = times.ms.T
        assert (times.ms > 0).all()
        assert (preprocess + inference <= total).all()


def test_a_model_that_gets_slower_is_seen():
    steady, heated = np.full(100, 2.0), np.linspace(2.0, 4.0, 100)
    assert FrameTimes(np.zeros((1, 3)), steady).slowing == 1.0
    assert FrameTimes(np.zeros((1, 3)), heated).slowing > 1.5
