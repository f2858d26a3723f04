from __future__ import annotations

import contextlib
import csv
import io
import json
import os

from hemline.batch import Outcome
from hemline.classifier import Classification, Latency
from hemline.sinks import CsvSink, JsonSink, TextSink

TOP = [("Bag", 0.75), ("Coat", 0.2), ("Dress", 0.05)]
ANSWER = Classification("Bag", 0.75, TOP, Latency(0.5, 0.25, 0.8))
UNSURE = Classification("unknown", 0.75, TOP, Latency(0.5, 0.25, 0.8))
OUTCOMES = [
    Outcome("a, \"b\"\n'c' Größe.jpg", None, ANSWER),
    Outcome("film.mp4", 0, ANSWER),
    Outcome("film.mp4", 1, UNSURE),
    Outcome("broken.jpg", None, None, "broken.jpg is cut off; copy it again"),
]


def written(make, outcomes=OUTCOMES) -> str:
    out = io.StringIO()
    sink = make(out)
    for outcome in outcomes:
        sink.write(outcome)
    sink.close()
    return out.getvalue()


def test_json_has_one_object_a_line_with_the_promised_fields():
    lines = written(lambda out: JsonSink(out, "paper", "litert")).splitlines()
    picture, frame, unsure, error = map(json.loads, lines)
    assert picture == {
        "source": OUTCOMES[0].source,
        "frame": None,
        "label": "Bag",
        "confidence": 0.75,
        "top": [
            {"label": "Bag", "confidence": 0.75},
            {"label": "Coat", "confidence": 0.2},
            {"label": "Dress", "confidence": 0.05},
        ],
        "latency_ms": {"preprocess": 0.5, "inference": 0.25, "total": 0.8},
        "model": "paper",
        "backend": "litert",
    }
    assert list(frame) == list(picture)
    assert (frame["source"], frame["frame"]) == ("film.mp4", 0)
    assert unsure["label"] == "unknown"
    assert unsure["top"][0]["label"] == "Bag"
    assert error == {"source": "broken.jpg", "error": "broken.jpg is cut off; copy it again"}


def test_csv_reads_back_with_names_that_need_quoting():
    text = written(lambda out: CsvSink(out, "paper", "litert", top_k=3))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert all(None not in row and None not in row.values() for row in rows)  # no row too long
    assert [row["source"] for row in rows] == [outcome.source for outcome in OUTCOMES]
    assert [row["frame"] for row in rows] == ["", "0", "1", ""]
    assert rows[0]["label"] == "Bag"
    assert (rows[0]["label_2"], float(rows[0]["confidence_2"])) == ("Coat", 0.2)
    assert (rows[0]["label_3"], float(rows[0]["confidence_3"])) == ("Dress", 0.05)
    assert (rows[0]["model"], rows[0]["backend"], rows[0]["error"]) == ("paper", "litert", "")
    assert float(rows[0]["total_ms"]) == 0.8
    assert rows[3]["error"].startswith("broken.jpg is cut off")
    assert rows[3]["label"] == ""


def test_csv_says_what_an_unknown_might_be():
    text = written(lambda out: CsvSink(out, "paper", "litert", 3), [OUTCOMES[2]])
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["label"], row["label_1"], row["confidence_1"]) == ("unknown", "Bag", "0.750000")


def test_csv_with_one_label_has_no_columns_for_runners_up():
    one = Classification("Bag", 0.75, TOP[:1], Latency(0, 0, 0))
    text = written(
        lambda out: CsvSink(out, "paper", "litert", top_k=1), [Outcome("a.jpg", None, one)]
    )
    (row,) = csv.DictReader(io.StringIO(text))
    assert "label_2" not in row
    assert row["error"] == ""


def test_piped_text_has_one_line_each_and_errors_go_elsewhere(capsys):
    lines = written(lambda out: TextSink(out, "paper", "litert"), OUTCOMES[1:]).splitlines()
    assert lines == [
        "film.mp4 #0: Bag 75.0 %  (Coat 20.0 %, Dress 5.0 %)",
        "film.mp4 #1: unknown  (Bag 75.0 %, Coat 20.0 %, Dress 5.0 %)",
    ]
    assert capsys.readouterr().err == "error: broken.jpg is cut off; copy it again\n"


def test_text_has_no_control_characters_whatever_files_and_labels_are_called(capsys):
    evil = "\x1b[2Jpaint\nthe\x07\x9bterminal.jpg"
    outcomes = [Outcome(evil, None, ANSWER), Outcome(evil, None, None, f"{evil} is cut off")]
    text = written(lambda out: TextSink(out, "paper", "litert"), outcomes)
    shown = r"\x1b[2Jpaint\nthe\x07\x9bterminal.jpg"
    assert text == f"{shown}: Bag 75.0 %  (Coat 20.0 %, Dress 5.0 %)\n"
    assert capsys.readouterr().err == f"error: {shown} is cut off\n"


def all_of(master: int) -> str:
    """What came through a terminal whose other end is closed; it arrives piece by piece."""
    pieces = []
    with contextlib.suppress(OSError):  # EIO is how a terminal says that this was all
        while piece := os.read(master, 10_000):
            pieces.append(piece)
    os.close(master)
    return b"".join(pieces).decode()


def test_on_a_terminal_the_frames_of_a_video_share_one_changing_line(capsys):
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as out:
        sink = TextSink(out, "paper", "litert")
        for outcome in [*OUTCOMES[1:], Outcome("a.jpg", None, ANSWER)]:
            sink.write(outcome)
        sink.close()
    text = all_of(master)
    changing, picture = text.replace("\r\n", "\n").strip("\n").split("\n")
    assert changing.count("\r") == 2
    assert "frames/s" in changing
    assert picture == "a.jpg: Bag 75.0 %  (Coat 20.0 %, Dress 5.0 %)"
    assert "broken.jpg" in capsys.readouterr().err


def test_an_open_line_is_ended_at_the_end(capsys):
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as out:
        sink = TextSink(out, "paper", "litert")
        sink.write(OUTCOMES[1])
        sink.close()
    text = all_of(master)
    assert text.endswith("\n")
    assert capsys.readouterr().err == ""


def shown(text: str) -> list[str]:
    """What stands on a wide terminal when all of this has come."""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        row = ""
        for part in line.split("\r"):
            row = part + row[len(part) :]
        lines.append(row.rstrip())
    return lines


def test_what_is_told_meanwhile_stands_on_a_line_of_its_own_and_the_changing_one_goes_on(
    monkeypatch,
):
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as out, os.fdopen(os.dup(slave), "w") as err:
        monkeypatch.setattr("sys.stderr", err)
        sink = TextSink(out, "paper", "litert")
        sink.write(OUTCOMES[1])
        sink.tell("camera 0 is gone")
        sink.write(OUTCOMES[2])
        sink.tell("camera 0 is back")
        sink.write(Outcome("a.jpg", None, ANSWER))
        sink.tell("the end")
        sink.close()
    gone, back, changing, picture, end, nothing = shown(all_of(master))
    assert (gone, back) == ("hemline: camera 0 is gone", "hemline: camera 0 is back")
    assert changing.startswith("film.mp4 #1: unknown  (Bag 75.0 %")
    assert picture.startswith("a.jpg: Bag 75.0 %")
    assert (end, nothing) == ("hemline: the end", "")
