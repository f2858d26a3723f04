from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hemline.errors import CardError
from hemline_convert.float_tflite import network_tflite_from_keras
from hemline_convert.keras_source import KerasSource, open_keras
from hemline_convert.observation import Ranges
from hemline_convert.recipe import QuantizationRecipe
from hemline_convert.trained_ranges import activation_names, card_entry, ranges_from_card


@pytest.fixture(scope="module")
def source(keras_model) -> KerasSource:
    return open_keras(keras_model)


@pytest.fixture(scope="module")
def network(source) -> bytes:
    return network_tflite_from_keras(source)


@pytest.fixture(scope="module")
def entry(network) -> tuple[dict[str, Any], ...]:
    names = list(activation_names(network))
    low = {name: -0.1 * number for number, name in enumerate(names)}
    return card_entry(network, Ranges(low, dict.fromkeys(names, 1.0)))


def test_ranges_come_back_from_the_card_in_another_conversion(keras_model, source, entry):
    again = open_keras(keras_model)  # Keras numbers the models of a process, and so the tensors
    other = network_tflite_from_keras(again)
    ranges = ranges_from_card(other, source.card.replace(activation_ranges=entry))
    names = list(activation_names(other))
    assert [ranges.low[name] for name in names] == [line["low"] for line in entry]
    assert ranges.high == dict.fromkeys(names, 1.0)


def test_ranges_of_another_network_are_refused_with_where_they_part(source, network, entry):
    without_one = (*entry[:3], *entry[4:])
    with pytest.raises(CardError, match=r"MAX_POOL_2D.*where the converter makes CONV_2D"):
        ranges_from_card(network, source.card.replace(activation_ranges=without_one))
    with pytest.raises(CardError, match="nothing stands there"):
        ranges_from_card(network, source.card.replace(activation_ranges=entry[:-1]))


@pytest.mark.parametrize(
    "change",
    [
        {"shape": 4},
        {"low": "wide"},
        {"low": float("nan")},
        {"low": 2.0},
        {"high": float("inf")},
        {"low": None},
    ],
)
def test_a_range_that_is_none_is_refused(change, source, network, entry):
    changed = ({**entry[0], **change}, *entry[1:])
    with pytest.raises(CardError, match="activation ranges in the card"):
        ranges_from_card(network, source.card.replace(activation_ranges=changed))


def test_a_card_without_ranges_is_refused_where_they_are_asked_for(source, network):
    with pytest.raises(CardError, match="has no activation ranges"):
        ranges_from_card(network, source.card)


def test_what_is_not_chosen_is_chosen_by_the_card(source, entry):
    with_ranges = source.card.replace(activation_ranges=entry)
    assert QuantizationRecipe().for_card(source.card).calibration == "min-max"
    assert QuantizationRecipe().for_card(with_ranges).calibration == "trained"
    assert QuantizationRecipe("mse").for_card(with_ranges).calibration == "mse"


def test_biases_are_corrected_where_pictures_calibrate_channels_and_nothing_else_is_stated(
    source, entry
):
    with_ranges = source.card.replace(activation_ranges=entry)
    assert QuantizationRecipe().for_card(source.card).bias_corrected is True
    assert QuantizationRecipe().for_card(with_ranges).bias_corrected is False
    assert QuantizationRecipe("mse").for_card(with_ranges).bias_corrected is True
    coarse = QuantizationRecipe(granularity="tensor")
    assert coarse.for_card(source.card).bias_corrected is False
    for stated in (True, False):
        recipe = dataclasses.replace(coarse, bias_corrected=stated)
        assert recipe.for_card(source.card).bias_corrected is stated
