from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest

from hemline.card import InputSpec, ModelCard
from hemline.errors import UserError
from hemline.parity import golden
from hemline.parity._npz import npz_bytes, read_npz
from hemline.parity.golden import GoldenPack
from hemline.preprocess import Preprocessor


def test_a_pack_comes_back_as_it_was_saved(pack, tmp_path):
    path = tmp_path / "tiny.golden.npz"
    pack.save(path)
    back = GoldenPack.load(path)
    assert back.pictures == pack.pictures
    assert back.names == pack.names
    assert back.card == pack.card
    for name in ("tensors", "scores", "targets"):
        before, after = getattr(pack, name), getattr(back, name)
        assert before.dtype == after.dtype
        assert (before == after).all()
    assert back.content_sha256 == pack.content_sha256


def test_numpy_itself_can_read_a_pack_without_pickle(pack, tmp_path):
    path = tmp_path / "tiny.golden.npz"
    pack.save(path)
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["scores"].shape == (len(pack), 3)


def test_the_same_pack_gives_the_same_bytes(pack, tmp_path):
    pack.save(tmp_path / "first.golden.npz")
    first = (tmp_path / "first.golden.npz").read_bytes()
    os.utime(tmp_path / "first.golden.npz", (0, 0))
    GoldenPack.load(tmp_path / "first.golden.npz").save(tmp_path / "second.golden.npz")
    assert (tmp_path / "second.golden.npz").read_bytes() == first


def test_the_content_hash_sees_every_part(pack):
    tensors, scores = pack.tensors.copy(), pack.scores.copy()
    tensors[0, 0, 0, 0] ^= 1
    scores[0, 0] += 1
    labels = dataclasses.replace(pack.card, labels=("coat", "dress", "sock"))
    changed = [
        dataclasses.replace(pack, tensors=tensors),
        dataclasses.replace(pack, scores=scores),
        dataclasses.replace(pack, targets=np.roll(pack.targets, 1)),
        dataclasses.replace(pack, names=("other", *pack.names[1:])),
        dataclasses.replace(pack, pictures=pack.pictures[::-1]),
        dataclasses.replace(pack, card=labels),
    ]
    assert len({pack.content_sha256, *(other.content_sha256 for other in changed)}) == 7


def test_the_content_hash_does_not_see_what_names_it(pack):
    card = pack.card.replace(golden_sha256=pack.content_sha256, version="2")
    assert dataclasses.replace(pack, card=card).content_sha256 == pack.content_sha256


def test_a_picture_of_the_pack_gives_the_tensor_of_the_pack(pack):
    preprocess = Preprocessor(pack.card.input)
    for i in range(len(pack)):
        assert (preprocess(pack.frame(i))[0] == pack.tensors[i]).all()


def test_a_pack_takes_the_pictures_that_were_named(split, pack):
    chosen = [7, 3, 90]
    part = GoldenPack.build(split, chosen, pack.card, pack.scores[chosen], pack.tensors[chosen])
    assert part.names == ("noise/test/7", "noise/test/3", "noise/test/90")
    assert part.targets.tolist() == split.targets[chosen].tolist()


def test_a_class_that_the_card_does_not_have_is_unknown_truth(split, pack):
    split.labels = ("coat", "hat", "shirt")
    built = GoldenPack.build(split, range(200), pack.card, pack.scores, pack.tensors)
    assert (built.targets == np.where(split.targets == 1, -1, split.targets)).all()


def test_a_pack_stops_where_the_budget_is_spent(split, pack, monkeypatch):
    budget = sum(len(picture) for picture in pack.pictures[:5]) + 1
    monkeypatch.setattr(golden, "MAX_PICTURE_BYTES", budget)
    small = GoldenPack.build(split, range(200), pack.card, pack.scores, pack.tensors)
    assert len(small) == 5
    assert small.scores.shape == (5, 3)


def test_rows_that_do_not_belong_to_pictures_are_refused(split, pack):
    with pytest.raises(UserError, match="2 pictures, 200 tensors"):
        GoldenPack.build(split, [0, 1], pack.card, pack.scores, pack.tensors)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: {"scores": p.scores[:-1]}, "has scores of float32"),  # a row is missing
        (lambda p: {"scores": p.scores[:, :2]}, "has scores of float32"),  # a class is missing
        (lambda p: {"scores": p.scores.astype(np.float64)}, "float64"),  # another type
        (lambda p: {"scores": p.scores * np.nan}, "NaN"),  # nothing to compare with
        (lambda p: {"tensors": p.tensors[:, :4]}, "has tensors of uint8"),  # half of each tensor
        (lambda p: {"targets": p.targets[:3]}, "has targets of int64"),  # too few
        (lambda p: {"targets": p.targets + 3}, "targets outside"),  # no such class
        (lambda p: {"targets": p.targets - 2}, "targets outside"),  # below −1
        (lambda p: {"names": p.names[:4]}, "4 names"),  # too few
        (lambda _: {"pictures": (), "names": ()}, "no picture"),  # nothing at all
    ],
)
def test_parts_that_do_not_fit_are_refused(pack, change, said):
    with pytest.raises(UserError, match=said):
        dataclasses.replace(pack, **change(pack))


def _arrays(path):
    return read_npz(path, "golden pack")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a.pop("scores"), "no array 'scores'"),  # another .npz file
        (lambda a: a.update(format=np.array(3)), "format 3"),  # from the future
        (lambda a: a.pop("decoded_means"), "no array 'decoded_means'"),  # format 1 has none
        (lambda a: a.update(decoded_means=a["decoded_means"][:-1]), "has means"),  # cut by hand
        (lambda a: a.update(decoded_sizes=a["decoded_sizes"].T), "has sizes"),  # of another shape
        (lambda a: a.update(scores=a["scores"][:-1]), "has scores"),  # cut by hand
        (lambda a: a.update(offsets=a["offsets"][::-1]), "do not cut"),  # negative lengths
        (lambda a: a.update(offsets=a["offsets"] + 1), "do not cut"),  # beyond the end
        (lambda a: a.update(offsets=a["offsets"].astype(float)), "offsets are float64"),  # a type
        (lambda a: a.update(pictures=a["pictures"].astype(int)), "pictures are int64"),  # a type
        (lambda a: a.update(names=np.frombuffer(b"[1", np.uint8)), "golden pack"),  # no JSON
        (lambda a: a.update(names=np.frombuffer(b"7", np.uint8)), "golden pack"),  # no list
        (lambda a: a.update(card=np.frombuffer(b"{}", np.uint8)), "card"),  # no card
        (lambda a: a.update(format=np.zeros(3)), "golden pack"),  # no number
    ],
)
def test_an_npz_file_that_is_no_pack_is_refused_by_name(pack, tmp_path, change, said):
    path = tmp_path / "tiny.golden.npz"
    pack.save(path)
    arrays = _arrays(path)
    change(arrays)
    path.write_bytes(npz_bytes(arrays))
    with pytest.raises(UserError, match=said) as caught:
        GoldenPack.load(path)
    assert str(path) in caught.value.problem


@pytest.mark.parametrize(
    "content",
    [
        b"",  # a full disk left nothing
        b"\x89PNG\r\n",  # a picture
        b"not a pack",  # text
        b"PK\x03\x04",  # the start of a zip file, and no more
    ],
)
def test_a_foreign_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "tiny.golden.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"tiny\.golden\.npz"):
        GoldenPack.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="there is no golden pack"):
        GoldenPack.load(tmp_path / "none.golden.npz")


def test_a_pack_cut_off_anywhere_is_refused(pack, tmp_path):
    path = tmp_path / "tiny.golden.npz"
    pack.save(path)
    content = path.read_bytes()
    for length in range(0, len(content), 997):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"tiny\.golden\.npz"):
            GoldenPack.load(path)


def test_a_flipped_bit_is_refused_or_harmless_and_never_a_crash(split, pack, tmp_path):
    few = [0, 1]
    small = GoldenPack.build(split, few, pack.card, pack.scores[few], pack.tensors[few])
    path = tmp_path / "tiny.golden.npz"
    small.save(path)
    content = bytearray(path.read_bytes())
    refused = 0
    positions = range(0, len(content) * 8, 37)  # being odd, 37 meets every bit of a byte
    for bit in positions:
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        content[bit // 8] ^= 1 << bit % 8
        try:
            back = GoldenPack.load(path)
        except UserError:
            refused += 1
        else:  # a date, or another field of the zip file that carries no content
            assert back.content_sha256 == small.content_sha256
    assert refused > len(positions) // 2


def test_an_array_of_python_objects_is_not_unpickled(tmp_path):
    path = tmp_path / "evil.golden.npz"
    np.savez(path, scores=np.array([{"a": 1}], dtype=object))
    with pytest.raises(UserError, match="damaged"):
        GoldenPack.load(path)


def test_a_pack_that_would_unpack_to_terabytes_is_refused(pack, tmp_path, monkeypatch):
    path = tmp_path / "tiny.golden.npz"
    pack.save(path)
    monkeypatch.setattr("hemline.parity._npz.MAX_UNPACKED_BYTES", 10_000)
    with pytest.raises(UserError, match="would unpack to"):
        GoldenPack.load(path)


def test_the_card_says_the_shape_of_the_tensors(pack):
    with pytest.raises(UserError, match="has tensors of"):
        dataclasses.replace(
            pack, card=ModelCard("tiny", pack.card.labels, InputSpec((9, 9), "gray"))
        )
