"""Downloading, against servers on the loopback interface that do what servers do."""

from __future__ import annotations

import gzip
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import hemline.datasets.download
import hemline.datasets.transfer
from hemline.datasets import download, open_dataset, transfer
from hemline.datasets.download import MIRRORS, download_fashion_mnist
from hemline.errors import DataError, UserError

BIG, SMALL = "train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "fashion-mnist"


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def fetch(folder: Path, content_md5: dict[str, str], pauses: list[float]) -> Callable[..., None]:
    """Download from the mirrors given, without waiting between attempts."""

    def fetch(*mirrors: Any, timeout_s: float = 5.0) -> None:
        urls = [mirror if isinstance(mirror, str) else mirror.url for mirror in mirrors]
        download_fashion_mnist(
            folder,
            mirrors=urls,
            content_md5=content_md5,
            timeout_s=timeout_s,
            pauses_s=(1, 3),
            sleep=pauses.append,
        )

    return fetch


def visible(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob(".*.part"))


def test_all_four_files_arrive_whole(serve, files, fetch, folder):
    fetch(serve(files))
    assert visible(folder) == files
    assert parts(folder) == []


def test_files_that_are_there_are_not_asked_for_again(serve, files, fetch, folder):
    mirror = serve(files)
    folder.mkdir(parents=True)
    (folder / SMALL).write_bytes(b"mine")
    (folder / "train-labels-idx1-ubyte").write_bytes(b"not even compressed")
    fetch(mirror)
    assert {r.name for r in mirror.requests} == {BIG, "t10k-images-idx3-ubyte.gz"}
    assert (folder / SMALL).read_bytes() == b"mine"


def test_a_dropped_connection_is_resumed_and_no_byte_comes_twice(
    serve, files, fetch, folder, pauses
):
    mirror = serve(files)
    mirror.behaviours[BIG] = ["drop:1000", "drop:500"]
    fetch(mirror)
    assert visible(folder) == files
    asked = mirror.asked_for(BIG)
    assert [r.range for r in asked] == [None, "bytes=1000-", "bytes=1500-"]
    assert sum(r.sent_bytes for r in asked) == len(files[BIG])
    assert pauses == [1, 3]


def test_what_an_earlier_call_got_is_resumed(serve, files, fetch, folder):
    mirror = serve(files)
    mirror.behaviours[BIG] = ["drop:1000", "drop:0", "drop:0"]
    with pytest.raises(DataError):
        fetch(mirror)
    assert [part.stat().st_size for part in parts(folder)] == [1000]
    fetch(mirror)
    assert mirror.asked_for(BIG)[-1].range == "bytes=1000-"
    assert visible(folder) == files


def test_a_server_without_ranges_sends_the_file_from_the_start(serve, files, fetch, folder):
    mirror = serve(files)
    mirror.behaviours[BIG] = ["drop:1000", "no-range"]
    fetch(mirror)
    assert visible(folder) == files
    assert [r.sent_bytes for r in mirror.asked_for(BIG)] == [1000, len(files[BIG])]


def test_a_range_that_was_not_asked_for_is_thrown_away(serve, files, fetch, folder):
    mirror = serve(files)
    mirror.behaviours[BIG] = ["drop:1000", "wrong-range"]
    fetch(mirror)
    assert visible(folder) == files
    assert mirror.asked_for(BIG)[-1].range is None


@pytest.mark.parametrize(
    "stale",
    [
        lambda _content: b"x" * 1000,  # the beginning of some other file
        lambda content: b"x" * len(content),  # as long as the file, but another (the server: 416)
        lambda content: content + b"surplus",  # longer than the file (the server: 416)
    ],
)
def test_a_stale_part_is_replaced(serve, files, fetch, folder, stale):
    mirror = serve(files)
    mirror.behaviours[BIG] = ["drop:1000", "503", "503"]
    with pytest.raises(DataError):
        fetch(mirror)
    parts(folder)[0].write_bytes(stale(files[BIG]))
    fetch(mirror)
    assert visible(folder) == files
    assert parts(folder) == []


def test_a_part_that_was_whole_already_is_placed_without_sending_it_again(
    serve, files, fetch, folder
):
    mirror = serve(files)
    mirror.behaviours[BIG] = ["drop:1000", "503", "503"]
    with pytest.raises(DataError):
        fetch(mirror)
    parts(folder)[0].write_bytes(files[BIG])
    fetch(mirror)
    assert visible(folder) == files
    assert mirror.asked_for(BIG)[-1].sent_bytes == 0


def test_after_a_wrong_checksum_the_next_mirror_is_asked_from_then_on(serve, files, fetch, folder):
    bad = serve({name: gzip.compress(b"something else") for name in files})
    good = serve(files)
    fetch(bad, good)
    assert visible(folder) == files
    assert len(bad.requests) == 1
    assert len(good.requests) == 4


def test_the_same_content_compressed_otherwise_is_right(serve, contents, fetch, folder):
    mirror = serve({f"{s}.gz": gzip.compress(c, 1, mtime=1) for s, c in contents.items()})
    fetch(mirror)
    assert gzip.decompress((folder / BIG).read_bytes()) == contents["train-images-idx3-ubyte"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(b"something else"), "MD5 6c7ba9c5a141421e1c03cb9807c97c74"),  # other data
        (b"<html>please log in to our Wi-Fi</html>", "no gzip file"),  # a captive portal
        (gzip.compress(bytes(1000))[:-5], "cut off"),  # truncated where it lies
        (b"", "no gzip file (0 bytes"),  # an empty file
        (b"\x1f\x8b\x08\x00garbage of some length", "damaged"),  # only begins like gzip
    ],
)
def test_wrong_content_everywhere_is_told_with_what_to_do(
    serve, files, fetch, folder, content, words, content_md5
):
    one, two = serve(dict.fromkeys(files, content)), serve(dict.fromkeys(files, content))
    with pytest.raises(DataError) as caught:
        fetch(one, two)
    assert words in caught.value.problem
    assert one.url in caught.value.problem
    assert two.url in caught.value.problem
    assert "HEMLINE_DATA" in caught.value.hint
    assert "HEMLINE_MIRROR" in caught.value.hint
    if "MD5" in words:
        assert content_md5["train-images-idx3-ubyte"] in caught.value.problem
    assert visible(folder) == {}
    assert parts(folder) == []


def test_a_gzip_bomb_is_stopped(serve, files, fetch, monkeypatch):
    monkeypatch.setattr(hemline.datasets.download, "MAX_BYTES", 10_000)
    with pytest.raises(DataError, match="holds more than the 10000 bytes"):
        fetch(serve(dict.fromkeys(files, gzip.compress(bytes(100_000)))))


def test_a_file_far_too_large_is_not_stored(serve, files, fetch, folder, monkeypatch):
    monkeypatch.setattr(hemline.datasets.transfer, "MAX_BYTES", 10_000)
    with pytest.raises(DataError, match="larger than 10000 bytes"):
        fetch(serve(dict.fromkeys(files, bytes(200_000))))
    assert parts(folder) == []


def test_a_missing_file_is_not_asked_for_twice(serve, files, fetch, folder, pauses):
    empty, good = serve({}), serve(files)
    fetch(empty, good)
    assert visible(folder) == files
    assert len(empty.requests) == 1
    assert pauses == []


@pytest.mark.parametrize("status", ["500", "503", "429"])
def test_a_passing_trouble_is_tried_again_with_growing_pauses(
    serve, files, fetch, folder, pauses, status
):
    mirror = serve(files)
    mirror.behaviours[BIG] = [status, status]
    fetch(mirror)
    assert visible(folder) == files
    assert pauses == [1, 3]


def test_a_lasting_trouble_ends_after_the_last_pause(serve, files, fetch, pauses):
    mirror = serve(files)
    mirror.always = "500"
    with pytest.raises(DataError, match="500 Internal Server Error"):
        fetch(mirror)
    assert len(mirror.requests) == 3
    assert pauses == [1, 3]


def test_a_stalled_server_is_given_up_and_resumed(serve, files, fetch, folder):
    mirror = serve(files)
    mirror.behaviours[BIG] = ["stall:1000"]
    begin = time.monotonic()
    fetch(mirror, timeout_s=0.3)
    assert time.monotonic() - begin < 5
    assert mirror.asked_for(BIG)[-1].range == "bytes=1000-"
    assert visible(folder) == files


def test_a_server_that_never_answers_is_told(serve, files, fetch):
    mirror = serve(files)
    mirror.always = "stall:0"
    with pytest.raises(DataError, match=r"silent for 0\.2 s"):
        fetch(mirror, timeout_s=0.2)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:9/", "no connection"),  # nobody listens (the discard port)
        ("http://[/", "not valid"),  # no address at all
        ("ftp://127.0.0.1/", "begin with http"),  # not spoken here
        ("/home/me/data", "begin with http"),  # a folder
    ],
)
def test_an_address_that_leads_nowhere_is_told(fetch, address, words):
    with pytest.raises(DataError) as caught:
        fetch(address)
    assert words in str(caught.value)


def test_the_environment_names_mirrors_instead_of_the_official_ones(
    serve, files, folder, content_md5, monkeypatch
):
    empty, good = serve({}), serve(files)
    monkeypatch.setenv("HEMLINE_MIRROR", f"{empty.url} {good.url.rstrip('/')}")
    download_fashion_mnist(folder, content_md5=content_md5)
    assert visible(folder) == files
    assert empty.requests


def test_the_official_mirrors_are_the_makers_and_kerass():
    assert [address.split("/")[2] for address in MIRRORS] == [
        "fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "storage.googleapis.com",
    ]


def test_opening_downloads_to_the_cache_and_refuses_what_is_not_fashion_mnist(
    serve, files, clean_environment, monkeypatch
):
    monkeypatch.setenv("HEMLINE_MIRROR", serve(files).url)
    with pytest.raises(DataError, match="f4a8712d7a061bf5bd6d2ca38dc4d50a"):
        open_dataset("fashion-mnist")
    assert visible(clean_environment) == {}


def test_a_file_appears_only_when_it_is_whole(serve, files, fetch, folder, monkeypatch):
    seen: list[set[str]] = []
    original = transfer._write
    monkeypatch.setattr(
        transfer,
        "_write",
        lambda *arguments: (seen.append(set(visible(folder))), original(*arguments)),
    )
    fetch(serve(files))
    assert seen[0] == set()
    assert seen[-1] == set(files) - {SMALL}


def test_two_processes_at_once_give_one_good_copy(serve, files, folder, content_md5):
    mirror = serve(files)
    work = partial(download_fashion_mnist, folder, mirrors=[mirror.url], content_md5=content_md5)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert visible(folder) == files
    assert len(mirror.requests) == 4


def test_ctrl_c_keeps_what_was_got(serve, files, fetch, folder, content_md5):
    mirror = serve(files)
    mirror.behaviours[BIG] = ["stall:1000"]
    code = (
        "import sys; from pathlib import Path; from hemline.datasets import download as d; "
        "d.download_fashion_mnist(Path(sys.argv[1]), mirrors=[sys.argv[2]], "
        "content_md5={'train-images-idx3-ubyte': sys.argv[3]})"
    )
    md5 = content_md5["train-images-idx3-ubyte"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), mirror.url, md5],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: any(part.stat().st_size == 1000 for part in parts(folder)))
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=10)
    assert b"KeyboardInterrupt" in complaint
    fetch(mirror)
    assert mirror.asked_for(BIG)[-1].range == "bytes=1000-"
    assert visible(folder) == files


def wait_until(condition: Callable[[], bool], limit_s: float = 10) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_no_bar_is_drawn_where_nobody_watches(serve, files, fetch, capfd):
    fetch(serve(files))
    assert capfd.readouterr() == ("", "")


def test_a_bar_is_drawn_on_a_terminal(serve, files, fetch, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch(serve(files))
    printed = capsys.readouterr()
    assert "downloading train-images-idx3-ubyte" in printed.err
    assert printed.out == ""


def test_waiting_for_another_process_is_told_on_a_terminal(
    serve, files, fetch, folder, capsys, monkeypatch
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    folder.mkdir(parents=True)
    with download._alone_in(folder):
        thread = threading.Thread(target=fetch, args=(serve(files),))
        thread.start()
        printed = ""

        def told() -> bool:
            nonlocal printed
            printed += capsys.readouterr().err
            return "waiting" in printed

        wait_until(told)
        assert visible(folder) == {}
    thread.join()
    assert visible(folder) == files


def test_a_cache_below_a_file_is_told(serve, files, content_md5, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError) as caught:
        download_fashion_mnist(
            tmp_path / "file" / "cache", mirrors=[serve(files).url], content_md5=content_md5
        )
    assert str(tmp_path / "file" / "cache") in caught.value.problem
    assert "XDG_CACHE_HOME" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_cache_is_told(serve, files, fetch, folder):
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    try:
        with pytest.raises(UserError, match="cannot be stored"):
            fetch(serve(files))
    finally:
        folder.chmod(0o700)


@pytest.fixture
def tiny_disk(tmp_path: Path):
    """A file system of 16 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(place)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_told_and_not_left_full(serve, files, content_md5, tiny_disk):
    with pytest.raises(UserError, match="no space is left"):
        download_fashion_mnist(
            tiny_disk / "cache", mirrors=[serve(files).url], content_md5=content_md5
        )
    assert [path.name for path in (tiny_disk / "cache").iterdir()] == [".lock"]


def test_a_full_disk_is_told_wherever_tests_run(serve, files, fetch, folder):
    """Linux has a device that is always full; here the part is a link to it."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    mirror = serve(files)
    mirror.behaviours[BIG] = ["drop:1000", "503", "503"]
    with pytest.raises(DataError):
        fetch(mirror)
    part = parts(folder)[0]
    part.unlink()
    part.symlink_to("/dev/full")
    with pytest.raises(UserError, match="no space is left"):
        fetch(mirror)
    assert visible(folder) == {}
