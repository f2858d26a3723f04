"""The header must hold the file, byte for byte and aligned, and compile whatever labels and names are."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest

from hemline.card import InputSpec, ModelCard

pytest.importorskip("ai_edge_quantizer")
from hemline_convert.c_header import c_header

LABELS = (
    "T-shirt/top",
    'a "b"',
    "back\\slash\\",
    "Jäckchen",
    "what??/",
    "日本",
    "new\nline",
    "%s\x07",
)
PROGRAM = """
#include <cstdint>
#include <cstdio>
#include "model.h"
#include "model.h"
int main() {
  if (reinterpret_cast<std::uintptr_t>(NAME) % 16) return 3;
  for (const char* label : NAME_labels) { std::fputs(label, stdout); std::fputc(0, stdout); }
  std::fwrite(NAME, 1, NAME_len, stdout);
}
"""


def card(name: str = "my net-2.0") -> ModelCard:
    return ModelCard(name, LABELS, InputSpec((8, 8), "gray"))


def content() -> bytes:
    return np.random.default_rng(0).integers(0, 256, 5001, np.uint8).tobytes()


def test_the_numbers_in_the_header_are_the_bytes_of_the_file():
    text = c_header(card(), content()).decode()
    array = re.search(r"unsigned char my_net_2_0_int8_io\[\] = \{(.*?)\};", text, re.DOTALL)
    assert bytes(int(n) for n in array[1].split(",") if n.strip()) == content()
    assert "my_net_2_0_int8_io_len = 5001;" in text
    assert text.isascii()


def test_the_same_file_gives_the_same_header():
    assert c_header(card(), content()) == c_header(card(), content())


@pytest.mark.parametrize("name", ["my net-2.0", "2nd", "日本"])
def test_it_compiles_and_gives_the_bytes_and_the_labels_back(tmp_path, name):
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    header = c_header(card(name), content())
    (tmp_path / "model.h").write_bytes(header)
    symbol = re.search(rb"unsigned char (\w+)\[", header)[1].decode()
    (tmp_path / "main.cc").write_text(PROGRAM.replace("NAME", symbol))
    command = [
        compiler,
        "-std=c++11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-trigraphs",
        "main.cc",
        "-o",
        "main",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    out = subprocess.run([tmp_path / "main"], capture_output=True, timeout=20)
    assert out.returncode == 0
    *labels, rest = out.stdout.split(b"\0", len(LABELS))
    assert tuple(label.decode() for label in labels) == LABELS
    assert rest == content()
