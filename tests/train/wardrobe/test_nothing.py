from __future__ import annotations

import numpy as np
import pytest

from hemline_train.wardrobe.backdrops import Backdrops
from hemline_train.wardrobe.nothing import KEPT_OUT, TRAINED, NothingFrames
from hemline_train.wardrobe.photos import Photos


@pytest.fixture(scope="module")
def frames(photos: Photos) -> NothingFrames:
    return NothingFrames(Backdrops(photos, 1), photos)


def test_at_least_ten_kinds_are_trained_on_and_at_least_three_others_kept_out() -> None:
    assert len(TRAINED) >= 10
    assert len(KEPT_OUT) >= 3
    assert not set(TRAINED) & set(KEPT_OUT)


@pytest.mark.parametrize("kind", [*TRAINED, *KEPT_OUT])
def test_frames_of_a_kind_differ_and_come_again_with_the_seed(
    frames: NothingFrames, kind: str
) -> None:
    first, second, again = (
        frames.frame(kind, np.random.default_rng(seed), (96, 72)) for seed in (1, 2, 1)
    )
    assert first.dtype == np.uint8
    assert first.shape in {(72, 96, 3), (28, 28)}
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("size_wh", [(128, 96), (32, 128), (24, 16)])
def test_any_size_can_be_drawn(frames: NothingFrames, size_wh: tuple[int, int]) -> None:
    for kind in (*TRAINED, *KEPT_OUT):
        frame = frames.frame(kind, np.random.default_rng(3), size_wh)
        assert frame.shape[:2] in {(28, 28), size_wh[::-1]}, kind


def test_every_kind_is_drawn_for_training_and_none_that_is_kept_out(
    frames: NothingFrames, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(frames, "frame", lambda kind, _rng, _size: seen.append(kind))
    rng = np.random.default_rng(1)
    for _ in range(600):
        frames.trained(rng, (96, 72))
    assert set(seen) == set(TRAINED)


def test_without_photos_grounds_are_drawn() -> None:
    frames = NothingFrames(Backdrops(None, 1), None)
    for kind in TRAINED:
        assert frames.frame(kind, np.random.default_rng(3), (64, 48)).size
