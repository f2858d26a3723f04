"""The file with int8 ends as a header for C++: microcontrollers have no file system to read it from."""

from __future__ import annotations

import re

from hemline.card import ModelCard

_BYTES_IN_A_LINE = 20


def c_header(card: ModelCard, content: bytes) -> bytes:
    """The header of a file: its bytes, aligned as TFLite Micro asks for, their number, and the labels.

    Args:
        card: Of the file; name and labels are told.
        content: The whole file.
    """
    name = re.sub(r"\W+", "_", f"{card.name}_int8_io", flags=re.ASCII).lstrip("_")
    name = f"model_{name}" if name[0].isdigit() else name
    guard = f"HEMLINE_{name.upper()}_H"
    rows = [content[at : at + _BYTES_IN_A_LINE] for at in range(0, len(content), _BYTES_IN_A_LINE)]
    lines = [
        "// Made by hemline. Takes pixel - 128 as int8; the largest int8 of the output is the answer.",
        f"#ifndef {guard}",
        f"#define {guard}",
        f"alignas(16) static const unsigned char {name}[] = {{",
        *(f"  {','.join(map(str, row))}," for row in rows),
        "};",
        f"static const unsigned int {name}_len = {len(content)};",
        f"static const char* const {name}_labels[] = {{",
        *(f"  {_c_string(label)}," for label in card.labels),
        "};",
        "#endif",
    ]
    return ("\n".join(lines) + "\n").encode()


def _c_string(text: str) -> str:
    """A text as a literal, in UTF-8, where nothing but plain letters could be taken for anything else."""
    plain = re.compile(r"[ -~]", re.ASCII)
    letters = (
        chr(byte) if plain.match(chr(byte)) and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in text.encode()
    )
    return f'"{"".join(letters)}"'
