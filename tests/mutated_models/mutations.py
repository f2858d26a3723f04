"""Ways to damage a model file: by chance, at its structure, in its card, in its archive.

The same seed gives the same files.
"""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

from hemline.card import CARD_PROPERTY
from hemline.onnx_reader import read_onnx
from hemline.onnxcard import CARD_CRC_PROPERTY, card_crc32
from hemline.protobuf import field, fields_of
from hemline.tflite_reader import read_tflite
from hemline.zipcard import CARD_MEMBER, read_zip_card

_CONSTANT_BYTES = 256  # runs of weights from this length on are not structure
_TRAILER_BYTES = 400  # directory and end of a zip archive
_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_JUNK: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 1e308, float("nan"), "", "x", "\ud800", [], ["a", "a"], {}, {"a": {}},
    [[[]]], "0" * 64, "/etc", 2.5,
)  # fmt: skip


class Mutant(NamedTuple):
    """A damaged file; `rewrites_card` where the card may be another and yet be whole."""

    how: str
    content: bytes
    rewrites_card: bool = False


class Original:
    """A sound file, and where its structure is."""

    def __init__(self, suffix: str, content: bytes, other_card: str) -> None:
        self.suffix = suffix
        self.content = content
        self.other_card = other_card  # of another file of the same model
        self.structure = _structure(suffix, content)
        self.seams = _seams(suffix, content)


def mutant(original: Original, rng: random.Random) -> Mutant:
    """One damaged file."""
    ways = [*_BY_CHANCE]
    if _card_of(original) is not None:
        ways += _OF_CARDS
    if original.suffix == "keras":
        ways += _OF_ARCHIVES
    way = rng.choice(ways)
    made = way(original, rng)
    name = way.__name__.strip("_").replace("_", " ")
    return Mutant(name, made, way in (_edited_card, _cut_card))


def _place(original: Original, rng: random.Random) -> int:
    """Anywhere, or in the structure."""
    if rng.random() < 0.3:
        return rng.randrange(len(original.content))
    return rng.choice(original.structure)


def _flipped_bit(original: Original, rng: random.Random) -> bytes:
    changed = bytearray(original.content)
    changed[_place(original, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _changed_byte(original: Original, rng: random.Random) -> bytes:
    changed = bytearray(original.content)
    changed[_place(original, rng)] = rng.randrange(256)
    return bytes(changed)


def _changed_number(original: Original, rng: random.Random) -> bytes:
    changed = bytearray(original.content)
    size = rng.choice((1, 2, 4, 8))
    number = rng.choice((*_NUMBERS, len(changed), rng.getrandbits(16))) % (1 << 8 * size)
    at = min(_place(original, rng), len(changed) - size)
    changed[at : at + size] = number.to_bytes(size, "little")
    return bytes(changed)


def _zeroed_block(original: Original, rng: random.Random) -> bytes:
    at, size = _place(original, rng), rng.choice((4, 16, 64, 512, 4096))
    changed = bytearray(original.content)
    changed[at : at + size] = bytes(len(changed[at : at + size]))
    return bytes(changed)


def _overwritten_block(original: Original, rng: random.Random) -> bytes:
    at, size = _place(original, rng), rng.choice((2, 4, 16, 64, 512))
    changed = bytearray(original.content)
    changed[at : at + size] = rng.randbytes(len(changed[at : at + size]))
    return bytes(changed)


def _copied_block(original: Original, rng: random.Random) -> bytes:
    at, source = _place(original, rng), _place(original, rng)
    size = min(rng.choice((4, 16, 64, 512)), len(original.content) - max(at, source))
    changed = bytearray(original.content)
    changed[at : at + size] = changed[source : source + size]
    return bytes(changed)


def _inserted_bytes(original: Original, rng: random.Random) -> bytes:
    at, size = _place(original, rng), rng.choice((1, 2, 4, 8, 64))
    return original.content[:at] + rng.randbytes(size) + original.content[at:]


def _deleted_bytes(original: Original, rng: random.Random) -> bytes:
    at, size = _place(original, rng), rng.choice((1, 2, 4, 8, 64))
    return original.content[:at] + original.content[at + size :]


def _cut_off(original: Original, rng: random.Random) -> bytes:
    return original.content[: _place(original, rng)]


def _cut_at_a_seam(original: Original, rng: random.Random) -> bytes:
    return original.content[: max(0, rng.choice(original.seams) + rng.randint(-2, 2))]


def _damaged_trailer(original: Original, rng: random.Random) -> bytes:
    changed = bytearray(original.content)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        changed[-rng.randint(1, min(_TRAILER_BYTES, len(changed)))] = rng.randrange(256)
    return bytes(changed)


def _followed_by_junk(original: Original, rng: random.Random) -> bytes:
    junk = rng.choice((bytes(64), rng.randbytes(64), original.content[-_TRAILER_BYTES:]))
    return original.content + junk


def _several_changed_bytes(original: Original, rng: random.Random) -> bytes:
    changed = bytearray(original.content)
    for _ in range(rng.choice((2, 4, 16, 64))):
        changed[_place(original, rng)] = rng.randrange(256)
    return bytes(changed)


def _card_of_another_file(original: Original, rng: random.Random) -> bytes:
    del rng
    return _with_card(original, original.other_card, is_whole=True)


def _edited_card(original: Original, rng: random.Random) -> bytes:
    """A value of the card is junk, and the card's own checksum fits."""
    card = json.loads(_card_of(original) or "")
    _replace_a_leaf(card, rng)
    return _with_card(original, json.dumps(card), is_whole=True)


def _cut_card(original: Original, rng: random.Random) -> bytes:
    card = _card_of(original) or ""
    return _with_card(original, card[: rng.randrange(len(card))], is_whole=True)


def _card_with_the_checksum_of_before(original: Original, rng: random.Random) -> bytes:
    card = json.loads(_card_of(original) or "")
    card["labels"] = rng.sample(card["labels"], len(card["labels"]))
    return _with_card(original, json.dumps(card), is_whole=False)


def _packed_anew(original: Original, rng: random.Random, change: Callable[[Any], None]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(original.content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(file, "w", rng.choice((0, 8))) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _changed_weight_in_a_whole_archive(original: Original, rng: random.Random) -> bytes:
    def change(members: dict[str, bytes]) -> None:
        weights = bytearray(members["model.weights.h5"])
        weights[rng.randrange(len(weights))] ^= 1 << rng.randrange(8)
        members["model.weights.h5"] = bytes(weights)

    return _packed_anew(original, rng, change)


def _changed_layer_in_a_whole_archive(original: Original, rng: random.Random) -> bytes:
    def change(members: dict[str, bytes]) -> None:
        config = json.loads(members["config.json"])
        _replace_a_leaf(config, rng)
        members["config.json"] = json.dumps(config).encode()

    return _packed_anew(original, rng, change)


def _lost_member_of_the_archive(original: Original, rng: random.Random) -> bytes:
    def change(members: dict[str, bytes]) -> None:
        del members[rng.choice([name for name in members if name != CARD_MEMBER])]

    return _packed_anew(original, rng, change)


_Way = Callable[[Original, random.Random], bytes]
_BY_CHANCE: tuple[_Way, ...] = (
    _flipped_bit, _flipped_bit, _flipped_bit, _changed_byte, _changed_number, _changed_number,
    _zeroed_block, _overwritten_block, _copied_block, _inserted_bytes, _deleted_bytes, _cut_off,
    _cut_at_a_seam, _damaged_trailer, _followed_by_junk, _several_changed_bytes,
)  # fmt: skip
_OF_CARDS: tuple[_Way, ...] = (
    _card_of_another_file, _edited_card, _cut_card, _card_with_the_checksum_of_before,
)  # fmt: skip
_OF_ARCHIVES: tuple[_Way, ...] = (
    _changed_weight_in_a_whole_archive, _changed_weight_in_a_whole_archive,
    _changed_layer_in_a_whole_archive, _lost_member_of_the_archive,
)  # fmt: skip


def _replace_a_leaf(node: Any, rng: random.Random) -> None:
    """Put junk in the place of one value, at any depth."""
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = rng.choice(keys)
        if isinstance(node[key], dict | list) and node[key] and rng.random() < 0.7:
            node = node[key]
            continue
        node[key] = rng.choice(_JUNK)
        return


def _card_of(original: Original) -> str | None:
    if original.suffix == "onnx":
        return read_onnx("the original", original.content).properties.get(CARD_PROPERTY)
    return read_zip_card("the original", original.content)


def _with_card(original: Original, card: str, *, is_whole: bool) -> bytes:
    """The file with another card, whose own checksum fits where it is whole."""
    if original.suffix == "onnx":
        return _onnx_with_card(original, card, is_whole=is_whole)
    with zipfile.ZipFile(io.BytesIO(original.content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
        start = min(member.header_offset for member in archive.infolist())
    file = io.BytesIO()
    file.write(original.content[:start])
    file.seek(0, io.SEEK_END)
    text = card.encode("utf-8", "surrogatepass")
    with zipfile.ZipFile(file, "a") as archive:
        for name, content in members.items():
            archive.writestr(name, text if name == CARD_MEMBER else content)
    content = file.getvalue()
    if not is_whole:  # one letter of it is another than its checksum was taken of
        at = content.rindex(text)
        content = content[: at + len(text) // 2] + b"~" + content[at + len(text) // 2 + 1 :]
    return content


def _onnx_with_card(original: Original, card: str, *, is_whole: bool) -> bytes:
    text = card.encode("utf-8", "surrogatepass")
    written = b""
    for number, value in fields_of(memoryview(original.content)):
        if number == 14 and not isinstance(value, int):
            key = bytes(dict(fields_of(value))[1])  # type: ignore[arg-type]
            if key == CARD_PROPERTY.encode():
                value = memoryview(field(1, key) + field(2, text))
            elif key == CARD_CRC_PROPERTY.encode() and is_whole:
                value = memoryview(field(1, key) + field(2, card_crc32(text).encode()))
        written += field(number, value)
    return written


def _structure(suffix: str, content: bytes) -> list[int]:
    """The places outside of long runs of weights."""
    if suffix == "keras":  # what is in HDF5 file's head counts as well
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            start = content.index(archive.read("model.weights.h5")[:64])
        return [*range(start + 8192), *range(len(content) - 20_000, len(content))]
    if suffix == "tflite":
        runs = [bytes(buffer) for buffer in read_tflite("the original", content).buffers]
    else:
        constants = read_onnx("the original", content).initializers.values()
        runs = [constant.value().tobytes() for constant in constants]
    is_structure = bytearray(b"\1") * len(content)
    for run in runs:
        at = content.find(run)
        if len(run) >= _CONSTANT_BYTES and at >= 0:
            is_structure[at : at + len(run)] = bytes(len(run))
    return [at for at, flag in enumerate(is_structure) if flag]


def _seams(suffix: str, content: bytes) -> list[int]:
    """Where one part of the file ends and the next begins."""
    if suffix == "onnx":
        at, seams = 0, [0]
        for number, value in fields_of(memoryview(content)):
            at += len(field(number, value))
            seams.append(at)
        return seams
    seams = [0, 4, 8, len(content)]
    for mark in (b"PK\3\4", b"PK\1\2", b"PK\5\6"):
        at = content.find(mark)
        while at >= 0:
            seams.append(at)
            at = content.find(mark, at + 1)
    return seams
