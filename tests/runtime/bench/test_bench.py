from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from hemline.bench import BenchConfig, comparison_of, measure_models, read_result, table_of
from hemline.bench.result import BenchResult, Quantiles
from hemline.errors import UserError

QUICK = {"num_runs": 40, "warmup_runs": 1, "starts": 0}


@pytest.fixture(scope="module")
def both(paper_tflite, paper_onnx):
    models = (str(paper_tflite), str(paper_onnx))
    return measure_models(BenchConfig(models, **{**QUICK, "starts": 1}))


def test_several_models_are_measured_in_one_run(both, paper_tflite):
    assert [row.backend for row in both.models] == ["litert", "onnxruntime"]
    first, second = both.models
    assert first.ratio_to_first == 1.0
    assert second.ratio_to_first > 0
    assert first.file_bytes == paper_tflite.stat().st_size
    for row in both.models:
        assert set(row.stages) == {"preprocess", "inference", "total"}
        for stage in row.stages.values():
            assert 0 < stage.p50 <= stage.p90 <= stage.p99
        assert row.first_label_ms > row.stages["total"].p50
        assert row.peak_memory_bytes > 20_000_000


def test_a_result_is_the_same_after_json(both):
    again = BenchResult.from_json(json.loads(json.dumps(both.to_json())))
    assert again == both


def test_the_table_has_a_row_for_each_model_and_tells_where_it_was(both):
    table = table_of(both)
    assert "2 usable cores" in table or "usable core" in table
    assert "paper_int8.tflite  litert" in table
    assert "paper_int8.onnx" in table
    assert "40 runs after 1 of warm-up, 1 thread" in table


def test_one_model_on_several_backends(paper_tflite):
    config = BenchConfig((str(paper_tflite),), backends=("litert", "numpy"), **QUICK)
    result = measure_models(config)
    assert [row.backend for row in result.models] == ["litert", "numpy"]
    assert result.models[0].first_label_ms is None
    assert "MB" not in table_of(result)


def test_a_picture_of_the_users_is_taken_as_it_is(tmp_path):
    picture = tmp_path / "own.png"
    cv2.imwrite(str(picture), np.zeros((50, 70, 3), np.uint8))
    settings = measure_models(BenchConfig(("paper",), image=str(picture), **QUICK)).settings
    assert (settings["frame"], settings["size"]) == ("own.png", [70, 50])


def test_quantiles_are_those_of_the_times():
    quantiles = Quantiles.of(np.arange(101.0))
    assert (quantiles.p50, quantiles.p90, quantiles.p99) == (50.0, 90.0, 99.0)


def test_two_results_are_compared_by_model_and_backend(both, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(both.to_json()))
    text = comparison_of(read_result(path), both)
    rows = [line for line in text.splitlines() if line.startswith("paper_int8")]
    assert len(rows) == 2 * 7
    assert all(row.endswith("1.00") for row in rows)


def test_what_differs_between_two_results_is_shown(both):
    other = json.loads(json.dumps(both.to_json()))
    other["machine"]["board"] = "Raspberry Pi 4 Model B Rev 1.5"
    other["machine"]["versions"]["numpy"] = "1.26.4"
    other["settings"]["size"] = [320, 240]
    text = comparison_of(both, BenchResult.from_json(other))
    assert "machine, B:" in text
    assert "Raspberry Pi 4" in text
    assert "numpy, B:" in text
    assert "frames or settings differ" in text


def test_results_without_a_common_model_are_refused(both):
    other = json.loads(json.dumps(both.to_json()))
    for row in other["models"]:
        row["file"] = "another_int8.tflite"
    with pytest.raises(UserError, match="no model in common"):
        comparison_of(both, BenchResult.from_json(other))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"format": "hemline-bench-1"}', b"\xff\xfe", b"null", b"1"]
)
def test_a_file_that_is_no_result_is_refused(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="no result of hemline bench"):
        read_result(path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "there is no model to measure"),
        (["paper", "--num-runs", "3"], "--num-runs is 3"),
        (["paper", "--warmup-runs", "-1"], "--warmup-runs is -1"),
        (["paper", "--size", "wide"], "--size is 'wide'"),
        (["paper", "--size", "0x10"], "0x10"),
        (["paper", "--size", "8x8", "--image", "x.png"], "not allowed with"),
        (["paper", "--num-threads", "0"], "the number of threads is 0"),
        (["nothing"], "no shipped model of that name"),
        (["paper", "--backend", "onnxruntime", "--image", "missing.png"], "missing.png"),
        (["paper", "--compare", "a.json", "b.json"], "with a model to measure"),
        (["--compare", "a.json", "b.json"], "a.json cannot be read"),
        (["paper", "--json", "."], "is a folder"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(hemline, arguments, said):
    done = hemline("bench", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_command_writes_what_it_shows(hemline, tmp_path):
    path = tmp_path / "deep" / "bench.json"
    few = ["--num-runs", 20, "--warmup-runs", 0, "--starts", 0]
    done = hemline("bench", "paper", *few, "--json", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "paper_int8.tflite" in done.stdout
    assert read_result(path).settings["num_runs"] == 20
    assert [file.name for file in path.parent.iterdir()] == ["bench.json"]
    compared = hemline("bench", "--compare", path, path)
    assert compared.returncode == 0
    assert "B / A" in compared.stdout
