from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hemline import atomic
from hemline.errors import UserError


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_into_folders_that_are_made_for_it(tmp_path):
    path = tmp_path / "new" / "folder" / "text.json"
    atomic.write_text(path, "Größe")
    assert path.read_bytes() == "Größe".encode()
    assert names_in(path.parent) == ["text.json"]


def test_the_new_file_has_the_rights_of_any_other_new_file(tmp_path):
    (tmp_path / "plain").touch()
    atomic.write_bytes(tmp_path / "ours", b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_temporary_keeps_the_suffix_since_some_writers_go_by_it(tmp_path):
    with atomic.replacing(tmp_path / "model.keras") as temporary:
        assert temporary.suffix == ".keras"
        assert temporary.parent == tmp_path


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_an_interruption_leaves_the_old_file_and_nothing_beside_it(tmp_path, error):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with atomic.replacing(path) as temporary:
            temporary.write_bytes(b"ne")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["model.tflite"]


def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"old")
    program = """
        import os, signal, sys
        from pathlib import Path
        from hemline import atomic
        with atomic.replacing(Path(sys.argv[1])) as temporary:
            temporary.write_bytes(b"half of the ne")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(path)])
    assert killed.returncode == -9
    assert path.read_bytes() == b"old"
    # Nobody can clean up after a kill; what is left is hidden and named as a part.
    assert all(name.startswith(".") for name in names_in(tmp_path) if name != path.name)


def test_a_full_disk_is_told_and_leaves_the_old_file(small_disk):
    path = small_disk / "model.tflite"
    path.write_bytes(b"old")
    with pytest.raises(UserError, match="no space is left") as caught:
        atomic.write_bytes(path, bytes(200_000))
    assert "nothing was left half-written" in caught.value.hint
    assert path.read_bytes() == b"old"
    assert names_in(small_disk) == ["model.tflite"]


def test_a_folder_that_is_not_writable_is_told(read_only):
    with pytest.raises(UserError, match="is not writable"):
        atomic.write_bytes(read_only / "model.tflite", b"new")
    with pytest.raises(UserError, match="is not writable"):
        atomic.write_bytes(read_only / "folder" / "model.tflite", b"new")
    assert names_in(read_only) == []


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path):
    (tmp_path / "model.tflite").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*model\.tflite: it is a folder"):
        atomic.write_bytes(tmp_path / "model.tflite", b"new")
    assert names_in(tmp_path) == ["model.tflite"]


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "out").write_bytes(b"a file")
    for path in (tmp_path / "out" / "model.tflite", tmp_path / "out" / "deep" / "model.tflite"):
        with pytest.raises(UserError, match="/out is a file, not a folder"):
            atomic.write_bytes(path, b"new")


def test_a_trial_leaves_no_folder_and_tells_what_is_in_the_way(tmp_path, read_only):
    atomic.check_folder(tmp_path / "a" / "b")
    atomic.check_writable(tmp_path / "a" / "b" / "report.json")
    assert names_in(tmp_path) == ["read only"]
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "deep"):
        with pytest.raises(UserError, match="/file is a file, not a folder"):
            atomic.check_folder(folder)
    for folder in (read_only, read_only / "deep" / "er"):
        with pytest.raises(UserError, match="/read only is not writable"):
            atomic.check_folder(folder)


def test_a_trial_finds_a_full_disk(small_disk):
    with pytest.raises(OSError, match="space"):
        (small_disk / "filler").write_bytes(bytes(1 << 20))
    with pytest.raises(UserError, match="no space is left"):
        atomic.check_writable(small_disk / "report.json")
    assert names_in(small_disk) == ["filler"]


def test_a_pipe_gets_the_content_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    atomic.check_writable(pipe)
    atomic.write_bytes(pipe, b"content")
    assert reader.communicate(timeout=10)[0] == b"content"
    assert pipe.is_fifo()
    assert names_in(tmp_path) == ["pipe"]


def test_a_full_device_is_told_and_stays_a_device(tmp_path):
    """A link to it, so that no mistake here can take the machine's own away."""
    link = tmp_path / "report.json"
    link.symlink_to("/dev/full")
    with pytest.raises(UserError, match="no space is left"):
        atomic.write_bytes(link, b"content")
    assert link.is_symlink()
    assert Path("/dev/full").is_char_device()


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/model.tflite").write_bytes(b"old")
    link = tmp_path / "model.tflite"
    link.symlink_to(tmp_path / "there/model.tflite")
    atomic.write_bytes(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "there/model.tflite").read_bytes() == b"new"
    assert names_in(tmp_path / "there") == ["model.tflite"]


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_is_taken_gets_a_number(tmp_path, monkeypatch, links):
    def no_link(*_: object) -> None:  # as on a FAT file system
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr("hemline.atomic.os.link", no_link)
    made = [atomic.add_bytes(tmp_path / "new" / "bag.jpg", bytes([each])) for each in range(3)]
    assert [path.name for path in made] == ["bag.jpg", "bag-1.jpg", "bag-2.jpg"]
    assert [path.read_bytes() for path in made] == [b"\0", b"\1", b"\2"]
    assert len(names_in(tmp_path / "new")) == 3


ADDING = """
import sys
from pathlib import Path
from hemline import atomic
sys.stdin.readline()
for number in range(100):
    atomic.add_bytes(Path(sys.argv[1], f"{number}.jpg"), sys.argv[2].encode())
"""


def test_processes_that_add_the_same_names_at_once_lose_nothing(tmp_path):
    processes = [
        subprocess.Popen([sys.executable, "-c", ADDING, str(tmp_path), who], stdin=-1)
        for who in "abc"
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    contents = [path.read_text() for path in tmp_path.iterdir()]
    assert sorted(contents) == ["a"] * 100 + ["b"] * 100 + ["c"] * 100


WRITING = """
import os, sys
from pathlib import Path
from hemline import atomic
with atomic.part_of(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    print(temporary, flush=True)
    sys.stdin.readline()
"""


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    (tmp_path / ".other.part.jpg").write_bytes(b"of somebody else")
    (tmp_path / ".hemline-own").write_bytes(b"of the user")
    command = [sys.executable, "-c", WRITING, str(tmp_path / "bag.jpg")]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        atomic.remove_abandoned(tmp_path, ".jpg")
        assert left.exists()
        process.kill()
    assert left.exists()
    atomic.remove_abandoned(tmp_path, ".mp4")
    assert left.exists()
    atomic.remove_abandoned(tmp_path, ".jpg")
    assert names_in(tmp_path) == [".hemline-own", ".other.part.jpg"]
    atomic.remove_abandoned(tmp_path / "not there", ".jpg")


def test_a_folder_that_takes_no_files_is_named():
    with pytest.raises(UserError, match=r"no file can be made in the folder /proc"):
        atomic.check_folder(Path("/proc"))
