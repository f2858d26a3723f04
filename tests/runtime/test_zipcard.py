from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hemline.card import ModelCard
from hemline.errors import ModelError, UserError
from hemline.zipcard import CARD_MEMBER, read_zip_card

NETWORK = bytes(range(256)) * 9  # what stands before the zip part of a .tflite file


def archive(
    write: Callable[[zipfile.ZipFile], None], before: bytes = b"", comment: bytes = b""
) -> bytes:
    file = io.BytesIO()
    file.write(before)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as made:
        write(made)
        made.comment = comment
    return file.getvalue()


def with_card(text: str, **options) -> bytes:
    def write(made: zipfile.ZipFile) -> None:
        made.writestr("labels.txt", "a\nb\n", zipfile.ZIP_STORED)
        made.writestr(CARD_MEMBER, text)
        made.writestr("weights", bytes(1000))

    return archive(write, **options)


@pytest.mark.parametrize("before", [b"", NETWORK])
@pytest.mark.parametrize("comment", [b"", b"made by hand"])
def test_the_card_is_found_among_other_members_before_a_comment_and_behind_a_network(
    before, comment
):
    text = "größer als 7 Bit" * 100
    assert read_zip_card("m.tflite", with_card(text, before=before, comment=comment)) == text


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_card_is_read_stored_or_deflated_and_when_written_as_a_stream(method):
    def write(made: zipfile.ZipFile) -> None:
        with made.open(zipfile.ZipInfo(CARD_MEMBER), "w") as member:
            member.write(b"{}" * 50)

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    file = Pipe()
    with zipfile.ZipFile(file, "w", method) as made:
        write(made)
    assert read_zip_card("m.keras", file.getvalue()) == "{}" * 50


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", NETWORK, archive(lambda made: made.writestr("other.json", "{}"), NETWORK)],
    ids=["empty", "two bytes", "no zip part", "a zip part with something else"],
)
def test_a_file_without_a_card_has_none(content):
    assert read_zip_card("m.tflite", content) is None


def test_a_cut_file_is_refused_wherever_behind_the_start_of_the_card_the_cut_is():
    content = with_card("{}" * 100, before=NETWORK)
    name = content.index(CARD_MEMBER.encode()) + len(CARD_MEMBER)
    for cut in range(name, len(content)):
        with pytest.raises(ModelError, match=r"m\.tflite is damaged"):
            read_zip_card("m.tflite", content[:cut])


def test_no_changed_bit_gives_another_card_or_another_error(paper_tflite):
    content = paper_tflite.read_bytes()
    start = content.rfind(b"PK\x03\x04")
    assert 0 < start < len(content) - 500
    right = read_zip_card("paper", content)
    outcomes = {"right": 0, "no card": 0, "refused": 0}
    for bit in range(8 * start, 8 * len(content), 3):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            text = read_zip_card("paper", bytes(changed))
        except ModelError:
            outcomes["refused"] += 1
            continue
        assert text in (None, right)
        outcomes["no card" if text is None else "right"] += 1
    assert outcomes["refused"] > 0.9 * sum(outcomes.values())


def test_a_card_that_claims_gigabytes_is_refused_before_it_is_unpacked():
    content = bytearray(with_card("x" * 30))
    entry = content.rindex(b"PK\1\2", 0, content.rindex(CARD_MEMBER.encode()))
    content[entry + 24 : entry + 28] = struct.pack("<I", 2**31)
    with pytest.raises(ModelError, match="packed in a way"):
        read_zip_card("m.tflite", bytes(content))
    bomb = with_card("\0" * 40_000_000)
    assert len(bomb) < 100_000
    with pytest.raises(ModelError, match="packed in a way"):
        read_zip_card("m.tflite", bomb)


def test_the_shipped_files_carry_the_card_that_zipfile_finds_too(paper_tflite):
    from hemline import models

    for path in (str(paper_tflite), models.source_path_of("paper")):
        with zipfile.ZipFile(path) as made:
            expected = made.read(CARD_MEMBER).decode()
        assert read_zip_card(path, Path(path).read_bytes()) == expected
        with pytest.raises(UserError):
            ModelCard.from_json(expected[:-10])
