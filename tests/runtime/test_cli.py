from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

import hemline as package
from hemline.classifier import Classifier
from hemline.cli import main


def test_help_lists_every_command_and_how_to_begin(hemline):
    done = hemline("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("demo", "train", "convert", "parity", "classify", "inspect", "bench", "models"):
        assert re.search(rf"^    {command} +\w", done.stdout, re.MULTILINE), command
    assert "hemline demo" in done.stdout
    assert hemline().stdout == done.stdout


@pytest.mark.parametrize(
    "command", ["classify", "parity", "inspect", "bench", "models", "convert", "train", "demo"]
)
def test_every_command_has_help_without_starting_tensorflow(hemline, hiding, command):
    done = hemline(command, "--help", env=hiding("tensorflow", "keras"))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: hemline {command}" in done.stdout


def test_the_version_is_the_packages(hemline):
    assert hemline("--version").stdout == f"hemline {package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["clasify"], "invalid choice: 'clasify'"),  # a typing error
        (["--verison"], "--verison"),
        (["classify"], "nothing to classify"),  # no source
        (["classify", "a.jpg", "--camera", "0"], "sources and --camera both given"),
        (["classify", "a.jpg", "-k", "0"], "top-k is 0"),
        (["classify", "a.jpg", "-k", "many"], "invalid int value"),
        (["classify", "a.jpg", "-t", "2"], "the threshold is 2.0"),
        (["classify", "a.jpg", "--workers", "0"], "--workers is 0"),
        (["classify", "a.jpg", "--workers", "100000"], "must be from 1 to 256"),
        (["classify", "a.jpg", "--num-threads", "20000"], "must be from 1 to 256"),
        (["parity", "paper", "--num-threads", "20000"], "must be from 1 to 256"),
        (["parity", "paper", "--reference", "paper", "--data", "drawn"], "is its own reference"),
        (["classify", "--camera", "0", "--max-frames", "0"], "--max-frames is 0"),
        (["classify", "a.jpg", "--json", "--csv"], "not allowed with"),
        (["classify", "a.jpg", "--input-resize", "crop"], "only --input-resize is given"),
        (["classify", "a.jpg", "--labels", "x.txt"], "only --labels is given"),
        (["classify", "a.jpg", "--jso"], "unrecognized arguments"),  # a shortened option
    ],
)
def test_what_cannot_be_meant_ends_with_2_and_a_line(capsys, arguments, said):
    code = main(arguments)
    output = capsys.readouterr()
    assert output.err.startswith("hemline: error: ")
    assert len(output.err.splitlines()) <= 2
    assert (code, output.out) == (2, "")
    assert said in output.err


def test_models_lists_what_is_shipped(hemline):
    text = hemline("models").stdout
    assert "paper" in text
    assert "of 10,000 test pictures" in text
    rows = [json.loads(line) for line in hemline("models", "--json").stdout.splitlines()]
    (paper,) = [row for row in rows if row["name"] == "paper"]
    assert (paper["input"], paper["foreground"]) == ("28×28 gray", "light-on-dark")
    assert len(paper["labels"]) == 10
    assert "paper_int8.tflite" in paper["files"]


def test_the_forms_of_output_say_the_same(hemline, garments):
    as_json = [
        json.loads(line)
        for line in hemline("classify", *garments, "--json").stdout.split("\n")[:-1]
    ]
    table = csv.DictReader(io.StringIO(hemline("classify", *garments, "--csv").stdout))
    lines = hemline("classify", *garments).stdout.splitlines()
    for row, cells, line in zip(as_json, table, lines, strict=True):
        assert row["source"] == cells["source"]
        assert row["label"] == cells["label"]
        assert row["confidence"] == pytest.approx(float(cells["confidence"]))
        assert line.startswith(f"{row['source']}: {row['label']} {100 * row['confidence']:.1f} %")


def test_a_picture_on_standard_input_is_classified(hemline, picture):
    with picture.open("rb") as file:
        done = hemline("classify", "-", "-m", "paper", "--json", stdin=file)
    assert done.returncode == 0
    assert json.loads(done.stdout)["source"] == "-"
    assert json.loads(done.stdout)["label"] == "Bag"


@pytest.mark.skipif(os.name != "posix", reason="a shell that closes standard output")
def test_a_closed_standard_output_is_told(picture):
    command = [sys.executable, "-m", "hemline", "classify", str(picture)]
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("hemline: error: standard output is closed")


@pytest.mark.skipif(os.name != "posix", reason="a shell that closes standard error")
@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-"])
def test_a_closed_standard_error_loses_no_answer_and_writes_into_none(picture, closed):
    command = [sys.executable, "-m", "hemline", "classify", "nope.jpg", str(picture)]
    command += ["-m", "paper"]
    for form in ("--json", "--csv", "--no"):
        options = [form] if form != "--no" else []
        done = subprocess.run(
            ["sh", "-c", f'"$@" {closed}', "sh", *command, *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert done.returncode == 1
        lines = done.stdout.splitlines()
        if form == "--json":
            assert [sorted(json.loads(line))[0] for line in lines] == ["error", "backend"]
        elif form == "--csv":
            assert [line.count(",") > 8 for line in lines] == [True] * 3
        else:
            assert [line.startswith(f"{picture}: Bag") for line in lines] == [True]


@pytest.mark.skipif(os.name != "posix", reason="a shell that closes standard error")
def test_messages_of_a_run_do_not_get_among_the_answers_where_standard_error_is_closed(garments):
    """`DeviceError` of a broken stream is an answer; what is told meanwhile is not."""
    program = """
import os, sys
from hemline.start import open_closed_streams
open_closed_streams()
from hemline.sources.frames import tell_on_standard_error
opened = os.open(sys.argv[1], os.O_RDONLY)
tell_on_standard_error("gone")
os.write(2, b"past Python")
print(opened > 2, os.get_inheritable(2))
"""
    command = [sys.executable, "-c", program, str(garments[0])]
    done = subprocess.run(
        ["sh", "-c", '"$@" <&- 2>&-', "sh", *command], stdout=subprocess.PIPE, text=True
    )
    assert done.stdout == "True True\n"


def test_empty_and_closed_standard_input_are_told(hemline):
    done = hemline("classify", "-")
    assert (done.returncode, done.stderr) == (
        1,
        "error: standard input is empty (0 bytes); copy the picture again\n",
    )
    closed = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m hemline classify - <&-"],
        capture_output=True,
        text=True,
    )
    assert closed.returncode == 1
    assert "standard input is closed" in closed.stderr


def test_standard_input_is_named_once(hemline, picture):
    done = hemline("classify", "-", picture, "-")
    assert done.returncode == 2
    assert "- is named more than once" in done.stderr
    assert "--stdin mjpeg" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--jsonn"], "did you mean --json? see: hemline classify --help\n"),
        (["--thresold=0.4"], "did you mean --threshold? see: hemline classify --help\n"),
        (
            ["-x.jpg"],
            "see: hemline classify --help; a name that begins with - is written ./-x.jpg\n",
        ),
        (["--csv", "--top-k"], "see: hemline classify --help\n"),
    ],
)
def test_an_option_that_is_not_there_is_told_with_what_was_meant(hemline, arguments, said):
    done = hemline("classify", "a.jpg", *arguments)
    assert done.returncode == 2
    assert done.stderr.splitlines(keepends=True)[-1].lstrip() == said


def test_a_file_name_that_is_no_utf8_is_escaped_in_json_that_strict_parsers_take(hemline, picture):
    name = os.fsencode(picture.parent) + b"/caf\xe9.jpg"
    os.rename(picture, name)  # noqa: PTH104 - a Path cannot hold the bytes
    environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8:strict"}
    for options in (["--json"], []):
        done = hemline("classify", picture.parent, *options, env=environment)
        assert done.returncode == 0, done.stderr
        if options == ["--json"]:
            source = json.loads(done.stdout)["source"]
            source.encode("utf-8")  # so there is no lone surrogate
            assert source == f"{picture.parent}/caf\\xe9.jpg"


def test_an_error_line_is_not_lost_however_many_workers_there_are(hemline, picture):
    (picture.parent / "a broken one.jpg").write_bytes(b"")
    for number in range(20):
        shutil.copy(picture, picture.parent / f"{number}.jpg")
    for _ in range(2):
        done = hemline("classify", picture.parent, "--workers", "16")
        assert done.returncode == 1
        assert done.stderr.count("error: ") == 1
        assert len(done.stdout.splitlines()) == 21


def test_a_model_without_a_card_runs_with_labels_and_colour(
    hemline, picture, paper_tflite, tmp_path, with_card
):
    bare = with_card(paper_tflite, tmp_path / "bare.tflite", None)
    labels = tmp_path / "labels.txt"
    # Notepad writes a byte order mark, which is no part of the first label.
    labels.write_text("\n".join(Classifier("paper").card.labels) + "\n\n", "utf-8-sig")
    stated = ("--labels", labels, "--input-color", "gray")
    done = hemline("classify", picture, "-m", bare, *stated, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == "bare"
    answer = json.loads(done.stdout)
    assert answer["label"] in Classifier("paper").card.labels
    own = hemline("classify", picture, "-m", paper_tflite, "--json")
    assert answer["top"] != json.loads(own.stdout)["top"]  # on white, which it does not know
    stated_too = ("--input-foreground", "light-on-dark")
    done = hemline("classify", picture, "-m", bare, *stated, *stated_too, "--json")
    assert json.loads(done.stdout)["top"] == json.loads(own.stdout)["top"]
    cut_out = ("--input-foreground", "garment")
    assert hemline("classify", picture, "-m", bare, *stated, *cut_out).returncode == 0
    in_colour = ("--labels", labels, "--input-color", "rgb", *cut_out)
    refused = hemline("classify", picture, "-m", bare, *in_colour)
    assert refused.returncode == 2
    assert "a garment is cut out for grey input" in refused.stderr
    refused = hemline("classify", picture, "-m", paper_tflite, *stated)
    assert refused.returncode == 2
    assert "carries its own model card" in refused.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"one\ntwo\n", "2 labels are stated, the model has 10 outputs"),
        (b"\xff\xfe", "cannot be read"),  # UTF-16
        (None, "cannot be read"),  # missing
        (b"x" * 2_000_000, "is larger than 1 MiB"),
    ],
)
def test_a_label_file_that_does_not_do_is_told(
    hemline, picture, paper_tflite, tmp_path, with_card, text, said
):
    bare = with_card(paper_tflite, tmp_path / "bare.tflite", None)
    if text is not None:
        (tmp_path / "labels.txt").write_bytes(text)
    done = hemline(
        "classify", picture, "-m", bare, "-l", tmp_path / "labels.txt", "--input-color", "gray"
    )
    assert done.returncode == 2
    assert said in done.stderr


# Cameras and videos


@pytest.fixture
def mjpeg_camera(garments: list[Path]) -> Iterator[str]:
    """An address on this machine that streams JPEGs without end, as network cameras do."""
    bag = next(path for path in garments if path.name == "bag.jpg").read_bytes()

    class Camera(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n"
            try:
                while True:
                    self.wfile.write(part % (len(bag), bag))
            except OSError:
                return  # the viewer has gone

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("as_source", [False, True])
def test_a_network_camera_gives_as_many_frames_as_asked_for(hemline, mjpeg_camera, as_source):
    source = [mjpeg_camera] if as_source else ["--camera", mjpeg_camera]
    options = ("-m", "paper", "--max-frames", "5", "--json")
    done = hemline("classify", *source, *options, timeout=30)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["frame"] for row in rows] == [0, 1, 2, 3, 4]
    assert {(row["source"], row["label"]) for row in rows} == {(mjpeg_camera, "Bag")}


def test_a_camera_that_does_not_exist_ends_with_2_and_says_where_to_look(hemline):
    done = hemline("classify", "--camera", "97")
    assert done.returncode == 2
    assert "there is no camera /dev/video97" in done.stderr
    assert "ls /dev/video*" in done.stderr
    assert done.stdout == ""


def test_a_video_has_a_line_a_frame_and_a_broken_one_does_not_stop_the_rest(hemline, tmp_path):
    good, broken = tmp_path / "good.avi", tmp_path / "broken.mp4"
    writer = cv2.VideoWriter(str(good), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(3):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    broken.write_bytes(b"no film")
    done = hemline("classify", broken, good, "--json")
    error, *frames = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1
    assert "cannot be opened as a video" in error["error"]
    assert [row["frame"] for row in frames] == [0, 1, 2]
    assert done.stderr == ""


# Interrupted, and nobody listening


@pytest.fixture(scope="module")
def large_folder(tmp_path_factory: pytest.TempPathFactory, garments: list[Path]) -> Path:
    """A folder that takes many seconds."""
    folder = tmp_path_factory.mktemp("large")
    for number in range(3000):
        (folder / f"{number}.jpg").symlink_to(garments[number % len(garments)])
    return folder


def test_control_c_ends_with_130_and_whole_lines(large_folder):
    command = [sys.executable, "-m", "hemline", "classify", str(large_folder), "--json"]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        # Not communicate(): it would lose what readline() has read ahead.
        rest, said = process.stdout.read(), process.stderr.read()
        assert process.wait(30) == 130
    assert said == "hemline: interrupted\n"
    lines = (first + rest).splitlines()
    assert len(lines) < 3000
    assert all("label" in json.loads(line) for line in lines)


def test_a_reader_that_has_seen_enough_is_no_error_to_speak_of(large_folder):
    command = [sys.executable, "-m", "hemline", "classify", str(large_folder)]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    "arguments", [("classify", "PICTURE"), ("models",), ("--help",), ("models", "--help")]
)
def test_a_full_disk_behind_the_output_is_told_in_a_line(hemline, picture, arguments):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    arguments = [picture if argument == "PICTURE" else argument for argument in arguments]
    with Path("/dev/full").open("w") as full:
        done = hemline(*arguments, stdout=full)
    assert done.returncode == 2
    assert done.stderr == "hemline: error: cannot write the output: No space left on device\n"
