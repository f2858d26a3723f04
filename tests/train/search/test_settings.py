from __future__ import annotations

import json
from typing import Any

import pytest

from hemline.errors import UserError
from hemline_train.search.settings import Effort, Limits, SearchSettings


def test_the_default_limits_are_the_papers_parameters_and_20_million_products() -> None:
    assert Limits() == Limits(parameters=98_442, macs=20_000_000, file_bytes=None)


def test_settings_are_read_back_from_json() -> None:
    settings = SearchSettings(data="x", epochs=3, limits=Limits(file_bytes=25_000), seed=4)
    assert SearchSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize(
    ("type_", "change", "said"),
    [
        (Effort, {"trials": 0}, "--trials is 0"),
        (Effort, {"timeout_s": 0.0}, "--timeout is 0.0"),
        (Effort, {"timeout_s": float("nan")}, "--timeout is nan"),
        (Limits, {"parameters": 0}, "--max-parameters is 0"),
        (Limits, {"macs": -1}, "--max-macs is -1"),
        (Limits, {"file_bytes": 0}, "--max-bytes is 0"),
        (SearchSettings, {"epochs": 0}, "--epochs is 0"),
        (SearchSettings, {"seed": 2**32}, "--seed is 4294967296"),
        (SearchSettings, {"data": ""}, "no data set"),
        (SearchSettings, {"study": "../x"}, "name of the study is '../x'"),  # it names files
        (SearchSettings, {"objective": "speed"}, "'speed'"),
        (SearchSettings, {"family": "vgg"}, "'vgg'"),
    ],
)
def test_a_value_out_of_range_is_refused_in_words(
    type_: Any, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError) as caught:
        type_(**change)
    assert said in caught.value.problem
    assert caught.value.hint


def test_a_network_that_has_too_much_is_told_of_what() -> None:
    limits = Limits(parameters=1000, macs=2000)
    assert limits.exceeded_by(1000, 2000) == ""
    assert limits.exceeded_by(1001, 2001) == (
        "1,001 parameters, above 1,000; 2,001 multiply-accumulates, above 2,000"
    )
