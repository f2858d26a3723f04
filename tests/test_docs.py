"""The pages under docs: their links lead somewhere, and hemline takes their commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from hemline.cli import command_named, parser_of

DOCS = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))


def commands(page: Path) -> list[list[str]]:
    """What the code of a page calls hemline with."""
    code = "\n".join(re.findall(r"^ *```sh\n(.*?)```", page.read_text(), re.DOTALL | re.MULTILINE))
    lines = re.findall(
        r'(?:^| |/)(?:hemline|"\$\(command -v hemline\)") ([a-z]+ ?.*)$', code, re.MULTILINE
    )
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_commands_are_as_hemline_takes_them(page):
    for words in commands(page):
        if words[0] != "&&":
            parser_of(command_named(words[0])).parse_args(words[1:])


def test_there_are_commands_to_look_at():
    found = [words[0] for page in DOCS for words in commands(page)]
    assert found.count("service") >= 5
    assert found.count("doctor") >= 5
    assert found.count("classify") >= 3


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    for target, heading in re.findall(r"\]\(([\w./-]*\.md)#?([\w-]*)\)", page.read_text()):
        file = page.parent / target
        assert file.is_file(), target
        headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
        names = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings]
        assert not heading or heading in names, (heading, names)
