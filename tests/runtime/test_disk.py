from __future__ import annotations

import pytest

from hemline.disk import Budget, file_name, parse_bytes
from hemline.errors import UserError


@pytest.mark.parametrize(
    ("text", "size"), [("500", 500), ("2k", 2000), ("1.5M", 1_500_000), ("2GB", 2 * 10**9)]
)
def test_disk_space_is_read_in_powers_of_1000(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "many", "-1", "1 x", "1e9"])
def test_what_is_no_disk_space_is_refused(text):
    with pytest.raises(UserError, match="no amount of disk space"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("bag", "bag"),
        ("../../etc/passwd", "etc_passwd"),
        ("T-shirt/top Größe 上衣", "T-shirt_top_Größe_上衣"),
        (".hidden", "hidden"),
        ("", "picture"),
        ("/", "picture"),
        ("a\0b\nc", "a_b_c"),
    ],
)
def test_any_text_makes_a_harmless_name(text, name):
    assert file_name(text) == name


def test_a_long_name_is_cut_between_its_signs():
    assert len(file_name("上" * 500).encode()) <= 120
    assert set(file_name("上" * 500)) == {"上"}


def test_a_budget_counts_what_is_there_and_says_once_that_it_is_spent(tmp_path):
    (tmp_path / "old.jpg").write_bytes(bytes(600))
    (tmp_path / "other.txt").write_bytes(bytes(10_000))
    told = []
    budget = Budget(tmp_path, "*.jpg", 1000, told.append)
    assert budget.has_room(400)
    budget.add(300)
    assert [budget.has_room(200) for _ in range(3)] == [False] * 3
    assert len(told) == 1
    assert "--max-disk" in told[0]
    assert budget.has_room(100)
    assert Budget(tmp_path, "*.jpg", None, told.append).has_room(1 << 60)
