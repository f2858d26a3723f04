from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from hemline.errors import ImageError
from hemline.sources import Source, expand, read_standard_input


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names_of(sources: list[Source], folder: Path) -> list[str]:
    assert all(source.kind == "picture" for source in sources)
    return [os.path.relpath(source.name, folder) for source in sources]


def test_a_folder_gives_its_pictures_sorted_with_those_of_its_folders(tmp_path):
    touch(tmp_path, "b.jpg", "a.PNG", "c/z.webp", "c/y.jpeg", "B.jpg", "notes.txt", "film.mp4")
    assert names_of(expand([str(tmp_path)]), tmp_path) == [
        "B.jpg", "a.PNG", "b.jpg", "c/y.jpeg", "c/z.webp"
    ]  # fmt: skip


def test_hidden_files_and_folders_are_left_out(tmp_path):
    touch(tmp_path, ".hidden.jpg", ".thumbnails/a.jpg", "._a.jpg", "a.jpg", "sub/.x/b.jpg")
    assert names_of(expand([str(tmp_path)]), tmp_path) == ["a.jpg"]


def test_a_hidden_file_that_is_named_is_taken(tmp_path):
    touch(tmp_path, ".hidden.jpg")
    path = str(tmp_path / ".hidden.jpg")
    assert expand([path]) == [Source(path, "picture")]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["a.jpg", "b.jpg"]),  # of one folder
        ("**/*.jpg", ["a.jpg", "b.jpg", "sub/c.jpg"]),  # of all folders
        ("?.jpg", ["a.jpg", "b.jpg"]),
        ("[ab].*", ["a.jpg", "b.jpg", "b.png"]),
        ("s*", ["sub/c.jpg"]),  # a folder that matches gives its pictures
    ],
)
def test_a_glob_gives_what_it_matches_sorted(tmp_path, pattern, expected):
    touch(tmp_path, "b.jpg", "a.jpg", "b.png", "sub/c.jpg")
    assert names_of(expand([str(tmp_path / pattern)]), tmp_path) == expected


@pytest.mark.parametrize("name", ["shoe[1].jpg", "what?.jpg", "all*.jpg", "[a].jpg", "[!x].jpg"])
def test_a_name_that_looks_like_a_glob_is_a_name_where_there_is_such_a_file(tmp_path, name):
    touch(tmp_path, name, "shoe1.jpg")
    assert names_of(expand([str(tmp_path / name)]), tmp_path) == [name]
    assert name in names_of(expand([str(tmp_path / "*")]), tmp_path)
    assert name in names_of(expand([str(tmp_path)]), tmp_path)


def test_a_link_to_nothing_that_looks_like_a_glob_does_not_loop(tmp_path):
    (tmp_path / "a[1].jpg").symlink_to(tmp_path / "gone.jpg")
    (source,) = expand([str(tmp_path / "*.jpg")])
    assert (source.name, source.kind) == (str(tmp_path / "a[1].jpg"), "nothing")
    assert "a link to nothing: there is no " in source.problem
    assert "pipe" not in source.problem


def test_links_to_themselves_and_to_folders_do_not_stop_the_rest(tmp_path):
    touch(tmp_path, "a.jpg", "folder/b.jpg")
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    (tmp_path / "linked.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "folder" / "up.jpg").symlink_to(tmp_path)
    found = {Path(source.name).name: source.kind for source in expand([str(tmp_path)])}
    kinds = {"a.jpg": "picture", "b.jpg": "picture", "linked.jpg": "picture", "self.jpg": "nothing"}
    assert found == kinds


@pytest.mark.parametrize("argument", [".", "*.jpg"])
def test_a_pipe_that_was_only_found_is_not_waited_for_and_the_rest_is_done(
    tmp_path, monkeypatch, argument
):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "a.jpg", "c.jpg")
    os.mkfifo("b.jpg")
    kinds = [source.kind for source in expand([argument])]
    assert kinds == ["picture", "nothing", "picture"]
    assert expand(["b.jpg"])[0].kind == "picture"  # whoever names it means it


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_told_and_not_left_out(tmp_path):
    touch(tmp_path, "a.jpg", "locked/b.jpg")
    (tmp_path / "locked").chmod(0)
    try:
        kinds = {source.kind for source in expand([str(tmp_path)])}
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert kinds == {"picture", "nothing"}


def test_standard_input_has_a_bound(monkeypatch):
    with Path("/dev/zero").open() as endless:
        monkeypatch.setattr("sys.stdin", endless)
        with pytest.raises(ImageError, match="standard input is too large"):
            read_standard_input()
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert read_standard_input() == b""


JPEG = cv2.imencode(".jpg", np.full((20, 30, 3), 90, np.uint8))[1].tobytes()
SEGMENT = b"\xff\xe2\0\x08MPF\0II"  # APP2: a multi-picture index


def test_pictures_that_are_piped_one_behind_the_other_are_not_taken_for_the_first(
    monkeypatch, tmp_path
):
    piped = tmp_path / "piped"
    phone = JPEG[:2] + SEGMENT + JPEG[2:]
    for whole in (JPEG, JPEG + b"\0" * 100, JPEG + b"a trailer \xff\xd8\xff", phone + JPEG):
        piped.write_bytes(whole)
        with piped.open() as pipe:
            monkeypatch.setattr("sys.stdin", pipe)
            assert read_standard_input() == whole
    piped.write_bytes(JPEG + JPEG)
    with piped.open() as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        with pytest.raises(ImageError, match="more than one picture"):
            read_standard_input()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing.jpg", "there is no such file or folder"),
        ("*.gif", "no file has such a name"),
        ("empty", "no picture in this folder"),
        ("texts", "no picture in this folder"),
        ("", "an empty name is given"),  # an unset variable of a script
        ("dangling.jpg", "dangling.jpg is a link to nothing: there is no "),
    ],
)
def test_what_is_not_there_is_kept_as_a_problem_and_the_rest_is_done(tmp_path, name, said):
    touch(tmp_path, "a.jpg", "texts/a.txt")
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling.jpg").symlink_to("nowhere.jpg")
    problem, good = expand([str(tmp_path / name) if name else "", str(tmp_path / "a.jpg")])
    assert problem.kind == "nothing"
    assert said in problem.problem
    assert good.kind == "picture"


def test_an_address_of_a_file_is_told_as_the_path_that_is_meant():
    (problem,) = expand(["file:///home/pi/My%20Pictures/bag.jpg"])
    assert problem.kind == "nothing"
    assert problem.problem.endswith("give the path alone: /home/pi/My Pictures/bag.jpg")


@pytest.mark.parametrize(
    ("argument", "kind"),
    [
        ("-", "standard input"),
        ("rtsp://camera.local/stream", "stream"),
        ("http://127.0.0.1:8080/", "stream"),
        ("http://camera.local/stream.mjpg", "stream"),  # as cameras name it
        ("https://host/film.mp4?token=1", "video"),  # it has an end, and every frame counts
        ("film.MP4", "video"),
        ("film.avi", "video"),
        ("a.jpg", "picture"),
        ("without suffix", "picture"),  # its content decides
    ],
)
def test_the_kind_of_a_source(tmp_path, monkeypatch, argument, kind):
    touch(tmp_path, "film.MP4", "film.avi", "a.jpg", "without suffix")
    monkeypatch.chdir(tmp_path)
    assert [source.kind for source in expand([argument])] == [kind]
