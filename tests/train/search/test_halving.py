from __future__ import annotations

import pytest

from hemline_train.search.halving import Course, is_hopeless, rungs

SMALL = [Course(10, (0.5, 0.5, 0.5)) for _ in range(4)]
LARGE = [Course(30, (0.8, 0.8, 0.8)) for _ in range(4)]


@pytest.mark.parametrize(
    ("epochs", "expected"), [(1, ()), (2, (1,)), (3, (1,)), (9, (1, 3)), (20, (3, 7))]
)
def test_trials_are_judged_after_a_ninth_and_a_third_of_their_epochs(
    epochs: int, expected: tuple[int, ...]
) -> None:
    assert rungs(epochs) == expected


@pytest.mark.parametrize(
    ("course", "others", "by_size", "hopeless"),
    [
        (Course(20, (0.4,)), SMALL, True, True),  # larger than those that are better
        (Course(20, (0.6,)), SMALL, True, False),
        (Course(20, (0.5,)), SMALL, True, False),  # as good is not worse
        (
            Course(20, (0.6,)),
            LARGE,
            True,
            False,
        ),  # better ones are larger, so it may be on the front
        (Course(20, (0.6,)), LARGE, False, True),  # unless size does not count
        (Course(20, (0.4,)), SMALL[:3], True, False),  # too few to judge by
        (Course(20, (0.4, 0.4)), SMALL, True, False),  # after the second epoch nobody is judged
        (Course(20, (0.4, 0.4, 0.4)), SMALL, True, True),
        (Course(20, (0.4, 0.4, 0.4)), [Course(10, (0.5,))] * 4, True, False),  # not as far yet
    ],
)
def test_a_trial_is_stopped_when_half_of_those_that_are_no_larger_are_better(
    course: Course, others: list[Course], by_size: bool, hopeless: bool
) -> None:
    assert is_hopeless(course, others, 9, by_size) is hopeless
