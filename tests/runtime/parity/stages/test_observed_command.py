"""`hemline parity --export-pictures` and `--observed`, as a person uses them."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest

from hemline.cli import main
from hemline.images import decode_image
from hemline.parity.stages.observed import load_observed

from .conftest import run_runtime


@pytest.fixture
def folder(tmp_path, paper_tflite, drawn):
    """The shipped file with a pack in the newest format beside it."""
    (tmp_path / paper_tflite.name).write_bytes(paper_tflite.read_bytes())
    drawn.save(tmp_path / "paper.golden.npz")
    return tmp_path


def test_pictures_are_exported_and_what_is_made_of_them_is_judged(folder, drawn, paper, capsys):
    pictures = folder / "pictures"
    assert main(["parity", str(folder), "--export-pictures", str(pictures)]) == 0
    assert "60 pictures in" in capsys.readouterr().out
    files = sorted(pictures.glob("*.png"))
    assert [path.read_bytes() for path in files] == list(drawn.pictures)
    with (pictures / "pictures.csv").open() as listing:
        rows = list(csv.DictReader(listing))
    assert [row["file"] for row in rows] == [path.name for path in files]
    assert rows[3]["truth"] == drawn.card.labels[drawn.targets[3]]

    made = run_runtime(drawn, paper)
    frames = np.array([cv2.imread(str(path)) for path in files])
    observed = folder / "observed.npz"
    np.savez(observed, pixels=frames, **{k: v for k, v in made.items() if "pixels" not in k})
    numbers, page = folder / "n.json", folder / "page"
    arguments = ["parity", str(folder), "--observed", str(observed)]
    assert main([*arguments, "--json", str(numbers), "--report", str(page)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("PASS: observed.npz does as paper_")
    content = json.loads(numbers.read_text())
    assert content["passed"] is True
    assert content["agreement"]["rate"] == 1.0
    assert [stage["state"] for stage in content["stages"]] == ["pass"] * 4
    assert "PASS: observed.npz" in (page / "parity.html").read_text()

    np.savez(observed, pixels=frames[:, :, ::-1], labels=made["labels"])
    assert main([*arguments, "--report", str(page)]) == 1
    assert "FAIL: observed.npz breaks at: file to pixels" in capsys.readouterr().out
    assert "as if turned or mirrored" in (page / "parity.html").read_text()


def test_pictures_are_not_put_among_others(folder, capsys):
    (folder / "used").mkdir()
    (folder / "used" / "mine.png").write_bytes(b"x")
    assert main(["parity", str(folder), "--export-pictures", str(folder / "used")]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert main(["parity", str(folder), "--export-pictures", str(folder / "n.json")]) == 0


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"rows": [0]}, "has no observation in it"),
        ({"logits": np.zeros((60, 10))}, "an array 'logits', which has no meaning here"),
        ({"scores": np.zeros((59, 10))}, "scores of shape (59, 10) for 60 pictures"),
        ({"scores": np.zeros((60, 9))}, "the model has 10 classes"),
        ({"scores": np.full((60, 10), "x")}, "they must be numbers"),
        ({"labels": np.arange(60)}, "labels from 0 to 59"),
        ({"labels": np.zeros(60)}, "they must be texts or whole numbers"),
        ({"confidences": np.zeros(60)}, "confidences without labels"),
        ({"pixels": np.zeros((60, 28, 28, 4), np.uint8)}, "a picture is uint8, (height, width, 3)"),
        ({"pixels": np.zeros((60, 28, 28, 3))}, "a picture is uint8"),
        ({"pixels_60": np.zeros((28, 28, 3), np.uint8)}, "pictures that the pack does not have"),
        ({"rows": [0, 0], "labels": ["Bag", "Bag"]}, "names a picture twice"),
        ({"rows": [-1], "labels": ["Bag"]}, "pictures that the pack does not have"),
        ({"rows": [0], "labels": ["Bag"], "pixels_1": np.zeros((2, 2), np.uint8)}, "rows does not"),
    ],
)
def test_observations_that_do_not_fit_are_refused_in_words(folder, capsys, arrays, said):
    observed = folder / "observed.npz"
    np.savez(observed, **arrays)
    assert main(["parity", str(folder), "--observed", str(observed)]) == 2
    assert said in capsys.readouterr().err


def test_a_file_of_observations_that_is_none_is_refused(folder, capsys):
    for content, said in ((b"", "is empty"), (b"PK\x03\x04", "damaged"), (b"x", "no .npz file")):
        (folder / "observed.npz").write_bytes(content)
        assert main(["parity", str(folder), "--observed", str(folder / "observed.npz")]) == 2
        assert said in capsys.readouterr().err
    assert main(["parity", str(folder), "--observed", "none.npz"]) == 2
    assert "there is no file of observations none.npz" in capsys.readouterr().err


def test_options_that_cannot_be_meant_together_are_refused(folder, paper_onnx, capsys):
    observed = ["--observed", "x.npz"]
    for more in (["--data", "drawn"], ["--limit", "3"], ["--reference", "paper"]):
        assert main(["parity", str(folder), *observed, *more]) == 2
        assert f"--observed and {more[0]} are both given" in capsys.readouterr().err
    assert main(["parity", str(folder), *observed, "--export-pictures", "y"]) == 2
    assert "first the one, then the other" in capsys.readouterr().err
    (folder / paper_onnx.name).write_bytes(paper_onnx.read_bytes())
    assert main(["parity", str(folder), *observed]) == 2
    assert "--observed is of one model, and there are 2" in capsys.readouterr().err


def test_labels_may_be_numbers_and_pictures_grey(folder, drawn):
    frames = {f"pixels_{k}": decode_image(drawn.pictures[k], "")[:, :, :1] for k in (4, 7)}
    np.savez(folder / "o.npz", rows=[4, 7], labels=[2, 0], **frames)
    observed = load_observed(folder / "o.npz", drawn)
    assert observed.labels == (drawn.card.labels[2], drawn.card.labels[0])
    assert [frame.shape for frame in observed.pixels.values()] == [(28, 28), (28, 28)]
