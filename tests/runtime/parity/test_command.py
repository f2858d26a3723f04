"""`hemline parity` on real `.onnx` files that hold nothing but a matrix."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from hemline.cli import main


@pytest.fixture
def folder(tmp_path, onnx_file, weights, pack):
    """A folder as `hemline convert` leaves it."""
    onnx_file("tiny_float32.onnx", weights)
    onnx_file("tiny_int8.onnx", np.round(weights * 64).astype(np.float32) / 64)
    pack.save(tmp_path / "out" / "tiny.golden.npz")
    return tmp_path / "out"


@pytest.fixture
def data(tmp_path, split):
    """The pictures as a folder with one sub-folder per class."""
    for i in range(60):
        place = tmp_path / "photos" / "test" / split.labels[split.targets[i]]
        place.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place / f"{i:03}.png"), split.frame(i))
        train = tmp_path / "photos" / "train" / split.labels[split.targets[i]]
        train.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(train / f"{i:03}.png"), split.frame(60 + i))
    return tmp_path / "photos"


def test_a_folder_is_measured_against_its_pack(folder, capsys):
    assert main(["parity", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "reference: tiny.golden.npz, 200 pictures, 180 of 200 right: 90.00 %" in out
    assert "tiny_float32.onnx and tiny_int8.onnx agree on 200 of 200 pictures" in out
    assert out.splitlines()[-1].startswith("PASS: both candidates are within the gate")


def test_columns_of_the_table_stand_below_each_other(folder, capsys):
    main(["parity", str(folder)])
    lines = capsys.readouterr().out.splitlines()
    header = next(line for line in lines if line.startswith("model "))
    rows = [line for line in lines if line.startswith("tiny_") and "onnxruntime" in line]
    assert len(rows) == 2
    assert all(row.index("onnxruntime") == header.index("runs on") for row in rows)
    assert all(row.index("all equal") == header.index("tensors") for row in rows)


def test_the_drop_stands_there_with_its_interval(folder, capsys):
    """None of 200 changed: half a picture either way makes the interval."""
    main(["parity", str(folder), "--json", str(folder / "numbers.json")])
    row = next(
        line for line in capsys.readouterr().out.splitlines() if line.startswith("tiny_int8")
    )
    assert "  0.00 (-0.97 to 0.97)  " in row
    found = json.loads((folder / "numbers.json").read_text())["candidates"][0]
    assert found["drop_interval_95_points"] == pytest.approx([-0.9703, 0.9703], abs=1e-3)


def test_a_single_file_finds_its_pack_beside_it(folder, capsys):
    assert main(["parity", str(folder / "tiny_int8.onnx")]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("PASS: the candidate is")


def test_a_model_that_changed_fails_with_the_reasons(folder, onnx_file, weights, capsys):
    onnx_file("tiny_int8.onnx", weights[:, [1, 2, 0]])
    assert main(["parity", str(folder)]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("FAIL: tiny_int8.onnx: agreement: ")
    assert "accuracy: " in last
    assert "float32" not in last


def test_the_gate_can_be_set(folder, onnx_file, weights):
    onnx_file("tiny_int8.onnx", weights[:, [1, 2, 0]])
    wide = ["--min-agreement", "0", "--max-drop", "100"]
    assert main(["parity", str(folder), *wide]) == 0


def test_a_damaged_candidate_is_told_and_the_others_are_measured(folder, tmp_path, capsys):
    (folder / "tiny_damaged.onnx").write_bytes(b"nothing that is a model")
    numbers = tmp_path / "parity.json"
    assert main(["parity", str(folder), "--json", str(numbers)]) == 1
    out = capsys.readouterr().out
    assert "error: tiny_damaged.onnx: " in out
    assert "agree on 200 of 200" in out
    assert out.splitlines()[-1].startswith("FAIL: tiny_damaged.onnx: ")
    content = json.loads(numbers.read_text())
    assert content["errors"][0]["candidate"] == "tiny_damaged.onnx"
    assert len(content["candidates"]) == 2


def test_a_candidate_with_other_classes_is_told_and_the_others_are_measured(
    folder, onnx_file, weights, pack, capsys
):
    other = pack.card.replace(labels=("coat", "dress", "sock"))
    onnx_file("tiny_other.onnx", weights, other)
    assert main(["parity", str(folder)]) == 1
    assert "error: tiny_other.onnx: " in capsys.readouterr().out


def test_the_json_file_has_all_numbers(folder, tmp_path):
    path = tmp_path / "numbers" / "parity.json"
    assert main(["parity", str(folder), "--json", str(path)]) == 0
    content = json.loads(path.read_text())
    assert content["passed"] is True
    assert content["gate"] == {
        "min_agreement": 0.985,
        "max_drop_points": 0.5,
        "max_tensor_steps": 2,
    }
    first = content["candidates"][0]
    assert first["agreement"]["count"] == first["agreement"]["of"] == 200
    assert first["accuracy"]["interval_95"] == pytest.approx([0.85059, 0.93433], abs=1e-5)
    assert first["tensors"] == {"equal": 200, "max_steps": 0}
    assert set(first["logit_errors"]["mean_by_class"]) == {"coat", "dress", "shirt"}
    assert content["agreement_among_candidates"][0]["count"] == 200


def test_data_are_measured_against_the_float_model_beside_the_candidate(folder, data, capsys):
    assert main(["parity", str(folder / "tiny_int8.onnx"), "--data", str(data)]) == 0
    out = capsys.readouterr().out
    assert "reference: tiny_float32.onnx on photos (test), 60 pictures, 54 of 60 right" in out


def test_data_are_measured_against_the_reference_that_is_named(folder, data, onnx_file, weights):
    other = str(onnx_file("other.onnx", weights[:, [1, 2, 0]], folder="elsewhere"))
    measured = ["parity", str(folder), "--data", str(data), "--reference"]
    assert main([*measured, other]) == 1
    assert main([*measured, str(folder / "tiny_float32.onnx")]) == 0


def test_a_reference_without_data_is_run_on_the_pictures_of_the_pack(folder, capsys):
    reference = str(folder / "tiny_float32.onnx")
    assert main(["parity", str(folder / "tiny_int8.onnx"), "--reference", reference]) == 0
    assert "tiny_float32.onnx on the pictures of tiny.golden.npz" in capsys.readouterr().out


def test_a_limit_takes_fewer_pictures(folder, capsys):
    assert main(["parity", str(folder), "--limit", "50"]) == 0
    assert "agree on 50 of 50 pictures" in capsys.readouterr().out


def test_a_pack_elsewhere_can_be_named(folder, tmp_path):
    moved = (folder / "tiny.golden.npz").rename(tmp_path / "moved.npz")
    assert main(["parity", str(folder), "--golden", str(moved)]) == 0


def test_a_page_is_written(folder, tmp_path, capsys):
    assert main(["parity", str(folder), "--report", str(tmp_path / "page")]) == 0
    assert (tmp_path / "page" / "parity.html").is_file()
    assert "parity.html" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.onnx"], "there is no model file none.onnx"),  # a wrong path
        (["EMPTY"], "has no .tflite or .onnx file in it"),  # the wrong folder
        (["RUN"], "run/model.keras --int8 --data DATA"),  # a run, not converted yet
        (["FOLDER", "--golden", "none.npz"], "there is no golden pack none.npz"),  # a wrong path
        (["FOLDER", "--limit", "0"], "must be at least 1"),  # nothing to measure
        (["FOLDER", "--num-threads", "0"], "must be from 1 to 256"),
        (["FOLDER", "--min-agreement", "98.5"], "share from 0 to 1"),  # percent
        (["FOLDER", "--data", "none"], "none"),  # no such data
        (["FOLDER", "--data", "x", "--golden", "y"], "choose"),  # two sources of pictures
        (["FOLDER", "--reference", "none.keras"], "there is no model file none.keras"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(folder, tmp_path, capsys, arguments, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.keras").touch()
    places = {"FOLDER": str(folder), "EMPTY": f"{tmp_path}/empty", "RUN": f"{tmp_path}/run"}
    assert main(["parity", *(places.get(word, word) for word in arguments)]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err


def test_a_folder_without_a_pack_is_refused(folder, capsys):
    (folder / "tiny.golden.npz").unlink()
    assert main(["parity", str(folder)]) == 2
    assert "has no golden pack (NAME.golden.npz)" in capsys.readouterr().err
    reference = folder / "tiny_float32.onnx"
    assert main(["parity", str(folder), "--reference", str(reference)]) == 2
    assert "no pictures to run" in capsys.readouterr().err  # a reference alone is not enough
    assert main(["parity", str(folder / "tiny_int8.onnx")]) == 2
    assert "there is no golden pack" in capsys.readouterr().err


def test_data_without_a_reference_beside_the_candidate_are_refused(folder, data, capsys):
    (folder / "tiny_float32.onnx").unlink()
    assert main(["parity", str(folder), "--data", str(data)]) == 2
    assert "there is no reference for tiny_int8.onnx" in capsys.readouterr().err


def test_a_damaged_pack_is_refused(folder, capsys):
    path = folder / "tiny.golden.npz"
    path.write_bytes(path.read_bytes()[:-100])
    assert main(["parity", str(folder)]) == 2
    assert "tiny.golden.npz is damaged" in capsys.readouterr().err


def test_a_file_of_a_folder_that_nothing_installed_runs_is_left_out_with_a_note(
    hemline, hiding, tmp_path, paper_tflite, paper_onnx
):
    pack = paper_tflite.with_name("paper.golden.npz")
    for path in (paper_tflite, paper_onnx, pack):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    without = hiding("onnxruntime")
    done = hemline("parity", tmp_path, "--json", tmp_path / "numbers.json", env=without)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note: paper_int8.onnx was left out: to measure it, pip install" in done.stdout
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert [entry["candidate"] for entry in numbers["left_out"]] == ["paper_int8.onnx"]
    named = hemline("parity", tmp_path / "paper_int8.onnx", env=without)
    assert named.returncode == 2  # one that is named is asked for
    assert "pip install 'hemline[onnx]'" in named.stderr
    (tmp_path / "paper_int8.tflite").unlink()
    alone = hemline("parity", tmp_path, env=without)
    assert alone.returncode == 2
    assert "pip install 'hemline[onnx]'" in alone.stderr
